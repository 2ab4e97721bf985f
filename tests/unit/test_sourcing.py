"""Which warehouses ship what: never more than is there or wanted, the strategies in their order, why not the others."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.sourcing import Ask, Choice, PlaceRow, SourcingSet, Strategy, StrategyRow, choose, promised_for

SKUS, PLACES = ("A", "B", "C"), ("W1", "W2", "W3", "W4")
wanted = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 6), min_size=1)
shelves = st.dictionaries(
    st.sampled_from(PLACES), st.dictionaries(st.sampled_from(SKUS), st.integers(0, 6)), max_size=4
)
orders = st.lists(st.sampled_from(Strategy), unique=True, min_size=1).map(tuple)
strategy_rows = st.builds(
    StrategyRow, name=st.just("row"), order=orders, split=st.booleans(), most_parcels=st.integers(1, 4),
    partial=st.booleans(),
)  # fmt: skip
place_rows = st.builds(
    PlaceRow, name=st.just("p"), warehouse=st.sampled_from(PLACES), rank=st.none() | st.integers(1, 4),
    priority=st.integers(1, 3), parcel_cost=st.none() | st.integers(0, 900), piece_cost=st.none() | st.integers(0, 90),
    on=st.booleans(),
)  # fmt: skip
sets = st.builds(
    SourcingSet,
    places=st.lists(place_rows, max_size=4).map(tuple),
    strategies=st.lists(strategy_rows, min_size=1, max_size=1).map(tuple),
)
ZHEJIANG = Ask(province="浙江省")


def spread(choice: Choice) -> dict[str, dict[str, int]]:
    return {part.warehouse: dict(part.pieces) for part in choice.parts}


def one_row(**said: object) -> SourcingSet:
    """Two warehouses near to 浙江, the second one cheaper, and one row that says how."""
    places = (
        PlaceRow(name="1", warehouse="W1", provinces=("浙江",), rank=1, priority=2, parcel_cost=800),
        PlaceRow(name="2", warehouse="W2", provinces=("浙江",), rank=2, priority=1, parcel_cost=500, piece_cost=50),
        PlaceRow(name="3", warehouse="W3", priority=3, parcel_cost=300),
    )
    return SourcingSet(places=places, strategies=(StrategyRow(name="row", **said),))  # type: ignore[arg-type]


@given(wanted, shelves, sets)
def test_parts_and_missing_are_what_was_wanted_and_no_shelf_gives_more_than_it_has(
    want: dict[str, int], free: dict[str, dict[str, int]], rules: SourcingSet
) -> None:
    choice = choose(want, free, ZHEJIANG, rules)
    taken = Counter[str]()
    for part in choice.parts:
        assert part.pieces and all(0 < count <= free[part.warehouse].get(sku, 0) for sku, count in part.pieces.items())
        taken.update(part.pieces)
    assert len(spread(choice)) == len(choice.parts)
    if choice.parts:
        assert taken + Counter(choice.missing) == Counter(want)
    assert not choice.missing or all(0 < count <= want[sku] for sku, count in choice.missing.items())


@given(wanted, shelves, sets)
def test_nothing_is_split_or_left_behind_unless_the_row_says_so(
    want: dict[str, int], free: dict[str, dict[str, int]], rules: SourcingSet
) -> None:
    row, choice = rules.strategies[0], choose(want, free, ZHEJIANG, rules)
    assert len(choice.parts) <= (row.most_parcels if row.split else 1)
    assert not (choice.parts and choice.missing) or row.partial
    whole = [
        name for name, has in free.items()
        if rules.place(name, ZHEJIANG.province).on and all(has.get(sku, 0) >= count for sku, count in want.items())
    ]  # fmt: skip
    if whole:
        assert choice.parts and not choice.missing
        if row.order[0] is Strategy.SINGLE:
            assert len(choice.parts) == 1


@given(wanted, shelves, sets, st.frozensets(st.sampled_from(PLACES)))
def test_a_place_that_refused_or_is_off_ships_nothing(
    want: dict[str, int], free: dict[str, dict[str, int]], rules: SourcingSet, refused: frozenset[str]
) -> None:
    choice = choose(want, free, Ask(province="浙江", refused=refused), rules)
    assert not refused & spread(choice).keys()
    assert all(rules.place(name, "浙江").on for name in spread(choice))


@given(wanted, shelves, sets)
def test_the_same_question_has_the_same_answer(
    want: dict[str, int], free: dict[str, dict[str, int]], rules: SourcingSet
) -> None:
    backwards = {name: dict(reversed(has.items())) for name, has in reversed(free.items())}
    again = choose(dict(reversed(want.items())), backwards, ZHEJIANG, rules)
    assert again == choose(want, free, ZHEJIANG, rules)


def test_each_strategy_decides_where_it_stands_first() -> None:
    free = {"W1": {"A": 9}, "W2": {"A": 9}, "W3": {"A": 9}}
    chosen = {order: choose({"A": 1}, free, ZHEJIANG, one_row(order=(order,))).parts[0].warehouse for order in Strategy}
    assert chosen == {
        Strategy.SINGLE: "W1", Strategy.NEAREST: "W1", Strategy.PRIORITY: "W2", Strategy.CHEAPEST: "W3",
    }  # fmt: skip
    assert choose({"A": 9}, free, ZHEJIANG, one_row(order=(Strategy.CHEAPEST,))).parts[0].warehouse == "W3"


def test_the_next_strategy_decides_where_the_first_does_not() -> None:
    free = {"W1": {"A": 1}, "W2": {"A": 1}, "W3": {"A": 1}}
    rules = one_row(order=(Strategy.SINGLE, Strategy.NEAREST), split=True)
    assert spread(choose({"A": 2}, free, ZHEJIANG, rules)) == {"W1": {"A": 1}, "W2": {"A": 1}}


def test_the_choice_and_what_was_rejected_are_told() -> None:
    free = {"W1": {"A": 1}, "W2": {"A": 1, "B": 1}, "W3": {"B": 1}}
    choice = choose({"A": 2, "B": 1}, free, ZHEJIANG, one_row(order=(Strategy.CHEAPEST,), split=True))
    assert choice.why == "W1+W2 by row: 14.00 CNY" or choice.why == "W2+W1 by row: 14.00 CNY"
    assert set(choice.rejected) >= {"W1: 1 x A, 1 x B short", "W2: 1 x A short"}


def test_what_is_short_is_left_out_where_the_row_allows_it_only() -> None:
    free = {"W1": {"A": 1}, "W2": {"A": 2}}
    assert choose({"A": 5}, free, ZHEJIANG, one_row(split=True)).parts == ()
    some = choose({"A": 5}, free, ZHEJIANG, one_row(split=True, partial=True))
    assert (spread(some), some.missing) == ({"W1": {"A": 1}, "W2": {"A": 2}}, {"A": 2})


def test_the_first_row_that_fits_counts() -> None:
    rows = (
        StrategyRow(name="vip", tiers=("vip",), order=(Strategy.CHEAPEST,)),
        StrategyRow(name="heavy", skus=("B",), order=(Strategy.PRIORITY,)),
        StrategyRow(name="off", on=False),
        StrategyRow(name="rest", channels=("direct",)),
    )
    rules = SourcingSet(strategies=rows)
    assert rules.strategy(Ask(tier="vip"), ("B",)).name == "vip"
    assert rules.strategy(Ask(), ("A", "B")).name == "heavy"
    assert rules.strategy(Ask(channel="direct"), ("A",)).name == "rest"
    assert rules.strategy(Ask(channel="wechat"), ("A",)).name == "default"


def test_a_backorder_is_promised_for_when_the_last_piece_is_expected() -> None:
    first, second = (datetime(2026, 12, day, tzinfo=UTC) for day in (1, 5))
    incoming = {"A": [(second, 5), (first, 1)], "B": [(first, 9)]}
    assert promised_for({"A": 1, "B": 2}, incoming) == first
    assert promised_for({"A": 2, "B": 2}, incoming) == second
    assert promised_for({"A": 7}, incoming) is None and promised_for({"C": 1}, incoming) is None
