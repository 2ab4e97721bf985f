"""What an order says of itself, as facts that rules read. The one definition, for orders at hand and in the books."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from ballast.clock import SHANGHAI
from ballast.domain.money import MINOR_DIGITS
from ballast.domain.rules.facts import short_province
from ballast.rules.phones import province_of

_NO_AGE: Final = timedelta()


class Told(Protocol):
    """An order: a row of the books, or one at hand. Amounts in minor units; `lines`: how many, of `quantity` pieces,
    `listed` at unit prices and `goods` as they are charged.
    """

    @property
    def channel(self) -> str: ...
    @property
    def placed_at(self) -> datetime: ...
    @property
    def currency(self) -> str: ...
    @property
    def total(self) -> int: ...
    @property
    def discount(self) -> int: ...
    @property
    def lines(self) -> int: ...
    @property
    def quantity(self) -> int: ...
    @property
    def listed(self) -> int: ...
    @property
    def goods(self) -> int: ...
    @property
    def mobile(self) -> str: ...
    @property
    def province(self) -> str: ...
    @property
    def city(self) -> str: ...
    @property
    def district(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def ip(self) -> str | None: ...
    @property
    def device(self) -> str | None: ...
    @property
    def card(self) -> str | None: ...
    @property
    def coupons(self) -> Sequence[str] | None: ...


def _discount_rate(told: Told) -> float:
    if not told.listed:
        return 0.0
    return round(min(1.0, max(0.0, 1 - (int(told.goods) - told.discount) / int(told.listed))), 6)


def _region_differs(told: Told) -> bool:
    of_receiver = short_province(told.province) or short_province(told.city)
    of_phone = province_of(told.mobile) if of_receiver else ""
    return bool(of_phone) and of_phone != of_receiver


_OWN: Final[Mapping[str, Callable[[Told], Any]]] = {
    "amount": lambda told: told.total / 10 ** MINOR_DIGITS.get(told.currency, 2),
    "currency": lambda told: told.currency,
    "quantity": lambda told: int(told.quantity),
    "lines": lambda told: told.lines,
    "discount_rate": _discount_rate,
    "address": lambda told: f"{told.province}{told.city}{told.district}{told.address}",
    "province": lambda told: told.province,
    "city": lambda told: told.city,
    "channel": lambda told: told.channel,
    "ip": lambda told: told.ip or "",
    "device": lambda told: told.device or "",
    "card": lambda told: told.card or "",
    "coupons": lambda told: list(told.coupons or ()),
    "hour": lambda told: told.placed_at.astimezone(SHANGHAI).hour,
    "weekday": lambda told: told.placed_at.astimezone(SHANGHAI).isoweekday(),
    "phone_province": lambda told: province_of(told.mobile),
    "region_differs": _region_differs,
}
OWN_FACTS: Final = frozenset(_OWN)


def own_facts(told: Told, names: Collection[str] = OWN_FACTS) -> dict[str, Any]:
    """These facts of an order, all of `OWN_FACTS`. Where a number is from takes half a second and 100 MB, once."""
    return {name: _OWN[name](told) for name in names}


def customer_facts(
    customer: str, tier: str | None, *, first_order_at: datetime | None, placed_at: datetime, earlier: int, most: int
) -> dict[str, Any]:
    """What was known of the customer when the order was placed. `earlier`: orders before this one, those in the
    archive included, counted up to `most`.
    """
    age = placed_at - first_order_at if first_order_at is not None else _NO_AGE
    return {
        "customer": customer,
        "tier": tier or "",
        "first_order": not earlier and age <= _NO_AGE,
        "customer_age_days": max(0, age.days),
        "customer_orders": min(earlier, most),
    }
