"""Words of the order page in both languages. States and hold reasons have theirs in `ballast.domain.words`."""

from typing import Final, Literal

from ballast.domain.words import HOLD_LABELS, PAID_WAITING, STATE_LABELS, Event, HoldReason, Label, State, Step, System

Language = Literal["en", "zh"]

EVENT_LABELS: Final[dict[str, Label]] = {
    Event.PAYMENT_CAPTURED: Label("charge reported", "收到扣款通知"),
    Event.PAYMENT_CONFIRMED: Label("payment confirmed", "支付已核对"),
    Event.PAYMENT_ENDED: Label("payment ended unpaid", "支付关闭"),
    Event.REFUNDED: Label("refunded", "已退款"),
    Event.STOCK_LOCKED: Label("stock locked", "库存已锁定"),
    Event.RESTOCKED: Label("the goods are there again", "补货后继续"),
    Event.WAREHOUSE_PROGRESS: Label("warehouse at work", "仓库作业中"),
    Event.PARTLY_SHIPPED: Label("partly shipped", "部分发货"),
    Event.SHIPPED: Label("shipped", "已发货"),
    Event.WAREHOUSE_CANCELLED: Label("dropped by the warehouse", "仓库取消"),
    Event.SCANNED: Label("courier scan", "物流扫描"),
    Event.PARCEL_SIGNED: Label("parcel signed for", "包裹签收"),
    Event.SIGNED: Label("all parcels signed for", "全部签收"),
    Event.RECEIPT_CONFIRMED: Label("receipt confirmed in the shop", "店铺确认收货"),
    Event.HELD: Label("put on hold", "挂起"),
    Event.RELEASED: Label("released", "放行"),
    Event.CANCEL_ASKED: Label("cancellation asked for", "申请取消"),
    Event.CANCELLED: Label("cancelled", "取消"),
    Event.MERGED: Label("merged into another order", "并入其他订单"),
    Event.RETURNED: Label("everything came back", "全部退回"),
    Event.RETURN_WINDOW_ENDED: Label("return window over", "退货期结束"),
    Event.NOTED: Label("noted", "记录"),
}
PLACED: Final = Label("placed", "下单")
"""The first row of every history: noted, with the cause `placed`."""

