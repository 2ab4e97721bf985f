"""金蝶云星空 codes -> ours. Sheet kingdee.md, 3 (MsgCode, verified) and 6 (bill states, [M])."""

from typing import Final

from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Codes, Meaning

_NOTED: Final = Meaning(Event.NOTED)
_DRAFT: Final = Meaning(Event.NOTED, state=State.PENDING_PAYMENT)  # written down; it reserves nothing yet
_RESERVED: Final = Meaning(Event.NOTED, state=State.STOCK_LOCKED)
_BOOKED: Final = Meaning(Event.NOTED, state=State.OUTBOUND)
_ARRIVED: Final = Meaning(Event.NOTED, state=State.SIGNED)
_VOIDED: Final = Meaning(Event.HELD, HoldReason.ERP_REFUSED, state=State.CLOSED)

RECEIVED: Final = "noted"
"""Not a code of theirs: a receipt time is there, or it is not."""

CODES: Codes = {
    # Our own steps move the order when they have written these bills; what the ERP says later is kept as evidence.
    ("SAL_SaleOrder.FDocumentStatus", "Z"): _DRAFT.called("暂存"),
    ("SAL_SaleOrder.FDocumentStatus", "A"): _DRAFT.called("创建"),
    ("SAL_SaleOrder.FDocumentStatus", "B"): _DRAFT.called("审核中"),
    ("SAL_SaleOrder.FDocumentStatus", "C"): _RESERVED.called("已审核: the reservation holds"),
    ("SAL_SaleOrder.FDocumentStatus", "D"): _DRAFT.called("重新审核"),
    ("SAL_SaleOrder.FCloseStatus", "A"): _NOTED.called("未关闭"),
    ("SAL_SaleOrder.FCloseStatus", "B"): _NOTED.called(
        "已关闭: also set by the ERP itself once everything was delivered"
    ),
    ("SAL_SaleOrder.FCancelStatus", "A"): _NOTED.called("未作废"),
    ("SAL_SaleOrder.FCancelStatus", "B"): _VOIDED.called("已作废 while we go on: ask"),
    ("SAL_OUTSTOCK.FDocumentStatus", "Z"): _NOTED.called("暂存"),
    ("SAL_OUTSTOCK.FDocumentStatus", "A"): _NOTED.called("创建"),
    ("SAL_OUTSTOCK.FDocumentStatus", "B"): _NOTED.called("审核中"),
    ("SAL_OUTSTOCK.FDocumentStatus", "C"): _BOOKED.called(
        "已出库 in the books; the warehouse's confirm moved the order"
    ),
    ("SAL_OUTSTOCK.FDocumentStatus", "D"): _NOTED.called("重新审核"),
    ("SAL_OUTSTOCK.FReceiptTime", RECEIVED): _ARRIVED.called("签收时间: on every tracking row"),
}

PROGRESS: Final = {"Z": 0, "A": 1, "D": 1, "B": 2, "C": 3}
"""How far a bill is: 1 needs Submit, 2 needs Audit, 3 is done. D was audited once and must be submitted again."""

CANCELLED: Final = "B"
SUBMITTED: Final = 2
AUDITED: Final = 3

CONTEXT_LOST, NOT_FOUND, LOCKED_BY_USER, CALL_LIMIT = 1, 10, 13, 14

MSG_CODES: Final = {
    0: "no code",
    CONTEXT_LOST: "上下文丢失: session or credentials",
    2: "无权限: no permission",
    3: "操作标识空: no operation",
    4: "异常: exception",
    5: "单据标识空: no form id",
    6: "数据库失败: database",
    7: "许可错误: licence",
    8: "参数错误: parameters",
    9: "字段/值不存在: unknown field or value",
    NOT_FOUND: "未找到数据: not found",
    11: "验证失败: validation",
    12: "不可操作: not allowed now",
    LOCKED_BY_USER: "网控冲突: a user has the bill open",
    CALL_LIMIT: "调用限制: too many calls",
    15: "禁止管理员登录: administrator not allowed",
}

SHORTAGE_FLAG: Final = "STK_InvCheckResult"
"""The inventory interaction: the audit would take more than there is."""
