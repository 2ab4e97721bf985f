"""The words of Ballast's own intake format. Source: README.md beside this file."""

from ballast.domain.words import Event
from ballast.ports import Codes, Meaning

PLACED = "order.placed"
PAID = "order.paid"
CANCELLED = "order.cancelled"
RETURN_REQUESTED = "order.return_requested"
EDIT_REQUESTED = "order.edit_requested"

CODES: Codes = {
    ("event", PAID): Meaning(Event.PAYMENT_CAPTURED).called("paid through a provider of the shop's own"),
    ("event", RETURN_REQUESTED): Meaning(Event.NOTED).called("the customer wants to send something back"),
    ("event", EDIT_REQUESTED): Meaning(Event.NOTED).called("the customer wants the order otherwise"),
    ("event", CANCELLED): Meaning(Event.CANCEL_ASKED).called("the shop or its customer cancelled"),
}
