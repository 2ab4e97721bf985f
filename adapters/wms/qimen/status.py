"""奇门 codes -> ours. Sheet qimen.md, 5 (states), 3 (gateway codes, [M]), 7 (carrier dialect, verified)."""

import re
from typing import Final

from adapters.errors import OutcomeUnknown, OutsideError, Throttled, Unavailable
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Codes, Meaning

_NOTED: Final = Meaning(Event.NOTED)
_HEARSAY: Final = Meaning(Event.NOTED, state=State.SIGNED)
_REJECTED: Final = Meaning(Event.HELD, HoldReason.WAREHOUSE_REFUSED, state=State.CLOSED)
_PROGRESS: Final = Meaning(Event.WAREHOUSE_PROGRESS)

_BOTH: Final = {
    "NEW": _PROGRESS.called("未开始处理"),
    "ACCEPT": _PROGRESS.called("仓库接单"),
    "PRINT": _PROGRESS.called("打印"),
    "PICK": _PROGRESS.called("捡货"),
    "CHECK": _PROGRESS.called("复核"),
    "PACKAGE": _PROGRESS.called("打包"),
    "WEIGH": _PROGRESS.called("称重"),
    "READY": _PROGRESS.called("待提货: packed, but no carrier has it yet"),
    "SIGN": _HEARSAY.called("签收: hearsay, the courier's own word counts"),
    "REFUSE": Meaning(Event.HELD, HoldReason.COURIER_REFUSED).called("买家拒签"),
    "EXCEPTION": Meaning(Event.HELD, HoldReason.WAREHOUSE_EXCEPTION).called("异常"),
    "TMSCANCELED": Meaning(Event.HELD, HoldReason.COURIER_STOPPED).called("快递拦截"),
    "CANCELEDFAIL": Meaning(Event.HELD, HoldReason.WAREHOUSE_EXCEPTION).called(
        "取消失败: it goes on, a person decides"
    ),
    "REJECT": _REJECTED.called("仓库拒单"),
    "CANCELED": Meaning(Event.WAREHOUSE_CANCELLED).called("取消"),
    "CLOSED": Meaning(Event.WAREHOUSE_CANCELLED).called("关闭"),
    "PARTFULFILLED": _NOTED.called("inbound only"),
    "FULFILLED": _NOTED.called("inbound only"),
}

ANSWER_FIELD: Final = "batchcreate.answer"
"""Our name for the field that says whether an order of a batch was made: the warehouse calls it flag."""

CODES: Codes = {
    **{("status", code): meaning for code, meaning in _BOTH.items()},
    ("status", "PARTDELIVERED"): Meaning(Event.PARTLY_SHIPPED).called("部分发货完成"),
    ("status", "DELIVERED"): Meaning(Event.SHIPPED).called("发货完成"),
    **{("processStatus", code): meaning for code, meaning in _BOTH.items()},
    # a process report has no waybills: only the confirm, which has them, moves the order out
    ("processStatus", "PARTDELIVERED"): _PROGRESS.called("部分发货完成: the confirm has the waybills"),
    ("processStatus", "DELIVERED"): _PROGRESS.called("发货完成: the confirm has the waybills"),
    (ANSWER_FIELD, "success"): Meaning(Event.NOTED, state=State.STOCK_LOCKED).called("批量建单成功"),
    (ANSWER_FIELD, "failure"): _REJECTED.called("批量建单失败"),
    # the report itself is the code
    ("itemlack.report", "LACK"): Meaning(Event.HELD, HoldReason.WAREHOUSE_SHORT).called("缺货通知"),
}

DROPPED: Final = frozenset({"CANCELED", "CLOSED", "REJECT"})
"""The warehouse knows the order and will not ship it."""

GATEWAY: Final[dict[str, type[OutsideError]]] = {
    "7": Throttled,  # App Call Limited
    "app-call-limited": Throttled,
    "accesscontrol.limited-by-app-access-count": Throttled,
    "accesscontrol.limited-by-api-access-count": Throttled,
    "isp.call-limited": Throttled,
    "10": Unavailable,  # Service Currently Unavailable
    "service-currently-unavailable": Unavailable,
    "25": Unavailable,  # Invalid Signature: our secret is wrong, which no single order is to blame for
    "sign-check-failure": Unavailable,
    "29": Unavailable,  # Invalid App Key
    "invalid-app-key": Unavailable,
    "31": Unavailable,  # Invalid Timestamp: our clock is off
    "invalid-timestamp": Unavailable,
    "isv.invalid-timestamp": Unavailable,
    "isp.remote-service-timeout": OutcomeUnknown,  # the gateway passed it on and heard nothing
    "isp.remote-connection-timeout": Unavailable,
}
"""[M] What the gateway says instead of the warehouse. A code that is not here is the warehouse's own refusal."""

THROTTLE_SECONDS: Final = 2.0

NO_SUCH_METHOD: Final = frozenset({"22", "invalid-method", "isv.invalid-method", "11", "insufficient-isv-permissions"})
NO_SUCH_METHOD_SAID: Final = re.compile(
    "不支持.{0,6}(方法|接口)|无此(方法|接口)|(方法|接口)不存在|未开通.{0,6}接口|(invalid|unknown) method", re.IGNORECASE
)
"""[M] How a gateway or warehouse refuses a method that it does not know, or that we may not use."""

KNOWN_ALREADY: Final = re.compile("重复|已存在")
NOT_KNOWN: Final = re.compile("不存在|未找到|找不到|查无|查询不到|无此单|not (found|exist)", re.IGNORECASE)
"""[M] Words of a failed deliveryorder.query that mean: this order was never handed over."""

TO_CARRIER: Final = {"YD": "YUNDA", "YZPY": "POSTB", "DBL": "DBKD", "HHTT": "TTKDEX"}
"""Ballast's carrier code -> 奇门's, where they differ."""

FROM_CARRIER: Final = {theirs: ours for ours, theirs in TO_CARRIER.items()} | {"DBWL": "DBL"}
"""奇门's carrier code -> Ballast's. What is not here is the same in both, or passed on as the warehouse wrote it."""
