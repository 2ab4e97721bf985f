"""What is wrong with a written price book before it is published: its options, its products, its rows one by one.

What rows do to each other is in `price_conflicts`. 20,000 rows are checked in a few seconds: nothing here compares
every row with every other.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from difflib import get_close_matches
from typing import Final

from ballast.domain.findings import Finding, Level
from ballast.domain.money import MINOR_DIGITS
from ballast.domain.rules.price_conflicts import check_conflicts
from ballast.domain.rules.price_rows import (
    LIST,
    last_moment,
    moment,
    money,
    percent,
    take_share,
    usable_floor,
    usable_list_price,
    written_at,
)
from ballast.domain.rules.prices import WHOLE, PriceKind, PriceOptions, PriceRow, PriceSet, Product

_HINTS: Final = 20
"""Unknown names for which a similar one is looked for; that is slow, and who misspelt more has another problem."""

_SMALL_SHARE: Final = WHOLE // 10
"""Whoever writes a smaller share may have meant percent: 90 is 0.9%."""


def check_prices(prices: PriceSet, zone: tzinfo = UTC) -> list[Finding]:
    """Everything that people should know before they publish it. Errors forbid it. `zone`: whose clock tells times.

    A finding's place is that of the row (or product), its column the name of the field.
    """
    checker = _Checker(prices, zone)
    found = [*_check_options(prices.options)]
    for sku, product in prices.products.items():
        found += _check_product(sku, product)
    for row in prices.rows:
        found += checker.check(row)
    return found + check_conflicts(prices, zone)


def _check_options(options: PriceOptions) -> Iterator[Finding]:
    if options.tolerance < 0:
        yield _error("option", f"tolerance is {options.tolerance}, below zero", column="tolerance")
    if not 0 <= options.tolerance_share <= WHOLE:
        what = f"tolerance_share is {percent(options.tolerance_share)}, not within 0% and 100%"
        yield _error("option", what, column="tolerance_share")
    if options.unpriced not in ("accept", "hold"):
        yield _error("option", f"unpriced is {options.unpriced!r}, neither accept nor hold", column="unpriced")
    if sorted(options.precedence) != sorted(PriceKind):
        named = ", ".join(options.precedence) or "nothing"
        what = f"precedence is {named}; it has to name each of {', '.join(PriceKind)} once"
        yield _error("option", what, column="precedence")


def _check_product(sku: str, product: Product) -> Iterator[Finding]:
    place, currency = product.place or f"product {sku}", product.currency
    if currency not in MINOR_DIGITS:
        yield _unknown_currency(currency, place)
    if product.floor < 0:
        yield _error("below zero", f"the floor of {sku} is {money(product.floor, currency)}", place, "floor")
    if product.list_price is None:
        return
    listed = f"the list price of {sku} is {money(product.list_price, currency)}"
    if product.list_price < 0:
        yield _error("below zero", listed, place, "list_price")
    elif product.list_price < product.floor:
        what = f"{listed}, below its floor of {money(product.floor, currency)}"
        yield _error("below floor", what, place, "list_price")
    elif product.list_price == 0:
        yield _warning("price of zero", f"{listed}: it is given away", place, "list_price")


@dataclass(slots=True)
class _Range:
    """Products of one currency that a row is for: those against which its price has to be held."""

    highest_floor: Product | None = None
    closest_list: Product | None = None  # whose floor is nearest to its list price, by share

    def add(self, product: Product) -> None:
        if self.highest_floor is None or product.floor > self.highest_floor.floor:
            self.highest_floor = product
        listed, before = product.list_price, self.closest_list
        if listed is None or listed <= 0:
            return
        if before is None or product.floor * (before.list_price or 0) > before.floor * listed:
            self.closest_list = product


@dataclass(slots=True)
class _Known:
    """What the book's products and tiers are, and against which floors a row's price is held."""

    skus: Collection[str]
    series: Collection[str]
    tiers: Collection[str]
    of_series: dict[tuple[str, str], _Range] = field(default_factory=lambda: defaultdict(_Range))
    of_all: dict[str, _Range] = field(default_factory=lambda: defaultdict(_Range))

    @classmethod
    def of(cls, prices: PriceSet) -> "_Known":
        series = {product.series for product in prices.products.values() if product.series}
        known = cls(prices.products.keys(), series, frozenset(prices.tiers))
        for product in prices.products.values():
            known.of_all[product.currency].add(product)
            if product.series:
                known.of_series[product.series, product.currency].add(product)
        return known


class _Checker:
    """Looks at rows one after another, and remembers their names."""

    def __init__(self, prices: PriceSet, zone: tzinfo) -> None:
        self.products, self.zone = prices.products, zone
        self.known = _Known.of(prices)
        self.first: dict[str, PriceRow] = {}
        self.hints = _HINTS

    def check(self, row: PriceRow) -> Iterator[Finding]:
        for kind, text, column in (*self._errors(row), *self._price_errors(row)):
            yield _error(kind, text, written_at(row), column)
        yield from self._against_floor(row)
        for kind, text, column in self._warnings(row):
            yield _warning(kind, text, written_at(row), column)

    def _errors(self, row: PriceRow) -> Iterator[tuple[str, str, str]]:
        first = self.first.setdefault(row.row, row)
        if first is not row:
            yield "duplicate name", f"{row.row!r} is the name of {written_at(first)} too", "row"
        if not row.row.strip() or row.row == LIST:
            yield "name", "has no name" if row.row != LIST else "may not be called list: the list price is", "row"
        if row.customer and row.tier:
            what = f"is for customer {row.customer} and for tier {row.tier}: one of them has to be empty"
            yield "two buyers", what, "tier"
        if row.sku and row.series:
            what = f"is for SKU {row.sku} and for series {row.series}: one of them has to be empty"
            yield "two goods", what, "series"
        yield from self._unknown("SKU", row.sku, self.known.skus, "sku")
        yield from self._unknown("series", row.series, self.known.series if self.products else (), "series")
        yield from self._unknown("tier", row.tier, self.known.tiers, "tier")
        if row.from_quantity < 1:
            yield "quantity", f"is from {row.from_quantity} pieces; the least is 1", "from_quantity"
        if row.starts is not None and row.ends is not None and row.ends <= row.starts:
            ends, starts = last_moment(row.ends, self.zone), moment(row.starts, self.zone)
            yield "period", f"ends {ends}, and starts {starts}: it never holds", "ends"
        if row.currency not in MINOR_DIGITS:
            yield "unknown currency", f"{row.currency!r} is no currency that is known here: {_currencies()}", "currency"

    def _unknown(self, what: str, name: str, known: Collection[str], column: str) -> Iterator[tuple[str, str, str]]:
        if not name or name in known or not (known or (self.products and what != "tier")):
            return
        self.hints -= 1
        near = get_close_matches(name, known, 1) if self.hints >= 0 else []
        hint = f"; is {near[0]} meant?" if near else ""
        yield f"unknown {what}", f"{what} {name!r} is not among the book's {_PLURAL[what]}{hint}", column

    def _price_errors(self, row: PriceRow) -> Iterator[tuple[str, str, str]]:
        if row.price is None and row.pays is None:
            yield "no price", "names neither a price nor a share", "price"
        if row.price is not None and row.pays is not None:
            what = f"names a price, {money(row.price, row.currency)}, and a share, {percent(row.pays)}: one is too many"
            yield "two prices", what, "pays"
        if row.pays is not None and row.kind is not PriceKind.LIMITED:
            yield "share", f"names a share, {percent(row.pays)}, which only limited rows can; it is {row.kind}", "pays"
        if row.pays is not None and not 1 <= row.pays <= WHOLE:
            yield "share", f"pays {percent(row.pays)} of the price; it has to be above 0% and at most 100%", "pays"
        if row.price is not None and row.price < 0:
            yield "below zero", f"the price is {money(row.price, row.currency)}", "price"

    def _against_floor(self, row: PriceRow) -> Iterator[Finding]:
        """A price below a floor cannot be published. A share may come to less for some products: they stop there."""
        highest, closest = self._range(row)
        if row.price is not None and row.price >= 0 and (floor := usable_floor(highest, row.currency)) > row.price:
            sku = highest.sku if highest is not None else ""
            what = (
                f"the price {money(row.price, row.currency)} is below the floor of {sku}, {money(floor, row.currency)}"
            )
            yield _error("below floor", what, written_at(row), "price")
        listed, floor = usable_list_price(closest, row.currency), usable_floor(closest, row.currency)
        if listed is None or closest is None or row.pays is None or not 1 <= row.pays <= WHOLE:
            return
        if listed >= floor > (comes_to := take_share(listed, row.pays)):
            what = (
                f"{percent(row.pays)} of the list price of {closest.sku}, {money(listed, row.currency)}, is "
                f"{money(comes_to, row.currency)}, below its floor: {money(floor, row.currency)} is quoted instead"
            )
            yield _warning("below floor", what, written_at(row), "pays")

    def _range(self, row: PriceRow) -> tuple[Product | None, Product | None]:
        if row.sku:
            return self.products.get(row.sku), self.products.get(row.sku)
        if row.series:
            within = self.known.of_series.get((row.series, row.currency))
        else:
            within = self.known.of_all.get(row.currency)
        return (within.highest_floor, within.closest_list) if within is not None else (None, None)

    def _warnings(self, row: PriceRow) -> Iterator[tuple[str, str, str]]:
        if row.price == 0 and not usable_floor(self._range(row)[0], row.currency):
            yield "price of zero", "the price is 0: it is given away", "price"
        if row.pays is not None and 1 <= row.pays < _SMALL_SHARE:
            meant = f"; was {row.pays}% meant?" if row.pays > 1 and row.pays <= 100 else ""
            yield "small share", f"pays only {percent(row.pays)} of the price{meant}", "pays"
        if row.kind is PriceKind.CONTRACT and not row.customer and not row.tier:
            yield (
                "contract with nobody",
                "a contract names a customer or a tier; this one holds for everybody",
                "customer",
            )
        product = self.products.get(row.sku)
        if product is not None and product.currency != row.currency:
            what = f"is in {row.currency}, the product is in {product.currency}: its floor is not held against it"
            yield "currency", what, "currency"
        elif product is not None and row.price is not None and product.tax_included != row.tax_included:
            words = {True: "with tax", False: "without tax"}
            what = f"the price is {words[row.tax_included]}, that of {row.sku} {words[product.tax_included]}"
            yield "tax", what, "tax_included"
        elif row.series and (row.series, row.currency) not in self.known.of_series and row.series in self.known.series:
            yield "currency", f"is in {row.currency}, no product of series {row.series} is", "currency"


_PLURAL: Final = {"SKU": "products", "series": "series", "tier": "tiers"}


def _currencies() -> str:
    return ", ".join(MINOR_DIGITS)


def _unknown_currency(currency: str, place: str) -> Finding:
    what = f"{currency!r} is no currency that is known here: {_currencies()}"
    return _error("unknown currency", what, place, "currency")


def _error(kind: str, text: str, place: str = "", column: str = "") -> Finding:
    return Finding(Level.ERROR, kind, text, place, column)


def _warning(kind: str, text: str, place: str = "", column: str = "") -> Finding:
    return Finding(Level.WARNING, kind, text, place, column)
