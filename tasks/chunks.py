"""The machinery of a step: write effects down, make them side by side, settle each order on its own.

    jobs -> carry_out(jobs, call) -> outcomes -> settle(decide)

One bad order never fails its chunk; only a system that takes no call at all does (`SystemDown`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from prefect.runtime import task_run
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import (
    NotUnderstood,
    NotYet,
    OutcomeUnknown,
    OutsideError,
    Refused,
    Throttled,
    Unavailable,
)
from ballast.db import cases as orders
from ballast.db import effects, moves
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.claims import Chunk, hold_on
from ballast.db.engine import DATABASE_ERRORS
from ballast.db.status_map import added_codes
from ballast.domain.life_cycle import CALLED_OFF
from ballast.domain.words import Event, HoldReason, State
from ballast.points import Point, reached
from ballast.ports import Receipt
from ballast.wiring import House
from tasks.alarms import hold_alerts
from tasks.policy import SystemDown

R = TypeVar("R")
log = logging.getLogger("ballast.chunks")
CANCELS = frozenset({"wms.cancel", "erp.cancel"})
"""Kinds of effects that stop an order where it is known."""
Tally = Counter[str]
"""What a chunk did, in words for the run's name: {"locked": 98, "held": 2}."""


@dataclass(frozen=True, slots=True)
class Job(Generic[R]):
    """One effect to be made: its key, its order, what the adapter gets, and what its outcome is filed under.

    `id` is the order's own for a step (one effect per order), the message's for the outbox (several per order).
    """

    key: str
    order_id: int
    request: R
    id: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one job ended. Exactly one of `receipt` and `error` is set; `earlier`: it was done before this attempt."""

    receipt: Receipt | None = None
    error: OutsideError | None = None
    earlier: bool = False


async def open_chunk(house: House, chunk: Chunk) -> list[Case]:
    """The orders of a chunk that are still ours, as they stand now (unlocked: for reading and writing documents)."""
    async with house.transaction() as tx:
        if (task_run.run_count or 1) > 1:  # Prefect retries this task: hold on to what is left
            await still_ours(tx, house, chunk)
        house.added_codes = await added_codes(tx)  # what people mapped counts when a system is asked, too
        await house.rules.current(tx, house.clock.now())  # the SLA policy and the sourcing rows with them
        return await orders.load(
            tx, now=house.clock.now(), waits=house.waits, ids=chunk.ids, lease_owner=chunk.owner, lock=False
        )


async def still_ours(tx: AsyncConnection, house: House, chunk: Chunk) -> set[int]:
    """Which orders of a chunk nobody has taken since. Their lease goes on from here."""
    return await hold_on(tx, chunk, now=house.clock.now(), until=house.lease())


async def carry_out(
    house: House,
    kind: str,
    jobs: Sequence[Job[R]],
    call: Callable[[R, bool], Awaitable[Receipt]],
    *,
    chunk: Chunk | None = None,
) -> dict[int, Outcome]:
    """Make each effect once; job id -> outcome. `call(request, look_first)` is an adapter's method.

    With the `chunk` of a step, orders that are not ours any more are left out: whoever took them may have closed them.
    The lease of the others begins anew with the calls, and again while they last.

    All are started together: how many calls are under way at once, and which travel as one, is the adapter's matter.
    """
    if not jobs:
        return {}
    reached(kind, Point.BEFORE)
    async with house.transaction() as tx:
        if chunk is not None:
            ours = await still_ours(tx, house, chunk)
            jobs = [job for job in jobs if job.order_id in ours]
        marks = [(job.key, job.order_id, effects.digest(job.request)) for job in jobs]
        begun = await effects.begin(tx, kind, marks, house.clock.now())
    reached(kind, Point.WRITTEN)

    async def attempt(job: Job[R]) -> Outcome:
        state = begun[job.key]
        if state.done:
            return Outcome(
                Receipt(reference=str(state.receipt.get("reference", "")), detail=state.receipt), earlier=True
            )
        try:
            outcome = Outcome(await call(job.request, state.look_first))
        except OutsideError as error:
            outcome = Outcome(error=error)
        reached(kind, Point.CALLED)
        return outcome

    async with kept(house, lambda tx: still_ours(tx, house, chunk)) if chunk else nullcontext():
        ended = await asyncio.gather(*(attempt(job) for job in jobs))
    return {job.id: outcome for job, outcome in zip(jobs, ended, strict=True)}


@asynccontextmanager
async def kept(house: House, hold_on: Callable[[AsyncConnection], Awaitable[object]]) -> AsyncIterator[None]:
    """Renew leases while calls are under way: who waits for a slow system is not dead, and who is dead renews nothing.

    A call that outlived its lease could arrive after somebody else had called the order off.
    """

    async def renew() -> None:
        while True:
            await asyncio.sleep(house.settings.patience.lease.total_seconds() / 3)
            try:
                async with house.transaction() as tx:
                    await hold_on(tx)
            except DATABASE_ERRORS as lost:
                log.warning("a lease could not be renewed (%s): the next try, or its end", type(lost).__name__)

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])


def results(jobs: Sequence[Job[R]], outcomes: Mapping[int, Outcome]) -> list[effects.Result]:
    """What the effect rows have to remember of these outcomes."""
    return [_result(job.key, outcome) for job, outcome in _made(jobs, outcomes)]


def _made(jobs: Sequence[Job[R]], outcomes: Mapping[int, Outcome]) -> list[tuple[Job[R], Outcome]]:
    """What was called now: neither done earlier nor left to somebody else."""
    ended = [(job, outcomes[job.id]) for job in jobs if job.id in outcomes]
    return [(job, outcome) for job, outcome in ended if not outcome.earlier]


def _result(key: str, outcome: Outcome) -> effects.Result:
    if outcome.receipt is not None:
        kept = {"reference": outcome.receipt.reference, **outcome.receipt.detail}
        return effects.Result(key=key, state="done", receipt=kept)
    match outcome.error:
        case Refused():
            state = "refused"
        case OutcomeUnknown() | NotUnderstood():
            state = "unknown"
        case _:
            state = "pending"
    return effects.Result(key=key, state=state, receipt={}, error=str(outcome.error))


async def settle(
    house: House,
    chunk: Chunk,
    cases: Sequence[Case],
    jobs: Sequence[Job[Any]],
    outcomes: Mapping[int, Outcome],
    decide: Callable[[Case, Outcome], str],
    *,
    also: Callable[[AsyncConnection, list[Case]], Awaitable[None]] | None = None,
) -> Tally:
    """Store results and move the orders that are still ours, in one transaction.

    `cases`: as `open_chunk` read them; what was written of an order since is read again. `decide(case, outcome)` moves
    one order and returns the word for the tally; it sees receipts and refusals only.
    Other errors are handled here: later, or on hold when its attempts are used up. Orders whose system took no call at
    all keep their lease: `raise_if_down` fails the chunk, and its retry finds them again.
    """
    down = is_down(jobs, outcomes)
    tally: Tally = Counter()
    async with house.moving(chunk.step) as tx:
        await effects.finish(tx, results(jobs, outcomes), house.clock.now())
        ended = [case for case in cases if case.id in outcomes]
        held = await orders.lock(tx, ended, now=house.clock.now(), waits=house.waits, lease_owner=chunk.owner)
        begun = frozenset(job.key.partition(":")[0] for job in jobs)
        for case in held:
            case.begun |= begun
            outcome = outcomes[case.id]
            if isinstance(outcome.error, Unavailable | OutcomeUnknown | NotUnderstood):
                if not (down and isinstance(outcome.error, Unavailable)):
                    tally[later(house, case, outcome.error, chunk.step)] += 1
            else:
                tally[decide(case, outcome)] += 1
        await moves.write(tx, held)
        if also is not None:
            await also(tx, held)
        too_late = await _too_late(tx, house, jobs, outcomes, {case.id for case in held})
        await raise_alerts(tx, hold_alerts(held) + too_late, house.clock.now())
    return tally


async def _too_late(
    tx: AsyncConnection, house: House, jobs: Sequence[Job[Any]], outcomes: Mapping[int, Outcome], ours: set[int]
) -> list[dict[str, Any]]:
    """A call outlived its lease, and its order was called off meanwhile: the other system knew nothing of it then.

    While the cancellation waits for the call, nobody has to look: it finds what the call has made.
    """
    lost = {job.order_id: job for job, outcome in _made(jobs, outcomes) if outcome.receipt and job.id not in ours}
    if not lost:
        return []
    cases = await orders.load(tx, now=house.clock.now(), waits=house.waits, ids=lost, lock=False)  # not ours to keep
    return [
        {
            "key": f"too-late:{lost[case.id].key}",
            "level": "urgent",
            "order_id": case.id,
            "title": f"{case.order_no}: {lost[case.id].key.split(':')[0]} came through after it was called off",
            "text": "the other system may go on with it: look there, and stop it by hand",
        }
        for case in cases
        if case.standing.state is State.CLOSED or (case.standing.reason in CALLED_OFF and case.begun & CANCELS)
    ]


def later(house: House, case: Case, error: OutsideError, step: str) -> str:
    """Try the order again after a pause; after the last attempt a person has to look.

    At one that is held a person looks already: it is asked about again after the usual quiet time.
    """
    if case.standing.state is State.ON_HOLD and case.attempts + 1 >= house.settings.patience.attempts:
        case.reschedule()
        return "again later"
    if case.attempts + 1 >= house.settings.patience.attempts:
        case.take(
            Event.HELD,
            cause=f"{step}:held:v{case.version}",
            actor="ballast",
            reason=HoldReason.NO_ANSWER,
            text=str(error),
        )
        return "held"
    case.again(house.back_off(case.attempts))
    return "again later"


def hold(case: Case, step: str, reason: HoldReason, error: OutsideError | str) -> str:
    """Put an order on hold because of what a step found; what it found is the evidence that a release remembers.

    Answers of other systems (`life_cycle.ASKED_ANEW`) hold again whenever they are given again. A step that judges
    asks `Case.overrode` first and goes on: what a person let pass is no longer in the way.
    """
    found = str(error)
    case.take(
        Event.HELD,
        cause=f"{step}:held:v{case.version}",
        actor="ballast",
        reason=reason,
        text=found,
        evidence=found,
    )
    return "held"


def is_down(jobs: Sequence[Job[Any]], outcomes: Mapping[int, Outcome]) -> bool:
    """Every call that was made was not taken. A system that throttles us, or does not know an order yet, is up."""
    made = [outcome.error for _, outcome in _made(jobs, outcomes)]
    return bool(made) and all(
        isinstance(error, Unavailable) and not isinstance(error, Throttled | NotYet) for error in made
    )


def raise_if_down(jobs: Sequence[Job[Any]], outcomes: Mapping[int, Outcome]) -> None:
    """Fail the chunk's task when its system is down: Prefect owns that failure."""
    if is_down(jobs, outcomes):
        made = _made(jobs, outcomes)
        raise SystemDown(f"{made[0][1].error} (and {len(made) - 1} more orders of this chunk): orders keep their place")
