"""One order again, by hand: release it if it is held, then do its step at once, and say where it stands."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

from prefect import task

from adapters.errors import OutsideError
from ballast.clock import to_local
from ballast.db import cases as orders
from ballast.db import moves
from ballast.db.archive import say_where
from ballast.db.case import Case
from ballast.db.claims import Chunk, claim_one, give_back
from ballast.db.outbox import send_again
from ballast.domain.life_cycle import CALLED_OFF
from ballast.domain.words import STATE_LABELS, Event, HoldReason, State, Step
from ballast.points import Point, reached
from ballast.wiring import House, house
from tasks.calling_off import call_off_chunk
from tasks.chunks import Tally
from tasks.closing import sign_off_chunk
from tasks.courier import ask_courier
from tasks.erp import reserve_stock
from tasks.payment import check_charges
from tasks.policy import ALONE, CUT_OFF, SystemDown
from tasks.wms import hand_to_warehouse

WORK: dict[Step, Callable[[Chunk], Awaitable[Tally]]] = {
    Step.CONFIRM_PAYMENT: check_charges.fn,
    Step.LOCK_STOCK: reserve_stock.fn,
    Step.SHIP_OUT: hand_to_warehouse.fn,
    Step.TRACK_TRANSIT: ask_courier.fn,
    Step.SIGN_OFF: sign_off_chunk.fn,
    Step.CALL_OFF: call_off_chunk.fn,
}


@task(name="rerun order", task_run_name="rerun {order_no}", tags=["rerun"], **ALONE)
async def rerun_order(order_no: str, by: str, note: str, dry_run: bool) -> str:
    """Release and redo one order; a sentence that says what happened.

    Unknown and finished orders change nothing, nor do those that are not on hold, unless their last attempt failed.
    """
    here = await house()
    reached("rerun", Point.BEFORE)
    async with here.moving("rerun") as tx:
        found = await orders.load(tx, now=here.clock.now(), waits=here.waits, order_nos=[order_no])
        if not found:
            return await say_where(tx, order_no)
        what = _prepare(found[0], by, note)
        if dry_run:
            return f"would be {what}" if found[0].touched else what
        await moves.write(tx, found)
        again = await send_again(tx, [found[0].id], here.clock.now())
    if not found[0].touched:
        return f"{what}; {again} message(s) sent again" if again else what
    if found[0].standing.state is State.CLOSED:
        return f"{what}; now {State.CLOSED}"
    return f"{what}; {await _redo(here, order_no)}"


def _prepare(case: Case, by: str, note: str) -> str:
    """Make the order due now. Nothing is written when it has nothing to do."""
    state = case.standing.state
    if state in (State.SIGNED, State.CLOSED):
        return f"{STATE_LABELS[state].en}: nothing to rerun"
    if wait := _called_off_now(case):
        return wait
    what = ""
    if state is State.ON_HOLD and case.due and case.standing.reason is HoldReason.REFUNDED_ON_THE_WAY:
        what = "being called off, pulled forward"
        case.events.append(_asked(case, by, note))
    elif state is State.ON_HOLD:
        what = f"released from {case.standing.reason}"
        case.take(Event.RELEASED, cause=f"release:v{case.version}", actor=f"person:{by}", text=note, note=note)
    elif case.lease_owner and case.due and case.due[1] > case.now:
        return "a run is working on it at this moment"
    elif case.due is None or not case.attempts:
        return f"not on hold: {STATE_LABELS[state].en}{_next(case)}"
    else:
        what = f"failed at {case.due[0]} and waits for its next attempt, pulled forward"
        case.events.append(_asked(case, by, note))
    case.touched, case.attempts, case.lease_owner = True, 0, None
    if case.due:
        case.due = (case.due[0], case.now)
    return what


def _called_off_now(case: Case) -> str:
    """Why an order that is being called off cannot be touched at this moment; empty when it can.

    Let go on now, it would go on while the others stop it. Called off now, the call of a step that is still under way
    would come behind it, and leave behind what it made.
    """
    reason, due = case.standing.reason, case.due
    if reason not in CALLED_OFF or due is None or due[0] is not Step.CALL_OFF or due[1] <= case.now:
        return ""
    if case.lease_owner:
        return "a run is calling it off at this moment"
    if reason is HoldReason.REFUNDED_ON_THE_WAY and not case.attempts:  # a failed attempt ended, and only pauses
        return f"being called off: a step was at work on it{_next(case)}"
    return ""


def _next(case: Case) -> str:
    return f", {case.due[0]} looks at it at {to_local(max(case.due[1], case.now))}" if case.due else ""


def _asked(case: Case, by: str, note: str) -> dict[str, object]:
    return {
        "order_id": case.id,
        "cause": f"rerun:v{case.version}",
        "event": Event.NOTED,
        "from_state": case.standing.state,
        "to_state": case.standing.state,
        "moved": False,
        "actor": f"person:{by}",
        "happened_at": case.now,
        "recorded_at": case.now,
        "text": f"rerun asked for. {note}".strip(),
    }


async def _redo(here: House, order_no: str) -> str:
    async with here.transaction() as tx:
        chunk = await claim_one(
            tx, order_no, owner=f"rerun:{uuid4().hex[:12]}", now=here.clock.now(), until=here.lease()
        )
    if chunk is None:
        return "its step is done by another run"
    try:
        tally = await WORK[chunk.step](chunk)
    except (SystemDown, OutsideError) as down:
        async with here.transaction() as tx:
            await give_back(tx, chunk, here.back_off(1))
        return f"{chunk.step}: {down}"
    except asyncio.CancelledError:  # the run is being stopped: do not make the order wait for the lease to end
        async with here.transaction() as tx:
            await give_back(tx, chunk, here.clock.after(CUT_OFF))
        raise
    async with here.transaction() as tx:
        case = (await orders.load(tx, now=here.clock.now(), waits=here.waits, order_nos=[order_no], lock=False))[0]
    words = ", ".join(tally) or "nothing to do"
    reason = f" ({case.standing.reason})" if case.standing.reason else ""
    return f"{chunk.step}: {words}; now {case.standing.state}{reason}"
