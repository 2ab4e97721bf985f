"""The stream, played through the real intake and the real books, and judged where the gates judge.

What is stopped goes on all the same, as if a person had let it go: the rules are judged, not the world changed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.storefronts.direct.orders import read_order, to_order
from ballast.clock import SetClock
from ballast.db import cases, intake, moves
from ballast.db.cancelling import open_return
from ballast.db.origins import read_facts
from ballast.domain.rules.risk import Action, Verdict
from ballast.rules.risk_table import RiskTable
from ballast.wiring import House
from deployments.risk_trial.telling import Told

COMPANY: Final = timedelta(minutes=1)
"""Orders that are pushed within this are taken in together, and know of each other."""

ROUND: Final = timedelta(hours=1)
"""How often the warehouse is handed orders: what leaves within the next hour is judged before it, none later."""


class Stage(StrEnum):
    """Where the gates stand."""

    INTAKE = "intake"
    SHIPPING = "before_shipping"


@dataclass(slots=True)
class Judged:
    """What the rules said of one order: the names of those that fired at each stage, and where it was stopped first."""

    fired: dict[Stage, frozenset[str]] = field(default_factory=dict)
    stopped: Stage | None = None

    def hear(self, stage: Stage, verdict: Verdict) -> None:
        self.fired[stage] = frozenset(rule.name for rule in verdict.fired)
        if verdict.action is not Action.SCORE and self.stopped is None:
            self.stopped = stage


@dataclass(slots=True)
class Trial:
    """One run over a stream."""

    house: House
    clock: SetClock
    table: RiskTable
    tick: Callable[[], None]
    judged: dict[str, Judged] = field(default_factory=dict)
    _ids: dict[str, int] = field(default_factory=dict)

    async def play(self, stream: Sequence[Told]) -> dict[str, Judged]:
        """Order number -> what was said of it. Everything happens in the order of its time, once."""
        leaving = sorted(stream, key=lambda one: one.ships_at)
        returning = sorted((one for one in stream if one.returns_at), key=lambda one: one.returns_at or one.placed_at)
        placed = gone = back = 0
        at = stream[0].placed_at
        while gone < len(leaving):
            until = at + ROUND
            coming = [one for one in stream[placed:] if one.placed_at < until] if placed < len(stream) else []
            for company in in_company(coming):
                await self._take_in(company)
            placed += len(coming)
            self.clock.set(until)
            end = _passed(returning, back, until, lambda one: one.returns_at or one.placed_at)
            await self._take_back(returning[back:end])
            back = end
            end = _passed(leaving, gone, until + ROUND, lambda one: one.ships_at)
            await self._hand_over(leaving[gone:end])
            gone = end
            at = until
        return self.judged

    async def _take_in(self, company: Sequence[Told]) -> None:
        """As `take-orders` does, and the gate behind it."""
        self.clock.set(company[-1].placed_at)
        orders = [to_order(read_order(dict(one.pushed))) for one in company]
        async with self.house.transaction() as tx:
            now = self.clock.now()
            self._ids |= await intake.insert_orders(tx, orders, source="direct", now=now, waits=self.house.waits)
            await self._judge(tx, Stage.INTAKE, company)

    async def _take_back(self, returned: Sequence[Told]) -> None:
        """A return case in the books for each."""
        if not returned:
            return
        now, waits = self.clock.now(), self.house.waits
        async with self.house.transaction() as tx:
            found = await cases.load(tx, now=now, waits=waits, order_nos=[one.order_no for one in returned])
            for case in found:
                open_return(case, why="it comes back", by="customer")
            await moves.write(tx, found)

    async def _hand_over(self, leaving: Sequence[Told]) -> None:
        """The gate before shipping."""
        if leaving:
            async with self.house.transaction() as tx:
                await self._judge(tx, Stage.SHIPPING, leaving)

    async def _judge(self, tx: AsyncConnection, stage: Stage, orders: Sequence[Told]) -> None:
        ids = [self._ids[one.order_no] for one in orders]
        facts = await read_facts(tx, ids, self.table.windows, self.table.reads)
        for one, order_id in zip(orders, ids, strict=True):
            verdict = self.table.judge(facts[order_id])
            self.judged.setdefault(one.order_no, Judged()).hear(stage, verdict)
            self.tick()


def in_company(orders: Sequence[Told]) -> Iterator[list[Told]]:
    """Orders by time, those together that are pushed within `COMPANY` of the first."""
    company: list[Told] = []
    for one in orders:
        if company and one.placed_at - company[0].placed_at > COMPANY:
            yield company
            company = []
        company.append(one)
    if company:
        yield company


def _passed(orders: Sequence[Told], start: int, until: datetime, when: Callable[[Told], datetime]) -> int:
    """The place of the first order, from `start`, whose time has not come by then."""
    while start < len(orders) and when(orders[start]) < until:
        start += 1
    return start
