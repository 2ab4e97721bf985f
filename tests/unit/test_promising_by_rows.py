"""The door promises what the sourcing rows would ship: from several warehouses, or in part."""

import pytest

from ballast.domain.promising import Basket, Piece, Shelf, promise
from ballast.domain.sourcing import Ask, PlaceRow, SourcingSet, Strategy, StrategyRow

SHELVES = [
    Shelf(sku="A", warehouse="CK001", free=1),
    Shelf(sku="A", warehouse="CK002", free=5),
    Shelf(sku="B", warehouse="CK001", free=5),
]


def rows(**said: bool) -> SourcingSet:
    return SourcingSet(strategies=(StrategyRow(name="all", order=(Strategy.SINGLE,), channels=("own",), **said),))


def basket(pieces: int, channel: str = "own") -> Basket:
    return Basket("SO1", [Piece(1, "A", pieces), Piece(2, "B", 1)], ask=Ask(channel))


def test_what_may_be_split_is_promised_from_both() -> None:
    [answer] = promise([basket(2)], SHELVES, rules=rows(split=True))
    assert answer.ok and sum(answer.takes.values()) == 3 and len({place for _, place in answer.takes}) == 2
    assert not promise([basket(2)], SHELVES, rules=rows(split=False))[0].ok
    assert not promise([basket(2, "other")], SHELVES, rules=rows(split=True))[0].ok, "no row is for that channel"


def test_what_may_go_on_backorder_is_promised_in_part_and_says_so() -> None:
    [answer] = promise([basket(9)], SHELVES, rules=rows(split=True, partial=True))
    assert answer.ok and [line.can for line in answer.lines] == [6, 1]
    assert answer.lines[0].short and sum(answer.takes.values()) == 7
    nothing = promise([Basket("SO1", [Piece(1, "C", 1)], ask=Ask("own"))],
                      [Shelf(sku="C", warehouse="CK001", free=0)], rules=rows(split=True, partial=True))  # fmt: skip
    assert not nothing[0].ok


@pytest.mark.parametrize("on", [True, False])
def test_a_warehouse_that_ships_nothing_there_promises_nothing_there(on: bool) -> None:
    places = (PlaceRow(name="far", warehouse="CK002", provinces=("新疆",), on=on),)
    rules = SourcingSet(places=places, strategies=(StrategyRow(name="all"),))
    [answer] = promise([Basket("SO1", [Piece(1, "A", 3)], ask=Ask("own", province="新疆"))], SHELVES, rules=rules)
    assert answer.ok is on
