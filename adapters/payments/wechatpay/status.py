"""WeChat Pay's trade and refund states, ours. Source: the vendor sheet, §C3 (trade_state values are [M])."""

from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Codes, Meaning

_NOTED = Meaning(Event.NOTED)
_UNPAID = Meaning(Event.NOTED, state=State.PENDING_PAYMENT)
_GIVEN_BACK = Meaning(Event.NOTED, state=State.CLOSED)
_ENDED = Meaning(Event.PAYMENT_ENDED)
_FAILED = Meaning(Event.HELD, HoldReason.REFUND_FAILED)

CODES: Codes = {
    ("trade_state", "SUCCESS"): Meaning(Event.PAYMENT_CAPTURED).called("支付成功"),
    ("trade_state", "NOTPAY"): _UNPAID.called("not yet, may still come"),
    ("trade_state", "USERPAYING"): _UNPAID.called("the customer is typing the password"),
    ("trade_state", "ACCEPT"): _UNPAID.called("taken, waits for the bank"),
    ("trade_state", "REFUND"): _GIVEN_BACK.called("some of it went back; how much only the refund itself says"),
    ("trade_state", "CLOSED"): _ENDED.called("已关闭"),
    ("trade_state", "REVOKED"): _ENDED.called("已撤销"),
    ("trade_state", "PAYERROR"): _ENDED.called("支付失败"),
    ("refund_status", "SUCCESS"): Meaning(Event.REFUNDED).called("退款成功"),
    ("refund_status", "PROCESSING"): _NOTED.called("退款处理中"),
    ("refund_status", "CLOSED"): _FAILED.called("called off; the money stayed with us"),
    ("refund_status", "ABNORMAL"): _FAILED.called("the customer's bank refused it"),
}
