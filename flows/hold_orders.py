"""Put orders on hold by hand: the form of the Prefect UI, and `ballast hold`."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from ballast.db.holds import numbers_in
from flows.rerun_orders import NothingChosen
from flows.runs import answer_each, start
from tasks.holding import hold_order


@flow(name="hold-orders", flow_run_name="hold-orders")
async def hold_orders(
    order_numbers: tuple[str, ...] = (),
    why: Annotated[str, Field(max_length=500)] = "",
    by: Annotated[str, Field(min_length=1, max_length=60)] = "operator",
    dry_run: bool = False,
) -> dict[str, str]:
    """Put orders on hold until somebody reruns them: no step goes on with them, news of them is kept.

    What is with the warehouse or the courier is not stopped there. Orders that are unknown, finished or on hold already
    say so and change nothing; the others go on.

    Args:
        order_numbers: The orders by number, one per entry or several with commas. 订单号, 每行一个或用逗号分隔
        why: The evidence of the hold, in your words. 挂起原因, 写入订单时间线
        by: Your name, for the timeline. 操作人
        dry_run: Only say what would happen. 仅预览, 不做改动
    """
    numbers = numbers_in(order_numbers)
    if not numbers:
        raise NothingChosen("say which orders by their numbers; nothing was changed")
    run = await start("hold-orders")
    return await answer_each(run, numbers, lambda no: hold_order(no, why or "no reason given", by, dry_run))
