"""How a run works through what is due: claim, hand out chunks, stay a moment for company, and say what it did."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4
from weakref import ReferenceType, ref

from prefect.artifacts import acreate_table_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from ballast.counters import CHUNKS, RUN_OUTCOMES
from ballast.db import beats
from ballast.db.claims import Chunk, claim, give_back
from ballast.db.engine import DATABASE_ERRORS
from ballast.db.holds import HeldRow, recent_holds
from ballast.db.inbox import count_new
from ballast.db.left import letters_left, orders_left
from ballast.domain.words import HOLD_LABELS, Step
from ballast.points import Point, reached
from ballast.wiring import House, house
from flows.progress import Progress
from tasks.chunks import Tally
from tasks.plainly import is_plain, seen
from tasks.policy import BEAT, CUT_OFF

log = logging.getLogger("ballast.runs")

C = TypeVar("C")
DOWN = timedelta(seconds=20)
"""After a chunk's task failed for good, its orders rest this long (machine time) before the next run takes them."""
AT_ONCE = 20
"""Orders that a form names are worked on so many side by side."""


_BELL: ContextVar[asyncio.Event | None] = ContextVar("bell", default=None)


@contextmanager
def woken_by(bell: asyncio.Event) -> Iterator[None]:
    """A run that is started inside looks again as soon as `bell` is set. It takes it back before it looks."""
    mark = _BELL.set(bell)
    try:
        yield
    finally:
        _BELL.reset(mark)


class RunFailed(RuntimeError):
    """Some chunks failed after their retries; their orders keep their place and the next run goes on with them."""


