"""Rerun orders by hand: the form of the Prefect UI, and `ballast rerun`."""

from datetime import datetime
from typing import Annotated

from prefect import flow
from pydantic import Field

from ballast.db.holds import which_to_rerun
from ballast.domain.words import HoldReason, State
from flows.runs import answer_each, first_words, start
from tasks.rerun import rerun_order

MOST = 2000


class NothingChosen(ValueError):
    """The form was sent empty: fill in a number, a reason or a time."""


@flow(name="rerun-orders", flow_run_name="rerun-orders")
async def rerun_orders(
    order_numbers: tuple[str, ...] = (),
    hold_reason: HoldReason | None = None,
    held_since: datetime | None = None,
    held_until: datetime | None = None,
    note: Annotated[str, Field(max_length=500)] = "",
    by: Annotated[str, Field(min_length=1, max_length=60)] = "operator",
    dry_run: bool = False,
) -> dict[str, str]:
    """Release held orders and do their step again, one task run per order.

    Name orders by number, or choose all that are held for a reason or since a time. Orders that are unknown, finished
    or not on hold say so and change nothing (one that failed and waits for its next attempt is tried at once); the
    others go on. A time alone takes only what another system refused or did not answer:
    a release of any other hold is a judgement about one order.

    Args:
        order_numbers: The orders by number, one per entry or several with commas. 订单号, 每行一个或用逗号分隔
        hold_reason: Or every order held for this reason. 或按挂起原因
        held_since: Held at or after this time. 挂起时间 (起)
        held_until: Held before this time. 挂起时间 (止)
        note: Goes into each order's timeline. 备注, 写入订单时间线
        by: Your name, for the timeline. 操作人
        dry_run: Only say what would happen. 仅预览, 不做改动
    """
    if not (any(map(str.strip, order_numbers)) or hold_reason or held_since or held_until):
        raise NothingChosen("say which orders: numbers, a hold reason, or a time; nothing was changed")
    run = await start("rerun-orders")
    async with run.house.transaction() as tx:
        numbers = await which_to_rerun(
            tx, order_nos=order_numbers, reason=hold_reason, since=held_since, until=held_until, most=MOST
        )
    return await answer_each(run, numbers, lambda no: rerun_order(no, by, note, dry_run), _word)


def _word(what: str) -> str:
    if f"now {State.ON_HOLD}" in what:
        return "held again"
    return "released" if what.startswith("released") else first_words(what).split(",")[0]
