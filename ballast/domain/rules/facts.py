"""The facts of an order that rules may read: one table, for `check` and for the page that people read."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from ballast.domain.rules.windows import Window


class Kind(StrEnum):
    """What a fact is, and so what it can be compared with."""

    NUMBER = "number"
    TEXT = "text"
    YES_NO = "yes or no"
    TEXTS = "list of texts"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, and what it says in one line."""

    kind: Kind
    en: str
    zh: str


FACTS: Final[Mapping[str, Fact]] = {
    "amount": Fact(Kind.NUMBER, "what the customer pays, in yuan (major units)", "实付金额 (元)"),
    "currency": Fact(Kind.TEXT, "currency of the order, such as CNY", "币种, 如 CNY"),
    "quantity": Fact(Kind.NUMBER, "pieces of all lines", "商品总件数"),
    "lines": Fact(Kind.NUMBER, "number of lines", "订单行数"),
    "discount_rate": Fact(
        Kind.NUMBER, "share of the lines' list price that was taken off, 0 to 1", "相对标价的优惠比例, 0 到 1"
    ),
    "address": Fact(Kind.TEXT, "province, city, district and address, joined", "省市区与详细地址, 连写"),
    "province": Fact(Kind.TEXT, "the receiver's province as the shop wrote it", "收货省份, 照店铺原文"),
    "city": Fact(Kind.TEXT, "the receiver's city as the shop wrote it", "收货城市, 照店铺原文"),
    "channel": Fact(Kind.TEXT, "where it was ordered", "下单渠道"),
    "tier": Fact(Kind.TEXT, "the customer's tier, empty when not known", "客户等级, 未知为空"),
    "customer": Fact(Kind.TEXT, "the customer's number", "客户编号"),
    "first_order": Fact(Kind.YES_NO, "no earlier order of this customer is known", "该客户此前没有订单"),
    "customer_age_days": Fact(Kind.NUMBER, "full days since the customer's first order", "距客户首单的整天数"),
    "customer_orders": Fact(Kind.NUMBER, "the customer's earlier orders, at most 1,000", "客户此前订单数, 最多计 1000"),
    "phone_province": Fact(
        Kind.TEXT, "province of the receiver's mobile number, short (浙江); empty when unknown",
        "收货手机号归属省份, 简称 (浙江); 未知为空",
    ),
    "region_differs": Fact(
        Kind.YES_NO, "both provinces are known, and the phone's is another than the receiver's",
        "手机归属省与收货省均已知且不同",
    ),
    "ip": Fact(Kind.TEXT, "from which address it was ordered; empty when not told", "下单 IP; 未提供为空"),
    "device": Fact(Kind.TEXT, "on which device it was ordered; empty when not told", "下单设备; 未提供为空"),
    "card": Fact(
        Kind.TEXT, "the provider's token of card or account; empty when not told", "支付卡或账户的代号; 未提供为空"
    ),
    "coupons": Fact(Kind.TEXTS, "coupon codes that the order brought", "订单使用的优惠券代码"),
    "hour": Fact(Kind.NUMBER, "hour of the order in China, 0 to 23", "下单小时 (北京时间), 0 到 23"),
    "weekday": Fact(
        Kind.NUMBER, "day of the order in China, Monday 1 to Sunday 7", "下单星期 (北京时间), 周一 1 到周日 7"
    ),
}  # fmt: skip
"""Beside these: windows, see `windows.Figure`."""

_AT_LEAST: Final[Mapping[str, int]] = {"quantity": 1, "lines": 1, "weekday": 1}


def kind_of(name: str) -> Kind | None:
    """What the fact, or window, of this name is; None: there is none."""
    if fact := FACTS.get(name):
        return fact.kind
    return Kind.NUMBER if Window.parse(name) else None


def least(name: str) -> int:
    """The smallest value that this number can have: nobody divides by nought where there is always one."""
    window = Window.parse(name)
    return 1 if window is not None and window.figure == "orders" else _AT_LEAST.get(name, 0)


_LONG_NAMES: Final = ("内蒙古", "黑龙江")
_TWO_EACH: Final = (
    "北京天津河北山西辽宁吉林上海江苏浙江安徽福建江西山东河南湖北湖南广东广西海南重庆四川贵州云南西藏陕西甘肃青海宁夏新疆"
    "台湾香港澳门"
)
_SHORT_NAMES: Final = frozenset(_TWO_EACH[place : place + 2] for place in range(0, len(_TWO_EACH), 2))


@lru_cache(maxsize=4096)
def short_province(text: str) -> str:
    """`浙江省杭州市` -> `浙江`, `广西壮族自治区` -> `广西`; empty when it begins with no province."""
    text = text.strip()
    if long := next((name for name in _LONG_NAMES if text.startswith(name)), ""):
        return long
    return text[:2] if text[:2] in _SHORT_NAMES else ""
