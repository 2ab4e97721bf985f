"""Bills of several orders that become one: nothing is lost, and every line is worth what it was."""

from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.editing import Bill
from ballast.domain.lines import Line
from ballast.domain.merging import merged_bill
from ballast.domain.returns import Sold, freight_paid, worths

CENTS = st.integers(0, 100_000)


def line(line_no: int, amount: int, quantity: int = 1) -> Line:
    return Line(line_no=line_no, sku="SKU-1", name="", quantity=quantity, unit_price=amount, amount=amount)


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    """Any order: gaps between its line numbers, free lines, a discount that may reach into the freight."""
    numbers = sorted(draw(st.sets(st.integers(1, 9), min_size=1, max_size=4)))
    lines = tuple(line(number, draw(CENTS), draw(st.integers(1, 9))) for number in numbers)
    freight = draw(CENTS)
    discount = draw(st.integers(0, sum(one.amount for one in lines) + freight) | st.just(0))
    return Bill(lines=lines, freight=freight, discount=discount)


def paid(bill: Bill) -> tuple[dict[int, int], int]:
    sold = [Sold(one.line_no, one.quantity, one.amount) for one in bill.lines]
    return worths(sold, bill.discount), freight_paid(sold, bill.freight, bill.discount)


@given(st.lists(bills(), min_size=2, max_size=4))
def test_every_line_is_worth_in_the_whole_what_it_was_in_its_order(some: list[Bill]) -> None:
    whole, places = merged_bill(some)
    now, freight = paid(whole)
    assert whole.total == sum(bill.total for bill in some)
    assert sorted(now) == sorted(number for own in places for number in own.values())
    for bill, own in zip(some, places, strict=True):
        before, _ = paid(bill)
        assert {number: now[own[number]] for number in before} == before
    assert freight == sum(paid(bill)[1] for bill in some)
    assert sum(now.values()) + freight == whole.total


@given(st.lists(bills(), min_size=2, max_size=4))
def test_the_first_order_keeps_its_line_numbers_and_every_line_its_pieces(some: list[Bill]) -> None:
    whole, places = merged_bill(some)
    assert places[0] == {one.line_no: one.line_no for one in some[0].lines}
    pieces = {one.line_no: one.quantity for one in whole.lines}
    for bill, own in zip(some, places, strict=True):
        assert [pieces[own[one.line_no]] for one in bill.lines] == [one.quantity for one in bill.lines]


def test_prices_stay_as_they_are_where_no_discount_would_be_shared_out_otherwise() -> None:
    plain = Bill(lines=(line(1, 1000),), freight=500, discount=0)
    whole, _ = merged_bill([plain, Bill(lines=(line(1, 700), line(2, 300)), freight=0, discount=0)])
    assert [one.amount for one in whole.lines] == [1000, 700, 300]
    assert (whole.freight, whole.discount, whole.total) == (500, 0, 2500)
    whole, _ = merged_bill([plain, Bill(lines=(line(1, 1000),), freight=0, discount=400)])
    assert [one.amount for one in whole.lines] == [1000, 600]
    assert (whole.discount, whole.total) == (0, 2100)
