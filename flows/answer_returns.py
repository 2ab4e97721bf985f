"""Answer returns by hand: the form of the Prefect UI. `ballast returns answer` does the same."""

from enum import StrEnum
from typing import Annotated

from prefect import flow
from pydantic import Field

from ballast.db.holds import numbers_in
from flows.rerun_orders import NothingChosen
from flows.runs import answer_each, start
from tasks.returns import Wish, answer_return


class Verdict(StrEnum):
    """What a person says of a return."""

    APPROVE = "approve"  # the goods may come back
    REJECT = "reject"  # they may not


@flow(name="answer-returns", flow_run_name="answer-returns")
async def answer_returns(
    return_numbers: tuple[str, ...] = (),
    answer: Verdict = Verdict.APPROVE,
    note: Annotated[str, Field(max_length=500)] = "",
    refund_freight: bool = False,
    customer_keeps_goods: bool = False,
    by: Annotated[str, Field(min_length=1, max_length=60)] = "operator",
) -> dict[str, str]:
    """Answer returns and exchanges that no rule answered: their four-hour clock ends, the warehouse is told.

    Name them by their numbers (RT-...), or by their orders where only one waits. Those that are unknown or answered say
    so and change nothing; the others go on.

    Args:
        return_numbers: The returns by number, one per entry or with commas. 退货单号或订单号, 可用逗号分隔
        answer: approve: the goods may come back; reject: they may not. approve 同意; reject 拒绝
        note: What the customer is told, and why. 备注, 写入订单时间线
        refund_freight: What was paid for freight goes back, too. 同时退还运费
        customer_keeps_goods: The money goes back at once, nothing comes back. 仅退款, 不退货
        by: Your name, for the timeline. 处理人
    """
    numbers = numbers_in(return_numbers)
    if not numbers:
        raise NothingChosen("say which returns by their numbers; nothing was changed")
    run = await start("answer-returns")
    wish = Wish(
        approve=answer is Verdict.APPROVE, words=note, by=by, freight=refund_freight, goods=not customer_keeps_goods
    )
    return await answer_each(run, numbers, lambda number: answer_return(number, wish))
