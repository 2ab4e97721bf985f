"""Money: check what was captured against the order, ask about what is missing, give back what is too much."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import OutsideError, UnknownCode
from ballast.db import cases as orders
from ballast.db import money_news, moves, news, refunding
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.case_parts import ChargeCase
from ballast.db.claims import Chunk
from ballast.db.outbox import Outgoing, end_messages
from ballast.db.payments import mark_charges, record_refunds, refuse_refunds, tried
from ballast.domain.life_cycle import MAY_BE_UNPAID, TooEarly
from ballast.domain.money import Money
from ballast.domain.payments import judge, transaction_key
from ballast.domain.words import Event, HoldReason, State, Step
from ballast.points import Point, reached
from ballast.ports import Receipt, RefundRequest
from ballast.wiring import House, house
from tasks.alarms import hold_alerts, refund_alerts, surplus_alerts, unknown_code_alert
from tasks.chunks import Tally, hold, later, open_chunk
from tasks.deliveries import deliver
from tasks.listening import Answer, ask_all, nobody_answered
from tasks.policy import CHUNK, SystemDown


@task(name="check charges", tags=["payment"], **CHUNK)
async def check_charges(chunk: Chunk) -> Tally:
    """Confirm the orders whose charges cover them; ask the provider about those without a charge, and held ones."""
    here = await house()
    cases = await open_chunk(here, chunk)
    silent = [case for case in cases if not case.charges or case.standing.state is State.ON_HOLD]
    answers = await ask_all({case.id: here.payment.ask(case.order_no) for case in silent})
    reached(chunk.step, Point.CALLED)
    down = nobody_answered(answers)
    tally = Tally()
    async with here.moving(chunk.step) as tx:
        held = await orders.lock(tx, cases, now=here.clock.now(), waits=here.waits, lease_owner=chunk.owner)
        for case in held:
            if down and case.id in answers:
                continue  # keeps its lease for the retry of this task
            tally[_decide(here, chunk, case, answers.get(case.id, ()))] += 1
        await moves.write(tx, held)
        await mark_charges(tx, held)
        puzzles = [unknown_code_alert(answer) for answer in answers.values() if isinstance(answer, UnknownCode)]
        alerts = hold_alerts(held) + surplus_alerts(held) + refund_alerts(held) + puzzles
        await raise_alerts(tx, alerts, here.clock.now())
    if down:
        raise SystemDown(f"{next(iter(answers.values()))}: {len(answers)} orders could not be asked about")
    return tally


def _decide(here: House, chunk: Chunk, case: Case, answer: Answer) -> str:
    if isinstance(answer, UnknownCode):
        _ask_again(case, case.now + here.settings.patience.unpaid)
        return "unknown code"
    if isinstance(answer, OutsideError):
        return later(here, case, answer, chunk.step)
    for one in answer:
        try:
            news.apply(case, one)
        except TooEarly:
            continue  # a refund before its charge: asked again at the next look
    if case.milestones["closed_at"]:
        return "closed"
    unpaid = not case.charges and bool(case.head["total"])
    if case.standing.state is State.ON_HOLD:
        if unpaid and case.standing.reason in MAY_BE_UNPAID and _is_over(here, case):
            return _close_unpaid(case)
        case.reschedule()
        return "still held"
    if unpaid:
        return _unpaid(here, case)
    return _judge(chunk, case)


def _unpaid(here: House, case: Case) -> str:
    """Nobody paid yet, and the provider says so too: wait, and in the end close."""
    if _is_over(here, case):
        return _close_unpaid(case)
    patience = here.settings.patience
    _ask_again(case, min(case.now + patience.unpaid, case.placed_at + patience.unpaid_close))
    return "still unpaid"


def _is_over(here: House, case: Case) -> bool:
    return case.now >= case.placed_at + here.settings.patience.unpaid_close


def _close_unpaid(case: Case) -> str:
    case.take(
        Event.PAYMENT_ENDED,
        cause=f"unpaid:{case.order_no}",
        actor="ballast",
        text="the provider knows no payment and the time to pay is over",
    )
    return "closed unpaid"


def _ask_again(case: Case, at: datetime) -> None:
    """No attempt is counted: nothing failed."""
    case.touched, case.lease_owner = True, None
    case.due = (Step.CONFIRM_PAYMENT, at)


def _judge(chunk: Chunk, case: Case) -> str:
    total = Money(case.head["total"], case.head["currency"])
    accepted = {evidence for reason, evidence in case.overridden if reason == HoldReason.PAYMENT_MISMATCH}
    verdict = judge(total, money_news.captured(case), accepted)
    counted = {transaction_key(charge.provider, charge.transaction_id) for charge in verdict.counted}
    paid_at = verdict.paid_at if total.amount else case.placed_at  # nothing to pay is paid when placed
    if paid_at is None:
        return hold(case, chunk.step, HoldReason.PAYMENT_MISMATCH, verdict.problem)
    for number, charge in enumerate(case.charges):
        case.charges[number] = replace(charge, state="counted" if charge.key in counted else "surplus")
        if case.charges[number].state == "surplus":
            refunding.give_back(case, case.charges[number])
    case.milestones["paid_at"] = paid_at
    case.take(
        Event.PAYMENT_CONFIRMED,
        cause=f"confirm_payment:{case.order_no}",
        actor="ballast",
        happened_at=paid_at,
        text=f"{f'{verdict.problem}, accepted' if verdict.problem else total} in {len(verdict.counted)} charge(s)",
    )
    return "confirmed"


@task(name="request refunds", tags=["payment"], **CHUNK)
async def send_refunds(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """Ask for refunds that are in the books, each once and never for more than was captured."""
    here = await house()
    wanted = await _still_wanted(here, owner, batch)
    if not wanted:
        return Tally({"not needed": len(batch)})

    async def ask(request: RefundRequest, look_first: bool) -> Receipt:
        return await here.payment.refund(request, look_first=look_first)

    async def requested(tx: AsyncConnection, sent: list[Outgoing]) -> None:
        now = here.clock.now()
        await record_refunds(tx, sent, now, now + here.settings.patience.refund_quiet)

    return await deliver(here, owner, wanted, _request_of, ask, after=requested, refused=refuse_refunds)


def _request_of(case: Case, message: Outgoing) -> RefundRequest:
    charge, asked = _charge_of(case, message), message.payload
    assert charge is not None  # it was there when the message was found to be wanted, and no charge goes away
    return RefundRequest(
        order_no=case.order_no,
        transaction_id=charge.transaction_id,
        refund_no=asked["refund_no"],
        amount=Money(asked["amount"], asked["currency"]),
        captured=Money(charge.amount, charge.currency),
        why=asked["why"],
    )


def _charge_of(case: Case, message: Outgoing) -> ChargeCase | None:
    key = transaction_key(message.payload["provider"], message.payload["transaction_id"])
    return next((charge for charge in case.charges if charge.key == key), None)


async def _still_wanted(here: House, owner: str, batch: Sequence[Outgoing]) -> list[Outgoing]:
    """Those messages whose refund the books still want; the others are ended, and people are told.

    A refund that was refused, and is sent again by a rerun, takes its share of the charge anew: another may have it.
    """
    async with here.transaction() as tx:
        now = here.clock.now()
        found = await orders.load(tx, now=now, waits=here.waits, ids={message.order_id for message in batch})
        cases, before = {case.id: case for case in found}, await tried(tx, batch)
        wanted = [m for m in batch if _is_wanted(cases[m.order_id], m, before.get(m.key))]
        dropped = [message for message in batch if message not in wanted]
        await moves.write(tx, found)
        ends = [{"id": m.id, "done": True, "due_at": None, "note": "not sent: not needed any more"} for m in dropped]
        await end_messages(tx, owner, ends, now)
        await raise_alerts(tx, [_dropped_alert(cases[m.order_id], m) for m in dropped], now)
    return wanted


def _is_wanted(case: Case, message: Outgoing, before: str | None) -> bool:
    """`before`: how the last attempt ended. What may have reached the provider is always followed up."""
    number = message.payload["refund_no"]
    charge, refund = _charge_of(case, message), case.refunds.get(number)
    if charge is None or refund is None or refund.state in ("by_hand", "overtaken"):
        return False
    if refund.state == "failed" and before == "refused":
        return refunding.reopen(case, charge, number)
    if before is None and refunding.going_back(case, charge) > charge.amount:
        refunding.give_up(case, charge, number, at=case.now, note="more than was left when it was to be sent")
        return False
    return True


def _dropped_alert(case: Case, message: Outgoing) -> dict[str, object]:
    asked = message.payload
    what = f"{asked['refund_no']}, {Money(asked['amount'], asked['currency'])} of charge {asked['transaction_id']}"
    return {
        "key": f"refund-dropped:{message.key}",
        "level": "urgent",
        "order_id": case.id,
        "title": f"{case.order_no}: a refund was not sent",
        "text": f"{what}: that much of this charge is not there to be given back under this order; compare with "
        "`ballast finance list` and the payment console",
    }
