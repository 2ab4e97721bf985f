"""An order's own prices against ours: what differs, by how much, and in which words people are told."""

import pytest

from ballast.domain.rules.price_gate import (
    MOST_EVIDENCE,
    LineMismatch,
    TotalMismatch,
    evidence,
    judge_prices,
    judge_total,
)
from ballast.domain.rules.prices import LinePrice, PriceOptions
from ballast.domain.rules.promotions import Calculation, PromotionOptions
from ballast.ports import Line


def own(unit_price: int, line_no: int = 1, amount: int | None = None) -> Line:
    amount = 2 * unit_price if amount is None else amount
    return Line(line_no=line_no, sku="SKU-7", name="", quantity=2, unit_price=unit_price, amount=amount)


def quote(price: int | None, line_no: int = 1, row: str = "P004", kind: str = "contract") -> LinePrice:
    return LinePrice(line_no=line_no, sku="SKU-7", quantity=2, price=price, row=row, kind=kind)


CALCULATED = Calculation(
    lines={1: 31_000},
    goods=31_000,
    freight=410,
    gifts=(),
    applied=("full", "old"),
)


def test_the_same_price_is_no_mismatch() -> None:
    assert judge_prices([own(1_000)], [quote(1_000)], PriceOptions()) == ()
    assert judge_prices([own(1_000, amount=1)], [quote(1_000)], PriceOptions()) == ()  # a discount on the line


@pytest.mark.parametrize("price", [999, 1_001])
def test_dearer_and_cheaper_both_differ(price: int) -> None:
    (found,) = judge_prices([own(price)], [quote(1_000)], PriceOptions())
    assert found == LineMismatch(
        line_no=1, sku="SKU-7", quantity=2, own=price, quoted=1_000, row="P004", kind="contract"
    )


@pytest.mark.parametrize(
    ("tolerance", "share", "within", "beyond"),
    [
        (5, 0, 5, 6),
        (0, 100, 9, 10),  # 1% of 9.99 is 9.99 cents, not 10
        (5, 100, 9, 10),  # whichever is more
        (50, 100, 50, 51),
    ],
)
def test_tolerance_is_the_larger_of_amount_and_share(tolerance: int, share: int, within: int, beyond: int) -> None:
    options = PriceOptions(tolerance=tolerance, tolerance_share=share)
    for sign in (1, -1):
        assert not judge_prices([own(999 + sign * within)], [quote(999)], options)
        assert judge_prices([own(999 + sign * beyond)], [quote(999)], options)


def test_an_unpriced_line_is_accepted_or_held_as_people_chose() -> None:
    for quotes in ([quote(None, row="", kind="")], []):
        assert judge_prices([own(1_200)], quotes, PriceOptions()) == ()
        (found,) = judge_prices([own(1_200)], quotes, PriceOptions(unpriced="hold"))
        assert (found.own, found.quoted, found.row) == (1_200, None, "")
        assert evidence([found], price_version=3, promotion_version=5) == (
            "line 1 SKU-7: order says 12.00, price book v3 has no price for it"
        )


def test_a_price_of_zero_is_a_price() -> None:
    assert judge_prices([own(0)], [quote(0)], PriceOptions(unpriced="hold")) == ()
    assert judge_prices([own(1)], [quote(0)], PriceOptions())


def test_with_the_gate_off_nothing_differs() -> None:
    assert judge_prices([own(1)], [quote(2)], PriceOptions(gate=False, unpriced="hold")) == ()
    assert judge_total(1, CALCULATED, PromotionOptions(gate=False)) is None


def test_lines_are_matched_by_number_and_told_in_order() -> None:
    found = judge_prices([own(9, 3), own(8, 1), own(7, 2)], [quote(7, 2), quote(7, 1), quote(7, 3)], PriceOptions())
    assert [(one.line_no, one.own) for one in found] == [(1, 8), (3, 9)]


def test_the_total_is_compared_with_freight() -> None:
    assert judge_total(31_410, CALCULATED, PromotionOptions()) is None
    assert judge_total(31_400, CALCULATED, PromotionOptions(tolerance=10)) is None
    assert judge_total(31_399, CALCULATED, PromotionOptions(tolerance=10)) is not None
    assert judge_total(31_900, CALCULATED, PromotionOptions(tolerance=489)) == TotalMismatch(
        own=31_900, calculated=31_410, goods=31_000, freight=410, applied=("full", "old")
    )


def test_evidence_has_both_figures() -> None:
    lines = judge_prices(
        [own(1_300, 4), own(1_200, 2)], [quote(1_000, 2), quote(1_250, 4, "list", "list")], PriceOptions()
    )
    total = judge_total(31_900, CALCULATED, PromotionOptions())
    assert evidence(lines, total, price_version=3, promotion_version=5) == (
        "line 2 SKU-7: order says 12.00, price book v3 row P004 says 10.00 (contract); "
        "line 4 SKU-7: order says 13.00, price book v3 list price says 12.50; "
        "order total 319.00, with promotions v5 it is 314.10"
    )
    assert evidence((), None, price_version=3, promotion_version=5) == ""
    yen = evidence((), total, price_version=3, promotion_version=5, currency="JPY")
    assert yen == "order total 31900, with promotions v5 it is 31410"


@pytest.mark.parametrize("name", ["SKU-7", "S" * 600])
def test_evidence_is_bounded_stable_and_always_tells_the_total(name: str) -> None:
    lines = [
        LineMismatch(line_no=number, sku=name, quantity=1, own=2, quoted=1, row=name, kind="tier")
        for number in range(1, 100)
    ]
    total = judge_total(31_900, CALCULATED, PromotionOptions())
    said = evidence(lines, total, price_version=3, promotion_version=5)
    assert len(said) <= MOST_EVIDENCE
    assert "more line(s) differ; order total 319.00" in said
    assert said.startswith("line 1 ")
    assert said == evidence(lines[::-1], total, price_version=3, promotion_version=5)
