"""What rows of a price book do to each other: overlaps, gaps, dearer steps, rows that never give a price.

Only what can be proven from the book is said. Rows that contradict themselves are left out: they are errors already.
Everything is sorted and swept, so that time grows little faster than the number of rows.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple

from ballast.domain.findings import Finding, Level
from ballast.domain.rules.price_rows import (
    EVERYBODY,
    EVERYTHING,
    Buyers,
    Goods,
    buyers_of,
    goods_of,
    holds_ever,
    kinds_in_order,
    money,
    percent,
    period,
    pieces,
    timeline_of,
    unusable,
    usable_list_price,
    written_at,
)
from ballast.domain.rules.prices import PriceKind, PriceRow, PriceSet

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_LOOKED_DOWN: Final = 50
"""Steps below one step among which the next one that holds at the same time is looked for."""


class _Group(NamedTuple):
    """Rows of one group differ in quantity, period and price only."""

    kind: PriceKind
    buyers: Buyers
    goods: Goods
    currency: str


_Steps = Mapping[int, Sequence[PriceRow]]


def check_conflicts(prices: PriceSet, zone: tzinfo) -> list[Finding]:
    groups: dict[_Group, dict[int, list[PriceRow]]] = defaultdict(lambda: defaultdict(list))
    for row in prices.rows:
        if not unusable(row) and holds_ever(row):
            group = _Group(row.kind, buyers_of(row), goods_of(row), row.currency)
            groups[group][row.from_quantity].append(row)
    found: list[Finding] = []
    for group, steps in groups.items():
        for step in sorted(steps):
            found += _check_periods(group, steps[step], zone)
        found += _dearer(steps)
    found += _Unreached(prices, groups).check(zone)
    found += _Unpriced(prices, groups).check(zone)
    return found


def _starts(row: PriceRow) -> datetime:
    return row.starts if row.starts is not None else _EARLIEST


def _ends(row: PriceRow) -> datetime:
    return row.ends if row.ends is not None else _LATEST


def _check_periods(group: _Group, rows: Sequence[PriceRow], zone: tzinfo) -> Iterator[Finding]:
    """One after another in time. A limited price is meant to pause between its periods; the others may have gaps."""
    order = sorted(rows, key=_starts)
    last = order[0]
    for row in order[1:]:
        if _starts(row) < _ends(last):
            both = period(row.starts, min((last, row), key=_ends).ends, zone)
            what = f"and {last.row} ({written_at(last)}) hold for the same {_same(group, row)} {both}"
            yield Finding(Level.ERROR, "overlap", f"{row.row} {what}", written_at(row), "starts")
        elif _starts(row) > _ends(last) and group.kind is not PriceKind.LIMITED:
            gap = period(last.ends, row.starts, zone)
            what = f"{gap} no row holds: {last.row} ({written_at(last)}) has ended, {row.row} has not begun"
            yield Finding(Level.WARNING, "gap", what, written_at(row), "starts")
        last = max((last, row), key=_ends)
    if len(order) > 1:
        yield from _never_first(order)


def _same(group: _Group, row: PriceRow) -> str:
    return f"{group.buyers}, {group.goods}, {group.kind}, from {pieces(row.from_quantity)}, {group.currency},"


def _never_first(rows: Sequence[PriceRow]) -> Iterator[Finding]:
    """Rows in whose whole period another one of the same key comes first."""
    first = {id(row) for _, _, row in timeline_of(rows).spans()}
    for row in rows:
        if id(row) not in first:
            what = f"{row.row} never gives a price: at all its times another row of the same key comes first"
            yield Finding(Level.WARNING, "unreachable", what, written_at(row), "starts")


class _Span(NamedTuple):
    starts: datetime
    ends: datetime
    row: PriceRow


def _dearer(steps: _Steps) -> Iterator[Finding]:
    """More pieces should not cost more each. A step is held against the next lower one that holds at the same time."""
    order = sorted(steps)
    if len(order) < 2:
        return
    spans = [
        [_Span(starts or _EARLIEST, ends or _LATEST, row) for starts, ends, row in timeline_of(steps[step]).spans()]
        for step in order
    ]
    for number in range(1, len(order)):
        told: set[int] = set()
        for span in spans[number]:
            for below in reversed(spans[max(0, number - _LOOKED_DOWN) : number]):
                if not (meeting := _meeting(below, span)):
                    continue
                worse = next((lower for lower in meeting if _costs_more(span.row, lower)), None)
                if worse is not None and id(span.row) not in told:
                    told.add(id(span.row))
                    yield _dearer_finding(span.row, worse)
                break


def _meeting(spans: Sequence[_Span], span: _Span) -> list[PriceRow]:
    """The rows of spans in order of time, none over another, that hold at some moment of `span`."""
    first = bisect_right(spans, span.starts, key=lambda one: one.ends)
    last = bisect_left(spans, span.ends, key=lambda one: one.starts)
    return [one.row for one in spans[first:last]]


def _costs_more(row: PriceRow, lower: PriceRow) -> bool:
    if row.price is not None and lower.price is not None:
        return row.price > lower.price
    return row.pays is not None and lower.pays is not None and row.pays > lower.pays


def _dearer_finding(row: PriceRow, lower: PriceRow) -> Finding:
    what = (
        f"from {pieces(row.from_quantity)} a piece costs {_price(row)}, more than the {_price(lower)} from "
        f"{pieces(lower.from_quantity)} ({lower.row}, {written_at(lower)})"
    )
    return Finding(Level.WARNING, "dearer step", what, written_at(row), "price" if row.price is not None else "pays")


def _price(row: PriceRow) -> str:
    return money(row.price, row.currency) if row.price is not None else percent(row.pays or 0)


class _Covered:
    """The time that rows cover together, as spans that do not touch."""

    def __init__(self) -> None:
        self.starts: list[datetime] = []
        self.ends: list[datetime] = []
        self.rows: list[tuple[PriceRow, bool]] = []  # one of each span's rows, and whether there are more

    def add(self, row: PriceRow) -> None:
        starts, ends = _starts(row), _ends(row)
        first, last = bisect_left(self.ends, starts), bisect_right(self.starts, ends)
        said = (row, False)
        if first < last:
            starts, ends = min(starts, self.starts[first]), max(ends, self.ends[last - 1])
            said = (self.rows[first][0], True)
        self.starts[first:last], self.ends[first:last], self.rows[first:last] = [starts], [ends], [said]

    def over(self, row: PriceRow) -> str:
        """The names of rows that cover all the time of `row`; empty: they do not."""
        place = bisect_right(self.starts, _starts(row)) - 1
        if place < 0 or self.ends[place] < _ends(row):
            return ""
        named, more = self.rows[place]
        return f"{named.row} ({written_at(named)})" + (" and others" if more else "")


def _wider(goods: Goods, prices: PriceSet) -> list[Goods]:
    """The goods themselves, and what they are part of."""
    found = [goods]
    product = prices.products.get(goods.sku) if goods.sku else None
    if product is not None and product.series:
        found.append(Goods("", product.series))
    return found if goods == EVERYTHING else [*found, EVERYTHING]


_Groups = Mapping[_Group, _Steps]


class _Unreached:
    """Rows that another kind, which comes first, leaves no moment and no quantity. Such a row may still be the price
    of which a limited share is taken."""

    def __init__(self, prices: PriceSet, groups: _Groups) -> None:
        self.prices, self.groups = prices, groups
        self.kinds = kinds_in_order(prices.options)

    def check(self, zone: tzinfo) -> Iterator[Finding]:
        told: set[int] = set()
        for over, under in self._pairs().items():
            for row, names in self._hidden(over, under):
                if id(row) in told:
                    continue
                told.add(id(row))
                what = (
                    f"{row.row} never gives a price itself: {over.kind} {names} comes before {row.kind} and holds for "
                    f"{over.buyers}, {over.goods}, {period(row.starts, row.ends, zone)}"
                )
                yield Finding(Level.WARNING, "unreachable", what, written_at(row), "kind")

    def _pairs(self) -> dict[_Group, list[_Group]]:
        """Group -> groups that hold only where it may hold too, and come after it."""
        pairs: dict[_Group, list[_Group]] = defaultdict(list)
        for group in self.groups:
            for kind in self.kinds[: self.kinds.index(group.kind)]:
                for buyers in {group.buyers, EVERYBODY}:
                    for goods in _wider(group.goods, self.prices):
                        over = _Group(kind, buyers, goods, group.currency)
                        if over in self.groups:
                            pairs[over].append(group)
        return pairs

    def _hidden(self, over: _Group, under: Sequence[_Group]) -> Iterator[tuple[PriceRow, str]]:
        """Rows of `under` in whose whole time rows of `over` hold, from no more pieces on."""
        first = sorted(_rows(self.groups[over]), key=lambda row: row.from_quantity)
        asked = sorted((row for group in under for row in _rows(self.groups[group])), key=lambda row: row.from_quantity)
        covered, added = _Covered(), 0
        for row in asked:
            while added < len(first) and first[added].from_quantity <= row.from_quantity:
                if first[added].price is not None:  # a share needs another price to be one
                    covered.add(first[added])
                added += 1
            if names := covered.over(row):
                yield row, names


class _Unpriced:
    """Quantities below the lowest step that nothing prices, and shares of a price that there is not."""

    def __init__(self, prices: PriceSet, groups: _Groups) -> None:
        self.prices, self.groups = prices, groups
        self.products: Counter[Goods] = Counter()
        self.listed: Counter[tuple[Goods, str]] = Counter()
        for product in prices.products.values():
            within = _wider(Goods(product.sku, ""), prices)
            self.products.update(within)
            if usable_list_price(product, product.currency) is not None:
                self.listed.update((goods, product.currency) for goods in within)
        full = [(group, steps) for group, steps in groups.items() if group.kind is not PriceKind.LIMITED]
        self.based = {(group.goods, group.currency) for group, _ in full}
        self.part_based = {(goods, group.currency) for group, _ in full for goods in _wider(group.goods, prices)}
        self.from_one = {
            group for group, steps in groups.items() if any(row.price is not None for row in steps.get(1, ()))
        }
        self.tier_from_one = {(group.goods, group.currency) for group in self.from_one if group.buyers.tier}

    def check(self, zone: tzinfo) -> Iterator[Finding]:
        for group, steps in self.groups.items():
            yield from self._shares(group, steps)
            if min(steps) > 1 or len(steps) > 1:
                yield from self._below(group, steps, zone)

    def _shares(self, group: _Group, steps: _Steps) -> Iterator[Finding]:
        if group.kind is not PriceKind.LIMITED or self._has_base(group):
            return
        for row in _rows(steps):
            if row.pays is not None:
                what = f"{row.row} never gives a price: nothing has a price in {row.currency} of which it is a share"
                yield Finding(Level.WARNING, "unreachable", what, written_at(row), "pays")

    def _has_base(self, group: _Group) -> bool:
        here = (group.goods, group.currency)
        over = any((goods, group.currency) in self.based for goods in _wider(group.goods, self.prices))
        return over or here in self.listed or here in self.part_based

    def _below(self, group: _Group, steps: _Steps, zone: tzinfo) -> Iterator[Finding]:
        """Steps under which no lower one holds for all of their time."""
        if self._falls_back(group):
            return
        lower = _Covered()
        for step in sorted(steps):
            priced = [row for row in steps[step] if row.price is not None]
            for row in priced:
                if step > 1 and not lower.over(row):
                    few = "1 piece" if step == 2 else f"1 to {step - 1} pieces"
                    what = (
                        f"{few} of {group.goods} may have no price for {group.buyers} "
                        f"{period(row.starts, row.ends, zone)}: no lower step, no wider row, no list price"
                    )
                    yield Finding(Level.WARNING, "gap", what, written_at(row), "from_quantity")
            for row in priced:
                lower.add(row)

    def _falls_back(self, group: _Group) -> bool:
        """Whether a single piece may have a price by the list or by rows of other groups."""
        if (count := self.products[group.goods]) and self.listed[group.goods, group.currency] == count:
            return True
        for goods in _wider(group.goods, self.prices):
            if group.buyers.customer and (goods, group.currency) in self.tier_from_one:
                return True
            for kind in PriceKind:
                for buyers in {group.buyers, EVERYBODY}:
                    other = _Group(kind, buyers, goods, group.currency)
                    if other != group and other in self.from_one:
                        return True
        return False


def _rows(steps: _Steps) -> Iterator[PriceRow]:
    for rows in steps.values():
        yield from rows
