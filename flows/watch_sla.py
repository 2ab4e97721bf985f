"""Watch the clocks of the SLA policy: what takes too long is seen, told, and an event that automations react to."""

from prefect import flow
from prefect.events import emit_event

from ballast.clock import to_local
from ballast.db.clocks import SeenBreach
from ballast.wiring import House
from flows.runs import start
from tasks.plainly import is_plain, seen
from tasks.sla import read_clocks, take_on_policy

MOST_EVENTS, MOST_ROWS = 2000, 200
"""Of one run. Should a new policy find more at once, the books have all breaches, and the alerts of all go out."""


@flow(name="watch-sla", flow_run_name="watch-sla")
async def watch_sla(linger: float = 0.0) -> None:
    """Watch the clocks of the SLA policy: what takes too long is seen, told, and an event that automations react to.

    Which clocks there are, their thresholds, and who hears of a breach stands in rules/sla.yaml; a change of the file
    is taken on here. Every breach is kept (`ballast report`), raises an alert, and is a Prefect event
    `ballast.sla.yellow` or `ballast.sla.red`. The cost of a run follows the number of breaches, not of orders.

    Args:
        linger: Not used; one run reads all clocks that are due. 未使用
    """
    run = await start("watch-sla")
    run.tally.update(await seen(take_on_policy)())
    watched = await seen(read_clocks)()
    run.tally.update(watched.tally)
    for breach in watched.fresh[:MOST_EVENTS]:
        _emit(breach)
    run.table = [_row(run.house, breach) for breach in watched.fresh[:MOST_ROWS]]
    await run.finish()


def _emit(seen: SeenBreach) -> None:
    if is_plain():
        return
    order, breach = seen.order, seen.breach
    emit_event(
        event=f"ballast.sla.{breach.level}",
        resource={
            "prefect.resource.id": f"ballast.order.{order.order_no}",
            "prefect.resource.name": order.order_no,
            "ballast.clock": breach.clock.name,
        },
        payload={
            "order_no": order.order_no,
            "clock": breach.clock.name,
            "level": str(breach.level),
            "state": str(order.standing),
            "started_at": breach.started_at.isoformat(),
            "due_at": breach.due_at.isoformat(),
            "ended_at": breach.ended_at.isoformat() if breach.ended_at else None,
        },
    )


def _row(here: House, seen: SeenBreach) -> dict[str, str]:
    order, breach = seen.order, seen.breach
    return {
        "order": here.order_link(order.order_no),
        "level": str(breach.level),
        "clock": breach.clock.label,
        "since": to_local(breach.started_at),
        "over the limit since": to_local(breach.due_at),
        "state": f"{order.standing} {order.reason}".strip(),
        "parcels": ", ".join(order.waybills),
        "over": to_local(breach.ended_at) if breach.ended_at else "",
    }
