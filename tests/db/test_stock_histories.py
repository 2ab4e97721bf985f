"""Any history of orders, figures, damage and mending, side by side on the real database: no piece is lost or made."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.db import cases, moves, news, stock
from ballast.db.case import Case
from ballast.db.stock_check import find_damage, mend_locks
from ballast.domain.stock import Want
from ballast.domain.words import Event, State
from ballast.ports import StockFigure
from ballast.wiring import House
from tests.db.stage import make_order, opened_one, pay, place, table
from tests.db.stage import shipped as confirm
from tests.times import SettableClock

ORDERS, SHELF, START = 4, "CK001", 6
story_number = count()


@dataclass
class Story:
    """Four paid orders and two SKUs of their own; `at_erp` is what the ERP booked."""

    house: House
    clock: SettableClock
    name: str
    lines: list[list[tuple[int, int]]]  # per order: (which SKU, pieces)
    at_erp: dict[str, int] = field(default_factory=dict)

    def skus(self) -> list[str]:
        return [f"{self.name}-{letter}" for letter in "AB"]

    def number(self, which: int) -> str:
        return f"{self.name}-{which}"

    async def begin(self) -> None:
        for which, lines in enumerate(self.lines):
            wanted = [(self.skus()[sku], pieces) for sku, pieces in lines]
            await place(self.house, make_order(self.number(which), lines=wanted))
            await pay(self.house, self.number(which), transaction=self.number(which))
        await self.figures()

    async def lock(self, which: int, _: int) -> None:
        """As lock_stock does it: the order first, then its pieces."""
        async with opened_one(self.house, self.number(which)) as case:
            if case.standing.state is State.PENDING_PAYMENT and await self._allocate(case):
                case.take(Event.STOCK_LOCKED, cause=f"lock:v{case.version}", actor="ballast")

    async def _allocate(self, case: Case) -> str | None:
        want = Want.of(case.id, [(line.line.sku, line.line.quantity) for line in case.lines])
        async with self.house.transaction() as tx:
            return (await stock.lock_stock(tx, [want], self.clock.now()))[case.id].warehouse

    async def leave(self, which: int, pieces: int) -> None:
        """A parcel with some pieces of the first SKU, or with everything; of no order that was called off before."""
        number = self.number(which)
        async with opened_one(self.house, number) as case:
            if case.standing.state is State.STOCK_LOCKED:
                wanted = Want.of(case.id, [(line.line.sku, line.line.quantity) for line in case.lines]).pieces
                sku = min(wanted)
                some = {sku: min(pieces, wanted[sku])} if pieces else wanted
                news.apply(case, confirm({f"{number}-{pieces}": some}, order_no=number, final=not pieces))

    async def call_off(self, which: int, _: int) -> None:
        async with opened_one(self.house, self.number(which)) as case:
            if case.standing.state in (State.PENDING_PAYMENT, State.STOCK_LOCKED):
                case.take(Event.CANCELLED, cause="called off", actor="ballast")

    async def book(self, which: int, _: int) -> None:
        """The ERP audits what left of an order, then we note it."""
        async with self.house.transaction() as tx:
            [case] = await cases.load(tx, now=self.clock.now(), waits=self.house.waits, order_nos=[self.number(which)])
            gone = await table(
                self.house,
                "select sku, quantity from stock_lock where order_id = :id and state = 'shipped' and told_at is null",
                id=case.id,
            )
            for row in gone:
                self.at_erp[row["sku"]] = self.at_erp.get(row["sku"], 0) + row["quantity"]
            self.clock.pass_by(seconds=1)
            await stock.booked(tx, [case.id], self.clock.now())
            await moves.write(tx, [case])

    async def figures(self, *_: int) -> None:
        asked_at = self.clock.pass_by(seconds=1)
        told = {sku: START - self.at_erp.get(sku, 0) for sku in self.skus()}
        one = [StockFigure(sku=s, warehouse=SHELF, on_hand=n, available=n, locked=0) for s, n in told.items()]
        async with self.house.transaction() as tx:
            await stock.take_figures(tx, one, asked_at=asked_at)

    async def hurt(self, which: int, pieces: int) -> None:
        """Somebody miscounts a level, or a lock comes after the order's end."""
        if pieces % 2:
            async with self.house.transaction() as tx:
                [case] = await cases.load(
                    tx, now=self.clock.now(), waits=self.house.waits, order_nos=[self.number(which)]
                )
                if case.standing.state is State.CLOSED:
                    want = Want.of(case.id, [(line.line.sku, line.line.quantity) for line in case.lines])
                    await stock.lock_stock(tx, [want], self.clock.now())
        else:
            sql = "update stock_level set locked = least(on_hand, locked + :pieces) where sku = :sku returning 1"
            await table(self.house, sql, sku=self.skus()[which % 2], pieces=pieces)

    async def mend(self, *_: int) -> None:
        now = self.clock.now()
        async with self.house.transaction() as tx:
            found = await find_damage(tx, None, asked_at=now)
        async with self.house.transaction() as tx:
            await mend_locks(tx, found, now)

    async def check(self, *, at_the_end: bool) -> None:
        levels = await table(
            self.house,
            """select v.sku, v.on_hand, v.locked, coalesce(k.held, 0) as held, coalesce(k.gone, 0) as gone
               from stock_level v left join (
                 select sku, sum(quantity) filter (where state = 'held') as held,
                   sum(quantity) filter (where state = 'shipped') as gone from stock_lock group by sku) k using (sku)
               where v.sku = any(:skus)""",
            skus=self.skus(),
        )
        for row in levels:
            assert row["gone"] + row["held"] <= START, "oversold"
            if at_the_end:
                assert row["locked"] == row["held"]
                assert row["on_hand"] + row["gone"] == START
        ended = await table(
            self.house,
            """select o.order_no from stock_lock k join sales_order o on o.id = k.order_id
               join (select order_id, sku, sum(quantity) as wanted, sum(shipped) as left from order_line
                 group by order_id, sku) l using (order_id, sku)
               where k.sku = any(:skus) and o.state in ('OUTBOUND', 'CLOSED') and :at_the_end
                 and (k.state = 'held' or k.quantity + k.given_back <> l.wanted
                   or case when k.state = 'shipped' then k.quantity else 0 end <> l.left)""",
            skus=self.skus(),
            at_the_end=at_the_end,
        )
        assert ended == [], "each unit ends once: as what left, or given back"


