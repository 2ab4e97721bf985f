"""The vocabulary: one word, one meaning. Labels for people stand beside the words, in English and Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ballast.domain.deliveries import DeliveryState

TO_COME: Final[Mapping[str, str]] = {"answer": "to come"}
"""In the receipt of what a system took on and makes later: its news says whether it did."""

NOT_THERE: Final[Mapping[str, str]] = {"status": "never heard of it"}
"""In the receipt of a cancellation: there was nothing to stop."""


class State(StrEnum):
    """The seven standard states, the only ones anyone outside sees."""

    PENDING_PAYMENT = "PENDING_PAYMENT"  # placed; with `paid_at` set it is paid and waits for stock
    STOCK_LOCKED = "STOCK_LOCKED"  # stock reserved; the warehouse works on it
    OUTBOUND = "OUTBOUND"  # every line left the warehouse; no courier scan yet
    IN_TRANSIT = "IN_TRANSIT"  # the courier scanned at least one parcel
    SIGNED = "SIGNED"  # every parcel was signed for; may still be returned
    ON_HOLD = "ON_HOLD"  # a person has to look; remembers where it was
    CLOSED = "CLOSED"  # the end: cancelled, refunded, or the return window is over


class Event(StrEnum):
    """What can happen to an order. News from outside and decisions of our own steps."""

    PAYMENT_CAPTURED = "PAYMENT_CAPTURED"  # a provider reports a charge; not yet checked against the order
    PAYMENT_CONFIRMED = "PAYMENT_CONFIRMED"  # charges cover the order: `paid_at` is set
    PAYMENT_ENDED = "PAYMENT_ENDED"  # the provider closed the payment; it will never be paid
    REFUNDED = "REFUNDED"  # money went back to the customer; it moves an order when all that counted did
    STOCK_LOCKED = "STOCK_LOCKED"  # our ledger and the ERP hold the goods
    RESTOCKED = "RESTOCKED"  # every piece that was short is there again, and our ledger holds it for the order
    WAREHOUSE_PROGRESS = "WAREHOUSE_PROGRESS"  # accepted, printed, picked, packed: nothing left yet
    PARTLY_SHIPPED = "PARTLY_SHIPPED"  # some lines left, others are to follow
    SHIPPED = "SHIPPED"  # the last line left
    WAREHOUSE_CANCELLED = "WAREHOUSE_CANCELLED"  # the warehouse dropped the delivery order
    SCANNED = "SCANNED"  # a courier scan that shows movement
    PARCEL_SIGNED = "PARCEL_SIGNED"  # one parcel arrived, others may be on their way
    SIGNED = "SIGNED"  # the last parcel arrived
    RECEIPT_CONFIRMED = "RECEIPT_CONFIRMED"  # the shop says that the customer confirmed receipt
    HELD = "HELD"  # something needs a person (or, by its reason, better news)
    RELEASED = "RELEASED"  # a person, or the end of the cause, lets the order go on
    CANCEL_ASKED = "CANCEL_ASKED"  # shop, customer or seller do not want it any more: it has to be called off
    MERGED = "MERGED"  # another order carries its lines and its money: the end
    CANCELLED = "CANCELLED"  # called off everywhere it was known: the end
    RETURNED = "RETURNED"  # every piece that left came back before anybody signed for it
    RETURN_WINDOW_ENDED = "RETURN_WINDOW_ENDED"  # nothing can come back any more
    NOTED = "NOTED"  # worth keeping in the timeline, moves nothing


class Step(StrEnum):
    """The five step flows, and the one that takes orders back. An order is due at one of them, or waits for news."""

    CONFIRM_PAYMENT = "confirm_payment"
    LOCK_STOCK = "lock_stock"
    SHIP_OUT = "ship_out"
    TRACK_TRANSIT = "track_transit"
    SIGN_OFF = "sign_off"
    CALL_OFF = "call_off"  # beside the way: stops what was cancelled or refunded before it left


class System(StrEnum):
    """Who said it or is told."""

    KINGDEE = "kingdee"
    QIMEN = "qimen"
    KDNIAO = "kdniao"
    WECHAT = "wechat"
    WECHATPAY = "wechatpay"
    DINGTALK = "dingtalk"
    WECOM = "wecom"
    FEISHU = "feishu"
    APPRISE = "apprise"  # e-mail and whatever else the package speaks
    DIRECT = "direct"  # a shop's own backend, in Ballast's own order format
    IMPORT = "import"  # a file
    BALLAST = "ballast"  # our own steps
    PERSON = "person"


class HoldReason(StrEnum):
    """Why an order waits for a person."""

    PAYMENT_MISMATCH = "PAYMENT_MISMATCH"  # amount, currency or merchant differ from the order
    PRICE_MISMATCH = "PRICE_MISMATCH"  # what the order costs differs from price book and promotions
    RISK_SUSPECTED = "RISK_SUSPECTED"  # rules of the risk scanner fired
    STOCK_SHORT = "STOCK_SHORT"  # ledger or ERP cannot reserve every line
    ERP_REFUSED = "ERP_REFUSED"  # the ERP will not take the sale order as it is
    WAREHOUSE_REFUSED = "WAREHOUSE_REFUSED"  # the WMS will not take or fulfil the delivery order
    WAREHOUSE_SHORT = "WAREHOUSE_SHORT"  # the shelf was empty at picking
    WAREHOUSE_EXCEPTION = "WAREHOUSE_EXCEPTION"  # the WMS reports a problem, its words are the evidence
    SHIPPED_SHORT = "SHIPPED_SHORT"  # the final confirm has less than was ordered
    SHIPPED_TWICE = "SHIPPED_TWICE"  # a warehouse shipped what it had given up, and another one has it, too
    COURIER_PROBLEM = "COURIER_PROBLEM"  # delayed, bad address, no answer: the courier may solve it
    COURIER_REFUSED = "COURIER_REFUSED"  # the customer refused the parcel
    COURIER_RETURNED = "COURIER_RETURNED"  # on its way back, or back with the sender
    COURIER_DAMAGED = "COURIER_DAMAGED"  # broken on the way
    COURIER_STOPPED = "COURIER_STOPPED"  # intercepted, or taken back by the sender
    REFUNDED_ON_THE_WAY = "REFUNDED_ON_THE_WAY"  # money went back while goods are locked or out
    REFUND_FAILED = "REFUND_FAILED"  # a refund of money that counted did not reach the customer
    CANCEL_ASKED = "CANCEL_ASKED"  # cancelled; `call-off` stops it at the warehouse and in the ERP
    COMPLAINT = "COMPLAINT"  # the customer complained at the shop
    NO_ANSWER = "NO_ANSWER"  # a system did not answer this order's call after every attempt
    REFUSED_BY_SYSTEM = "REFUSED_BY_SYSTEM"  # a notice (shop, courier, ERP, refund) was refused
    BY_HAND = "BY_HAND"  # a person stopped it


@dataclass(frozen=True, slots=True)
class Label:
    """Words for people: the name, and what to do next."""

    en: str
    zh: str
    advice_en: str = ""
    advice_zh: str = ""


STATE_LABELS: dict[State, Label] = {
    State.PENDING_PAYMENT: Label("pending payment", "待支付"),
    State.STOCK_LOCKED: Label("stock locked", "已锁定库存"),
    State.OUTBOUND: Label("outbound", "已出库"),
    State.IN_TRANSIT: Label("in transit", "物流在途"),
    State.SIGNED: Label("signed", "客户签收"),
    State.ON_HOLD: Label("on hold", "异常挂起"),
    State.CLOSED: Label("closed", "已关闭"),
}
DELIVERY_LABELS: Final[Mapping[DeliveryState, Label]] = {
    DeliveryState.BACKORDERED: Label("on backorder", "等货"),
    DeliveryState.SOURCED: Label("locked, the ERP is to be told", "已锁定, 待通知 ERP"),
    DeliveryState.PLANNED: Label("to be handed over", "待下发"),
    DeliveryState.WITH_WAREHOUSE: Label("with the warehouse", "仓库处理中"),
    DeliveryState.REFUSED: Label("refused, being stopped", "仓库拒单, 拦截中"),
    DeliveryState.SHORT: Label("short, being stopped", "仓库缺货, 拦截中"),
    DeliveryState.ENDED: Label("given up, the rest ships from elsewhere", "放弃, 其余由他仓发"),
    DeliveryState.RECALLED: Label("to be changed, being stopped", "改单, 拦截中"),
    DeliveryState.TAKEN_BACK: Label("taken back, the order was changed", "改单撤回"),
    DeliveryState.CANCELLED: Label("called off", "已取消"),
    DeliveryState.LEFT: Label("left", "已发出"),
}
PAID_WAITING = Label("paid, waiting for stock", "已支付·待锁库")

HOLD_LABELS: dict[HoldReason, Label] = {
    HoldReason.PAYMENT_MISMATCH: Label(
        "payment differs from the order",
        "支付与订单不符",
        "compare the charge with the order in the payment console; it releases itself when more is paid, "
        "a full refund before the stock is locked closes it, a release by hand accepts what was paid",
        "在支付后台核对收款与订单; 有新收款时自动放行, 锁库前全额退款则关闭, 人工放行即认可已付金额",
    ),
    HoldReason.PRICE_MISMATCH: Label(
        "its prices differ from the price book",
        "价格与价格表不符",
        "compare both figures; mend the shop's price or the price book, or cancel the order; "
        "a release accepts the order's own prices",
        "核对两个金额; 修正店铺价格或价格表, 或取消订单; 放行即认可订单价格",
    ),
    HoldReason.RISK_SUSPECTED: Label(
        "the risk scanner stopped it",
        "风控拦截",
        "check the evidence with the customer: release it, or cancel the order; the same rules do not stop it again",
        "与客户核实证据: 放行或取消订单; 放行后相同规则不再拦截此单",
    ),
    HoldReason.STOCK_SHORT: Label(
        "not enough stock",
        "库存不足",
        "restock or move stock in the ERP; the next sync-inventory (or run it) lets it go on, the oldest order first",
        "在 ERP 补货或调拨; 下一次 sync-inventory (或手动运行) 自动放行, 先下单者优先",
    ),
    HoldReason.ERP_REFUSED: Label(
        "the ERP refused the sale order",
        "ERP 拒绝销售订单",
        "mend what the ERP names (customer, SKU, price), then rerun",
        "按 ERP 提示修正资料 (客户、物料、价格), 然后重跑",
    ),
    HoldReason.WAREHOUSE_REFUSED: Label(
        "the warehouse refused the order",
        "仓库拒单",
        "ask the warehouse, or ship from another one, then rerun",
        "联系仓库或改派其他仓库, 然后重跑",
    ),
    HoldReason.WAREHOUSE_SHORT: Label(
        "the warehouse ran short while picking",
        "仓库拣货缺货",
        "restock, or agree a partial delivery with the customer, then rerun",
        "补货, 或与客户商定部分发货, 然后重跑",
    ),
    HoldReason.WAREHOUSE_EXCEPTION: Label(
        "the warehouse reports a problem",
        "仓库作业异常",
        "ask the warehouse what happened, then release; it releases itself when everything has left",
        "向仓库了解情况, 然后放行; 全部出库后自动放行",
    ),
    HoldReason.SHIPPED_SHORT: Label(
        "fewer pieces shipped than ordered",
        "实发数量少于订单",
        "refund the missing pieces or send them after, then release; it releases itself when the rest has left",
        "退差价或补发, 然后放行; 其余出库后自动放行",
    ),
    HoldReason.SHIPPED_TWICE: Label(
        "left, or may leave, from two warehouses",
        "两仓重复发货",
        "stop the second delivery at its warehouse, or have it sent back; book in the ERP what left from where; "
        "then release",
        "在另一仓库拦截第二张发货单或安排退回; 在 ERP 按实际出库仓库记账; 然后放行",
    ),
    HoldReason.COURIER_PROBLEM: Label(
        "the courier reports a problem",
        "物流异常",
        "call the courier or the customer; it releases itself when the parcel moves again",
        "联系快递或客户; 包裹恢复流转后自动放行",
    ),
    HoldReason.COURIER_REFUSED: Label(
        "the customer refused the parcel",
        "客户拒收",
        "call the customer: deliver again or take it back",
        "联系客户: 再次派送或退回",
    ),
    HoldReason.COURIER_RETURNED: Label(
        "the parcel comes back",
        "包裹退回",
        "check the goods when they arrive, then refund or send again",
        "货到后验货, 然后退款或重发",
    ),
    HoldReason.COURIER_DAMAGED: Label(
        "the parcel is damaged",
        "包裹破损",
        "claim from the courier, then send again or refund",
        "向快递索赔, 然后补发或退款",
    ),
    HoldReason.COURIER_STOPPED: Label(
        "the parcel was stopped",
        "快件被拦截",
        "find out who stopped it; release when it goes on, else refund: the order stays on hold",
        "核实拦截人; 恢复派送则放行, 否则退款, 订单保持挂起",
    ),
    HoldReason.REFUNDED_ON_THE_WAY: Label(
        "refunded while on its way",
        "在途已退款",
        "call-off stops what has not left; else stop it at the courier, or ask for the goods back; "
        "a release closes what has not left",
        "未出库的由 call-off 拦截; 否则在快递处拦截或要求退货; 尚未出库的, 放行即关闭",
    ),
    HoldReason.REFUND_FAILED: Label(
        "a refund did not reach the customer",
        "退款失败",
        "refund by hand in the payment console; release only if the order is to go on after all",
        "在支付后台手工退款; 仅当订单仍要继续时才放行",
    ),
    HoldReason.CANCEL_ASKED: Label(
        "cancelled, being stopped",
        "已取消, 正在拦截",
        "call-off stops it at the warehouse and in the ERP, refunds and closes it, or says why it cannot; "
        "to try again: cancel it again; to go on all the same: release",
        "call-off 会在仓库与 ERP 拦截, 退款并关闭, 或说明原因; 若重试: 再次取消; 若继续: 放行",
    ),
    HoldReason.COMPLAINT: Label(
        "the customer complains",
        "客户投诉",
        "answer the complaint in the shop's console, then release",
        "在店铺后台处理投诉, 然后放行",
    ),
    HoldReason.NO_ANSWER: Label(
        "a system did not answer",
        "系统无响应",
        "see `ballast doctor`; when the system is back, rerun",
        "运行 `ballast doctor`; 系统恢复后重跑",
    ),
    HoldReason.REFUSED_BY_SYSTEM: Label(
        "a notice was refused",
        "通知被拒绝",
        "read the system's words in the timeline, mend the cause, then rerun",
        "查看时间线中的系统提示, 修正后重跑",
    ),
    HoldReason.BY_HAND: Label(
        "stopped by a person", "人工挂起", "ask who stopped it, then release", "询问挂起人, 然后放行"
    ),
}
