"""Merging orders: who asks hears at once what comes of it; what warehouses have is called back by the steps."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases as orders
from ballast.db import editing, merging, moves
from ballast.db.archive import say_where
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.db.outbox import Outgoing
from ballast.domain.editing import Change, NotChanged, Refusal
from ballast.domain.words import State, Step
from ballast.points import Point, reached
from ballast.ports import Order, Receipt
from ballast.wiring import House, house
from tasks.chunks import Tally
from tasks.deliveries import deliver
from tasks.policy import ALONE, CHUNK

LOOK_AGAIN: Final = timedelta(seconds=20)
"""Business time until an order looks again whether the others are free, too, and the ERP has let go of them."""


async def merge_orders(here: House, order_nos: Sequence[str], *, by: str, dry_run: bool = False) -> str:
    """Ask that these orders become one, which is the first; a sentence that says what comes of it.

    Raises `NotChanged`, and nothing was changed.
    """
    change = merging.change_of(order_nos)
    reached("merge", Point.BEFORE)
    async with here.moving("merge") as tx:
        now = here.clock.now()
        await here.rules.current(tx, now)
        found = await orders.load(tx, now=now, waits=here.waits, order_nos=change.merge)
        if missing := [number for number in change.merge if number not in {case.order_no for case in found}]:
            raise NotChanged(Refusal.UNKNOWN_ORDER, f"{missing[0]}: {await say_where(tx, missing[0])}")
        said, made = merging.ask(found, change, by=by)
        if dry_run:
            return f"would be: {said}"
        await merging.store(tx, made, now)
        await moves.write(tx, found)
    return said


@task(name="merge orders", task_run_name="merge into {order_no}", tags=["edit"], **ALONE)
async def merge_into(order_no: str, others: Sequence[str], by: str, dry_run: bool) -> str:
    """`merge_orders` for the form: a refusal is an answer like any other."""
    try:
        return await merge_orders(await house(), [order_no, *others], by=by, dry_run=dry_run)
    except NotChanged as refused:
        return f"not merged: {refused}"


# -- the steps ---------------------------------------------------------------------------------------------------


def is_merge(case: Case) -> bool:
    """Whether what is asked for of it is to become one with others."""
    return case.edits.asked is not None and bool(case.edits.asked.change.merge)


async def join_ready(here: House, chunk: Chunk, cases: Sequence[Case]) -> Tally:
    """Make one order of those of which no warehouse has anything any more; the others wait for each other.

    One that is not to be merged any more (it left, its warehouse kept it) ends the wish for all.
    """
    tally = Tally()
    changes = {case.edits.asked.change.merge: case.edits.asked.change for case in cases if case.edits.asked}
    if not changes:
        return tally
    async with here.moving(chunk.step) as tx:
        now, numbers = here.clock.now(), {number for merge in changes for number in merge}
        found = await orders.load(tx, now=now, waits=here.waits, order_nos=sorted(numbers))
        for case in found:
            case.holds_lease = case.lease_owner == chunk.owner
        known = {case.order_no: case for case in found}
        made: list[merging.Merged] = []
        for merge, change in changes.items():
            some = [known[number] for number in merge if number in known]
            said, joined = _join(here, some, change)
            made += joined
            tally[said] += 1
        await merging.store(tx, made, now)
        await moves.write(tx, found)
    return tally


def _join(here: House, cases: Sequence[Case], change: Change) -> tuple[str, list[merging.Merged]]:
    waiting = [case for case in cases if case.edits.asked is not None and case.edits.asked.change == change]
    if len(waiting) < len(change.merge):
        gone = next(number for number in change.merge if number not in {case.order_no for case in waiting})
        for case in waiting:
            editing.refuse(case, f"{gone} is not to be merged any more")
        for case in cases:
            if case.holds_lease:
                case.reschedule()
        return ("not merged" if waiting else "settled meanwhile"), []
    if all(merging.is_ready(case) for case in cases):
        return "merged", merging.join(cases, change)[1]
    for case in cases:
        if case.holds_lease:
            _look_again(here, case)
    return "to be merged, waiting for a warehouse", []


async def wait_for_erp(here: House, chunk: Chunk, cases: Sequence[Case]) -> Tally:
    """The ERP still reserves for orders that these carry: asked now, it would say that there is too little."""
    if not cases:
        return Tally()
    async with here.moving(chunk.step) as tx:
        ids = [case.id for case in cases]
        held = await orders.load(tx, now=here.clock.now(), waits=here.waits, ids=ids, lease_owner=chunk.owner)
        for case in held:
            _look_again(here, case)
        await moves.write(tx, held)
    return Tally({"waiting for the ERP to void what was merged": len(held)})


def _look_again(here: House, case: Case) -> None:
    case.due, case.lease_owner, case.touched = (Step.SHIP_OUT, here.clock.after(LOOK_AGAIN)), None, True


@task(name="void merged sale orders", tags=["erp"], **CHUNK)
async def void_merged(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """Have the ERP void the sale orders of what was merged; then the orders that carry them can be told of."""
    here = await house()

    async def void(order: Order, look_first: bool) -> Receipt:
        return await here.erp.cancel(order, look_first=look_first)

    async def told(tx: AsyncConnection, sent: list[Outgoing]) -> None:
        now, leaders = here.clock.now(), await merging.leaders_by_id(tx, {message.order_id for message in sent})
        found = await orders.load(tx, now=now, waits=here.waits, order_nos=leaders) if leaders else []
        for case in found:
            if case.standing.state is State.STOCK_LOCKED:
                case.reschedule()
        await moves.write(tx, found)

    return await deliver(here, owner, batch, lambda case, _: case.order(), void, after=told)


def shop_order(case: Case, message: Outgoing) -> Order:
    """The order that a message to the shop is about: the case's own, or one that it carries."""
    return merging.as_shop_knows_it(case, message.key.rpartition(":")[2])


async def find_mergeable(here: House) -> list[merging.Alike]:
    """Which open orders could be one."""
    async with here.transaction() as tx:
        return await merging.mergeable(tx)