ACTS: dict[str, Callable[[Story, int, int], Coroutine[Any, Any, None]]] = {
    "lock": Story.lock,
    "leave": Story.leave,
    "call off": Story.call_off,
    "book": Story.book,
    "figures": Story.figures,
    "hurt": Story.hurt,
    "mend": Story.mend,
}
LINES = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3)), min_size=1, max_size=3)
ACT = st.tuples(st.sampled_from([*ACTS, "lock", "leave"]), st.integers(0, ORDERS - 1), st.integers(0, 3))
AT_ONCE = st.lists(ACT, min_size=1, max_size=4)


@settings(max_examples=40)
@given(lines=st.lists(LINES, min_size=ORDERS, max_size=ORDERS), history=st.lists(AT_ONCE, max_size=8))
async def test_whatever_happens_no_piece_is_lost_or_sold_twice(
    a_house: House, clock: SettableClock, lines: list[list[tuple[int, int]]], history: list[list[tuple[str, int, int]]]
) -> None:
    story = Story(a_house, clock, f"H{next(story_number)}", lines)
    await story.begin()
    for at_once in history:
        await asyncio.gather(*(ACTS[what](story, which, pieces) for what, which, pieces in at_once))
        await story.check(at_the_end=False)
    await story.mend()
    await story.figures()
    await story.check(at_the_end=True)
