"""The machinery of outgoing messages: the outbox's counterpart of `tasks.chunks`, with the same effects."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import Refused, Throttled
from ballast.db import cases as orders
from ballast.db import effects, moves
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.outbox import Outgoing, end_messages, hold_on
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Order, Receipt
from ballast.wiring import House
from tasks.alarms import hold_alerts
from tasks.chunks import Job, Outcome, Tally, carry_out, is_down, kept, raise_if_down, results

R = TypeVar("R")


async def deliver(
    house: House,
    owner: str,
    batch: Sequence[Outgoing],
    request_of: Callable[[Case, Outgoing], R],
    call: Callable[[R, bool], Awaitable[Receipt]],
    *,
    after: Callable[[AsyncConnection, list[Outgoing]], Awaitable[None]] | None = None,
    refused: Callable[[AsyncConnection, list[tuple[Outgoing, str]]], Awaitable[None]] | None = None,
) -> Tally:
    """Send messages of one kind, each once. `after(tx, sent)` runs in the transaction that stores the results, and so
    does `refused(tx, [(message, their words)])`, with the orders of those messages locked.

    A refusal is shown to people (alert, and a hold where the life cycle still allows one); no answer is tried again,
    and after the last attempt shown likewise. Raises `SystemDown` when no call was taken. Messages that are not ours
    any more are left to whoever has them: before sending, and when we come late with what came of it.
    """
    async with house.transaction() as tx:
        ours = await hold_on(tx, owner, [m.id for m in batch], house.lease())
        batch = [m for m in batch if m.id in ours]
        loaded = await orders.load(
            tx, now=house.clock.now(), waits=house.waits, ids={m.order_id for m in batch}, lock=False
        )
    if not batch:
        return Tally()
    cases = {case.id: case for case in loaded}
    jobs = [Job(m.key, m.order_id, request_of(cases[m.order_id], m), m.id) for m in batch]
    async with kept(house, lambda tx: hold_on(tx, owner, [m.id for m in batch], house.lease())):
        outcomes = await carry_out(house, batch[0].kind, jobs, call)
    down = is_down(jobs, outcomes)
    ends = [_end(house, m, outcomes[m.id]) for m in batch if not (down and outcomes[m.id].error)]
    async with house.moving(batch[0].kind) as tx:
        await effects.finish(tx, results(jobs, outcomes), house.clock.now())
        ours = await end_messages(tx, owner, ends, house.clock.now())
        ends = [end for end in ends if end["id"] in ours]
        if after is not None and (sent := [m for m in batch if m.id in ours and outcomes[m.id].receipt is not None]):
            await after(tx, sent)
        given_up = {end["id"]: end["note"] for end in ends if not end["done"] and end["due_at"] is None}
        await _show(tx, house, [m for m in batch if m.id in given_up], given_up)
        if refused is not None:
            nos = [(m, given_up[m.id]) for m in batch if isinstance(outcomes[m.id].error, Refused)]
            await refused(tx, nos)
    raise_if_down(jobs, outcomes)
    return _tally(ends)


def received(case: Case, _: Outgoing) -> tuple[Order, datetime]:
    """The request of a notice that an order arrived: the order, and when its last parcel was signed for."""
    signed_at = case.milestones["signed_at"]
    assert signed_at is not None  # the notice is decided by arriving at SIGNED
    return case.order(), signed_at


def _end(house: House, message: Outgoing, outcome: Outcome) -> dict[str, Any]:
    error, due_at = outcome.error, None
    given_up = message.attempts + 1 >= house.settings.patience.attempts * 2
    if error is not None and not isinstance(error, Refused) and not given_up:
        due_at = _pause(house, message, error)
    return {"id": message.id, "done": error is None, "due_at": due_at, "note": str(error or "")[:500]}


def _pause(house: House, message: Outgoing, error: Exception) -> datetime:
    if isinstance(error, Throttled):
        return house.clock.after(timedelta(seconds=error.seconds))
    return house.back_off(message.attempts)


async def _show(tx: AsyncConnection, house: House, given_up: Sequence[Outgoing], notes: Mapping[int, str]) -> None:
    """People have to know of a message that will not arrive by itself."""
    if not given_up:
        return
    held = await orders.load(tx, now=house.clock.now(), waits=house.waits, ids={m.order_id for m in given_up})
    by_id = {case.id: case for case in held}
    for message in given_up:
        case = by_id[message.order_id]
        if case.standing.state not in (State.SIGNED, State.CLOSED):
            case.take(
                Event.HELD,
                cause=f"{message.key}:refused:v{case.version}",
                actor="ballast",
                reason=HoldReason.REFUSED_BY_SYSTEM,
                text=notes[message.id],
            )
    await moves.write(tx, held)
    late = [
        {
            "key": f"undelivered:{m.key}:{m.attempts}",
            "level": "warning",
            "order_id": m.order_id,
            "title": f"{by_id[m.order_id].order_no}: {m.kind} was not delivered",
            "text": notes[m.id],
        }
        for m in given_up
        if not by_id[m.order_id].held
    ]
    await raise_alerts(tx, hold_alerts(held) + late, house.clock.now())


def _tally(ends: Sequence[Mapping[str, Any]]) -> Tally:
    words = Counter[str]()
    for end in ends:
        words["sent" if end["done"] else "again later" if end["due_at"] else "refused"] += 1
    return words
