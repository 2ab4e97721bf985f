"""The life cycle of a return: exhaustively; and what a returned piece is worth: to the cent, in whatever parts."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.returns import (
    FREES,
    MOVES,
    ReturnEvent,
    ReturnState,
    Sold,
    after,
    exchange_no,
    freight_paid,
    is_exchange_no,
    order_of,
    return_no,
    spread,
    worth_of,
    worths,
)
from ballast.rules.current import find_rules
from ballast.rules.entries import RulesError
from ballast.rules.returns import SAMPLE, Answer, read_return_rules

S, E = ReturnState, ReturnEvent


def test_every_state_is_reached_and_every_way_ends() -> None:
    reached, open_ = {S.REQUESTED}, [S.REQUESTED]
    while open_:
        state = open_.pop()
        ahead = {target for (source, _), target in MOVES.items() if source is state} - reached
        reached |= ahead
        open_ += ahead
    assert reached == set(S)
    ends = {state for state in S if not any(source is state for source, _ in MOVES)}
    assert ends == {S.CLOSED}


@pytest.mark.parametrize(("state", "event"), list(product(S, E)))
def test_what_is_not_in_the_table_moves_nothing(state: ReturnState, event: ReturnEvent) -> None:
    assert after(state, event) is MOVES.get((state, event))


@given(st.lists(st.sampled_from(list(E)), max_size=12))
def test_news_said_twice_is_said_once(events: list[ReturnEvent]) -> None:
    """Whatever comes in whatever order: a repeat of the last event changes nothing, but for another part of goods."""
    state = S.REQUESTED
    for event in events:
        state = after(state, event) or state
        assert (after(state, event) or state) is state


@given(st.lists(st.sampled_from(list(E)), max_size=12))
def test_nobody_is_paid_twice_or_after_a_no(events: list[ReturnEvent]) -> None:
    state, took = S.REQUESTED, list[ReturnEvent]()
    for event in events:
        if (ahead := after(state, event)) is not None:
            state = ahead
            took.append(event)
    assert sum(event in (E.REFUNDED, E.EXCHANGED) for event in took) <= 1
    if took and any(event in FREES for event in took):
        last = max(place for place, event in enumerate(took) if event in FREES)
        assert not {E.REFUNDED, E.EXCHANGED, E.RECEIVED} & set(took[last:])


def test_numbers_are_made_of_the_order() -> None:
    assert return_no("SO1-2", 3) == "RT-SO1-2-3"
    assert order_of("RT-SO1-2-3") == "SO1-2"
    assert exchange_no("RT-SO1-1") == "SO1-HH1"
    assert [is_exchange_no(text) for text in ("SO1-HH1", "SO1-HH0", "-HH1", "SO1-HH1.2")] == [True, False, False, False]
    assert [order_of(text) for text in ("SO1", "RT-SO1", "RT--1", "RT-SO1-0", "XX-SO1-1")] == [None] * 5
    with pytest.raises(ValueError, match="32 characters"):
        exchange_no(return_no("S" * 29, 1))


# -- money -------------------------------------------------------------------------------------------------------

AMOUNTS = st.integers(0, 10**9)
LINES = st.lists(st.tuples(st.integers(1, 50), AMOUNTS), min_size=1, max_size=8).map(
    lambda lines: [Sold(number, quantity, amount) for number, (quantity, amount) in enumerate(lines, 1)]
)


@given(LINES, st.integers(0, 10**10), st.integers(0, 10**6))
def test_lines_and_freight_are_worth_what_was_paid(lines: list[Sold], discount: int, freight: int) -> None:
    goods = sum(line.amount for line in lines)
    discount = min(discount, goods + freight)
    paid = worths(lines, discount)
    assert sum(paid.values()) + freight_paid(lines, freight, discount) == goods + freight - discount
    assert all(0 <= paid[line.line_no] <= line.amount for line in lines)


@given(LINES, st.integers(0, 10**10), st.randoms(use_true_random=False))
def test_piece_by_piece_in_any_order_adds_up_to_what_was_paid(lines: list[Sold], discount: int, random: object) -> None:
    discount = min(discount, sum(line.amount for line in lines))
    paid, back, before = worths(lines, discount), 0, {line.line_no: 0 for line in lines}
    left = {line.line_no: line.quantity for line in lines}
    while open_ := [number for number, pieces in left.items() if pieces]:
        number = random.choice(open_)  # type: ignore[attr-defined]
        pieces = random.randint(1, left[number])  # type: ignore[attr-defined]
        line = lines[number - 1]
        worth = worth_of(paid[number], line.quantity, before[number], pieces)
        assert 0 <= worth <= paid[number]
        back, before[number], left[number] = back + worth, before[number] + pieces, left[number] - pieces
    assert back == sum(line.amount for line in lines) - discount


@pytest.mark.parametrize(("before", "pieces"), [(0, 4), (3, 1), (-1, 1), (0, -1)])
def test_more_pieces_than_there_are_have_no_worth(before: int, pieces: int) -> None:
    with pytest.raises(ValueError, match="of 3"):
        worth_of(100, 3, before, pieces)


@given(st.integers(0, 10**9), st.lists(AMOUNTS, max_size=5))
def test_charges_pay_back_what_they_have_and_no_more(amount: int, rooms: list[int]) -> None:
    parts = spread(amount, rooms)
    assert sum(parts) == min(amount, sum(rooms))
    assert all(0 <= part <= room for part, room in zip(parts, rooms, strict=True))


# -- rules -------------------------------------------------------------------------------------------------------


def asked(**facts: object) -> dict[str, object]:
    return {**SAMPLE, **facts}


def test_the_rules_that_come_with_it() -> None:
    rules = read_return_rules(find_rules(Path("rules/returns.yaml")))

    def then(**facts: object) -> tuple[str, Answer] | None:
        rule = rules.answer(asked(**facts))
        return (rule.name, rule.then) if rule else None

    assert then() == ("seven_days", Answer.APPROVE)
    assert then(amount=500.01) is None, "a person answers"
    assert then(days_since_signed=7.01) is None
    assert then(days_since_signed=None) is None, "nobody signed for it yet"
    assert then(reason="quality", days_since_signed=30) == ("faulty", Answer.APPROVE)
    assert then(customer_returns=5) == ("often", Answer.ASK)
    assert then(health=12.0) == ("poor_health", Answer.ASK)
    assert then(health=None) == ("seven_days", Answer.APPROVE), "not known is not poor"
    assert then(reason="cancelled_late") == ("outrun", Answer.ASK)


def test_a_mistake_in_the_rules_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "returns.yaml"
    file.write_text(
        "rules:\n- name: a\n  when: amuont < 3\n  then: approve\n- name: a\n  when: amount == 'x'\n  then: perhaps\n"
        "- {name: b, when: amount, then: ask}\n- {name: c, when: amount > 1, then: ask, good: no}\n"
        "- {name: a, when: amount > 2, then: ask}\n"
    )
    with pytest.raises(RulesError) as wrong:
        read_return_rules(file)
    lines = {problem.removeprefix(f"{file}:").split(":")[0] for problem in wrong.value.problems}
    assert lines >= {"3", "7", "8", "9"}, wrong.value
    assert "there is no fact amuont" in str(wrong.value)
    assert "two rules are called 'a'" in str(wrong.value)
