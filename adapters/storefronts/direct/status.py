"""The words of Ballast's own intake format. Source: README.md beside this file."""

from ballast.domain.words import Event
from ballast.ports import Codes, Meaning

PLACED = "order.placed"
CANCELLED = "order.cancelled"

CODES: Codes = {
    ("event", CANCELLED): Meaning(Event.CANCEL_ASKED),
}