@dataclass(slots=True, weakref_slot=True)
class Run:
    """One flow run while it works."""

    house: House
    name: str
    linger: timedelta
    started_at: datetime
    tally: Tally = field(default_factory=Tally)
    failures: list[str] = field(default_factory=list)
    table: list[dict[str, str]] = field(default_factory=list)  # the artifact, when the flow writes its own
    silent: bool = False  # it has nothing new to show: no artifact
    headline: str = ""  # the run's name, where the tally does not say it
    over: bool = False
    pulse: "asyncio.Task[None] | None" = None
    progress: Progress = field(init=False)  # the bar of a run that takes long
    bell: asyncio.Event | None = field(default_factory=_BELL.get)  # None: nobody hears what is rung for
    ends_at: float = field(init=False)  # loop time after which nothing more is taken, see `_goes_on`
    idle_since: float = field(init=False)  # loop time
    working: "set[asyncio.Task[None]]" = field(default_factory=set)

    def __post_init__(self) -> None:
        self.progress = Progress(self.name)
        self.idle_since = asyncio.get_running_loop().time()
        self.ends_at = self.idle_since + self.house.settings.patience.run_most.total_seconds()

    async def drain(
        self,
        find: Callable[[], Awaitable[C | None]],
        work: Callable[[C], Awaitable[Tally]],
        *,
        at_once: int,
        is_full: Callable[[C], bool],
        give_up: Callable[[C], Awaitable[None]] | None = None,
        every: timedelta | None = None,
    ) -> None:
        """`find` something to do and `work` on it, `at_once` side by side, until nothing was found for `linger`.

        It looks when the bell is rung, not more often than every `gather`; or as often as `every` says, whatever is
        rung. `is_full` says that more is waiting, so that the next chunk is taken at once. A process that ends finds
        nothing more; when the database does not answer, what is under way goes on and the run fails at its end. A run
        that lingers is not over while a chunk, of whichever of its drains, is under way.
        """
        loop, room, mine = asyncio.get_running_loop(), asyncio.Semaphore(at_once), set[asyncio.Task[None]]()
        pause = (every or self.house.settings.patience.gather).total_seconds()
        bell = self.bell if every is None else None
        async with asyncio.TaskGroup() as group:
            while await room.acquire() and self._goes_on(mine, hears=every is None):
                next_look = loop.time() + pause
                if bell is not None:
                    bell.clear()
                try:
                    found = await find()
                except DATABASE_ERRORS as lost:
                    self.failures.append(f"the database did not answer: {type(lost).__name__}")
                    break
                if found is not None:
                    task = self._begin(group, self._work(found, work, give_up, room), mine)
                    if self.linger and not is_full(found):  # let the next chunk fill up while this one is worked on
                        await self._rest_until(next_look)
                        await asyncio.wait([task], timeout=self.linger.total_seconds())
                    if is_plain() and not is_full(found):
                        break  # whoever calls it plainly looks himself whether anything is due
                    continue
                room.release()
                at_work = self.linger and self.working
                if not at_work and loop.time() - self.idle_since >= self.linger.total_seconds():
                    break
                await self._wait_for_more(bell, next_look)

    def _goes_on(self, mine: "set[asyncio.Task[None]]", *, hears: bool) -> bool:
        """Whether more may be taken. After its time a run ends, with what is under way.

        While that lasts, and another drain's chunk may take long, a drain that hears the bell goes on: nobody else
        answers it before the run is over.
        """
        if self.house.stopping or asyncio.get_running_loop().time() < self.ends_at:
            return not self.house.stopping
        return hears and bool(self.working - mine)

    def _begin(
        self, group: asyncio.TaskGroup, work: Coroutine[None, None, None], mine: "set[asyncio.Task[None]]"
    ) -> "asyncio.Task[None]":
        def ended(task: "asyncio.Task[None]") -> None:
            self.working.discard(task)
            mine.discard(task)
            self.idle_since = asyncio.get_running_loop().time()

        task = group.create_task(work)
        self.working.add(task)
        mine.add(task)
        task.add_done_callback(ended)
        return task

    async def _wait_for_more(self, bell: asyncio.Event | None, next_look: float) -> None:
        """Until it is rung, and a moment has passed since the last look. Nobody may be there to hear a bell."""
        if bell is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), self.linger.total_seconds())
        await self._rest_until(next_look)

    async def _rest_until(self, next_look: float) -> None:
        """Not longer than the run has: one drain that sleeps would hold up its end, and the bell of the others."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(min(next_look, max(self.ends_at, now)) - now)

    async def _work(
        self,
        found: C,
        work: Callable[[C], Awaitable[Tally]],
        give_up: Callable[[C], Awaitable[None]] | None,
        room: asyncio.Semaphore,
    ) -> None:
        outcome = "done"
        try:
            said = await seen(work)(found)
            self.tally.update(said)
            for word, count in said.items():
                RUN_OUTCOMES.labels(self.name, word).inc(max(count, 0))
            self.progress.done = self.tally.total()
        except asyncio.CancelledError:  # the run is being stopped: do not make its orders wait for the lease to end
            outcome = "cut_off"
            await self._give_up(found, give_up)
            raise
        except Exception as failure:  # noqa: BLE001  # a task's failure of any kind: its retries are used up, the run goes on and ends red
            outcome = "failed"
            self.failures.append(f"{type(failure).__name__}: {failure}")
            await self._give_up(found, give_up)
        finally:
            CHUNKS.labels(self.name, outcome).inc()
            room.release()

    async def _give_up(self, found: C, give_up: Callable[[C], Awaitable[None]] | None) -> None:
        try:
            if give_up is not None:
                await give_up(found)
        except DATABASE_ERRORS as lost:  # the lease ends by itself
            self.failures.append(f"a chunk keeps its lease, the database did not answer: {type(lost).__name__}")

    def rest(self) -> datetime:
        """When the orders or messages of a chunk that was given up are due again."""
        return self.house.clock.after(CUT_OFF if self.house.stopping else DOWN)

    async def finish(self) -> Tally:
        """Name the run after what it did, show what was held, and fail the run when chunks failed."""
        self.over = True
        await self.progress.end(whole=not self.failures)
        await self._tell()
        if self.failures:
            raise RunFailed(f"{len(self.failures)} chunk(s) failed; first: {self.failures[0]}")
        return self.tally

    async def _tell(self) -> None:
        if is_plain():
            return
        counts = [f"{count} {word}" for word, count in self.tally.most_common() if count]
        if self.failures and not self.tally["failed"]:  # forms count theirs by order
            counts.append(f"{len(self.failures)} failure{'s' if len(self.failures) > 1 else ''}")
        words = self.headline or ", ".join(counts) or "nothing due"
        if flow_run.id is not None:
            async with get_client() as client:
                await client.update_flow_run(flow_run.id, name=f"{self.name} {words}"[:250])
        async with self.house.transaction() as tx:
            held = await recent_holds(tx, since=self.started_at, most=100) if self.tally["held"] else []
        did = [{"did": word, "count": str(count)} for word, count in self.tally.most_common() if count]
        if self.silent:
            return
        if rows := self.table or [_held_row(self.house, row) for row in held] or did:
            await acreate_table_artifact(key=self.name, table=rows, description=_describe(self.name, words, held))


async def start(name: str, linger: float = 0.0) -> Run:
    """Begin a run. `linger`: seconds to stay for more work; 0 for sweeps, which end when nothing is due."""
    here = await house()
    run = Run(here, name, timedelta(seconds=linger), here.clock.now())
    if flow_run.id is not None and not is_plain():
        run.pulse = asyncio.create_task(_beat(ref(run), here, str(flow_run.id)))
        run.progress.begin()
    return run


async def _beat(run: ReferenceType[Run], here: House, run_id: str) -> None:
    """Say again and again that this run is alive, until it is over. Most runs are over before the first time."""
    while True:
        await asyncio.sleep(BEAT.total_seconds())
        running = run()
        if running is None or running.over or here.closed:
            return
        del running  # a run that failed is forgotten by all, also by us
        try:
            async with here.transaction() as tx:
                await beats.beat(tx, run_id, here.clock.machine_now())
        except DATABASE_ERRORS as lost:
            log.warning("a run could not say that it is alive (%s), trying again", type(lost).__name__)


async def run_step(step: Step, work: Callable[[Chunk], Awaitable[Tally]], linger: float) -> Tally:
    """Work through every order that is due at a step, in chunks, one task run per chunk."""
    run = await start(step.value.replace("_", "-"), linger)
    here, settings = run.house, run.house.settings

    async def find() -> Chunk | None:
        async with here.transaction() as tx:
            chunk = await claim(
                tx,
                step,
                owner=f"{step}:{uuid4().hex[:12]}",
                most=settings.chunk,
                now=here.clock.now(),
                until=here.lease(),
            )
        if not chunk.ids:
            return None
        reached(step, Point.BEFORE)
        return chunk

    async def give_up(chunk: Chunk) -> None:
        async with here.transaction() as tx:
            await give_back(tx, chunk, run.rest())

    async def left() -> int:
        async with here.transaction() as tx:
            return await orders_left(tx, step, here.clock.now())

    run.progress.left = left
    await run.drain(
        find,
        work,
        at_once=settings.chunks_at_once,
        is_full=lambda chunk: len(chunk.ids) == settings.chunk,
        give_up=give_up,
    )
    return await run.finish()


def first_words(said: str) -> str:
    """`called off; now CLOSED` -> `called off`."""
    return said.split(":")[0].split(";")[0]


async def run_messages(
    name: str,
    topic: str,
    work: Callable[[int], Awaitable[Tally]],
    linger: float,
    *,
    after: Callable[[], Awaitable[Tally]] | None = None,
) -> Tally:
    """Work through every new message of a topic (`news`, `order`), in chunks, one task run per chunk; then `after`."""
    run = await start(name, linger)
    here, most = run.house, run.house.settings.chunk

    async def find() -> int | None:
        async with run.house.transaction() as tx:
            return await count_new(tx, topic, most) or None

    async def left() -> int:  # without the run in it: one that failed has to be forgotten, see `_beat`
        async with here.transaction() as tx:
            return await letters_left(tx, topic)

    run.progress.left = left
    at_once = run.house.settings.chunks_at_once
    await run.drain(find, work, at_once=at_once, is_full=lambda found: found == most)
    if after is not None:
        run.tally.update(await after())
    return await run.finish()


async def answer_each(
    run: Run, numbers: Sequence[str], work: Callable[[str], Awaitable[str]], word: Callable[[str], str] = first_words
) -> dict[str, str]:
    """Have `work` say a sentence of every order, some side by side: they are the run's table, `word`s its name.

    An order at which `work` fails says so and makes the run red; the others go on.
    """
    room = asyncio.Semaphore(AT_ONCE)
    run.progress.at(0, len(numbers))

    async def one(order_no: str) -> str:
        async with room:
            try:
                return await work(order_no)
            except Exception as failure:  # noqa: BLE001  # of any kind: it is one order's, and no reason to leave the others
                run.failures.append(f"{order_no}: {type(failure).__name__}: {failure}")
                return f"failed: {type(failure).__name__}, see its task run"
            finally:
                run.progress.done += 1

    said = dict(zip(numbers, await asyncio.gather(*map(one, numbers)), strict=True))
    run.table = [{"order": run.house.order_link(number), "what happened": what} for number, what in said.items()]
    run.tally.update(Counter(word(what) for what in said.values()))
    await run.finish()
    return said


def _held_row(here: House, row: HeldRow) -> dict[str, str]:
    label = HOLD_LABELS[row.reason]
    zh = here.settings.language == "zh"
    return {
        "order": here.order_link(row.order_no),
        "reason": f"{row.reason} {label.zh if zh else label.en}",
        "evidence": row.evidence,  # before the advice, which is long: the table shows what has room
        "what to do": label.advice_zh if zh else label.advice_en,
    }


def _describe(name: str, words: str, held: list[HeldRow]) -> str:
    if not held:
        return f"**{name}**: {words}"
    return f"**{name}**: {words}. Held orders wait for a person; release them with the `rerun-orders` deployment."
