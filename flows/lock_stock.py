"""Reserve the goods of every paid order: our ledger first, then the ERP's sale order."""

from prefect import flow

from ballast.domain.words import Step
from flows.runs import run_step
from tasks.erp import reserve_stock


@flow(name="lock-stock", flow_run_name="lock-stock")
async def lock_stock(linger: float = 0.0) -> None:
    """Reserve the goods of every paid order: our ledger first, then the ERP's sale order.

    Args:
        linger: Seconds to stay for more work; 0 ends the run when nothing is due. 无事可做后再停留的秒数
    """
    await run_step(Step.LOCK_STOCK, reserve_stock, linger)
