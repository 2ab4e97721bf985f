"""What is wrong with one promotion by itself: fields that its kind needs, does not know, or that contradict."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, tzinfo
from typing import Final

from ballast.domain.findings import Finding, Level
from ballast.domain.rules.price_rows import last_moment, moment
from ballast.domain.rules.prices import WHOLE
from ballast.domain.rules.promotion_words import major, share
from ballast.domain.rules.promotions import Promotion, PromotionKind

USES: Final[Mapping[PromotionKind, frozenset[str]]] = {
    PromotionKind.SPEND_OFF: frozenset({"threshold", "off", "per_multiple", "cap"}),
    PromotionKind.PERCENT: frozenset({"pays", "threshold", "cap"}),
    PromotionKind.COUPON: frozenset({"code", "threshold", "off", "pays", "cap"}),
    PromotionKind.FIXED_PRICE: frozenset({"price", "cap"}),
    PromotionKind.NTH_ITEM: frozenset({"nth", "pays", "cap"}),
    PromotionKind.GIFT: frozenset({"gift_sku", "gift_quantity", "threshold", "per_multiple"}),
    PromotionKind.FREE_SHIPPING: frozenset({"threshold", "cap"}),
}
"""Beside the scope, the order and the exclusions, which every kind has."""

NEEDS: Final[Mapping[PromotionKind, tuple[str, ...]]] = {
    PromotionKind.SPEND_OFF: ("threshold", "off"),
    PromotionKind.PERCENT: ("pays",),
    PromotionKind.COUPON: ("code",),
    PromotionKind.FIXED_PRICE: ("price",),
    PromotionKind.NTH_ITEM: ("nth", "pays"),
    PromotionKind.GIFT: ("gift_sku", "gift_quantity"),
    PromotionKind.FREE_SHIPPING: (),
}

AMOUNTS: Final = ("threshold", "off", "price", "cap", "nth", "gift_quantity")
SUSPICIOUS: Final = WHOLE // 10
"""A share below 10% is more often 9 or 90 written for 9折 than meant."""

_SPECIFIC: Final = frozenset().union(*USES.values())
_DEFAULTS: Final = {one.name: one.default for one in fields(Promotion) if one.name in _SPECIFIC}


@dataclass(frozen=True, slots=True)
class Found:
    """Makes findings about one promotion."""

    one: Promotion

    def error(self, kind: str, column: str, text: str) -> Finding:
        return self._finding(Level.ERROR, kind, column, text)

    def warning(self, kind: str, column: str, text: str) -> Finding:
        return self._finding(Level.WARNING, kind, column, text)

    def _finding(self, level: Level, kind: str, column: str, text: str) -> Finding:
        return Finding(level, kind, f"promotion {self.one.name or 'without a name'}: {text}", self.one.place, column)


def check_fields(one: Promotion, zone: tzinfo = UTC) -> Iterator[Finding]:
    """Everything that can be said without looking at another promotion or at prices."""
    found = Found(one)
    if not one.name.strip():
        yield found.error("no-name", "name", "it needs a name")
    yield from _negative(one, found)
    yield from _missing(one, found)
    yield from _unused(one, found)
    yield from _period(one, found, zone)
    if "pays" in USES[one.kind]:
        yield from _share(one, found)
    if one.kind is PromotionKind.COUPON:
        yield from _coupon(one, found)
    yield from _amounts(one, found)


def _negative(one: Promotion, found: Found) -> Iterator[Finding]:
    for column in AMOUNTS:
        value = getattr(one, column)
        if value is not None and value < 0:
            yield found.error("negative", column, f"{column} must not be negative")


def _missing(one: Promotion, found: Found) -> Iterator[Finding]:
    for column in NEEDS[one.kind]:
        if getattr(one, column) == _DEFAULTS[column]:
            yield found.error("missing-field", column, f"{one.kind} needs {column}")
    if one.kind is PromotionKind.NTH_ITEM and one.nth == 1:
        yield found.error("contradiction", "nth", "nth is 2 or more; for every piece write percent")


def _unused(one: Promotion, found: Found) -> Iterator[Finding]:
    for column in sorted(_SPECIFIC - USES[one.kind]):
        if getattr(one, column) != _DEFAULTS[column]:
            yield found.warning("unused-field", column, f"{one.kind} does not use {column}: it has no effect")
    if one.per_multiple and one.threshold == 0 and "per_multiple" in USES[one.kind]:
        yield found.error("contradiction", "per_multiple", "per multiple of what? it has no threshold")


def _period(one: Promotion, found: Found, zone: tzinfo) -> Iterator[Finding]:
    naive = [column for column in ("starts", "ends") if (at := getattr(one, column)) and at.tzinfo is None]
    for column in naive:
        yield found.error("no-time-zone", column, f"{column} has no time zone")
    if one.starts and one.ends and not naive and one.ends <= one.starts:
        ends, starts = last_moment(one.ends, zone), moment(one.starts, zone)
        yield found.error("period", "ends", f"it ends {ends}, and starts {starts}: it never holds")


def _share(one: Promotion, found: Found) -> Iterator[Finding]:
    if one.pays is None:
        return
    if not 0 <= one.pays <= WHOLE:
        yield found.error("share", "pays", f"pays {share(one.pays)}: it must be between 0% and 100%")
    elif one.pays == WHOLE:
        yield found.warning("no-effect", "pays", "pays 100%: it takes nothing off")
    elif 0 < one.pays < SUSPICIOUS:
        yield found.warning("share", "pays", f"pays only {share(one.pays)} of the price: is that meant?")


def _coupon(one: Promotion, found: Found) -> Iterator[Finding]:
    if one.off and one.pays is not None:
        yield found.error("contradiction", "pays", "a coupon has either off or pays, this one has both")
    if not one.off and one.pays is None:
        yield found.error("missing-field", "off", "a coupon needs off or pays, this one has neither")


def _amounts(one: Promotion, found: Found) -> Iterator[Finding]:
    if {"off", "threshold"} <= USES[one.kind] and one.off > one.threshold > 0:
        text = f"takes {major(one.off)} off orders from {major(one.threshold)}: more than they cost"
        yield found.error("below-zero", "off", text)
    if one.cap == 0 and "cap" in USES[one.kind]:
        yield found.warning("no-effect", "cap", "a cap of 0 lets it take nothing")
