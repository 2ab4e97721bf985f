"""What a line costs before promotions, from which row of the price matrix, and why the others do not give it.

Of the rows that hold (for this customer or tier, this SKU, this quantity, this moment, in the order's currency) the
first in this order gives the price:

1. by kind, as `PriceOptions.precedence` says (contract, limited, tier unless it says otherwise);
2. a row for the customer, before one for a tier, before one for everybody;
3. a row for the SKU, before one for its series, before one for everything;
4. the largest `from_quantity` that the quantity reaches;
5. the later start (an open start is the earliest);
6. the row's name, in the order of its characters.

Where no row holds, the product's list price does, if it is in the order's currency. Otherwise the line has no price.

- A LIMITED row with `pays` gives that share of the price which would hold without LIMITED rows, half a cent up, and
  its tax flag. Where there is none, the row does not hold, and the next one is looked at.
- Lines of the same SKU count together: 6 and 6 pieces reach a row from 12 pieces. SKUs of a series do not.
- Nothing is quoted below the product's floor: the floor is the price then, and `LinePrice.unfloored` says what the
  row would have given. A floor in another currency cannot be compared and is none.
- A row which contradicts itself (`price_rows.unusable`, refused by `check_prices`) never holds.

The result depends on neither the order of rows nor of lines, and an explanation never changes it.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple

from ballast.domain.rules.price_reasons import Found, Question, explain_line
from ballast.domain.rules.price_rows import (
    EVERYBODY,
    EVERYTHING,
    LIST,
    Buyers,
    Goods,
    Timeline,
    buyers_of,
    goods_of,
    kinds_in_order,
    take_share,
    timeline_of,
    unusable,
    usable_floor,
    usable_list_price,
)
from ballast.domain.rules.prices import LinePrice, PriceKind, PriceRow, PriceSet, Product, Wanted


class _Ladder(NamedTuple):
    """Rows for the same buyers and goods: steps by quantity, the largest first, as `bisect` wants them."""

    steps: tuple[int, ...]  # the quantities from which they hold, negated
    timelines: tuple[Timeline, ...]

    def row_at(self, quantity: int, at: datetime) -> PriceRow | None:
        for number in range(bisect_left(self.steps, -quantity), len(self.steps)):
            if (row := self.timelines[number].at(at)) is not None:
                return row
        return None


_Shelf = Mapping[Goods, _Ladder]
_Shelves = Mapping[Buyers, _Shelf]


class _Rack(NamedTuple):
    """All rows of one kind and currency. `priced`: the same, or where some take a share, those that do not."""

    kind: PriceKind
    all: _Shelves
    priced: _Shelves


class _Choice(NamedTuple):
    """What can concern one customer: of each kind the shelves of the customer, the tier and everybody, in order."""

    kind: PriceKind
    all: Sequence[_Shelf]
    priced: Sequence[_Shelf]


_NOTHING: Final = Found(None)


class PriceBook:
    """One version of the matrix, ready to be asked. A line costs the same few look-ups whatever the number of rows.

    `zone`: on whose clock explanations tell the time.
    """

    def __init__(self, prices: PriceSet, zone: tzinfo = UTC) -> None:
        self._products = prices.products
        self._kinds = kinds_in_order(prices.options)
        self._racks = _racks(prices.rows, self._kinds)
        self._by_goods: dict[Goods, list[PriceRow]] = defaultdict(list)
        for row in prices.rows:
            for goods in {Goods(row.sku, ""), Goods("", row.series)} if row.sku and row.series else {goods_of(row)}:
                self._by_goods[goods].append(row)
        self._zone = zone

    def quote(
        self,
        *,
        customer: str,
        tier: str,
        lines: Sequence[Wanted],
        at: datetime,
        currency: str = "CNY",
        explain: bool = False,
    ) -> tuple[LinePrice, ...]:
        """The price of every line, in the order of the lines. `customer` and `tier` may be empty: not known, none.

        A line that nothing prices has `price` None and `row` "". `explain` fills `passed_over`, at most 50 rows of a
        line and how many more there are. Raises ValueError for a moment without time zone.
        """
        if at.tzinfo is None:
            raise ValueError(f"{at} has no time zone: prices hold from one moment to another")
        choices = self._choices(customer, tier, currency)
        pieces: dict[str, int] = {}
        for line in lines:
            pieces[line.sku] = pieces.get(line.sku, 0) + line.quantity
        priced = []
        for line in lines:
            count = pieces[line.sku]
            product = self._products.get(line.sku)
            found = _find(choices, line.sku, product, count, at, currency)
            made = _line_price(line, product, found, currency)
            if explain:
                question = Question(customer, tier, line.sku, count, at, currency, product)
                made = explain_line(made, question, found, self._by_goods, self._kinds, self._zone)
            priced.append(made)
        return tuple(priced)

    def _choices(self, customer: str, tier: str, currency: str) -> list[_Choice]:
        buyers = [Buyers(customer, "")] if customer else []
        if tier:
            buyers.append(Buyers("", tier))
        buyers.append(EVERYBODY)
        return [
            _Choice(
                rack.kind,
                found,
                found if rack.all is rack.priced else [rack.priced[one] for one in buyers if one in rack.priced],
            )
            for rack in self._racks.get(currency, ())
            if (found := [rack.all[one] for one in buyers if one in rack.all])
        ]


def _find(
    choices: Sequence[_Choice], sku: str, product: Product | None, quantity: int, at: datetime, currency: str
) -> Found:
    keys = [Goods(sku, "")] if sku else []
    if product is not None and product.series:
        keys.append(Goods("", product.series))
    keys.append(EVERYTHING)
    for choice in choices:
        row = _first(choice.all, keys, quantity, at)
        if row is None:
            continue
        if row.pays is None:
            return Found(row.price, row, tax_included=row.tax_included)
        base = _base(choices, keys, product, quantity, at, currency)
        if base.price is not None:
            return Found(take_share(base.price, row.pays), row, base, base.tax_included)
        row = _first(choice.priced, keys, quantity, at)
        if row is not None:
            return Found(row.price, row, tax_included=row.tax_included)
    return _list_price(product, currency)


def _base(
    choices: Sequence[_Choice], keys: list[Goods], product: Product | None, quantity: int, at: datetime, currency: str
) -> Found:
    """What would hold without LIMITED rows."""
    for choice in choices:
        if choice.kind is not PriceKind.LIMITED and (row := _first(choice.all, keys, quantity, at)) is not None:
            return Found(row.price, row, tax_included=row.tax_included)
    return _list_price(product, currency)


def _first(shelves: Sequence[_Shelf], keys: list[Goods], quantity: int, at: datetime) -> PriceRow | None:
    for shelf in shelves:
        for key in keys:
            ladder = shelf.get(key)
            if ladder is not None and (row := ladder.row_at(quantity, at)) is not None:
                return row
    return None


def _list_price(product: Product | None, currency: str) -> Found:
    price = usable_list_price(product, currency)
    if price is None or product is None:
        return _NOTHING
    return Found(price, tax_included=product.tax_included)


def _line_price(line: Wanted, product: Product | None, found: Found, currency: str) -> LinePrice:
    floor, price = usable_floor(product, currency), found.price
    lifted = price is not None and price < floor
    return LinePrice(
        line_no=line.line_no,
        sku=line.sku,
        quantity=line.quantity,
        price=floor if lifted else price,
        row=found.row.row if found.row is not None else LIST if price is not None else "",
        kind=found.row.kind.value if found.row is not None else LIST if price is not None else "",
        series=product.series if product is not None else "",
        floor=floor,
        currency=currency,
        tax_included=found.tax_included,
        unfloored=price if lifted else None,
    )


def _racks(rows: Iterable[PriceRow], kinds: Sequence[PriceKind]) -> dict[str, tuple[_Rack, ...]]:
    """Currency -> kinds in their order."""
    sorted_out: dict[tuple[str, PriceKind], list[PriceRow]] = defaultdict(list)
    for row in rows:
        if not unusable(row):
            sorted_out[row.currency, row.kind].append(row)
    racks: dict[str, list[_Rack]] = defaultdict(list)
    for currency in {currency for currency, _ in sorted_out}:
        for kind in kinds:
            if found := sorted_out.get((currency, kind)):
                shelves = _shelves(found)
                priced = [row for row in found if row.price is not None]
                racks[currency].append(_Rack(kind, shelves, shelves if len(priced) == len(found) else _shelves(priced)))
    return {currency: tuple(kept) for currency, kept in racks.items()}


def _shelves(rows: Iterable[PriceRow]) -> _Shelves:
    steps: dict[Buyers, dict[Goods, dict[int, list[PriceRow]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for row in rows:
        steps[buyers_of(row)][goods_of(row)][-row.from_quantity].append(row)
    return {buyers: {goods: _ladder(ladder) for goods, ladder in shelf.items()} for buyers, shelf in steps.items()}


def _ladder(steps: Mapping[int, Sequence[PriceRow]]) -> _Ladder:
    order = sorted(steps)
    return _Ladder(tuple(order), tuple(timeline_of(steps[step]) for step in order))
