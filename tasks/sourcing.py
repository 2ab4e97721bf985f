"""Sourcing again: what a warehouse will not ship is stopped there, chosen anew, reserved anew; then handed over.

    stop_refused -> source_again -> change_sale_orders -> (tasks.wms) hand to warehouse

One thing at a time per order: what has not been stopped is not sourced, what is not reserved is not handed over.
"""

from collections.abc import Sequence

from adapters.errors import OutsideError
from ballast.db import cases as orders
from ballast.db import deliveries, editing, effects, moves
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.db.sourcing import choose_again, fit_locks
from ballast.db.stock import free_under_lock
from ballast.db.to_come import still_to_come
from ballast.domain.deliveries import STOPPING, DeliveryOrder, DeliveryState, Need, unplaced
from ballast.domain.sourcing import in_words
from ballast.domain.stock import Allocation
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Order, Receipt
from ballast.wiring import House
from tasks.alarms import hold_alerts, refund_alerts
from tasks.chunks import Job, Outcome, Tally, carry_out, hold, raise_if_down, settle
from tasks.merging import is_merge

WHY = "改由其他仓库发货 shipped from another warehouse"
"""What the warehouse is told."""


async def stop_refused(here: House, chunk: Chunk, cases: Sequence[Case]) -> Tally:
    """See to it that a warehouse does not ship after all what it refused or lacked; then its rest is free to go."""
    stopping = [(case, one) for case in cases if (one := deliveries.first(case, *STOPPING))]
    if not stopping:
        return Tally()
    codes = {case.id: one.code for case, one in stopping}
    jobs = [Job(f"wms.cancel:{one.code}", case.id, deliveries.request_of(case, one), case.id) for case, one in stopping]
    async with here.transaction() as tx:
        ids, since = [job.order_id for job in jobs], here.clock.now() - here.settings.patience.warehouse_quiet
        expected = await still_to_come(tx, ids, system=here.wms.system, since=since)
        await effects.reopen(tx, [job.key for job in jobs], error="stopped before: asked whether it still is")

    async def stop(order: Order, look_first: bool) -> Receipt:
        return await here.wms.cancel(order, WHY, look_first=look_first, expected=order.code in expected)

    outcomes = await carry_out(here, "wms.cancel", jobs, stop, chunk=chunk)

    def decide(case: Case, outcome: Outcome) -> str:
        return _stopped(case, chunk, codes[case.id], outcome.error)

    tally = await settle(here, chunk, cases, jobs, outcomes, decide)
    raise_if_down(jobs, outcomes)
    return tally


def _stopped(case: Case, chunk: Chunk, code: str, error: OutsideError | None) -> str:
    one = next(one for one in deliveries.deliveries_of(case) if one.code == code)
    if one.state not in STOPPING:  # it was called off, or left, meanwhile
        case.reschedule()
        return "settled meanwhile"
    if one.state is DeliveryState.RECALLED:
        return _recalled(case, one, error)
    if error is not None:
        deliveries.end(case, one.code, DeliveryState.WITH_WAREHOUSE, one.why)
        reason = HoldReason.WAREHOUSE_SHORT if one.state is DeliveryState.SHORT else HoldReason.WAREHOUSE_REFUSED
        return hold(case, chunk.step, reason, f"{one.code} {one.warehouse}: {one.why}; it cannot be stopped: {error}")
    deliveries.end(case, one.code, DeliveryState.ENDED, f"{one.state}: {one.why}")
    text = f"{one.code}: {one.warehouse} does not ship it ({one.state}: {one.why})"
    case.take(Event.NOTED, cause=f"source:stopped:{one.code}", actor="ballast", text=text)
    if case.all_shipped and not deliveries.is_open(case):
        case.take(Event.SHIPPED, cause=f"source:shipped:{one.code}", actor="ballast", text="all of it has left")
    case.reschedule()
    return "stopped at a warehouse"


def _recalled(case: Case, one: DeliveryOrder, error: OutsideError | None) -> str:
    """Its warehouse let go, and the change can be made; or it did not, and the order goes on as it is."""
    if error is not None:
        deliveries.end(case, one.code, DeliveryState.WITH_WAREHOUSE, one.why)
        if case.edits.asked is not None:
            editing.refuse(case, f"{one.code} {one.warehouse} cannot be stopped: {error}")
        case.reschedule()
        return "not changed"
    deliveries.end(case, one.code, DeliveryState.TAKEN_BACK, one.why)
    text = f"{one.code}: {one.warehouse} let it go ({one.why})"
    case.take(Event.NOTED, cause=f"source:taken-back:{one.code}", actor="ballast", text=text)
    case.reschedule()
    return "stopped at a warehouse"


