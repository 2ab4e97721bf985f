"""What every other system says of every order when it is asked, before and after mending, as figures of the demo."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.engine import rows
from ballast.wiring import close_house
from deployments.rehearsal.stage import Stage

MOST = 100_000
"""Orders that the form takes."""
LINGER = 60.0
"""Seconds: what was sent again has to get through a world that misbehaves."""


async def accuracy_figures(stage: Stage, orders: int, engine: AsyncEngine) -> dict[str, Any]:
    """{"accuracy_before", "accuracy_after", "drifted", "interventions_per_order"} of all orders.

    Accuracy is the share of orders of which every system that answered says what Ballast says. An intervention is a
    line of an order's history that a person made.
    """
    stage.console.print("every system is asked what it says of every order ...")
    found = await _reconcile(min(max(orders, 1), MOST))
    async with engine.connect() as tx:
        by_people = "select count(*) from order_event where actor = 'person' or actor like 'person:%'"
        interventions = int((await rows(tx, by_people))[0][0])
    return {
        "accuracy_before": found["before"]["overall"]["share"],
        "accuracy_after": found["after"]["overall"]["share"],
        "drifted": found["drifted"],
        "not_answered": sum(one["no_answer"] for one in found["not_asked"].values()),
        "interventions_per_order": interventions / orders if orders else 0.0,
    }


async def _reconcile(sample: int) -> dict[str, Any]:
    from flows.reconcile import reconcile  # Prefect reads PREFECT_API_URL when it is imported

    try:
        return await reconcile(sample=sample, by="demo", linger=LINGER)
    finally:
        await close_house()
