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
    "0": NOT_MOVING.called("暂无轨迹"),
    "1": SCANNED.called("已揽收"),
    "2": SCANNED.called("在途中"),
    "3": ARRIVED.called("签收"),
    "4": PROBLEM.called("问题件"),
    "5": SCANNED.called("转寄: a new address or number may follow"),
    "6": SCANNED.called("清关"),
}

FINE: dict[str, Meaning] = {
    **MAIN,
    "10": NOT_MOVING.called("待揽件: a printed label is not transit"),
    "201": SCANNED.called("到达派件城市"),
    "202": SCANNED.called("派件中"),
    "204": SCANNED.called("到达转运中心"),
    "205": SCANNED.called("到达派件网点"),
    "206": SCANNED.called("寄件网点发件"),
    "211": SCANNED.called("已放入快递柜或驿站: not in the customer's hands yet"),
    "301": ARRIVED.called("正常签收"),
    "302": ARRIVED.called("异常后签收"),
    "304": ARRIVED.called("代收"),
    "311": ARRIVED.called("快递柜或驿站签收 (taken out)"),
    "401": PROBLEM.called("发货无信息"),
    "402": PROBLEM.called("超时未签收"),
    "403": PROBLEM.called("超时未更新"),
    "404": REFUSED.called("拒收 (退件)"),
    "405": PROBLEM.called("派件异常"),
    "406": RETURNED.called("退货签收: the sender signed, never the customer"),
    "407": RETURNED.called("退货未签收"),
    "412": PROBLEM.called("快递柜或驿站超时未取"),
    "413": STOPPED.called("单号已拦截"),
    "414": DAMAGED.called("破损"),
    "415": STOPPED.called("客户取消发货"),
    "416": PROBLEM.called("无法联系"),
    "417": PROBLEM.called("配送延迟"),
    "418": SCANNED.called("快件取出 (by the courier): it moves again, a hold ends"),
    "419": SCANNED.called("重新派送: likewise"),
    "420": PROBLEM.called("地址不详"),
    "421": PROBLEM.called("收件人电话错误"),
    "422": PROBLEM.called("错分"),
    "423": PROBLEM.called("超区"),
    "601": SCANNED.called("待清关"),
    "602": SCANNED.called("清关中"),
    "603": SCANNED.called("已清关"),
    "604": PROBLEM.called("清关异常"),
}
"""Cross-border codes (220-224, 305-307, 424-427, 430, 605, 606) are left out on purpose: the sheet gives no meanings,
and a family is a guess. They park until a person maps them."""

CODES: Codes = {
    **{("State", code): meaning for code, meaning in MAIN.items()},
    **{("StateEx", code): meaning for code, meaning in FINE.items()},
    ("Success", "false"): NOTED.called("[M] could not be tracked, it says why; asked about again later"),
}
