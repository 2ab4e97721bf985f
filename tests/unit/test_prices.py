"""What a line costs, from which row, and why the others did not give it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ballast.domain.rules.prices import LinePrice, PriceKind, PriceOptions, PriceRow, PriceSet, Product, Wanted
from ballast.domain.rules.quoting import PriceBook

DAY = datetime(2026, 12, 12, tzinfo=UTC)
TEA = Product(sku="TEA-1", series="tea", list_price=39_900)


def contract(name: str, price: int = 100, **more: object) -> PriceRow:
    return row(name, PriceKind.CONTRACT, price, **more)


def tier(name: str, price: int = 100, **more: object) -> PriceRow:
    return row(name, PriceKind.TIER, price, **more)


def limited(name: str, price: int | None = 100, **more: object) -> PriceRow:
    return row(name, PriceKind.LIMITED, price, **more)


def row(name: str, kind: PriceKind, price: int | None, **more: object) -> PriceRow:
    return PriceRow(row=name, kind=kind, price=price, **more)  # type: ignore[arg-type]  # a test's own words


def ask(
    *rows: PriceRow,
    quantity: int = 1,
    product: Product | None = TEA,
    options: PriceOptions | None = None,
    currency: str = "CNY",
    at: datetime = DAY,
    by: tuple[str, str] = ("C1", "vip"),
) -> LinePrice:
    products = {product.sku: product} if product is not None else {}
    book = PriceBook(PriceSet(products=products, rows=rows, options=options or PriceOptions()))
    line = Wanted(line_no=1, sku="TEA-1", quantity=quantity)
    (made,) = book.quote(customer=by[0], tier=by[1], lines=[line], at=at, currency=currency, explain=True)
    return made


def why(made: LinePrice, name: str) -> str:
    return next(one.why for one in made.passed_over if one.row == name)


def test_the_list_price_holds_where_no_row_does() -> None:
    made = ask(tier("T1", tier="gold"))
    assert (made.price, made.row, made.kind, made.series) == (39_900, "list", "list", "tea")
    assert why(made, "T1") == "for tier gold, this customer is vip"


@pytest.mark.parametrize(
    ("winner", "loser", "said"),
    [
        (contract("A", customer="C1"), limited("B", sku="TEA-1"), "contract A comes before limited"),
        (limited("A"), tier("B", sku="TEA-1", tier="vip"), "limited A comes before tier"),
        (tier("A", customer="C1"), tier("B", tier="vip", sku="TEA-1"), "A is for customer C1, this row for tier vip"),
        (tier("A", tier="vip"), tier("B", sku="TEA-1"), "A is for tier vip, this row for everybody"),
        (tier("A", sku="TEA-1"), tier("B", series="tea"), "A is for SKU TEA-1, this row for series tea"),
        (tier("A", series="tea"), tier("B", from_quantity=5), "A is for series tea, this row for everything"),
        (tier("A", from_quantity=10), tier("B", starts=DAY), "A is from 10 pieces, this row from 1"),
        (tier("B", starts=DAY), tier("A", starts=DAY - timedelta(1)), "B began later, 2026-12-12"),
        (tier("B", starts=DAY), tier("A"), "B began later, 2026-12-12"),
        (tier("A"), tier("B"), "says the same as A of the same, and its name comes after"),
    ],
)
def test_precedence(winner: PriceRow, loser: PriceRow, said: str) -> None:
    for order in ((winner, loser), (loser, winner)):
        made = ask(*order, quantity=12)
        assert made.row == winner.row
        assert why(made, loser.row) == said
        assert why(made, "list") == f"399.00 holds only where no row does, and {winner.row} does"


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (tier("P", from_quantity=100), "from 100 pieces, here 5"),
        (tier("P", starts=DAY + timedelta(hours=10)), "starts later, 2026-12-12 10:00"),
        (tier("P", ends=DAY), "ended 2026-12-11"),
        (tier("P", currency="USD"), "in USD, the order is in CNY"),
        (tier("P", customer="C2"), "for customer C2, this is C1"),
        (tier("P", tier="gold", from_quantity=9), "for tier gold, this customer is vip; from 9 pieces, here 5"),
        (tier("P", customer="C1", tier="vip"), "names both a customer and a tier"),
        (tier("P", -1), "names a price below zero"),
        (row("P", PriceKind.TIER, None), "names no price"),
        (row("P", PriceKind.TIER, None, pays=9_000), "names a share, which only limited rows can"),
        (limited("P", None, pays=10_001), "names a share of 100.01%"),
        (limited("P", 5, pays=9_000), "names both a price and a share"),
    ],
)
def test_rows_that_do_not_hold_say_why(passed: PriceRow, said: str) -> None:
    made = ask(passed, quantity=5)
    assert made.row == "list"
    assert why(made, "P") == said


def test_a_customer_of_no_tier_and_one_whom_nobody_knows() -> None:
    made = ask(tier("T", tier="vip"), contract("C", customer="C1"), by=("", ""))
    assert made.row == "list"
    assert why(made, "T") == "for tier vip, this customer has no tier"
    assert why(made, "C") == "for customer C1, this is nobody known"


def test_a_period_holds_from_its_start_and_not_at_its_end() -> None:
    row = tier("P", starts=DAY, ends=DAY + timedelta(1))
    moments = (DAY - timedelta(microseconds=1), DAY, DAY + timedelta(1, microseconds=-1), DAY + timedelta(1))
    assert [ask(row, at=at).row for at in moments] == ["list", "P", "P", "list"]


def test_a_limited_row_takes_its_share_of_the_price_without_limited_rows() -> None:
    made = ask(limited("L", None, pays=8_850), tier("T", 333, tax_included=False), limited("M", 1, series="nuts"))
    assert (made.price, made.row, made.kind, made.tax_included) == (295, "L", "limited", False)  # 294.705
    assert why(made, "T") == "gives the 3.33 of which L takes 88.5%"
    assert ask(limited("L", None, pays=5_000), tier("T", 333)).price == 167  # 166.5: half a cent up
    listed = ask(limited("L", None, pays=9_000))
    assert listed.price == 35_910
    assert why(listed, "list") == "gives the 399.00 of which L takes 90%"


def test_a_share_of_no_price_does_not_hold_and_the_next_row_is_looked_at() -> None:
    nothing = Product(sku="TEA-1", series="tea")
    share = limited("L", None, pays=9_000, sku="TEA-1")
    said = "takes 90% of the price that holds without limited rows, and there is none"
    alone = ask(share, product=nothing)
    assert (alone.price, alone.row, alone.kind) == (None, "", "")
    assert why(alone, "L") == said
    assert why(alone, "list") == "TEA-1 has no list price"
    beside = ask(share, limited("M", 77), product=nothing)
    assert (beside.price, beside.row) == (77, "M")
    assert why(beside, "L") == said


def test_other_kinds_may_come_first() -> None:
    options = PriceOptions(precedence=(PriceKind.LIMITED, PriceKind.CONTRACT))
    rows = (limited("L", None, pays=9_000), contract("C", 200, customer="C1"), tier("T", 50, customer="C1"))
    made = ask(*rows, options=options)
    assert (made.price, made.row) == (180, "L")
    assert why(made, "T") == "limited L comes before tier"


def test_nothing_is_quoted_below_the_floor() -> None:
    product = Product(sku="TEA-1", list_price=2_000, floor=1_200)
    made = ask(limited("L", None, pays=5_000), product=product)
    assert (made.price, made.unfloored, made.row, made.floor) == (1_200, 1_000, "L", 1_200)
    assert why(made, "L") == "says 10.00, and TEA-1 is never sold below its floor of 12.00"
    assert ask(tier("T", 1_200), product=product).unfloored is None


def test_amounts_of_another_currency_are_not_prices() -> None:
    dollars = Product(sku="TEA-1", list_price=2_000, floor=1_200, currency="USD")
    made = ask(tier("T", 100), product=dollars)
    assert (made.price, made.floor) == (100, 0)
    assert ask(product=dollars).price is None
    assert why(ask(product=dollars), "list") == "the prices of TEA-1 are in USD, the order is in CNY"
    assert ask(tier("T", 100), product=dollars, currency="USD").price == 2_000


def test_an_unknown_sku_has_a_price_only_from_rows() -> None:
    assert ask(product=None).price is None
    assert why(ask(product=None), "list") == "TEA-1 is not among the products"
    assert ask(tier("T", 9, sku="TEA-1"), product=None).price == 9


def test_lines_of_one_sku_count_together() -> None:
    book = PriceBook(PriceSet(products={"TEA-1": TEA}, rows=(tier("T", 7, from_quantity=12, series="tea"),)))
    lines = [Wanted(line_no=n, sku=sku, quantity=6) for n, sku in ((3, "TEA-1"), (1, "NUT"), (2, "TEA-1"))]
    made = book.quote(customer="", tier="", lines=lines, at=DAY)
    assert [(line.line_no, line.quantity, line.row) for line in made] == [(3, 6, "T"), (1, 6, ""), (2, 6, "T")]
    assert book.quote(customer="", tier="", lines=lines[:2], at=DAY)[0].row == "list"
    assert book.quote(customer="", tier="", lines=[], at=DAY) == ()


def test_a_customer_called_like_a_tier_is_none() -> None:
    assert ask(tier("T", tier="vip"), contract("C", customer="vip"), by=("vip", "")).row == "C"
    assert ask(tier("T", tier="vip"), contract("C", customer="vip"), by=("", "vip")).row == "T"


def test_an_explanation_is_bounded() -> None:
    made = ask(*(tier(f"T{number:04}", from_quantity=number) for number in range(1, 2_000)))
    assert len(made.passed_over) == 51
    assert (made.passed_over[-1].row, made.passed_over[-1].why) == ("...", "and 1949 more")
    assert made.passed_over[1].why == "from 1999 pieces, here 1"


def test_times_are_told_on_the_clock_of_the_seller() -> None:
    row = tier("P", starts=DAY - timedelta(hours=8), ends=datetime.max.replace(tzinfo=UTC))
    book = PriceBook(PriceSet(rows=(row,)), ZoneInfo("Asia/Shanghai"))
    lines = [Wanted(line_no=1, sku="X", quantity=1)]
    (early,) = book.quote(customer="", tier="", lines=lines, at=DAY - timedelta(days=1), explain=True)
    assert why(early, "P") == "starts later, 2026-12-12"
    assert book.quote(customer="", tier="", lines=lines, at=DAY.astimezone(ZoneInfo("America/New_York")))[0].row == "P"


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        ask(at=datetime(2026, 12, 12))  # noqa: DTZ001 - what is refused
