"""Change an order by hand: the form of the Prefect UI. `ballast order edit` and `ballast order merge` do the same."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from ballast.domain.editing import Change
from flows.rerun_orders import NothingChosen
from flows.runs import answer_each, start
from tasks.editing import change_order
from tasks.merging import merge_into

Part = Annotated[str, Field(max_length=200)]


@flow(name="edit-orders", flow_run_name="edit-orders")
async def edit_orders(
    order_number: str = "",
    name: Part = "",
    mobile: Part = "",
    province: Part = "",
    city: Part = "",
    district: Part = "",
    address: Part = "",
    pieces: dict[int, Annotated[int, Field(ge=0)]] | None = None,
    merge: list[str] | None = None,
    by: Annotated[str, Field(min_length=1, max_length=60)] = "operator",
    dry_run: bool = False,
) -> dict[str, str]:
    """Change whom an order goes to, or how many pieces of its lines are wanted; or take other open orders into it.

    What was paid for more goes back. Until its stock is locked at once; after that its warehouse is asked to let go
    first. What has left is not changed.

    Args:
        order_number: The order by its number. 订单号
        name: The new receiver; empty: as it is. 收件人, 不填则不变
        mobile: The new number; empty: as it is. 手机, 不填则不变
        province: Empty: as it is. 省, 不填则不变
        city: Empty: as it is. 市, 不填则不变
        district: Empty: as it is. 区县, 不填则不变
        address: The new street and house; empty: as it is. 详细地址, 不填则不变
        pieces: Line number to pieces, {"2": 3}; 0 takes the line out. 行号对应件数, 0 为去掉该行
        merge: Order numbers of the same customer and address that become one with it. 并入该订单的其他订单号
        by: Your name, for the timeline. 操作人
        dry_run: Only say what would happen. 仅预览, 不做改动
    """
    said = {"name": name, "mobile": mobile, "province": province, "city": city, "district": district}
    receiver = {part: text for part, text in (said | {"address": address}).items() if text}
    if not order_number or not (receiver or pieces or merge):
        raise NothingChosen("say which order, and what is to be changed of it; nothing was changed")
    if merge and (receiver or pieces):
        raise NothingChosen("merge first, then change what came of it; nothing was changed")
    run = await start("edit-orders")
    if merge:
        return await answer_each(run, [order_number.strip()], lambda no: merge_into(no, merge, by, dry_run))
    change = Change(receiver=receiver, quantities=pieces or {})
    return await answer_each(run, [order_number.strip()], lambda no: change_order(no, change, by, dry_run))
