"""Changing an order by hand: who asks hears at once what comes of it; a warehouse that has it is asked by the steps."""

from prefect import task

from ballast.db import cases as orders
from ballast.db import editing, moves
from ballast.db.alerts import raise_alerts
from ballast.db.archive import say_where
from ballast.domain.editing import Change, NotChanged
from ballast.points import Point, reached
from ballast.wiring import House, house
from tasks.alarms import refund_alerts
from tasks.policy import ALONE


async def edit_order(here: House, order_no: str, change: Change, *, by: str, dry_run: bool = False) -> str:
    """Ask for a change of one order; a sentence that says what comes of it. Raises `NotChanged`, `ValueError`."""
    reached("edit", Point.BEFORE)
    async with here.moving("edit") as tx:
        await here.rules.current(tx, here.clock.now())
        found = await orders.load(tx, now=here.clock.now(), waits=here.waits, order_nos=[order_no])
        if not found:
            return await say_where(tx, order_no)
        if dry_run:
            return f"would be: {editing.ask(found[0], change, by=by)}"
        said = await editing.edit(tx, found[0], change, by=by)
        await moves.write(tx, found)
        await raise_alerts(tx, refund_alerts(found), here.clock.now())
    return said


@task(name="change order", task_run_name="change {order_no}", tags=["edit"], **ALONE)
async def change_order(order_no: str, change: Change, by: str, dry_run: bool) -> str:
    """`edit_order` for the form: a refusal is an answer like any other."""
    try:
        return await edit_order(await house(), order_no, change, by=by, dry_run=dry_run)
    except NotChanged as refused:
        return f"not changed: {refused}"
