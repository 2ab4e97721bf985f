"""Who gets which pieces: never more than there are, whole orders or nothing."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.stock import Allocation, Want, allocate, less_reserved

SKUS = ("A", "B", "C")
wants = st.lists(st.dictionaries(st.sampled_from(SKUS), st.integers(1, 6), min_size=1), max_size=8).map(
    lambda many: [Want(number, pieces) for number, pieces in enumerate(many)]
)
shelves = st.dictionaries(st.tuples(st.sampled_from(SKUS), st.sampled_from(("W1", "W2"))), st.integers(0, 12))


@given(wants, shelves)
def test_never_more_than_is_free(orders: list[Want], free: dict[tuple[str, str], int]) -> None:
    taken: Counter[tuple[str, str]] = Counter()
    for made in allocate(orders, free):
        for sku, pieces in made.pieces.items():
            taken[sku, made.warehouse or ""] += pieces
    assert all(pieces <= free.get(place, 0) for place, pieces in taken.items())


@given(wants, shelves)
def test_the_whole_order_from_one_place_or_nothing(orders: list[Want], free: dict[tuple[str, str], int]) -> None:
    for want, made in zip(orders, allocate(orders, free), strict=True):
        assert made.order_id == want.order_id
        if made.warehouse:
            assert (made.pieces, made.missing) == (want.pieces, {})
        else:
            assert made.pieces == {}
            assert made.missing
            assert all(0 < short <= want.pieces[sku] for sku, short in made.missing.items())


@given(wants, shelves)
def test_who_is_left_out_would_not_fit(orders: list[Want], free: dict[tuple[str, str], int]) -> None:
    left = Counter(free)
    for want, made in zip(orders, allocate(orders, free), strict=True):
        for sku, pieces in made.pieces.items():
            left[sku, made.warehouse or ""] -= pieces
        if not made.warehouse:
            for warehouse in ("W1", "W2"):
                assert any(left[sku, warehouse] < pieces for sku, pieces in want.pieces.items())


def test_two_lines_of_one_sku_are_one_want() -> None:
    want = Want.of(1, [("A", 2), ("B", 1), ("A", 2)])
    assert want.pieces == {"A": 4, "B": 1}
    assert allocate([want], {("A", "W1"): 3, ("B", "W1"): 9}) == [Allocation(1, (), {"A": 1})]


def test_first_come_first_served_and_who_does_not_fit_blocks_nobody() -> None:
    made = allocate([Want(1, {"A": 5}), Want(2, {"A": 9}), Want(3, {"A": 2})], {("A", "W1"): 7})
    assert [one.warehouse for one in made] == ["W1", None, "W1"]


def test_pieces_of_two_warehouses_are_not_put_together() -> None:
    (made,) = allocate([Want(1, {"A": 3, "B": 1})], {("A", "W1"): 2, ("B", "W1"): 1, ("A", "W2"): 3})
    assert (made.warehouse, made.missing) == (None, {"A": 1})


def test_what_nobody_sells_is_missing_whole() -> None:
    assert allocate([Want(1, {"A": 3})], {}) == [Allocation(1, (), {"A": 3})]


@given(wants, shelves, st.sets(st.integers(0, 9)), st.dictionaries(st.sampled_from("ABC"), st.integers(0, 3)))
def test_what_is_kept_for_an_order_is_its_own_whoever_stands_before_it(
    orders: list[Want], there: dict[tuple[str, str], int], holders: set[int], gone: dict[str, int]
) -> None:
    """Some of the orders were promised everything; then, perhaps, pieces of some SKUs went missing."""
    promised = allocate([want for place, want in enumerate(orders) if place in holders], there)
    held = {
        one.order_id: {(sku, one.warehouse): pieces for sku, pieces in one.pieces.items()}
        for one in promised
        if one.warehouse
    }
    reserved: Counter[tuple[str, str]] = Counter()
    for kept in held.values():
        reserved.update(kept)
    now_there = {(sku, place): max(0, pieces - gone.get(sku, 0)) for (sku, place), pieces in there.items()}
    made = allocate(orders, less_reserved(now_there, reserved), held=held, there=now_there)
    taken = Counter[tuple[str, str]]()
    for one in made:
        taken.update({(sku, one.warehouse or ""): pieces for sku, pieces in one.pieces.items()})
    assert all(taken[place] <= now_there[place] for place in taken), "oversold"
    if not any(gone.values()):
        assert all(one.warehouse for one in made if one.order_id in held), "a promise was broken"