SYSTEM_LABELS: Final[dict[str, Label]] = {
    System.KINGDEE: Label("Kingdee ERP", "金蝶 ERP"),
    System.QIMEN: Label("warehouse (QiMen)", "仓库 (奇门)"),
    System.KDNIAO: Label("courier (Kdniao)", "物流 (快递鸟)"),
    System.WECHAT: Label("WeChat shop", "微信小程序"),
    System.WECHATPAY: Label("WeChat Pay", "微信支付"),
    System.DINGTALK: Label("DingTalk", "钉钉"),
    System.WECOM: Label("WeCom", "企业微信"),
    System.FEISHU: Label("Feishu", "飞书"),
    System.APPRISE: Label("e-mail and more", "邮件等"),
    System.DIRECT: Label("shop backend", "店铺后台"),
    System.IMPORT: Label("file import", "文件导入"),
    System.BALLAST: Label("Ballast", "Ballast"),
    System.PERSON: Label("a person", "人工"),
}
STEP_LABELS: Final[dict[str, Label]] = {
    Step.CONFIRM_PAYMENT: Label("confirm payment", "核对支付"),
    Step.LOCK_STOCK: Label("lock stock", "锁定库存"),
    Step.SHIP_OUT: Label("ship out", "发货"),
    Step.TRACK_TRANSIT: Label("track transit", "跟踪物流"),
    Step.SIGN_OFF: Label("sign off", "签收收尾"),
    Step.CALL_OFF: Label("call off", "撤单拦截"),
}
EFFECT_LABELS: Final[dict[str, Label]] = {
    "erp.reserve": Label("sale order in the ERP", "ERP 销售订单"),
    "wms.create": Label("delivery order at the warehouse", "仓库发货单"),
    "erp.change": Label("sale order changed to other warehouses in the ERP", "ERP 销售订单改仓"),
    "courier.subscribe": Label("parcel subscribed at the courier", "物流订阅"),
    "parcel.follow": Label("quiet parcel subscribed once more", "再次订阅物流"),
    "shop.shipped": Label("shop told of the parcels", "店铺发货通知"),
    "shop.received": Label("shop told of the arrival", "店铺签收通知"),
    "shop.refunded": Label("shop shows the refund", "店铺退款核对"),
    "wms.cancel": Label("delivery order stopped at the warehouse", "仓库拦截"),
    "erp.cancel": Label("sale order voided in the ERP", "ERP 销售订单作废"),
    "erp.void": Label("sale order voided in the ERP, merged", "ERP 销售订单作废 (已合并)"),
    "erp.outbound": Label("outbound bill in the ERP", "ERP 销售出库单"),
    "erp.receipt": Label("arrival noted in the ERP", "ERP 签收登记"),
    "payment.refund": Label("refund requested", "申请退款"),
    "wms.return": Label("return order at the warehouse", "仓库退货入库单"),
    "erp.return": Label("return bill in the ERP", "ERP 销售退货单"),
}
STATUS_LABELS: Final[dict[str, Label]] = {
    "done": Label("done", "完成"),
    "pending": Label("under way", "进行中"),
    "unknown": Label("outcome not known, looked up next", "结果未知, 待核对"),
    "refused": Label("refused", "被拒绝"),
    "captured": Label("reported, not yet checked", "已收款, 待核对"),
    "counted": Label("counted", "已计入"),
    "surplus": Label("second charge, given back", "重复收款, 退还"),
    "asked": Label("to be requested", "待申请"),
    "requested": Label("requested", "已申请"),
    "by_hand": Label("to be refunded by hand", "待人工退款"),
    "overtaken": Label("given back under another number", "已另行退款"),
    "failed": Label("failed", "失败"),
    "waiting": Label("waits for its turn", "等待处理"),
    "parked": Label("parked, a code is not in the map", "搁置, 状态码未映射"),
}
WAY: Final[tuple[tuple[State, Label, str], ...]] = (
    (State.PENDING_PAYMENT, PLACED, "placed_at"),
    (State.PENDING_PAYMENT, Label("paid", "支付"), "paid_at"),
    (State.STOCK_LOCKED, Label("stock locked", "锁定库存"), "locked_at"),
    (State.OUTBOUND, Label("outbound", "出库"), "outbound_at"),
    (State.IN_TRANSIT, Label("in transit", "在途"), "picked_up_at"),
    (State.SIGNED, Label("signed", "签收"), "signed_at"),
)
"""The way of an order: the state that a stage belongs to, its name, and when it was reached."""