async def source_again(here: House, chunk: Chunk, cases: Sequence[Case]) -> Tally:
    """Choose other warehouses for what is in no delivery, lock it there; who can be shipped from nowhere is held.

    What is to be changed and is at no warehouse is changed before that.
    """
    tally = Tally()
    if not cases:
        return tally
    async with here.moving(chunk.step) as tx:
        now = here.clock.now()
        ours = await orders.load(
            tx, now=now, waits=here.waits, ids=[case.id for case in cases], lease_owner=chunk.owner
        )
        locked = [case for case in ours if case.standing.state is State.STOCK_LOCKED]
        await free_under_lock(tx, {line.line.sku for case in locked for line in case.lines})  # lines may go
        for case in locked:
            if deliveries.next_need(case) is Need.CHANGE and not is_merge(case):
                editing.apply(case)
        held = [case for case in locked if deliveries.next_need(case) is Need.SOURCE]
        wanted = {case.id: unplaced(case.deliveries.values(), deliveries.wanted(case)) for case in held}
        chosen = await choose_again(tx, wanted, held, here.waits.sourcing, now=now)
        for case in held:
            tally[_sourced(here, case, chunk, wanted[case.id], chosen[case.id])] += 1
        await moves.write(tx, held)
        await fit_locks(tx, held, now)
        await raise_alerts(tx, hold_alerts(held) + refund_alerts(held), now)
    return tally


def _sourced(here: House, case: Case, chunk: Chunk, wanted: dict[int, int], chosen: Allocation) -> str:
    if chosen.parts:
        why = "; ".join((chosen.why, *chosen.rejected))
        made = deliveries.add(case, chosen.parts, wanted, DeliveryState.SOURCED, chosen.why)
        text = f"{', '.join(f'{one.code} {one.warehouse or one.state}' for one in made)}: {why}"
        case.take(Event.NOTED, cause=f"source:{made[0].code}", actor="ballast", text=text)
        case.reschedule()
        return "sourced again"
    over = [one for one in case.deliveries.values() if one.state is DeliveryState.ENDED]
    refused = any(one.why.startswith(DeliveryState.REFUSED) for one in over)
    given_up = [f"{one.code} {one.warehouse} {one.why}" for one in over]
    text = "; ".join((*given_up, f"nowhere else: {in_words(chosen.missing)} short", *chosen.rejected))
    said = hold(case, chunk.step, HoldReason.WAREHOUSE_REFUSED if refused else HoldReason.WAREHOUSE_SHORT, text)
    if case.standing.state is not State.ON_HOLD:  # a person let just this pass: look again later
        case.again(here.clock.after(here.settings.patience.warehouse_quiet))
        return "nowhere to ship from"
    return said


async def change_sale_orders(here: House, chunk: Chunk, cases: Sequence[Case]) -> Tally:
    """Have the ERP reserve where the pieces are locked now; then they may be handed over."""
    sourced = [(case, one) for case in cases if (one := deliveries.first(case, DeliveryState.SOURCED))]
    jobs = [Job(f"erp.change:{one.code}", case.id, case.order(), case.id) for case, one in sourced]
    asked = {case.id: {one.code for one in case.deliveries.values()} for case, _ in sourced}  # more may come meanwhile

    async def change(order: Order, look_first: bool) -> Receipt:
        return await here.erp.change(order, look_first=look_first)

    outcomes = await carry_out(here, "erp.change", jobs, change, chunk=chunk)

    def decide(case: Case, outcome: Outcome) -> str:
        if outcome.receipt is None:
            return hold(case, chunk.step, HoldReason.ERP_REFUSED, outcome.error or "refused")
        fresh = [one for one in case.deliveries.values() if one.state is DeliveryState.SOURCED]
        told = [one for one in fresh if one.code in asked[case.id]]
        for one in told:
            deliveries.end(case, one.code, DeliveryState.PLANNED, one.why)
        text = f"ERP sale order {outcome.receipt.reference} reserves where {', '.join(one.code for one in told)} ships"
        cause = f"source:reserved:{','.join(one.code for one in told)}"
        case.take(Event.NOTED, cause=cause, actor="ballast", text=text)
        case.reschedule()
        return "reserved anew"

    tally = await settle(here, chunk, cases, jobs, outcomes, decide) if jobs else Tally()
    raise_if_down(jobs, outcomes)
    return tally
