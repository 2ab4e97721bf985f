"""What is wrong with a set of promotions: rows by themselves, rows against each other, and against the prices."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from difflib import get_close_matches
from typing import Final

from ballast.domain.findings import Finding
from ballast.domain.rules.prices import PriceSet
from ballast.domain.rules.promotion_fields import Found, check_fields
from ballast.domain.rules.promotion_order import place_in_order
from ballast.domain.rules.promotion_stacks import check_stacks
from ballast.domain.rules.promotions import Choice, Promotion, PromotionKind, PromotionSet

MOST_CYCLES: Final = 20


def check_promotions(promotions: PromotionSet, prices: PriceSet, zone: tzinfo = UTC) -> list[Finding]:
    """Everything that is wrong, or worth a look, row by row. A place is the promotion's own, a column a field's name.

    SKUs, series and tiers are compared with `prices` where it has any. Conditions (`when`) are checked elsewhere.

    Errors are what nobody can mean. That several promotions *together* could go below a floor price or zero is a
    warning with an example order, as is a coupon without a threshold that is worth more than a cheap product: the
    calculator never does it, it cuts off. One that alone takes more than its own threshold is an error.
    """
    found: list[Finding] = []
    for one in promotions.promotions:
        found += check_fields(one, zone)
        found += _unknown(one, prices)
        found += _exclusions(one, {other.name for other in promotions.promotions})
    found += _options(promotions)
    found += _duplicates(promotions.promotions)
    found += _cycles(promotions.promotions)
    found += _unreachable(promotions)
    found += check_stacks(promotions, prices)
    return found


def _options(promotions: PromotionSet) -> Iterator[Finding]:
    found = Found(Promotion(name="options", kind=PromotionKind.PERCENT, place="options"))
    if promotions.options.tolerance < 0:
        yield found.error("negative", "tolerance", "tolerance must not be negative")
    if promotions.options.most is not None and promotions.options.most < 0:
        yield found.error("negative", "most", "most must not be negative")
    if promotions.options.most == 0:
        yield found.warning("no-effect", "most", "at most 0 promotions per order: none is ever applied")


def _unknown(one: Promotion, prices: PriceSet) -> Iterator[Finding]:
    series = {product.series for product in prices.products.values() if product.series}
    gift = (one.gift_sku,) if one.gift_sku else ()
    for column, what, names, known in (
        ("skus", "SKU", one.skus, prices.products),
        ("series", "series", one.series, series),
        ("tiers", "tier", one.tiers, prices.tiers),
        ("gift_sku", "SKU", gift, prices.products),
    ):
        for name in names:
            if known and name not in known:
                yield Found(one).error(f"unknown-{what.lower()}", column, f"unknown {what} {name}{_meant(name, known)}")


def _meant(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f", is {close[0]} meant?" if close else ""


def _exclusions(one: Promotion, names: Collection[str]) -> Iterator[Finding]:
    for name in one.excludes:
        if name == one.name:
            yield Found(one).error("excludes-itself", "excludes", "it excludes itself")
        elif name not in names:
            text = f"it excludes {name}, which is no promotion{_meant(name, names)}"
            yield Found(one).error("unknown-promotion", "excludes", text)


def _duplicates(promotions: Sequence[Promotion]) -> Iterator[Finding]:
    names: dict[str, Promotion] = {}
    codes: dict[str, Promotion] = {}
    for one in promotions:
        first = names.setdefault(one.name, one)
        if first is not one and one.name:
            where = f" ({first.place})" if first.place else ""
            yield Found(one).error("duplicate-name", "name", f"another one has this name{where}")
        if one.kind is PromotionKind.COUPON and one.code and one.on:
            other = codes.setdefault(one.code, one)
            if other is not one:
                text = f"{other.name} has code {one.code} too: one code gives both"
                yield Found(one).warning("duplicate-code", "code", text)


def _cycles(promotions: Sequence[Promotion]) -> Iterator[Finding]:
    """Circles of three or more in which somebody excludes one that does not exclude it: who is meant to win?

    Pairs, and groups in which all exclude each other, are no circles: there both sides say the same.
    """
    named = {one.name: one for one in promotions}
    excludes = {
        one.name: [name for name in one.excludes if name in named and name != one.name] for one in named.values()
    }
    seen: set[frozenset[str]] = set()
    for one in named.values():
        for other in excludes[one.name]:
            back = [] if one.name in excludes[other] else _way(excludes, other, one.name)
            if not back or frozenset(back) in seen or len(seen) >= MOST_CYCLES:
                continue
            seen.add(frozenset(back))
            path = " excludes ".join([one.name, *back])
            text = f"exclusions go round in a circle: {path}; say it with a group, or in both directions"
            yield Found(one).error("cyclic-exclusion", "excludes", text)


def _way(excludes: Mapping[str, Sequence[str]], start: str, goal: str) -> list[str]:
    """The shortest way from one to the other, both included; empty: there is none."""
    before: dict[str, str] = {start: ""}
    waiting = deque([start])
    while waiting:
        at = waiting.popleft()
        if at == goal:
            way = [at]
            while before[way[-1]]:
                way.append(before[way[-1]])
            return way[::-1]
        for name in excludes[at]:
            if name not in before:
                before[name] = at
                waiting.append(name)
    return []


def _unreachable(promotions: PromotionSet) -> Iterator[Finding]:
    """Those that another one, which comes first and asks for no more, always keeps out. Only what is certain."""
    ordered = sorted([one for one in promotions.promotions if one.on], key=place_in_order)
    partners = _partners(ordered)
    for number, one in enumerate(ordered):
        for other in ordered[:number]:
            if _keeps_out(other, one, partners, promotions.options.choice):
                text = f"it can never apply: {other.name} excludes it, comes first, and holds for the same orders"
                yield Found(one).warning("unreachable", "priority", text)
                break


def _partners(promotions: Sequence[Promotion]) -> dict[str, set[str]]:
    """With whom each does not go together, whoever says so."""
    partners: dict[str, set[str]] = {one.name: set(one.excludes) for one in promotions}
    for one in promotions:
        for other in promotions:
            if one.name in other.excludes or (one.group and one.group == other.group):
                partners[one.name].add(other.name)
    return partners


def _keeps_out(first: Promotion, one: Promotion, partners: Mapping[str, set[str]], choice: Choice) -> bool:
    if first.name not in partners[one.name] or partners[first.name] - partners[one.name] - {one.name}:
        return False  # what keeps the first out must keep the other one out too
    same = all(getattr(first, column) == getattr(one, column) for column in _SAME)
    if not same or first.threshold > one.threshold or first.cap == 0:
        return False
    if choice is Choice.BEST and (first.priority != one.priority or first.kind is PromotionKind.GIFT):
        return False
    return _takes_as_much(first, one, strictly=choice is Choice.BEST)


def _takes_as_much(first: Promotion, one: Promotion, *, strictly: bool) -> bool:
    """Whether whatever the one could take, the first takes something too; `strictly`: at least as much."""
    if one.kind is PromotionKind.FIXED_PRICE or strictly:
        pays, price = (first.pays, one.pays), (first.price, one.price)
        no_worse = all(a == b or (a is not None and b is not None and a <= b) for a, b in (pays, price))
        multiple = first.per_multiple or not one.per_multiple
        return no_worse and first.off >= one.off and multiple and (first.cap is None or first.cap == one.cap)
    return bool(first.off or first.kind is not PromotionKind.SPEND_OFF) and first.pays != 10_000


_SAME: Final = (
    *("kind", "skus", "series", "channels", "tiers", "customers", "starts", "ends", "first_order", "when", "code"),
    "nth",
)
