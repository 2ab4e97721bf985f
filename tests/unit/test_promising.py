"""What can be promised: never more than there is, whole or not at all, and what is kept stays its owner's."""

from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.promising import Answer, Basket, Coming, Piece, Shelf, Why, promise, said_of, with_days

SKUS, PLACES = ("A", "B", "C"), ("CK001", "CK002")
DAY = date(2026, 1, 9)

baskets = st.lists(
    st.lists(st.tuples(st.sampled_from((*SKUS, "NEVER")), st.integers(1, 5)), min_size=1, max_size=4),
    min_size=1,
    max_size=6,
).map(
    lambda many: [
        Basket(f"SO-{number}", [Piece(place, sku, pieces) for place, (sku, pieces) in enumerate(lines, 1)])
        for number, lines in enumerate(many)
    ]
)
shelves = st.dictionaries(
    st.tuples(st.sampled_from(SKUS), st.sampled_from(PLACES)), st.integers(0, 12), max_size=6
).map(lambda levels: [Shelf(sku=sku, warehouse=place, free=free) for (sku, place), free in levels.items()])


def one(lines: list[tuple[str, int]], stock: list[Shelf], *, split: bool = False) -> Answer:
    [answer] = promise([Basket("SO-1", [Piece(n, *line) for n, line in enumerate(lines, 1)])], stock, split=split)
    return answer


def shelf(sku: str, warehouse: str, free: int) -> Shelf:
    return Shelf(sku=sku, warehouse=warehouse, free=free)


@given(baskets, shelves, st.booleans())
def test_nothing_is_promised_twice_and_every_basket_whole_or_not_at_all(
    wanted: list[Basket], stock: list[Shelf], split: bool
) -> None:
    known = {one.sku for one in stock}
    answers = promise(wanted, stock, split=split)
    taken: Counter[tuple[str, str]] = Counter()
    for basket, answer in zip(wanted, answers, strict=True):
        taken.update(answer.takes)
        got: Counter[str] = Counter()
        for (sku, _), pieces in answer.takes.items():
            got[sku] += pieces
        assert dict(got) == ({s: n for s, n in basket.needs.items() if s in known} if answer.ok else {})
        assert answer.ok == (not any(line.short for line in answer.lines))
        assert all(0 <= line.can <= line.wanted for line in answer.lines)
        assert split or len({warehouse for _, warehouse in answer.takes}) <= 1
    assert all(taken[shelf.sku, shelf.warehouse] <= shelf.free for shelf in stock)


@given(baskets, shelves, st.booleans())
def test_what_was_promised_is_promised_again_whoever_comes_first(
    wanted: list[Basket], stock: list[Shelf], split: bool
) -> None:
    """A second look with what is kept finds the same baskets served, in whatever order they ask."""
    first = {answer.order_no: answer for answer in promise(wanted, stock, split=split)}
    holding = [Basket(b.order_no, b.lines, first[b.order_no].takes) for b in wanted]
    again = {answer.order_no: answer for answer in promise(holding[::-1], stock, split=split)}
    assert all(again[number].ok for number, answer in first.items() if answer.ok)


def test_lines_of_one_sku_are_one_want() -> None:
    answer = one([("A", 3), ("A", 3)], [shelf("A", "CK001", 5)])
    assert (answer.ok, [line.can for line in answer.lines]) == (False, [3, 2])


def test_enough_but_not_together_is_said_so() -> None:
    stock = [shelf("A", "CK001", 5), shelf("B", "CK002", 5)]
    answer = one([("A", 1), ("B", 1)], stock)
    assert [(line.can, line.why) for line in answer.lines] == [(1, None), (0, Why.APART)]
    assert "not in one warehouse" in said_of(answer)
    assert one([("A", 1), ("B", 1)], stock, split=True).ok


def test_the_day_is_the_one_from_which_enough_is_there() -> None:
    answer = one([("A", 9)], [shelf("A", "CK001", 5), shelf("A", "CK002", 4)])
    coming = [
        Coming("A", "CK001", 2, DAY),
        Coming("A", "CK002", 5, DAY + timedelta(days=2)),
        Coming("A", "CK001", 2, DAY + timedelta(days=1)),
    ]
    [told] = with_days([answer], coming)
    assert told.lines[0].day == DAY + timedelta(days=1), "seven are not enough, and two warehouses are not one"
    [never] = with_days([answer], coming[:1])
    assert never.lines[0].day is None
    assert one([("A", 9)], [shelf("A", "CK001", 5), shelf("A", "CK002", 4)], split=True).ok


def test_a_stale_figure_and_an_unknown_sku_have_words_of_their_own() -> None:
    old = one([("A", 1)], [Shelf(sku="A", warehouse="CK001", free=0, stale=True)])
    assert (old.ok, old.lines[0].why) == (False, Why.STALE)
    never = one([("X", 1)], [])
    assert (never.ok, never.lines[0].why, never.takes) == (True, Why.UNKNOWN, {})
    [strict] = promise([Basket("SO-1", [Piece(1, "X", 1)])], [], lets_in_unknown=False)
    assert (strict.ok, strict.lines[0].can) == (False, 0)
