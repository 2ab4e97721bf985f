"""Ask ERP, warehouse, courier, shop and payment what they say of our orders, and mend what differs."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import SystemRandom
from typing import Annotated, Any, Final

from prefect import flow
from pydantic import Field

from ballast.db import reconciling
from ballast.db.archive import UNKNOWN, say_where
from ballast.db.holds import numbers_in
from ballast.db.reconciling import Check
from ballast.db.sampling import changed_since, choose_sample, ids_of
from ballast.db.told import still_moving
from ballast.domain.accuracy import Accuracy, Verdicts, drifts, percent
from ballast.domain.truth import DRIFT, Verdict, Witness
from flows.rerun_orders import NothingChosen
from flows.runs import Run, start
from tasks.drift_report import Progress, show
from tasks.mending import UNDER_WAY
from tasks.reconcile import Looked, Turn, ask_everybody, configured

LOOK_EVERY: Final = 0.5
"""Seconds between looks whether what was sent again has gone its way."""
MENDED: Final = ("news applied", "sent again", "handed over again", "held")


@flow(name="reconcile", flow_run_name="reconcile")
async def reconcile(
    order_numbers: tuple[str, ...] = (),
    since: datetime | None = None,
    sample: Annotated[int, Field(ge=1, le=100_000)] = 1000,
    mend: bool = True,
    by: Annotated[str, Field(min_length=1, max_length=60)] = "schedule",
    seed: Annotated[int, Field(ge=0, lt=2**53)] | None = None,
    linger: Annotated[float, Field(ge=0, le=600)] = 20.0,
) -> dict[str, Any]:
    """Ask every system what it says of some orders, show it side by side, and mend what differs.

    Missed news is applied, a missed notice is sent again, what nobody can mend holds the order or rings once. A system
    that does not answer is counted as not asked, never as agreeing; when one answers nothing at all, the run ends red.

    Args:
        order_numbers: These orders; empty: a sample. 指定订单号, 留空则抽样
        since: Or every order whose history has something of that time or later. 或自该时间起有变动的全部订单
        sample: How many orders, stratified by state. 抽样数量, 按状态分层
        mend: Mend what differs; otherwise only look. 自动修正差异, 否则只查看
        by: Your name, for the books. 操作人
        seed: Draws the same sample again from the same books. 随机种子, 留空则新抽
        linger: Seconds to wait at most before what was mended is asked about again. 修正后复核前最长等待秒数
    """
    numbers = numbers_in(order_numbers)
    _check(numbers, since)
    run = await start("reconcile")
    chosen = await _choose(run, numbers, since, sample, seed)
    work = await _begin(run, chosen, by, mend=mend)
    await work.progress.begin(f"{len(chosen.ids)} orders 对账进度")
    await work.look(chosen.ids, Turn.FIRST)
    if late := sorted(work.late):
        await asyncio.sleep(min(linger, run.house.settings.patience.linger.total_seconds()))
        await work.look(late, Turn.LATE)
    figures = work.figures(await work.look_again(linger) if mend else {})
    return await _end(work, chosen, figures)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which orders, and how they were chosen."""

    scope: str
    wanted: int
    ids: Sequence[int]
    unknown: Sequence[str] = ()
    seed: int | None = None


def _check(numbers: Sequence[str], since: datetime | None) -> None:
    """Raises `NothingChosen` for a form that says two things, or a time that says none."""
    if numbers and since is not None:
        raise NothingChosen("say either which orders or since when, not both; nothing was asked")
    if since is not None and since.tzinfo is None:
        raise NothingChosen(f"since {since} has no time zone; write {since}+08:00; nothing was asked")


async def _choose(run: Run, numbers: Sequence[str], since: datetime | None, sample: int, seed: int | None) -> Chosen:
    async with run.house.transaction() as tx:
        if numbers:
            known = await ids_of(tx, numbers)
            unknown = [number for number in numbers if number not in known]
            return Chosen("orders", len(numbers), sorted(known.values()), unknown)
        if since is not None:
            ids = await changed_since(tx, since)
            return Chosen("since", len(ids), ids)
        seed = SystemRandom().getrandbits(31) if seed is None else seed
        return Chosen("sample", sample, await choose_sample(tx, sample, seed), seed=seed)


