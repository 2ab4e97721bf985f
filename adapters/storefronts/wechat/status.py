"""WeChat's order states and events, ours. Source: the vendor sheet, §A2 (order_state) and §A4 (events)."""

from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Codes, Meaning

SETTLEMENT = "trade_manage_order_settlement"
REMIND_SHIPPING = "trade_manage_remind_shipping"
REMIND_ACCESS = "trade_manage_remind_access_api"
CONFIRMED = f"{SETTLEMENT}+confirm_receive_time"
"""One event name, two meanings: with `confirm_receive_time` the customer (or the deadline) confirmed receipt."""

CODES: Codes = {
    # 待发货, paid and not shipped: our own truth about the shelf is better
    ("order_state", "1"): Meaning(Event.NOTED, state=State.STOCK_LOCKED),
    ("order_state", "2"): Meaning(Event.NOTED, state=State.OUTBOUND),  # 已发货: it says so because we told it
    ("order_state", "3"): Meaning(Event.RECEIPT_CONFIRMED),  # 确认收货
    ("order_state", "4"): Meaning(Event.RECEIPT_CONFIRMED),  # 交易完成
    ("order_state", "5"): Meaning(Event.REFUNDED),  # 已退款
    ("order_state", "6"): Meaning(Event.NOTED),  # 资金待结算: undocumented in older papers, says nothing of the goods
    ("in_complaint", "true"): Meaning(Event.HELD, HoldReason.COMPLAINT),
    ("Event", SETTLEMENT): Meaning(Event.NOTED),  # sent on shipping, before the customer said anything
    ("Event", CONFIRMED): Meaning(Event.RECEIPT_CONFIRMED),  # never by confirm_receive_method: its values are disputed
    ("Event", REMIND_SHIPPING): Meaning(Event.NOTED),  # unshipped for more than 48 h: money stays frozen
}
