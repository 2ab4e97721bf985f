"""What a check says of a price book: the level, the row, the column, and both sides of a contradiction."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ballast.domain.findings import Finding, Level
from ballast.domain.rules.price_check import check_prices
from ballast.domain.rules.prices import PriceKind, PriceOptions, PriceRow, PriceSet, Product

TEA = Product(sku="TEA-1", series="tea", list_price=39_900, floor=1_000)
CUP = Product(sku="CUP-1", series="cup", list_price=2_000, place="Products row 3")
PRODUCTS = {"TEA-1": TEA, "CUP-1": CUP}


def day(month: int, number: int = 1) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def row(name: str, kind: PriceKind = PriceKind.TIER, price: int | None = 2_000, **more: object) -> PriceRow:
    where = {"place": f"Prices row {name[1:]}", **more}
    return PriceRow(row=name, kind=kind, price=price, **where)  # type: ignore[arg-type]  # a test's own words


def check(*rows: PriceRow, **more: object) -> list[Finding]:
    prices = PriceSet(products=PRODUCTS, tiers=("vip", "gold"), rows=rows)
    return check_prices(replace(prices, **more))  # type: ignore[arg-type]  # fields of the set


def only(found: list[Finding], level: Level, kind: str, place: str, column: str) -> str:
    (one,) = found
    assert (one.level, one.kind, one.place, one.column) == (level, kind, place, column), str(one)
    return one.text


def test_a_good_book_has_no_findings() -> None:
    good = (
        row("R1", tier="vip", sku="TEA-1"),
        row("R2", tier="vip", sku="TEA-1", price=1_900, from_quantity=10),
        row("R3", tier="gold", series="tea", starts=day(1), ends=day(2)),
        row("R4", tier="gold", series="tea", starts=day(2)),
        row("R5", PriceKind.LIMITED, None, pays=9_000, starts=day(11), ends=day(11, 12)),
        row("R6", PriceKind.LIMITED, None, pays=9_000, starts=day(12), ends=day(12, 13)),
        row("R7", PriceKind.CONTRACT, customer="C1", sku="TEA-1"),
    )
    assert check(*good) == []
    assert check() == check_prices(PriceSet()) == []


@pytest.mark.parametrize(
    ("wrong", "kind", "column", "says"),
    [
        ({"customer": "C1", "tier": "vip"}, "two buyers", "tier", "customer C1 and for tier vip"),
        ({"sku": "TEA-1", "series": "tea"}, "two goods", "series", "SKU TEA-1 and for series tea"),
        ({"sku": "TEA-2"}, "unknown SKU", "sku", "'TEA-2' is not among the book's products; is TEA-1 meant?"),
        ({"series": "taa"}, "unknown series", "series", "is tea meant?"),
        ({"tier": "VIP"}, "unknown tier", "tier", "'VIP' is not among the book's tiers"),
        ({"from_quantity": 0}, "quantity", "from_quantity", "from 0 pieces"),
        ({"starts": day(3), "ends": day(2)}, "period", "ends", "ends 2026-01-31, and starts 2026-03-01"),
        ({"starts": day(3), "ends": day(3)}, "period", "ends", "it never holds"),
        ({"currency": "XYZ", "sku": ""}, "unknown currency", "currency", "'XYZ' is no currency"),
        ({"price": None}, "no price", "price", "neither a price nor a share"),
        ({"price": -1}, "below zero", "price", "-0.01"),
        ({"price": 999, "sku": "TEA-1"}, "below floor", "price", "9.99 is below the floor of TEA-1, 10.00"),
        ({"price": 999, "series": "tea"}, "below floor", "price", "9.99 is below the floor of TEA-1, 10.00"),
        ({"price": 999}, "below floor", "price", "9.99 is below the floor of TEA-1, 10.00"),
        ({"row": ""}, "name", "row", "has no name"),
        ({"row": "list"}, "name", "row", "may not be called list"),
        ({"price": None, "pays": 9_000}, "share", "pays", "which only limited rows can; it is tier"),
    ],
)
def test_errors_of_one_row(wrong: dict[str, object], kind: str, column: str, says: str) -> None:
    said = only(check(replace(row("R7"), **wrong)), Level.ERROR, kind, "Prices row 7", column)  # type: ignore[arg-type]
    assert says in said


@pytest.mark.parametrize("pays", [-1, 0, 10_001])
def test_a_share_is_of_more_than_nothing_and_at_most_the_whole(pays: int) -> None:
    found = check(row("R7", PriceKind.LIMITED, None, pays=pays))
    assert "has to be above 0% and at most 100%" in only(found, Level.ERROR, "share", "Prices row 7", "pays")


def test_a_price_and_a_share_are_one_too_many() -> None:
    said = only(
        check(row("R7", PriceKind.LIMITED, 5_000, pays=9_000)), Level.ERROR, "two prices", "Prices row 7", "pays"
    )
    assert said == "names a price, 50.00, and a share, 90%: one is too many"


@pytest.mark.parametrize(
    ("odd", "kind", "column", "says"),
    [
        ({"price": 0, "sku": "CUP-1"}, "price of zero", "price", "given away"),
        ({"sku": "CUP-1", "currency": "USD"}, "currency", "currency", "is in USD, the product is in CNY"),
        ({"series": "cup", "currency": "USD"}, "currency", "currency", "no product of series cup is"),
        ({"sku": "CUP-1", "tax_included": False}, "tax", "tax_included", "is without tax, that of CUP-1 with tax"),
        ({"kind": PriceKind.CONTRACT}, "contract with nobody", "customer", "holds for everybody"),
    ],
)
def test_warnings_of_one_row(odd: dict[str, object], kind: str, column: str, says: str) -> None:
    said = only(check(replace(row("R7"), **odd)), Level.WARNING, kind, "Prices row 7", column)  # type: ignore[arg-type]
    assert says in said


def test_percent_written_as_a_share_is_asked_about() -> None:
    found = check(row("R7", PriceKind.LIMITED, None, pays=90, sku="CUP-1"))
    said = only(found, Level.WARNING, "small share", "Prices row 7", "pays")
    assert said == "pays only 0.9% of the price; was 90% meant?"


def test_a_share_that_comes_to_less_than_a_floor_is_told_with_an_example() -> None:
    cup = replace(CUP, floor=1_200)
    found = check(row("R7", PriceKind.LIMITED, None, pays=5_000, series="cup"), products={"TEA-1": TEA, "CUP-1": cup})
    said = only(found, Level.WARNING, "below floor", "Prices row 7", "pays")
    assert said == ("50% of the list price of CUP-1, 20.00, is 10.00, below its floor: 12.00 is quoted instead")


@pytest.mark.parametrize(
    ("odd", "level", "kind", "column"),
    [
        ({"floor": 2_001}, Level.ERROR, "below floor", "list_price"),
        ({"floor": -1}, Level.ERROR, "below zero", "floor"),
        ({"list_price": -1}, Level.ERROR, "below zero", "list_price"),
        ({"list_price": 0}, Level.WARNING, "price of zero", "list_price"),
        ({"currency": "XYZ"}, Level.ERROR, "unknown currency", "currency"),
    ],
)
def test_products(odd: dict[str, object], level: Level, kind: str, column: str) -> None:
    only(check(products={"CUP-1": replace(CUP, **odd)}), level, kind, "Products row 3", column)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "column"),
    [
        (PriceOptions(tolerance=-1), "tolerance"),
        (PriceOptions(tolerance_share=10_001), "tolerance_share"),
        (PriceOptions(unpriced="perhaps"), "unpriced"),
        (PriceOptions(precedence=(PriceKind.TIER,)), "precedence"),
        (PriceOptions(precedence=(*PriceKind, PriceKind.TIER)), "precedence"),
    ],
)
def test_options(options: PriceOptions, column: str) -> None:
    only(check(options=options), Level.ERROR, "option", "", column)


def test_names_are_unique() -> None:
    second = row("R1", sku="CUP-1", place="Prices row 2")
    said = only(check(row("R1", sku="TEA-1"), second), Level.ERROR, "duplicate name", "Prices row 2", "row")
    assert said == "'R1' is the name of Prices row 1 too"


def test_overlapping_rows_are_told_with_both_places_and_the_time() -> None:
    found = check(
        row("R1", tier="vip", sku="TEA-1", starts=day(1), ends=day(3)),
        row("R2", tier="vip", sku="TEA-1", starts=day(2), ends=day(4)),
        row("R3", tier="gold", sku="TEA-1", starts=day(2), ends=day(4)),
        row("R4", tier="vip", sku="TEA-1", starts=day(2), ends=day(4), from_quantity=5),
        row("R5", PriceKind.CONTRACT, tier="vip", sku="TEA-1", starts=day(2), ends=day(2, 9)),
        row("R6", tier="vip", sku="TEA-1", starts=day(2), ends=day(4), currency="USD", price=100),
    )
    said = only([one for one in found if one.level is Level.ERROR], Level.ERROR, "overlap", "Prices row 2", "starts")
    assert said == (
        "R2 and R1 (Prices row 1) hold for the same tier vip, SKU TEA-1, tier, from 1 piece, CNY, "
        "from 2026-02-01 to 2026-02-28"
    )


def test_an_overlap_is_seen_behind_a_shorter_row_and_told_on_the_sellers_clock() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    rows = (
        row("R1", starts=day(1), ends=day(9)),
        row("R2", starts=day(2), ends=day(3)),
        row("R3", starts=datetime(2026, 5, 1, tzinfo=shanghai)),
    )
    found = [one for one in check_prices(PriceSet(rows=rows), shanghai) if one.kind == "overlap"]
    assert [one.place for one in found] == ["Prices row 2", "Prices row 3"]
    assert found[1].text.endswith("from 2026-05-01 to 2026-09-01 08:00")


def test_of_two_rows_that_say_the_same_one_never_gives_a_price() -> None:
    found = check(row("R1"), row("R2"))
    assert [(one.level, one.kind) for one in found] == [(Level.ERROR, "overlap"), (Level.WARNING, "unreachable")]
    assert found[0].text.endswith("at all times")
    assert found[1].place == "Prices row 2"


def test_gaps_between_periods() -> None:
    rows = [row("R1", ends=day(3)), row("R2", starts=day(4))]
    said = only(check(*rows), Level.WARNING, "gap", "Prices row 2", "starts")
    assert said.startswith("from 2026-03-01 to 2026-03-31 no row holds: R1 (Prices row 1) has ended")
    assert check(*(replace(one, kind=PriceKind.LIMITED) for one in rows)) == []  # made to pause


def test_a_dearer_step_is_told_against_the_next_lower_one_that_holds() -> None:
    rows = (
        row("R1", price=2_000),
        row("R2", price=2_500, from_quantity=10, starts=day(1), ends=day(2)),
        row("R3", price=2_200, from_quantity=100, starts=day(3)),
    )
    found = check(*rows)
    assert [(one.kind, one.place, one.column) for one in found] == [
        ("dearer step", "Prices row 2", "price"),
        ("dearer step", "Prices row 3", "price"),
    ]
    assert found[1].text == ("from 100 pieces a piece costs 22.00, more than the 20.00 from 1 piece (R1, Prices row 1)")
    assert check(row("R1", price=2_500, ends=day(2)), row("R2", price=2_600, from_quantity=9, starts=day(2))) == []


def test_a_ladder_that_does_not_begin_at_one_piece() -> None:
    nothing = {"TEA-1": replace(TEA, list_price=None), "CUP-1": CUP}
    ladder = row("R1", tier="vip", sku="TEA-1", from_quantity=10)
    said = only(check(ladder, products=nothing), Level.WARNING, "gap", "Prices row 1", "from_quantity")
    assert said.startswith("1 to 9 pieces of SKU TEA-1 may have no price for tier vip at all times")
    assert check(ladder) == []  # the list price
    assert check(ladder, row("R2", series="tea"), products=nothing) == []  # a wider row
    assert check(ladder, row("R2", tier="vip", sku="TEA-1"), products=nothing) == []  # a lower step
    late = row("R2", tier="vip", sku="TEA-1", starts=day(6))
    assert [one.place for one in check(ladder, late, products=nothing)] == ["Prices row 1"]
    assert check(replace(ladder, sku=""), products=nothing)[0].kind == "gap"


@pytest.mark.parametrize(
    ("over", "under", "seen"),
    [
        (row("R1", PriceKind.LIMITED), row("R2"), True),
        (row("R1", PriceKind.LIMITED), row("R2", tier="vip", sku="TEA-1"), True),
        (row("R1", PriceKind.LIMITED, series="tea"), row("R2", sku="TEA-1"), True),
        (row("R1", PriceKind.LIMITED, series="cup"), row("R2", sku="TEA-1"), False),
        (row("R1", PriceKind.LIMITED, tier="vip"), row("R2"), False),
        (row("R1", PriceKind.LIMITED, from_quantity=2), row("R2"), False),
        (row("R1", PriceKind.LIMITED, from_quantity=2), row("R2", from_quantity=2), True),
        (row("R1", PriceKind.LIMITED, ends=day(6)), row("R2"), False),
        (row("R1", PriceKind.LIMITED, ends=day(6)), row("R2", starts=day(2), ends=day(6)), True),
        (row("R1", PriceKind.LIMITED, currency="USD"), row("R2"), False),
        (row("R1", PriceKind.LIMITED, None, pays=9_000), row("R2"), False),  # takes its share of it
        (row("R1", PriceKind.CONTRACT, tier="vip"), row("R2", PriceKind.LIMITED, None, pays=9_000, tier="vip"), True),
    ],
)
def test_rows_that_another_kind_leaves_nothing(over: PriceRow, under: PriceRow, seen: bool) -> None:
    for order in ((over, under), (under, over)):
        found = [one for one in check(*order) if one.kind == "unreachable" and one.column == "kind"]
        assert [one.place for one in found] == (["Prices row 2"] if seen else [])
        assert all(f"{over.kind} R1 (Prices row 1) comes before {under.kind}" in one.text for one in found)


def test_several_rows_together_leave_nothing() -> None:
    found = check(
        row("R1", PriceKind.LIMITED, ends=day(3)),
        row("R2", PriceKind.LIMITED, starts=day(3)),
        row("R3", tier="vip"),
    )
    assert "R1 (Prices row 1) and others" in only(found, Level.WARNING, "unreachable", "Prices row 3", "kind")


def test_a_share_of_no_price_at_all_never_gives_one() -> None:
    share = row("R1", PriceKind.LIMITED, None, pays=9_000, sku="TEA-1")
    nothing = {"TEA-1": replace(TEA, list_price=None), "CUP-1": CUP}
    only(check(share, products=nothing), Level.WARNING, "unreachable", "Prices row 1", "pays")
    assert check(share, row("R2", series="tea"), products=nothing) == []
    assert check(replace(share, sku="", series="tea"), row("R2", sku="TEA-1"), products=nothing) == []
    assert check(replace(share, sku="", series="cup"), products=nothing) == []


def test_without_products_and_tiers_every_name_is_taken() -> None:
    assert check_prices(PriceSet(rows=(row("R1", tier="any", sku="X"), row("R2", series="S")))) == []


def test_findings_say_where() -> None:
    said = [str(one) for one in check(row("R7", sku="CUP-9"))]
    assert said == ["error: Prices row 7, column sku: SKU 'CUP-9' is not among the book's products; is CUP-1 meant?"]