@dataclass(slots=True)
class Work:
    """One reconciliation while it runs."""

    run: Run
    id: int
    mending: bool
    progress: Progress
    base: Accuracy = field(default_factory=Accuracy)  # of the orders that did not differ
    drifted: dict[int, Verdicts] = field(default_factory=dict)  # as it was found
    did: dict[tuple[int, Witness], str] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    down: set[Witness] = field(default_factory=set)
    why_down: str = ""

    async def look(self, ids: Sequence[int], turn: Turn) -> list[Looked]:
        """Ask about orders chunk by chunk, some side by side, one task run each; what was said when asked again."""
        settings = self.run.house.settings
        room, again = asyncio.Semaphore(settings.chunks_at_once), list[Looked]()

        async def one(chunk: Sequence[int]) -> None:
            async with room:
                if self.run.house.stopping:
                    return
                try:
                    looked = await self._ask(chunk, turn)
                except Exception as failure:  # noqa: BLE001  # of any kind: its retries are used up, the others go on
                    self.run.failures.append(f"{type(failure).__name__}: {failure}")
                    return
                again.extend([looked] if turn is Turn.AGAIN else [])  # of a first look, counting it is enough

        chunks = [ids[start : start + settings.chunk] for start in range(0, len(ids), settings.chunk)]
        await asyncio.gather(*map(one, chunks))
        return again

    async def _ask(self, chunk: Sequence[int], turn: Turn) -> Looked:
        looked = await ask_everybody(self.id, chunk, mending=self.mending, skip=frozenset(self.down), turn=turn)
        self.down |= looked.down
        self.why_down = self.why_down or looked.why_down
        if turn is not Turn.AGAIN:
            self._count(looked)
            await self.progress.add(len(looked.numbers))
        return looked

    def _count(self, looked: Looked) -> None:
        self.late = (self.late | set(looked.later)) - set(looked.numbers)
        for order_id, verdicts in looked.verdicts.items():
            if drifts(verdicts):
                self.drifted[order_id] = verdicts
            else:
                self.base.add(verdicts)
        self.did |= {(c.order_id, Witness(c.system)): c.mended for c in looked.checks if c.verdict in DRIFT}

    async def look_again(self, linger: float) -> dict[int, Verdicts]:
        """Ask once more about what differed, when what was done about it had its time: what is said then."""
        if not self.drifted:
            return {}
        await self._wait(linger)
        looked = await self.look(sorted(self.drifted), Turn.AGAIN)
        checks = [check for each in looked for check in each.checks]
        async with self.run.house.transaction() as tx:
            differed = [check for check in checks if (check.order_id, Witness(check.system)) in self.did]
            ends = {
                (one.order_id, one.system): _outcome(one, self.did[one.order_id, Witness(one.system)])
                for one in differed
            }
            await reconciling.note_outcome(tx, self.id, ends)
        self._count_alerts(checks)
        return {order_id: verdicts for each in looked for order_id, verdicts in each.verdicts.items()}

    def _count_alerts(self, checks: Sequence[Check]) -> None:
        for check in checks:
            key = (check.order_id, Witness(check.system))
            if check.mended and not self.did.get(key):
                self.did[key] = check.mended

    async def _wait(self, linger: float) -> None:
        """Until nothing of these orders is on its way any more, but no longer than `linger`."""
        loop, here = asyncio.get_running_loop(), self.run.house
        until = loop.time() + linger
        while loop.time() < until:
            async with here.transaction() as tx:
                if not await still_moving(tx, sorted(self.drifted), here.clock.now()):
                    return
            await asyncio.sleep(LOOK_EVERY)

    def figures(self, again: Mapping[int, Verdicts]) -> dict[str, Any]:
        """Accuracy as it was found and as it is now, and what was done. Of what was not asked again: as found."""
        before = self.base.plus(self.drifted.values())
        after = self.base.plus(_then(found, again.get(order_id, {})) for order_id, found in self.drifted.items())
        found, there = before.figures(), set(configured(self.run.house).values())
        return {
            **found["overall"],
            "systems": found["systems"],
            "before": found,
            "after": after.figures(),
            "orders": before.orders,
            "drifted": len(self.drifted),
            "mended": self._mended(),
            "not_asked": {
                str(witness): {
                    "no_answer": before.by_witness[witness, Verdict.NOT_ASKED],
                    "not_concerned": before.orders - sum(before.by_witness[witness, kind] for kind in Verdict),
                    "configured": witness in there,
                }
                for witness in Witness
            },
        }

    def _mended(self) -> dict[str, int]:
        """Orders of which something was mended, and what was done how often."""
        words = Counter(did.split(":")[0] for did in self.did.values() if did)
        orders = {order_id for (order_id, _), did in self.did.items() if did.split(":")[0] in MENDED}
        return {"orders": len(orders), UNDER_WAY: 0, **words}


def _then(found: Verdicts, again: Verdicts) -> Verdicts:
    """What stands in the end: who does not answer the second time stays as it was found, and is no agreement."""
    if not again:
        return found
    kept = Verdict.NOT_ASKED
    return {who: found.get(who, kept) if verdict is kept else verdict for who, verdict in again.items()}


def _outcome(check: Check, before: str) -> str:
    """What came of it; `before`: what was done about it at first."""
    return f"then {check.verdict}" + (f", {check.mended}" if check.mended not in ("", before) else "")


async def _begin(run: Run, chosen: Chosen, by: str, *, mend: bool) -> Work:
    async with run.house.transaction() as tx:
        began = {"seed": chosen.seed, "mend": mend, "unknown": list(chosen.unknown)}
        reconciliation = await reconciling.begin(
            tx, scope=chosen.scope, wanted=chosen.wanted, asked_by=by, now=run.house.clock.now(), figures=began
        )
    return Work(run, reconciliation, mend, Progress(len(chosen.ids)))


async def _end(work: Work, chosen: Chosen, figures: dict[str, Any]) -> dict[str, Any]:
    """Write the figures down, thin out old runs, leave the artifacts, and name the run."""
    run = work.run
    async with run.house.transaction() as tx:
        await reconciling.end(tx, work.id, figures, run.house.clock.now())
    async with run.house.transaction() as tx:
        await reconciling.thin_out(tx)
        where = {number: await say_where(tx, number) for number in chosen.unknown}
    run.table = await show(run.house, work.id, figures)
    zh = {UNKNOWN: " 订单不存在"}
    run.table += [{"order": number, "Ballast": what + zh.get(what, " 已归档")} for number, what in where.items()]
    unanswered = {name: one["no_answer"] for name, one in figures["not_asked"].items()}
    silent = [name for name, one in figures["systems"].items() if unanswered[name] and not one["asked"]]
    run.headline = f"{figures['orders']} orders, {percent(figures['share'])}, {figures['mended']['orders']} mended"
    if chosen.unknown:
        run.headline += f", {len(chosen.unknown)} unknown"
    if silent:
        run.headline += f", not asked: {' '.join(silent)}"
        run.failures.append(f"{', '.join(silent)} did not answer and counts as not asked; {work.why_down}".rstrip("; "))
    await run.finish()
    return {"id": work.id, "scope": chosen.scope, "seed": chosen.seed, "unknown": list(chosen.unknown), **figures}
