"""Any history of checks, locks, closings and time that passes, side by side: no piece is promised twice, and what was
promised in time is kept."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.db import reservations, stock
from ballast.domain.promising import Basket, Piece
from ballast.domain.stock import Want
from ballast.domain.words import Event, State
from ballast.wiring import House
from tests.db.stage import fill_shelf, make_order, opened_one, place, table
from tests.times import SettableClock

ORDERS, LASTS = 5, timedelta(minutes=30)
story_number = count()
Lines = list[tuple[int, int]]


class Story:
    """Five orders that want some of two SKUs, in two warehouses with four pieces of each."""

    def __init__(self, house: House, clock: SettableClock, lines: list[Lines]) -> None:
        self.house, self.clock, self.name = house, clock, f"D{next(story_number)}"
        self.lines = [[(f"{self.name}-{'AB'[sku]}", pieces) for sku, pieces in one] for one in lines]
        self.promised: dict[int, int] = {}  # order -> minutes of the clock until which its pieces are kept
        self.passed = 0

    def number(self, which: int) -> str:
        return f"{self.name}-{which}"

    async def begin(self) -> None:
        ids = await place(
            self.house, *(make_order(self.number(which), lines=lines) for which, lines in enumerate(self.lines))
        )
        self.ids = [ids[self.number(which)] for which in range(ORDERS)]
        for warehouse in ("CK001", "CK002"):
            await fill_shelf(self.house, {f"{self.name}-A": 4, f"{self.name}-B": 4}, warehouse)

    async def check(self, which: int) -> None:
        """An order that is still to be locked asks, or asks again."""
        async with opened_one(self.house, self.number(which)) as case:
            if case.standing.state is not State.PENDING_PAYMENT:
                return
            basket = Basket(case.order_no, [Piece(n, *line) for n, line in enumerate(self.lines[which], 1)])
            async with self.house.transaction() as tx:
                [answer] = await reservations.reserve(
                    tx, [basket], reservations.Terms(), now=self.clock.now(), lasts={case.order_no: LASTS}
                )
            if answer.ok:
                self.promised[which] = self.passed + 30

    async def lock(self, which: int) -> None:
        async with opened_one(self.house, self.number(which)) as case:
            if case.standing.state is not State.PENDING_PAYMENT:
                return
            async with self.house.transaction() as tx:
                want = Want.of(case.id, self.lines[which])
                made = (await stock.lock_stock(tx, [want], self.clock.now()))[case.id]
            if made.warehouse:
                case.take(Event.STOCK_LOCKED, cause="lock", actor="ballast")
            assert made.warehouse or self.promised.get(which, 0) <= self.passed, "a promise was broken"

    async def close(self, which: int) -> None:
        async with opened_one(self.house, self.number(which)) as case:
            if case.standing.state in (State.PENDING_PAYMENT, State.STOCK_LOCKED):
                case.take(Event.CANCELLED, cause="called off", actor="ballast")

    async def look(self) -> None:
        found = await table(
            self.house,
            """select v.sku, v.warehouse, v.on_hand, v.locked + coalesce(sum(r.quantity), 0) as taken
               from stock_level v left join stock_reservation r
                 on r.sku = v.sku and r.warehouse = v.warehouse and r.expires_at > :now
               where v.sku like :mine group by v.sku, v.warehouse""",
            mine=f"{self.name}-%",
            now=self.clock.now(),
        )
        assert len(found) == 4
        assert all(row["taken"] <= row["on_hand"] for row in found), "promised twice"


ACTS: dict[str, Callable[[Story, int], Coroutine[Any, Any, None]]] = {
    "check": Story.check,
    "lock": Story.lock,
    "close": Story.close,
}
LINES = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3)), min_size=1, max_size=2)
ACT = st.tuples(st.sampled_from(["check", "check", "lock", "lock", "close"]), st.integers(0, ORDERS - 1))
MOMENT = st.tuples(st.lists(ACT, min_size=1, max_size=4), st.sampled_from([0, 0, 10, 30]))


@settings(max_examples=40)
@given(lines=st.lists(LINES, min_size=ORDERS, max_size=ORDERS), history=st.lists(MOMENT, max_size=8))
async def test_whatever_happens_no_piece_is_promised_twice(
    a_house: House, clock: SettableClock, lines: list[Lines], history: list[tuple[list[tuple[str, int]], int]]
) -> None:
    story = Story(a_house, clock, lines)
    await story.begin()
    for at_once, minutes in history:
        await asyncio.gather(*(ACTS[what](story, which) for what, which in at_once))
        await story.look()
        story.passed += minutes
        clock.pass_by(minutes=minutes)
    await story.look()
