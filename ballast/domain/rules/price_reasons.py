"""Why rows of the price matrix did not give the price of a line, in words with figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from heapq import nsmallest
from typing import Final, NamedTuple

from ballast.domain.rules.price_rows import (
    EVERYTHING,
    LIST,
    Goods,
    buyers_of,
    goods_of,
    last_moment,
    later_first,
    moment,
    money,
    percent,
    pieces,
    preference,
    unusable,
    usable_list_price,
)
from ballast.domain.rules.prices import LinePrice, PassedOver, PriceKind, PriceRow, Product

MOST: Final = 50
"""Rows that one explanation names; how many more there are is said."""

RowsByGoods = Mapping[Goods, Sequence[PriceRow]]


class Found(NamedTuple):
    """What prices a line before its floor. `row` None: the list price, or nothing. `base`: what `row` is a share of."""

    price: int | None
    row: PriceRow | None = None
    base: "Found | None" = None
    tax_included: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked for one line. `count`: the pieces of its SKU in the whole order."""

    customer: str
    tier: str
    sku: str
    count: int
    at: datetime
    currency: str
    product: Product | None


def explain_line(
    made: LinePrice,
    question: Question,
    found: Found,
    rows: RowsByGoods,
    kinds: Sequence[PriceKind],
    zone: tzinfo,
) -> LinePrice:
    """The same price with what was passed over: the list price, then rows that hold too, then those that do not."""
    reasons = _Reasons(question, found, kinds, zone)
    passed = [one for one in (reasons.of_floor(made), reasons.of_list()) if one is not None]
    others = [row for row in _concerned(question, rows) if row is not found.row]
    room = MOST - len(passed)
    passed += [PassedOver(row.row, reasons.of(row)) for row in nsmallest(room, others, key=reasons.order)]
    if len(others) > room:
        passed.append(PassedOver("...", f"and {len(others) - room} more"))
    return replace(made, passed_over=tuple(passed))


def _concerned(question: Question, rows: RowsByGoods) -> list[PriceRow]:
    """The rows for the SKU, its series or everything, for whomever; each once, also where it names SKU and series."""
    series = question.product.series if question.product is not None else ""
    keys = dict.fromkeys((Goods(question.sku, ""), Goods("", series), EVERYTHING))
    return list({id(row): row for key in keys for row in rows.get(key, ())}.values())


class _Reasons:
    """Words for one line."""

    def __init__(self, question: Question, found: Found, kinds: Sequence[PriceKind], zone: tzinfo) -> None:
        self.question, self.found, self.zone = question, found, zone
        self.rank = {kind: number for number, kind in enumerate(kinds)}

    def order(self, row: PriceRow) -> tuple[object, ...]:
        return next(self._hindrances(row), "") != "", self.rank[row.kind], *preference(row), row.currency

    def of(self, row: PriceRow) -> str:
        if hindrances := "; ".join(self._hindrances(row)):
            return hindrances
        winner, base = self.found.row, self.found.base
        if base is not None and winner is not None and row is base.row:
            return f"gives the {self._shown(base.price)} of which {winner.row} takes {percent(winner.pays or 0)}"
        if winner is None or self._comes_before(row, winner):
            return f"takes {percent(row.pays or 0)} of the price that holds without limited rows, and there is none"
        return self._beaten_by(winner, row)

    def of_list(self) -> PassedOver | None:
        """Why the list price does not hold; None where it does."""
        winner, base, product = self.found.row, self.found.base, self.question.product
        price = usable_list_price(product, self.question.currency)
        if price is None:
            return PassedOver(LIST, self._no_list_price(product))
        if winner is None:
            return None
        if base is not None and base.row is None:
            return PassedOver(
                LIST, f"gives the {self._shown(price)} of which {winner.row} takes {percent(winner.pays or 0)}"
            )
        return PassedOver(LIST, f"{self._shown(price)} holds only where no row does, and {winner.row} does")

    def of_floor(self, made: LinePrice) -> PassedOver | None:
        if made.unfloored is None:
            return None
        floor = f"{made.sku} is never sold below its floor of {self._shown(made.floor)}"
        return PassedOver(made.row, f"says {self._shown(made.unfloored)}, and {floor}")

    def _no_list_price(self, product: Product | None) -> str:
        if product is None:
            return f"{self.question.sku} is not among the products"
        if product.currency != self.question.currency:
            return f"the prices of {product.sku} are in {product.currency}, the order is in {self.question.currency}"
        if product.list_price is None:
            return f"{product.sku} has no list price"
        return f"{product.sku} has a list price below zero"

    def _hindrances(self, row: PriceRow) -> Iterator[str]:
        """All that keeps a row from holding, whatever the others say. Nothing: it holds."""
        asked = self.question
        if wrong := unusable(row):
            yield wrong
        if row.currency != asked.currency:
            yield f"in {row.currency}, the order is in {asked.currency}"
        if row.sku and row.sku != asked.sku:
            yield f"for SKU {row.sku}"
        if row.customer and row.customer != asked.customer:
            yield f"for customer {row.customer}, this is {asked.customer or 'nobody known'}"
        if row.tier and row.tier != asked.tier:
            yield f"for tier {row.tier}, this customer " + (f"is {asked.tier}" if asked.tier else "has no tier")
        if row.from_quantity > asked.count:
            yield f"from {pieces(row.from_quantity)}, here {asked.count}"
        if row.starts is not None and asked.at < row.starts:
            yield f"starts later, {moment(row.starts, self.zone)}"
        if row.ends is not None and asked.at >= row.ends:
            yield f"ended {last_moment(row.ends, self.zone)}"

    def _comes_before(self, row: PriceRow, winner: PriceRow) -> bool:
        """Only a share of no price holds, comes before the row that gave the price, and does not give it."""
        return row.kind is winner.kind and preference(row) < preference(winner)

    def _beaten_by(self, winner: PriceRow, row: PriceRow) -> str:
        if winner.kind is not row.kind:
            return f"{winner.kind} {winner.row} comes before {row.kind}"
        if buyers_of(winner).rank != buyers_of(row).rank:
            return f"{winner.row} is for {buyers_of(winner)}, this row for {buyers_of(row)}"
        if goods_of(winner).rank != goods_of(row).rank:
            return f"{winner.row} is for {goods_of(winner)}, this row for {goods_of(row)}"
        if winner.from_quantity != row.from_quantity:
            return f"{winner.row} is from {pieces(winner.from_quantity)}, this row from {row.from_quantity}"
        if later_first(winner) != later_first(row):
            begun = moment(winner.starts, self.zone) if winner.starts is not None else ""
            return f"{winner.row} began later, {begun}"
        return f"says the same as {winner.row} of the same, and its name comes after"

    def _shown(self, amount: int | None) -> str:
        return money(amount or 0, self.question.currency)
