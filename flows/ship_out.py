"""Hand locked orders to the warehouse, and ask about those it has been quiet about."""

from prefect import flow

from ballast.domain.words import Step
from flows.runs import run_step
from tasks.wms import hand_to_warehouse


@flow(name="ship-out", flow_run_name="ship-out")
async def ship_out(linger: float = 0.0) -> None:
    """Hand locked orders to the warehouse, and ask about those it has been quiet about.

    A lost webhook of the warehouse, of one parcel or of all, is found within BALLAST_PATIENCE__WAREHOUSE_QUIET (twelve
    hours of business time) after the last news of the order, by the listener's next look (a second), or, where no
    listener runs, by the next sweep (a minute). An order of which the warehouse then knows nothing is handed over
    again. A held order is asked about as long as news can end its hold, any other by the rerun that releases it.

    Args:
        linger: Seconds to stay for more work; 0 ends the run when nothing is due. 无事可做后再停留的秒数
    """
    await run_step(Step.SHIP_OUT, hand_to_warehouse, linger)
