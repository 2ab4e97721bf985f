"""Slots shared out among processes: never more than there are, nobody without for long, nothing idle that is wanted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.sharing import TURN, Share, fair_slots

NOW = 1_800_000_000.0


def share(slots: int, wanted: int, since: float = NOW - 10) -> Share:
    return Share(slots=slots, wanted=wanted, since=since, until=NOW + 20)


def word(limit: int, shares: dict[str, Share], owner: str, now: float, wanted: int) -> dict[str, Share]:
    """What one word of `owner` to the database makes of them; its calls end at once."""
    told = {**shares, owner: replace(shares[owner], wanted=wanted)}
    slots = fair_slots(limit, owner, told, now)
    since = told[owner].since if bool(slots) == bool(told[owner].slots) else now
    return {**told, owner: replace(told[owner], slots=slots, since=since)}


@pytest.mark.parametrize(
    ("limit", "mine", "others", "slots"),
    [
        (4, share(0, 9), {}, 4),  # alone: all of it
        (4, share(0, 2), {}, 2),  # and no more than it wants
        (4, share(0, 9), {"b": share(4, 9)}, 0),  # nothing is free yet
        (4, share(4, 9), {"b": share(0, 9)}, 2),  # let go of half
        (4, share(0, 9), {"b": share(2, 9)}, 2),
        (5, share(0, 9), {"b": share(1, 1)}, 4),  # what b does not want
        (16, share(0, 16), {"b": share(4, 16), "c": share(4, 16), "d": share(4, 16)}, 4),
        (4, share(3, 0), {"b": share(0, 9)}, 0),  # idle
        (1, share(1, 1), {}, 1),
        (1, share(1, 1), {"b": share(0, 1)}, 0),  # its turn is over
        (1, share(1, 1, since=NOW - TURN / 2), {"b": share(0, 1)}, 1),  # not yet
        (1, share(0, 1, since=NOW - 1), {"b": share(0, 1, since=NOW - 2)}, 0),  # b has waited longer
        (1, share(0, 1, since=NOW - 3), {"b": share(0, 1, since=NOW - 2)}, 1),
        (2, share(2, 9), {"b": share(3, 9)}, 0),  # more are under way than there may be: after a lost lease
    ],
)
def test_what_each_gets(limit: int, mine: Share, others: dict[str, Share], slots: int) -> None:
    assert fair_slots(limit, "a", {"a": mine, **others}, NOW) == slots


def test_when_it_does_not_divide_the_rest_is_somebodys() -> None:
    shares = {name: share(0, 9) for name in "abc"}
    for name in "abc":
        shares = word(4, shares, name, NOW, 9)
    assert sorted(one.slots for one in shares.values()) == [1, 1, 2]


@given(
    limit=st.integers(1, 6),
    said=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9), st.floats(0, 1)), max_size=60),
)
def test_never_more_than_there_are_whoever_speaks_when(limit: int, said: list[tuple[str, int, float]]) -> None:
    shares, now = {name: share(0, 0) for name in "abcdefgh"}, NOW
    for owner, wanted, seconds in said:
        now += seconds
        shares = word(limit, shares, owner, now, wanted)
        assert sum(one.slots for one in shares.values()) <= limit
        assert all(one.slots <= one.wanted for one in [shares[owner]])


@given(limit=st.integers(1, 6), processes=st.integers(1, 9), wanted=st.integers(1, 9))
def test_everybody_has_a_turn_and_nothing_lies_idle(limit: int, processes: int, wanted: int) -> None:
    names = [f"p{number}" for number in range(processes)]
    shares, now, had = {name: share(0, 0, since=NOW) for name in names}, NOW, set[str]()
    rounds = 4 + 4 * -(-processes // limit)
    for _ in range(rounds):
        now += TURN / 2
        for name in names:
            shares = word(limit, shares, name, now, wanted)
            had |= {one for one in names if shares[one].slots}
    assert had == set(names)
    if processes <= limit:
        assert sum(one.slots for one in shares.values()) == min(limit, wanted * processes)
