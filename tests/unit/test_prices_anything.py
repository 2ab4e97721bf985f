"""The price book against an oracle that is slow and plain, over matrices that nobody would write."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.domain.rules.price_check import check_prices
from ballast.domain.rules.prices import LinePrice, PriceKind, PriceOptions, PriceRow, PriceSet, Product, Wanted
from ballast.domain.rules.quoting import PriceBook

NOON = datetime(2026, 12, 12, 12, tzinfo=UTC)
MOMENTS = [None, *(NOON + timedelta(days=days) for days in (-2, -1, 0, 1, 2))]
moments = st.sampled_from(MOMENTS)
quantities = st.sampled_from([1, 2, 5, 10])
skus = st.sampled_from(["A1", "A2", "B1", "unknown"])


@st.composite
def rows(draw: st.DrawFn, number: int) -> PriceRow:
    buyers = draw(st.sampled_from([("", ""), ("C1", ""), ("C2", ""), ("", "vip"), ("", "gold"), ("C1", "vip")]))
    goods = draw(
        st.sampled_from([("", ""), ("A1", ""), ("B1", ""), ("unknown", ""), ("", "A"), ("", "B"), ("A1", "A")])
    )
    kind = draw(st.sampled_from(list(PriceKind)))
    shares = st.sampled_from([None, None, 1, 3333, 9000, 10_000, 10_001, 0])
    price, pays = draw(st.sampled_from([None, -5, 0, 7, 100, 333, 995])), draw(shares)
    if draw(st.integers(0, 9)):  # mostly rows that a check would pass
        price, pays = (price or 12, None) if kind is not PriceKind.LIMITED or pays is None else (None, pays)
    return PriceRow(
        row=f"P{draw(st.integers(0, 3)) if not draw(st.integers(0, 9)) else number}",
        kind=kind,
        customer=buyers[0],
        tier=buyers[1],
        sku=goods[0],
        series=goods[1],
        from_quantity=draw(quantities),
        starts=draw(moments),
        ends=draw(moments),
        price=price,
        pays=pays,
        currency=draw(st.sampled_from(["CNY", "CNY", "CNY", "USD"])),
        tax_included=draw(st.booleans()),
    )


products = st.fixed_dictionaries(
    {},
    optional={
        sku: st.builds(
            Product,
            sku=st.just(sku),
            series=st.just(sku[0]),
            list_price=st.sampled_from([None, 0, 150, 999]),
            floor=st.sampled_from([0, 0, 90]),
            currency=st.sampled_from(["CNY", "CNY", "USD"]),
            tax_included=st.booleans(),
        )
        for sku in ("A1", "A2", "B1")
    },
)
options = st.builds(
    PriceOptions,
    precedence=st.permutations(list(PriceKind)).flatmap(lambda all: st.sampled_from([tuple(all), (all[0],)])),
)


@st.composite
def books(draw: st.DrawFn) -> PriceSet:
    written = [draw(rows(number)) for number in range(draw(st.integers(0, 12)))]
    return PriceSet(products=draw(products), tiers=("vip", "gold"), rows=tuple(written), options=draw(options))


carts = st.lists(st.tuples(skus, quantities), max_size=4).map(
    lambda lines: [Wanted(line_no=number, sku=sku, quantity=count) for number, (sku, count) in enumerate(lines, 1)]
)
customers = st.sampled_from(["", "C1", "C2", "C3"])
tiers = st.sampled_from(["", "vip", "gold"])
times = st.sampled_from([NOON, NOON + timedelta(hours=5), NOON - timedelta(days=1), NOON + timedelta(days=9)])
Asked = tuple[str, str, list[Wanted], datetime, str]
asked = st.tuples(customers, tiers, carts, times, st.sampled_from(["CNY", "CNY", "USD"]))


def quote(prices: PriceSet, what: Asked, *, explain: bool = False) -> tuple[LinePrice, ...]:
    customer, tier, lines, at, currency = what
    return PriceBook(prices).quote(customer=customer, tier=tier, lines=lines, at=at, currency=currency, explain=explain)


def holds(row: PriceRow, what: Asked, sku: str, count: int, series: str) -> bool:
    customer, tier, _, at, currency = what
    return (
        row.currency == currency
        and row.customer in ("", customer)
        and row.tier in ("", tier)
        and row.sku in ("", sku)
        and row.series in ("", series)
        and not (row.customer and row.tier)
        and not (row.sku and row.series)
        and row.from_quantity <= count
        and (row.starts is None or row.starts <= at)
        and (row.ends is None or at < row.ends)
        and (row.price is None) != (row.pays is None)
        and (row.price is None or row.price >= 0)
        and (row.pays is None or (row.kind is PriceKind.LIMITED and 1 <= row.pays <= 10_000))
    )


def key(row: PriceRow, order: Sequence[PriceKind]) -> tuple[object, ...]:
    start = row.starts.timestamp() if row.starts is not None else float("-inf")
    customer, sku = 0 if row.customer else 1 if row.tier else 2, 0 if row.sku else 1 if row.series else 2
    return order.index(row.kind), customer, sku, -row.from_quantity, -start, row.row


def expected(prices: PriceSet, what: Asked, line: Wanted) -> list[tuple[int | None, str]]:
    """(price, row) that may come out: several only where rows of one name tie in everything before the name."""
    _, _, lines, _, currency = what
    count = sum(one.quantity for one in lines if one.sku == line.sku)
    product = prices.products.get(line.sku)
    series = product.series if product is not None else ""
    named = prices.options.precedence
    order = [*named, *(kind for kind in (PriceKind.CONTRACT, PriceKind.LIMITED, PriceKind.TIER) if kind not in named)]
    held = sorted(
        (row for row in prices.rows if holds(row, what, line.sku, count, series)), key=lambda r: key(r, order)
    )
    here = product is not None and product.currency == currency
    listed = product.list_price if here and product is not None else None
    floor = product.floor if here and product is not None else 0
    full = [row for row in held if row.kind is not PriceKind.LIMITED]
    bases = [row.price for row in full if key(row, order) == key(full[0], order)] or [listed]
    held = [row for row in held if row.pays is None or bases != [None]]
    if not held:
        return [(max(listed, floor), "list") if listed is not None else (None, "")]
    came: list[tuple[int | None, str]] = []
    for row in (one for one in held if key(one, order) == key(held[0], order)):
        for base in bases:
            share = ((base or 0) * (row.pays or 0) * 2 + 10_000) // 20_000
            came.append((max(floor, row.price if row.price is not None else share), row.row))
    return came


@settings(max_examples=300, deadline=None)
@given(books(), asked)
def test_the_book_says_what_the_oracle_says(prices: PriceSet, what: Asked) -> None:
    for line, made in zip(what[2], quote(prices, what), strict=True):
        assert (made.line_no, made.sku, made.quantity) == (line.line_no, line.sku, line.quantity)
        assert (made.price, made.row) in expected(prices, what, line)
        assert made.price is None or made.price >= made.floor >= 0


@settings(max_examples=100, deadline=None)
@given(books(), asked)
def test_an_explanation_changes_nothing_and_names_every_row_that_concerns_the_line(
    prices: PriceSet, what: Asked
) -> None:
    plain, explained = quote(prices, what), quote(prices, what, explain=True)
    assert tuple(replace(line, passed_over=()) for line in explained) == plain
    for line in explained:
        series = line.series or None
        concerned = [
            row for row in prices.rows if row.sku == line.sku or row.series == series or not (row.sku or row.series)
        ]
        told = [one.row for one in line.passed_over if one.row != "list" and not one.why.startswith("says ")]
        told += [one.row for one in line.passed_over if one.why.startswith("says the same")]
        given_by = 1 if line.row not in ("", "list") else 0
        assert len(told) == len(concerned) - given_by
        assert all(one.why for one in line.passed_over)


@settings(max_examples=100, deadline=None)
@given(books(), asked, st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_of_lines_counts(prices: PriceSet, what: Asked, dice: Random) -> None:
    customer, tier, lines, at, currency = what
    mixed_rows, mixed_lines = list(prices.rows), list(lines)
    dice.shuffle(mixed_rows)
    dice.shuffle(mixed_lines)
    mixed = quote(replace(prices, rows=tuple(mixed_rows)), (customer, tier, mixed_lines, at, currency), explain=True)
    assert sorted(mixed, key=lambda line: line.line_no) == list(quote(prices, what, explain=True))


@settings(max_examples=100, deadline=None)
@given(books())
def test_any_book_can_be_checked(prices: PriceSet) -> None:
    found = check_prices(prices)
    assert found == check_prices(prices)
    assert all(one.text and one.kind for one in found)


@settings(max_examples=300, deadline=None)
@given(books(), asked)
def test_a_row_that_is_said_never_to_give_a_price_gives_none(prices: PriceSet, what: Asked) -> None:
    unreachable = {one.place for one in check_prices(prices) if one.kind == "unreachable"}
    names = [row.row for row in prices.rows]
    for line in quote(prices, what):
        assert f"row {line.row}" not in unreachable or names.count(line.row) > 1
