"""Say what one code means: the form of the Prefect UI. Whole dictionaries: `ballast status-map publish`."""

from typing import Annotated, Literal

from prefect import flow
from pydantic import Field

from ballast.domain.status_check import Row
from ballast.domain.status_map import leads_to_text
from ballast.domain.words import Event, HoldReason
from flows.runs import Run, start
from tasks.chunks import Tally
from tasks.status_map import MOST_ORDERS, NEW_ROW, Preview, preview_code, publish_code

Speaker = Literal["direct", "kdniao", "kingdee", "qimen", "wechat", "wechatpay"]
"""The systems that have codes, as a list to choose from."""
Meant = Literal[
    "NOTED", "HELD", "PAYMENT_CAPTURED", "PAYMENT_ENDED", "REFUNDED", "WAREHOUSE_PROGRESS", "PARTLY_SHIPPED", "SHIPPED",
    "WAREHOUSE_CANCELLED", "SCANNED", "PARCEL_SIGNED", "RECEIPT_CONFIRMED", "CANCEL_ASKED",
]  # fmt: skip
"""What a code can mean; which system may say which is checked when the form is sent."""


@flow(name="publish-status-map", flow_run_name="publish-status-map")
async def publish_status_map(
    system: Speaker,
    field: Annotated[str, Field(min_length=1, max_length=200)],
    code: Annotated[str, Field(min_length=1, max_length=200)],
    event: Meant,
    reason: HoldReason | None = None,
    note: Annotated[str, Field(max_length=500)] = "",
    by: Annotated[str, Field(min_length=1, max_length=60)] = "operator",
    dry_run: bool = False,
) -> None:
    """Say what a code of a system means, then have the messages read that waited for it.

    The table shows what the row was and becomes, and what each parked message would do to its order. A row that cannot
    be is refused, and the run says why; nothing was changed then.

    Args:
        system: Whose code it is. 系统
        field: The field that holds the code, as the alert names it. 字段
        code: The code, exactly as they write it. 代码
        event: What it means to an order. 含义
        reason: Why it is held; with HELD only. 挂起原因, 仅 HELD
        note: Their own word for it, or where it is said. 备注
        by: Your name. 操作人
        dry_run: Only show what would happen. 仅预览, 不做改动
    """
    row = Row(NEW_ROW, system, field, code, event, str(reason or ""), note)
    seen = await preview_code(row)
    run = await start("publish-status-map")
    run.table = _table(run, seen)
    if dry_run:
        would = {"rows would change": len(seen.changes), "messages would be readable": seen.readable}
        run.tally.update(Tally(would | {"orders would move": seen.moved}))
    else:
        published = await publish_code(row, f"{system} {field} {code} is {event}", by)
        run.tally.update(Tally({"rows published": len(published.changes), "messages read again": published.replayed}))
    await run.finish()


def _table(run: Run, seen: Preview) -> list[dict[str, str]]:
    rows = [
        {"what": str(one.kind), "which": one.entry.name, "was": one.before.meant if one.before else "",
         "becomes": f"{one.entry.meant} ({leads_to_text(Event(one.entry.event)) or 'moves nothing'})",
         "messages": f"{seen.said_by(one)} orders said it last"}
        for one in seen.changes
    ]  # fmt: skip
    parked = {"what": "parked messages", "which": f"{seen.parked} of this system", "was": "parked"}
    rows.append({**parked, "becomes": f"{seen.readable} readable, {seen.waiting} of them wait for their order",
                 "messages": str(seen.parked)})  # fmt: skip
    rows += [
        {"what": "order", "which": run.house.order_link(one.order_no), "was": one.now, "becomes": one.then,
         "messages": str(one.messages)}
        for one in seen.orders[:MOST_ORDERS]
    ]  # fmt: skip
    return rows
