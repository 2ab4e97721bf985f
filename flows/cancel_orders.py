"""Cancel orders by hand: the form of the Prefect UI, and `ballast cancel`."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from ballast.db.holds import numbers_in
from flows.rerun_orders import NothingChosen
from flows.runs import answer_each, start
from tasks.calling_off import cancel_order


@flow(name="cancel-orders", flow_run_name="cancel-orders")
async def cancel_orders(
    order_numbers: tuple[str, ...] = (),
    why: Annotated[str, Field(max_length=500)] = "",
    by: Annotated[str, Field(min_length=1, max_length=60)] = "operator",
    dry_run: bool = False,
) -> dict[str, str]:
    """Cancel orders: stop them at the warehouse and in the ERP, free their stock, give their money back, close them.

    What has left the warehouse cannot be cancelled: it goes on its way, and a return is opened for a person. Orders
    that are unknown or closed say so and change nothing; the others go on.

    Args:
        order_numbers: The orders by number, one per entry or several with commas. 订单号, 每行一个或用逗号分隔
        why: Goes into each order's timeline. 取消原因, 写入订单时间线
        by: Your name, for the timeline. 操作人
        dry_run: Only say what would happen. 仅预览, 不做改动
    """
    numbers = numbers_in(order_numbers)
    if not numbers:
        raise NothingChosen("say which orders by their numbers; nothing was changed")
    run = await start("cancel-orders")
    return await answer_each(run, numbers, lambda no: cancel_order(no, why or "no reason given", by, dry_run))
