"""Charges against an order: counted to the cent or not at all; what is too much goes back; their order is no matter."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.money import Money
from ballast.domain.payments import Captured, Verdict, all_went_back, judge
from tests.times import NOON


def charge(amount: int, number: int = 1, *, minutes: int = 0, counted: bool = False) -> Captured:
    at = NOON + timedelta(minutes=minutes)
    return Captured(transaction_id=f"T-{number}", amount=Money(amount), paid_at=at, counted=counted)


parts = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20)), max_size=6)
charges = parts.map(lambda many: [charge(a, n, minutes=m) for n, (a, m) in enumerate(many)])
totals = st.integers(0, 150).map(Money)


def ids(some: Sequence[Captured]) -> list[str]:
    return sorted(one.transaction_id for one in some)


def worth(some: Sequence[Captured]) -> int:
    return sum(one.amount.amount for one in some)


@given(totals, charges)
def test_counted_is_the_total_or_nothing(total: Money, paid: list[Captured]) -> None:
    verdict = judge(total, paid)
    assert worth(verdict.counted) in (0, total.amount)
    if verdict.paid_at is not None:
        assert worth(verdict.counted) == total.amount
        assert verdict.problem == ""
        assert verdict.paid_at == max(one.paid_at for one in verdict.counted)
    elif total.amount:
        assert not verdict.counted
        assert not verdict.surplus


@given(totals, charges)
def test_no_charge_is_forgotten_when_the_order_is_paid(total: Money, paid: list[Captured]) -> None:
    verdict = judge(total, paid)
    if verdict.paid_at is not None:
        assert ids([*verdict.counted, *verdict.surplus]) == ids(paid)
    elif paid and total.amount:
        assert verdict.problem


@given(totals, charges, st.randoms())
def test_the_order_of_the_charges_is_no_matter(total: Money, paid: list[Captured], chance: object) -> None:
    shuffled = list(paid)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    assert judge(total, shuffled) == judge(total, paid)


@given(totals, charges, st.integers(1, 50))
def test_what_counted_once_counts_for_ever(total: Money, paid: list[Captured], more: int) -> None:
    """However early the provider dates a later charge."""
    first = judge(total, paid)
    if first.paid_at is None:
        return
    counted = [replace(one, counted=one in first.counted) for one in paid]
    again = judge(total, [*counted, charge(more, 99, minutes=-60)])
    assert ids(again.counted) == ids(first.counted)
    assert "T-99" in ids(again.surplus)


def test_a_second_charge_is_surplus() -> None:
    one, two = charge(100, 1), charge(100, 2, minutes=5)
    assert judge(Money(100), [two, one]) == Verdict(counted=(one,), surplus=(two,), paid_at=one.paid_at)


def test_voucher_and_card_add_up_to_one_order() -> None:
    voucher, card, again = charge(30, 1), charge(70, 2, minutes=2), charge(70, 3, minutes=3)
    verdict = judge(Money(100), [voucher, card, again])
    assert verdict == Verdict(counted=(voucher, card), surplus=(again,), paid_at=card.paid_at)


def test_less_than_the_total_pays_nothing_and_says_what_came() -> None:
    assert judge(Money(100), [charge(30)]).problem == "paid 0.30 CNY of 1.00 CNY"
    assert judge(Money(100), []) == Verdict(counted=(), surplus=(), paid_at=None, problem="")


def test_one_cent_too_much_is_a_mismatch() -> None:
    assert judge(Money(100), [charge(101)]).problem == "paid 1.01 CNY of 1.00 CNY"


def test_another_currency_is_never_counted() -> None:
    dollars = replace(charge(100), amount=Money(100, "USD"))
    verdict = judge(Money(100), [charge(100, 2), dollars])
    assert (verdict.counted, verdict.paid_at) == ((), None)
    assert "USD" in verdict.problem


def test_nothing_to_pay_is_covered_by_nothing() -> None:
    assert judge(Money(0), []) == Verdict(counted=(), surplus=(), paid_at=None)
    assert ids(judge(Money(0), [charge(5)]).surplus) == ["T-1"]


returns = st.lists(st.integers(0, 60), min_size=6, max_size=6)


def with_returns(paid: Sequence[Captured], back: Sequence[int]) -> list[Captured]:
    return [replace(one, returned=much) for one, much in zip(paid, back, strict=False)]


def left(some: Sequence[Captured]) -> int:
    return sum(one.left.amount for one in some)


@given(totals, charges, returns)
def test_only_what_is_left_pays(total: Money, paid: list[Captured], back: list[int]) -> None:
    verdict = judge(total, with_returns(paid, back))
    assert left(verdict.counted) in (0, total.amount)
    if verdict.paid_at is not None:
        assert left(verdict.counted) == total.amount
        assert ids([*verdict.counted, *verdict.surplus]) == ids(paid)
        assert all(one.left.amount for one in verdict.counted), "what went back whole is never what pays"


@given(totals, charges, returns)
def test_a_problem_that_a_person_accepted_is_none_and_no_other_is(
    total: Money, paid: list[Captured], back: list[int]
) -> None:
    seen = with_returns(paid, back)
    verdict = judge(total, seen)
    assert judge(total, seen, {"", f"{verdict.problem} or so"}) == verdict
    accepted = judge(total, seen, {verdict.problem})
    if verdict.problem:
        assert ids([*accepted.counted, *accepted.surplus]) == ids(paid)
        assert left(accepted.counted) == left(paid and seen)
        assert accepted.paid_at == max(one.paid_at for one in accepted.counted)
    else:
        assert accepted == verdict


@given(charges, returns)
def test_all_went_back_is_to_the_cent(paid: list[Captured], back: list[int]) -> None:
    seen = with_returns(paid, back)
    assert all_went_back(seen) == (bool(seen) and left(seen) == 0)
    for one in seen:
        alone = [replace(each, counted=each is one) for each in seen]
        assert all_went_back(alone) == (one.returned >= one.amount.amount), "one that counted decides alone"


def test_nothing_that_came_never_went_back() -> None:
    assert not all_went_back([])


def test_an_overpaid_order_is_covered_once_the_rest_went_back() -> None:
    assert judge(Money(100), [charge(120)]).problem == "paid 1.20 CNY of 1.00 CNY"
    assert judge(Money(100), [replace(charge(120), returned=20)]).paid_at == NOON
