"""Answer alerts by hand: the form of the Prefect UI. `ballast alerts` and the alert's own page do the same."""

from enum import StrEnum
from typing import Annotated

from prefect import flow
from pydantic import Field

from ballast.db.answering import LONGEST_NAME, LONGEST_NOTE, Answered
from flows.runs import Run, first_words, start
from tasks.answering import answer_alerts_of
from tasks.chunks import Tally


class Answer(StrEnum):
    """What a person says of an alert."""

    ACKNOWLEDGE = "acknowledge"  # I look after it: it climbs no further
    RESOLVE = "resolve"  # it is dealt with


@flow(name="answer-alerts", flow_run_name="answer-alerts")
async def answer_alerts(
    alert_numbers: tuple[str, ...] = (),
    order_numbers: tuple[str, ...] = (),
    answer: Answer = Answer.ACKNOWLEDGE,
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = "",
    by: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] = "operator",
    dry_run: bool = False,
) -> dict[str, str]:
    """Acknowledge alerts (somebody looks after them: they climb no further), or resolve them (they are dealt with).

    Name them by their numbers, as the message shows them, or by orders: then all open alerts of these. Numbers that are
    unknown, answered or over say so and change nothing; the others go on. An order's hold has an owner from then on.

    Args:
        alert_numbers: The alerts by number, one per entry or several with commas. 告警编号, 每行一个或用逗号分隔
        order_numbers: Or all open alerts of these orders. 或这些订单的全部未结告警
        answer: acknowledge: I look after it; resolve: it is dealt with. acknowledge 接手处理; resolve 已处理完毕
        note: What you found or did. 备注, 保存在告警中
        by: Your name, kept with the alert. 处理人
        dry_run: Only say what would happen. 仅预览, 不做改动
    """
    run = await start("answer-alerts")
    answers = await answer_alerts_of(alert_numbers, order_numbers, by, answer is Answer.RESOLVE, note, dry_run)
    run.table = [_row(run, one) for one in answers]
    run.tally.update(Tally(first_words(one.said) for one in answers))
    await run.finish()
    return {one.named: one.said for one in answers}


def _row(run: Run, one: Answered) -> dict[str, str]:
    alert = one.alert
    if alert is None:
        return {"alert": one.named, "what happened": one.said, "order": "", "title": "", "note": ""}
    link = run.house.alert_link(alert.id)
    return {
        "alert": f"[{one.named}]({link})" if link else one.named,
        "what happened": one.said,
        "order": run.house.order_link(alert.order_no) if alert.order_no else "",
        "title": alert.title,
        "note": alert.note,
    }
