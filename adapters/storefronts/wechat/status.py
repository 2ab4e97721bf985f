"""WeChat's order states and events, ours. Source: the vendor sheet, §A2 (order_state) and §A4 (events)."""

from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Codes, Meaning

_NOTED = Meaning(Event.NOTED)
_WAITING = Meaning(Event.NOTED, state=State.STOCK_LOCKED)  # paid and not shipped
_SHIPPED = Meaning(Event.NOTED, state=State.OUTBOUND)
_CONFIRMED = Meaning(Event.RECEIPT_CONFIRMED)

SETTLEMENT = "trade_manage_order_settlement"
REMIND_SHIPPING = "trade_manage_remind_shipping"
REMIND_ACCESS = "trade_manage_remind_access_api"
CONFIRMED = f"{SETTLEMENT}+confirm_receive_time"
"""One event name, two meanings: with `confirm_receive_time` the customer (or the deadline) confirmed receipt."""

CODES: Codes = {
    ("order_state", "1"): _WAITING.called("待发货: our own truth about the shelf is better"),
    ("order_state", "2"): _SHIPPED.called("已发货: it says so because we told it"),
    ("order_state", "3"): _CONFIRMED.called("确认收货"),
    ("order_state", "4"): _CONFIRMED.called("交易完成"),
    ("order_state", "5"): Meaning(Event.REFUNDED).called("已退款"),
    ("order_state", "6"): _NOTED.called("资金待结算: undocumented in older papers, says nothing of the goods"),
    ("in_complaint", "true"): Meaning(Event.HELD, HoldReason.COMPLAINT).called("纠纷中"),
    ("Event", SETTLEMENT): _NOTED.called("sent on shipping, before the customer said anything"),
    ("Event", CONFIRMED): _CONFIRMED.called("never by confirm_receive_method: its values are disputed"),
    ("Event", REMIND_SHIPPING): _NOTED.called("unshipped for more than 48 h: money stays frozen"),
}
