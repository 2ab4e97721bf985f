"""Kdniao's state codes, ours. Source: the vendor sheet, §7 (StateEx table and main State)."""

from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Codes, Meaning

NOTED = Meaning(Event.NOTED)
NOT_MOVING = Meaning(Event.NOTED, state=State.OUTBOUND)
SCANNED = Meaning(Event.SCANNED)
ARRIVED = Meaning(Event.PARCEL_SIGNED)
PROBLEM = Meaning(Event.HELD, HoldReason.COURIER_PROBLEM)
REFUSED = Meaning(Event.HELD, HoldReason.COURIER_REFUSED)
RETURNED = Meaning(Event.HELD, HoldReason.COURIER_RETURNED)
DAMAGED = Meaning(Event.HELD, HoldReason.COURIER_DAMAGED)
STOPPED = Meaning(Event.HELD, HoldReason.COURIER_STOPPED)

MAIN: dict[str, Meaning] = {
    "0": NOT_MOVING,  # 暂无轨迹
    "1": SCANNED,  # 已揽收
    "2": SCANNED,  # 在途中
    "3": ARRIVED,  # 签收
    "4": PROBLEM,  # 问题件
    "5": SCANNED,  # 转寄: a new address or number may follow
    "6": SCANNED,  # 清关
}

FINE: dict[str, Meaning] = {
    **MAIN,
    "10": NOT_MOVING,  # 待揽件: a printed label is not transit
    "201": SCANNED,  # 到达派件城市
    "202": SCANNED,  # 派件中
    "204": SCANNED,  # 到达转运中心
    "205": SCANNED,  # 到达派件网点
    "206": SCANNED,  # 寄件网点发件
    "211": SCANNED,  # 已放入快递柜或驿站: not in the customer's hands yet
    "301": ARRIVED,  # 正常签收
    "302": ARRIVED,  # 异常后签收
    "304": ARRIVED,  # 代收
    "311": ARRIVED,  # 快递柜或驿站签收 (taken out)
    "401": PROBLEM,  # 发货无信息
    "402": PROBLEM,  # 超时未签收
    "403": PROBLEM,  # 超时未更新
    "404": REFUSED,  # 拒收 (退件)
    "405": PROBLEM,  # 派件异常
    "406": RETURNED,  # 退货签收: the sender signed, never the customer
    "407": RETURNED,  # 退货未签收
    "412": PROBLEM,  # 快递柜或驿站超时未取
    "413": STOPPED,  # 单号已拦截
    "414": DAMAGED,  # 破损
    "415": STOPPED,  # 客户取消发货
    "416": PROBLEM,  # 无法联系
    "417": PROBLEM,  # 配送延迟
    "418": SCANNED,  # 快件取出 (by the courier): it moves again, a hold ends
    "419": SCANNED,  # 重新派送: likewise
    "420": PROBLEM,  # 地址不详
    "421": PROBLEM,  # 收件人电话错误
    "422": PROBLEM,  # 错分
    "423": PROBLEM,  # 超区
    "601": SCANNED,  # 待清关
    "602": SCANNED,  # 清关中
    "603": SCANNED,  # 已清关
    "604": PROBLEM,  # 清关异常
}
"""Cross-border codes (220-224, 305-307, 424-427, 430, 605, 606) are left out on purpose: the sheet gives no meanings,
and a family is a guess. They park until a person maps them."""

CODES: Codes = {
    **{("State", code): meaning for code, meaning in MAIN.items()},
    **{("StateEx", code): meaning for code, meaning in FINE.items()},
    ("Success", "false"): NOTED,  # [M] the vendor could not track it and says why; the order is asked about again later
}
