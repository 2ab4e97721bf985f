"""Changing an order: what is taken away is worth what was to be paid for it, to the cent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.editing import Bill, Change, NotChanged, Refusal, changed_bill, changed_receiver
from ballast.domain.lines import Line
from ballast.domain.returns import Sold, worths


def line(line_no: int, quantity: int, amount: int) -> Line:
    price = -(-amount // quantity)
    return Line(line_no=line_no, sku=f"SKU-{line_no}", name="bolt", quantity=quantity, unit_price=price, amount=amount)


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    sizes = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 50_000)), min_size=1, max_size=5))
    lines = tuple(line(number, quantity, amount) for number, (quantity, amount) in enumerate(sizes, 1))
    freight = draw(st.integers(0, 2_000))
    discount = draw(st.integers(0, sum(one.amount for one in lines) + freight))
    return Bill(lines=lines, freight=freight, discount=discount)


@given(bills(), st.data())
def test_less_of_an_order_costs_less_by_what_was_to_be_paid_for_it(bill: Bill, data: st.DataObject) -> None:
    wanted = {one.line_no: data.draw(st.integers(0, one.quantity)) for one in bill.lines}
    if not any(wanted.values()):
        return
    after = changed_bill(bill, Change(quantities=wanted), paid=True)
    net = worths([Sold(one.line_no, one.quantity, one.amount) for one in bill.lines], bill.discount)
    kept = sum(net[one.line_no] * wanted[one.line_no] // one.quantity for one in bill.lines)
    assert bill.total - after.total == sum(net.values()) - kept
    assert after.discount >= 0 and 0 <= after.total <= bill.total
    assert {one.line_no: one.quantity for one in after.lines} == {number: n for number, n in wanted.items() if n}


@given(bills())
def test_the_same_quantities_change_no_cent(bill: Bill) -> None:
    same = {one.line_no: one.quantity for one in bill.lines}
    assert changed_bill(bill, Change(quantities=same), paid=True) == bill


def test_by_hand() -> None:
    """Two lines of 100.00 and 50.00, 30.00 off: 80.00 and 40.00 were to be paid. Half of the first: 40.00 less."""
    bill = Bill(lines=(line(1, 4, 10_000), line(2, 1, 5_000)), freight=800, discount=3_000)
    after = changed_bill(bill, Change(quantities={1: 2}), paid=True)
    assert (bill.total, after.total, after.discount, after.lines[0].amount) == (12_800, 8_800, 2_000, 5_000)
    gone = changed_bill(bill, Change(quantities={2: 0}), paid=True)
    assert (gone.total, gone.discount, len(gone.lines)) == (8_800, 2_000, 1)


def test_more_is_for_orders_that_nobody_has_paid() -> None:
    bill = Bill(lines=(line(1, 2, 1_000),), freight=0, discount=100)
    assert changed_bill(bill, Change(quantities={1: 5}), paid=False).total == 2_400
    with pytest.raises(NotChanged, match="line 1 has 2 pieces and is paid; 5 are wanted") as refused:
        changed_bill(bill, Change(quantities={1: 5}), paid=True)
    assert refused.value.refusal is Refusal.MORE_AFTER_PAYMENT


def test_what_cannot_be_changed_says_so() -> None:
    bill = Bill(lines=(line(1, 2, 1_000),), freight=0, discount=0)
    with pytest.raises(NotChanged, match="there is no line 7; there are 1"):
        changed_bill(bill, Change(quantities={7: 1}), paid=False)
    with pytest.raises(NotChanged, match="cancel it"):
        changed_bill(bill, Change(quantities={1: 0}), paid=True)
    with pytest.raises(ValueError, match="a receiver has no colour"):
        changed_receiver({"name": "A"}, Change(receiver={"colour": "red"}))
    assert changed_receiver({"name": "A", "city": "X"}, Change(receiver={"city": "Y"})) == {"name": "A", "city": "Y"}
