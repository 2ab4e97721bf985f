"""WeChat Pay's trade and refund states, ours. Source: the vendor sheet, §C3 (trade_state values are [M])."""

from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Codes, Meaning

_UNPAID = Meaning(Event.NOTED, state=State.PENDING_PAYMENT)

CODES: Codes = {
    ("trade_state", "SUCCESS"): Meaning(Event.PAYMENT_CAPTURED),
    ("trade_state", "NOTPAY"): _UNPAID,  # not yet, may still come
    ("trade_state", "USERPAYING"): _UNPAID,  # the customer is typing the password
    ("trade_state", "ACCEPT"): _UNPAID,  # taken, waits for the bank
    # some of it went back; how much only the refund itself says
    ("trade_state", "REFUND"): Meaning(Event.NOTED, state=State.CLOSED),
    ("trade_state", "CLOSED"): Meaning(Event.PAYMENT_ENDED),
    ("trade_state", "REVOKED"): Meaning(Event.PAYMENT_ENDED),
    ("trade_state", "PAYERROR"): Meaning(Event.PAYMENT_ENDED),
    ("refund_status", "SUCCESS"): Meaning(Event.REFUNDED),
    ("refund_status", "PROCESSING"): Meaning(Event.NOTED),
    ("refund_status", "CLOSED"): Meaning(Event.HELD, HoldReason.REFUND_FAILED),  # called off; the money stayed with us
    ("refund_status", "ABNORMAL"): Meaning(Event.HELD, HoldReason.REFUND_FAILED),  # the customer's bank refused it
}
