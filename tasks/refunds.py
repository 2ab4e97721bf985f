"""Refunds that were asked for and of which no notice came: the provider is asked, its answer acts like the notice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from prefect import task

from adapters.errors import OutsideError, Unavailable, UnknownCode
from ballast.db import cases as orders
from ballast.db import money_news, moves, news, refunding
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.payments import OpenRefund, ask_later
from ballast.db.status_map import added_codes
from ballast.points import Point, reached
from ballast.wiring import house
from tasks.alarms import hold_alerts, refund_alerts, unknown_code_alert
from tasks.chunks import Tally
from tasks.listening import Answer, ask_all, knows_nothing, nobody_answered
from tasks.policy import CHUNK, SystemDown


@task(name="ask about refunds", tags=["payment"], **CHUNK)
async def ask_about_refunds(batch: Sequence[OpenRefund]) -> Tally:
    """Ask about each refund and let the answer act; one that is still under way is asked about again later.

    One that was not answered is due again when its claim ends. Raises `SystemDown` when none was.
    """
    here = await house()
    async with here.transaction() as tx:
        here.added_codes = await added_codes(tx)
    answers = await ask_all({one.refund_no: here.payment.ask_refund(one.order_no, one.refund_no) for one in batch})
    reached("refunds", Point.CALLED)
    if nobody_answered(answers):
        raise SystemDown(f"{next(iter(answers.values()))}: {len(answers)} refunds could not be asked about")
    async with here.moving("refunds") as tx:
        now, ids = here.clock.now(), {one.order_id for one in batch}
        cases = {case.id: case for case in await orders.load(tx, now=now, waits=here.waits, ids=ids)}
        tally = Counter(_apply(cases[one.order_id], one, answers[one.refund_no]) for one in batch)
        await moves.write(tx, list(cases.values()))
        answered = [number for number, answer in answers.items() if not isinstance(answer, Unavailable)]
        await ask_later(tx, answered, now + here.settings.patience.refund_quiet)
        alerts = hold_alerts(list(cases.values())) + refund_alerts(list(cases.values()))
        await raise_alerts(tx, alerts + _puzzles(batch, answers), now)
    return tally


def _apply(case: Case, refund: OpenRefund, answer: Answer) -> str:
    """Let one answer act; the word for the tally. Its notice, should it come after all, finds the refund known."""
    if isinstance(answer, OutsideError):
        return "not answered"
    if knows_nothing(answer):
        case.send_once_more("payment.refund", refunding.part_of(refund.refund_no))
        return "not known, asked for again"
    ended = [one for one in answer if one.event in money_news.REFUND_STATES]
    for one in ended:
        news.apply(case, one)
    return money_news.REFUND_STATES[ended[-1].event] if ended else "under way"


def _puzzles(batch: Sequence[OpenRefund], answers: Mapping[str, Answer]) -> list[dict[str, Any]]:
    """What people have to mend before the provider can be asked; rings once per refund, or per unknown code."""
    alerts = []
    for one in batch:
        answer = answers[one.refund_no]
        if isinstance(answer, UnknownCode):
            alerts.append(unknown_code_alert(answer))
        elif isinstance(answer, OutsideError) and not isinstance(answer, Unavailable):
            title = f"{one.order_no}: the provider does not say what became of a refund"
            text = f"refund {one.refund_no}: {answer}; look into the payment console"
            key = f"refund-unanswered:{one.refund_no}"
            alerts.append({"key": key, "level": "warning", "order_id": one.order_id, "title": title, "text": text})
    return alerts
