"""Close the runs that a dead process left behind."""

from prefect import flow
from prefect.runtime import flow_run

from ballast.db.beats import forget_old
from flows.runs import start
from tasks.dead_runs import close_dead_runs


@flow(name="close-runs", flow_run_name="close-runs")
async def close_runs() -> None:
    """Close the runs that a dead process left behind, so that they hold no slots. Runs that live are left alone."""
    run = await start("close-runs")
    here = run.house
    run.tally.update(await close_dead_runs(here, FLOWS, but=flow_run.id))
    async with here.transaction() as tx:
        await forget_old(tx, here.clock.machine_now())
    await run.finish()


FLOWS = (
    "take-orders",
    "confirm-payment",
    "lock-stock",
    "ship-out",
    "track-transit",
    "sign-off",
    "read-inbox",
    "send-outbox",
    "send-alerts",
    "watch-sla",
    "sync-inventory",
    "call-off",
    "rerun-orders",
    "check-stock",
    "list-refunds",
    "close-day",
    "report",
    "report-channels",
    "draw-charts",
    "ask-refunds",
    "handle-returns",
    "reconcile",
    "prune-books",
    "score-customers",
    "cancel-orders",
    "hold-orders",
    "edit-orders",
    "answer-alerts",
    "answer-returns",
    "sum-up",
    "publish-status-map",
    "close-runs",
)
"""Every flow of ours; other programs may share the Prefect server."""
