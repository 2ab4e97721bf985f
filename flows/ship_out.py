"""Hand locked orders to the warehouse, and ask about those it has been quiet about."""

from prefect import flow

from ballast.domain.words import Step
from flows.runs import run_step
from tasks.wms import hand_to_warehouse


@flow(name="ship-out", flow_run_name="ship-out")
async def ship_out(linger: float = 0.0) -> None:
    """Hand locked orders to the warehouse, and ask about those it has been quiet about.

    A lost webhook of the warehouse is found within BALLAST_PATIENCE__WAREHOUSE_QUIET (twelve hours of business time)
    after its last word, by the listener's next look (a second), or, where no listener runs, by the next sweep (a
    minute). An order of which the warehouse then knows nothing is handed over again.

    linger: seconds to stay for more work; 0 ends the run when nothing is due.
    """
    await run_step(Step.SHIP_OUT, hand_to_warehouse, linger)