PAGE: Final[dict[str, Label]] = {
    "order": Label("Order", "订单"),
    "channel": Label("channel", "渠道"),
    "customer": Label("customer", "客户编号"),
    "placed": Label("placed", "下单时间"),
    "total": Label("total", "应付"),
    "freight": Label("freight", "运费"),
    "discount": Label("discount", "优惠"),
    "warehouse": Label("warehouse", "仓库"),
    "next": Label("next look", "下次处理"),
    "attempt": Label("attempt", "第几次"),
    "closed": Label("closed", "关闭时间"),
    "archived": Label("in the archive since", "归档时间"),
    "held_since": Label("On hold since", "挂起时间"),
    "held_from": Label("held from", "挂起前状态"),
    "to_do": Label("What to do", "处理建议"),
    "evidence": Label("What was said", "依据"),
    "looked_after": Label("looked after by", "处理人"),
    "nobody": Label("nobody yet", "尚无人处理"),
    "alerts": Label("Open alerts", "未结告警"),
    "alert": Label("alert", "告警"),
    "lines": Label("Lines", "商品明细"),
    "item": Label("item", "商品"),
    "quantity": Label("ordered", "数量"),
    "shipped": Label("shipped", "已发"),
    "price": Label("price", "单价"),
    "amount": Label("amount", "金额"),
    "deliveries": Label("Deliveries", "发货单"),
    "delivery": Label("delivery", "发货单"),
    "promised": Label("promised for", "承诺时间"),
    "why": Label("why", "原因"),
    "returns": Label("Returns and exchanges", "退货与换货"),
    "return": Label("return", "退货单"),
    "pieces": Label("pieces", "件数"),
    "everything": Label("everything", "全部"),
    "good": Label("good", "正品"),
    "damaged": Label("damaged", "残次"),
    "answer": Label("answer", "答复"),
    "gives_back": Label("what goes back", "退还"),
    "with_freight": Label("freight included", "含运费"),
    "new_order": Label("new order", "换货订单"),
    "instead_of": Label("in exchange for", "换货自"),
    "merged_into": Label("merged into", "并入"),
    "carries": Label("carries", "已并入的订单"),
    "parcels": Label("Parcels", "包裹"),
    "waybill": Label("waybill", "运单号"),
    "contents": Label("contents", "内含"),
    "not_listed": Label("not listed", "未列明"),
    "left": Label("left the warehouse", "出库"),
    "first_scan": Label("first scan", "揽收"),
    "last_scan": Label("last scan", "最新轨迹"),
    "signed": Label("signed for", "签收"),
    "no_scan": Label("no scan yet", "暂无轨迹"),
    "money": Label("Payments and refunds", "收款与退款"),
    "refund": Label("refund", "退款"),
    "charge": Label("charge", "收款"),
    "said": Label("What each system last said", "各系统最新状态"),
    "system": Label("system", "系统"),
    "code": Label("its word", "原始状态"),
    "meaning": Label("meaning", "含义"),
    "text": Label("text", "内容"),
    "time": Label("time", "时间"),
    "source": Label("source", "来源"),
    "event": Label("event", "事件"),
    "events": Label("Events", "事件时间线"),
    "effects": Label("What was done outside", "对外操作"),
    "what": Label("what", "操作"),
    "state": Label("state", "状态"),
    "reference": Label("their number", "对方单号"),
    "pending": Label("On its way out", "待发送"),
    "due": Label("due", "计划时间"),
    "given_up": Label("given up", "已放弃"),
    "attempts": Label("attempts", "次数"),
    "letters": Label("Messages not applied yet", "未处理消息"),
    "past_holds": Label("Earlier holds", "历史挂起"),
    "released": Label("released", "放行"),
    "zone": Label("all times are Beijing time (UTC+8)", "时间均为北京时间 (UTC+8)"),
    "as_of": Label("As of", "截至"),
}

MISSING: Final = Label(
    "There is no such order, or the link is not complete. Open the link again from where it came: "
    "the run's artifact or the alert.",
    "没有此订单, 或链接不完整。请从运行记录或告警中重新打开链接。",
)
BUSY: Final = Label(
    "Too many requests came from your address. Nothing is wrong with the order; try again in a minute.",
    "来自您地址的请求过多。订单没有问题, 请一分钟后再试。",
)
AWAY: Final = Label(
    "The database does not answer. Nothing is lost; try again in a minute. If it stays so, run `ballast doctor`.",
    "数据库暂时没有响应。数据不会丢失, 请稍后再试; 如持续出现, 请运行 `ballast doctor`。",
)


def say(label: Label, language: Language) -> str:
    """The label in one language."""
    return label.zh if language == "zh" else label.en


def state_label(state: State, *, paid: bool) -> Label:
    """A paid order that waits for stock has a name of its own."""
    return PAID_WAITING if state is State.PENDING_PAYMENT and paid else STATE_LABELS[state]


def reason_label(reason: str) -> Label:
    """The name of a hold reason and what to do about it."""
    return HOLD_LABELS[HoldReason(reason)]


def name_actor(actor: str, language: Language) -> str:
    """`person:li` -> `li (a person)`; systems by their names."""
    kind, _, who = actor.partition(":")
    label = SYSTEM_LABELS.get(kind)
    name = say(label, language) if label else kind
    return f"{who} ({name})" if who else name
