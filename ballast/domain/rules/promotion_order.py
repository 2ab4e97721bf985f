"""Promotions made ready: in which order they are looked at, what keeps one from an order, who excludes whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from ballast.domain.rules.price_rows import last_moment, moment
from ballast.domain.rules.promotions import Cart, Promotion, PromotionKind

LOOKED_AT: Final = {
    PromotionKind.FIXED_PRICE: 0,  # prices of pieces come before what is taken off sums of them
    PromotionKind.NTH_ITEM: 1,
    PromotionKind.SPEND_OFF: 2,
    PromotionKind.PERCENT: 3,
    PromotionKind.GIFT: 4,
    PromotionKind.FREE_SHIPPING: 5,
    PromotionKind.COUPON: 6,  # a coupon is for what is actually payable
}
"""Among promotions of the same priority; then by name."""

WITH_THRESHOLD: Final = frozenset(
    {
        PromotionKind.SPEND_OFF,
        PromotionKind.PERCENT,
        PromotionKind.GIFT,
        PromotionKind.COUPON,
        PromotionKind.FREE_SHIPPING,
    }
)


@dataclass(slots=True, eq=False)
class Rule:
    """One promotion made ready. `bit`: its own, the higher the earlier; `conflicts`: the bits of those that it does
    not go together with, by group or by name, whichever of the two says so; `for_anybody`: no order is refused."""

    promotion: Promotion
    name: str
    kind: PromotionKind
    bit: int
    threshold: int
    skus: frozenset[str]
    series: frozenset[str]
    everything: bool
    before: str
    after: str
    for_anybody: bool
    conflicts: int = 0

    def refusal(self, cart: Cart) -> str:
        """Why it is not for this order, whatever its lines cost; empty: it is."""
        if self.for_anybody:
            return ""
        one = self.promotion
        if not one.on:
            return "switched off"
        if one.starts is not None and cart.at < one.starts:
            return self.before
        if one.ends is not None and cart.at >= one.ends:
            return self.after
        if self.kind is PromotionKind.COUPON and (not one.code or one.code not in cart.coupons):
            return f"code {one.code} was not brought" if one.code else "a coupon without a code"
        if one.first_order is not None and one.first_order is not cart.first_order:
            return "only for a customer's first order" if one.first_order else "only for returning customers"
        if one.when and self.name not in cart.met:
            return f"its condition does not hold: {one.when}"
        return self._other_customers(cart)

    def _other_customers(self, cart: Cart) -> str:
        one = self.promotion
        if one.channels and cart.channel not in one.channels:
            return f"only for channel {', '.join(one.channels)}, the order is from {cart.channel or 'none'}"
        if one.tiers and cart.tier not in one.tiers:
            return f"only for tier {', '.join(one.tiers)}, the customer has {cart.tier or 'none'}"
        if one.customers and cart.customer not in one.customers:
            return "not for this customer"
        return ""


def place_in_order(one: Promotion) -> tuple[int, int, str]:
    """By priority, then by kind, then by name: the order in which people wrote them plays no part."""
    return one.priority, LOOKED_AT[one.kind], one.name


def in_order(promotions: Iterable[Promotion], zone: tzinfo = UTC) -> tuple[Rule, ...]:
    """All promotions in the order in which they are looked at. ValueError: a name twice, a time without a zone."""
    ordered = sorted(promotions, key=place_in_order)
    names: set[str] = set()
    for one in ordered:
        if one.name in names:
            raise ValueError(f"two promotions are named {one.name!r}: a name says which one is meant")
        names.add(one.name)
        _refuse_times(one.name, one.starts, one.ends)
    rules = tuple(_ready(one, 1 << (len(ordered) - 1 - number), zone) for number, one in enumerate(ordered))
    _set_conflicts(rules)
    return rules


def _refuse_times(name: str, *times: datetime | None) -> None:
    if any(time is not None and time.tzinfo is None for time in times):
        raise ValueError(f"promotion {name!r} has a time without a time zone")


def _ready(one: Promotion, bit: int, zone: tzinfo) -> Rule:
    return Rule(
        promotion=one,
        name=one.name,
        kind=one.kind,
        bit=bit,
        threshold=one.threshold if one.kind in WITH_THRESHOLD else 0,
        skus=frozenset(one.skus),
        series=frozenset(one.series),
        everything=not one.skus and not one.series,
        before=f"starts {moment(one.starts, zone)}" if one.starts else "",
        after=f"ended {last_moment(one.ends, zone)}" if one.ends else "",
        for_anybody=one.on
        and one.kind is not PromotionKind.COUPON
        and one.first_order is None
        and not (one.starts or one.ends or one.when or one.channels or one.tiers or one.customers),
    )


def _set_conflicts(rules: Sequence[Rule]) -> None:
    """Both ways, whoever of the two names the other. Names that nobody has, and its own, exclude nothing."""
    named = {rule.name: rule for rule in rules}
    groups: dict[str, int] = {}
    for rule in rules:
        if rule.promotion.group:
            groups[rule.promotion.group] = groups.get(rule.promotion.group, 0) | rule.bit
    for rule in rules:
        rule.conflicts |= groups.get(rule.promotion.group, 0)
        for name in rule.promotion.excludes:
            if name in named:
                rule.conflicts |= named[name].bit
                named[name].conflicts |= rule.bit
    for rule in rules:
        rule.conflicts &= ~rule.bit


def named_in(mask: int, rules: Iterable[Rule]) -> str:
    """The names of the rules whose bits are in `mask`, in order: `A, B`."""
    return ", ".join([rule.name for rule in rules if mask & rule.bit])
