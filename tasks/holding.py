"""Holding by hand: a person stops an order until a person lets it go on."""

from prefect import task

from ballast.db import cases as orders
from ballast.db import moves
from ballast.db.alerts import raise_alerts
from ballast.db.archive import say_where
from ballast.db.case import Case
from ballast.domain.life_cycle import after
from ballast.domain.words import STATE_LABELS, Event, HoldReason, State
from ballast.points import Point, reached
from ballast.wiring import house
from tasks.alarms import hold_alerts
from tasks.policy import ALONE


@task(name="hold order", task_run_name="hold {order_no}", tags=["hold"], **ALONE)
async def hold_order(order_no: str, why: str, by: str, dry_run: bool) -> str:
    """Put one order on hold; a sentence that says what came of it. Unknown, finished, held ones change nothing."""
    here = await house()
    reached("hold", Point.BEFORE)
    async with here.moving("hold") as tx:
        found = await orders.load(tx, now=here.clock.now(), waits=here.waits, order_nos=[order_no])
        if not found:
            return await say_where(tx, order_no)
        said = _hold(found[0], why, by)
        if dry_run:
            return f"would be {said}" if found[0].touched else said
        await moves.write(tx, found)
        await raise_alerts(tx, hold_alerts(found), here.clock.now())
    return said


def _hold(case: Case, why: str, by: str) -> str:
    before = case.standing
    if after(before, Event.HELD, HoldReason.BY_HAND) is None:
        if before.reason:
            return f"on hold already: {before.reason}"
        return f"{STATE_LABELS[before.state].en}: nothing to hold"
    said = [f"held; it was {before.state}"]
    if before.reason:
        said = [f"held; it was on hold for {before.reason}, which could have ended by itself"]
    if case.lease_owner and case.due and case.due[1] > case.now:
        said.append("a step is at work on it: what that has sent stays sent")
    if case.with_warehouse and case.place is State.STOCK_LOCKED:
        said.append("the warehouse has it and goes on: stop it there, or cancel the order")
    cause = f"hold:v{case.version}"
    case.take(Event.HELD, cause=cause, actor=f"person:{by}", text=why, reason=HoldReason.BY_HAND, evidence=why)
    return "; ".join(said)
