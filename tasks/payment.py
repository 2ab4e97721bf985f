"""Money: check what was captured against the order, ask about what is missing, give back what is too much."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import OutsideError, UnknownCode
from ballast.db import cases as orders
from ballast.db import moves, news
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.db.outbox import Outgoing
from ballast.db.payments import mark_charges, record_refunds
from ballast.domain.life_cycle import TooEarly
from ballast.domain.money import Money
from ballast.domain.payments import judge
from ballast.domain.words import Event, HoldReason, Step
from ballast.ports import Receipt, RefundRequest
from ballast.wiring import House, house
from tasks.chunks import Tally, hold, hold_alerts, later, open_chunk, surplus_alerts, unknown_code_alert
from tasks.deliveries import deliver
from tasks.listening import Answer, ask_all, nobody_answered
from tasks.policy import CHUNK, SystemDown


@task(name="check charges", tags=["payment"], **CHUNK)
async def check_charges(chunk: Chunk) -> Tally:
    """Confirm the orders whose charges cover them; ask the provider about those without a charge."""
    here = await house()
    cases = await open_chunk(here, chunk)
    silent = [case for case in cases if not case.charges]
    answers = await ask_all({case.id: here.payment.ask(case.order_no) for case in silent})
    down = nobody_answered(answers)
    tally = Tally()
    async with here.transaction() as tx:
        held = await orders.load(
            tx, now=here.clock.now(), waits=here.waits, ids=[case.id for case in cases], lease_owner=chunk.owner
        )
        for case in held:
            if down and case.id in answers:
                continue  # keeps its lease for the retry of this task
            tally[_decide(here, chunk, case, answers.get(case.id, ()))] += 1
        await moves.write(tx, held)
        await mark_charges(tx, held)
        puzzles = [unknown_code_alert(answer) for answer in answers.values() if isinstance(answer, UnknownCode)]
        await raise_alerts(tx, hold_alerts(held) + surplus_alerts(held) + puzzles, here.clock.now())
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
    if not case.charges and case.head["total"]:
        return _unpaid(here, case)
    return _judge(chunk, case)


def _unpaid(here: House, case: Case) -> str:
    """Nobody paid yet, and the provider says so too: wait, and in the end close."""
    patience = here.settings.patience
    if case.now >= case.placed_at + patience.unpaid_close:
        case.take(
            Event.PAYMENT_ENDED,
            cause=f"unpaid:{case.order_no}",
            actor="ballast",
            text="the provider knows no payment and the time to pay is over",
        )
        return "closed unpaid"
    _ask_again(case, min(case.now + patience.unpaid, case.placed_at + patience.unpaid_close))
    return "still unpaid"


def _ask_again(case: Case, at: datetime) -> None:
    """No attempt is counted: nothing failed."""
    case.touched, case.lease_owner = True, None
    case.due = (Step.CONFIRM_PAYMENT, at)


def _judge(chunk: Chunk, case: Case) -> str:
    total = Money(case.head["total"], case.head["currency"])
    accepted = {evidence for reason, evidence in case.overridden if reason == HoldReason.PAYMENT_MISMATCH}
    verdict = judge(total, news.captured(case), accepted)
    states = {c.transaction_id: "counted" for c in verdict.counted} | {
        c.transaction_id: "surplus" for c in verdict.surplus
    }
    paid_at = verdict.paid_at if total.amount else case.placed_at  # nothing to pay is paid when placed
    if paid_at is None:
        return hold(case, chunk.step, HoldReason.PAYMENT_MISMATCH, verdict.problem)
    for number, charge in enumerate(case.charges):
        case.charges[number] = replace(charge, state=states[charge.transaction_id])
        if case.charges[number].state == "surplus":
            news.give_back(case, case.charges[number])
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
    """Give back surplus charges, each once and never more than was captured."""
    here = await house()

    async def ask(request: RefundRequest, look_first: bool) -> Receipt:
        return await here.payment.refund(request, look_first=look_first)

    def request_of(case: Case, message: Outgoing) -> RefundRequest:
        wanted = message.payload
        charge = next(c for c in case.charges if c.transaction_id == wanted["transaction_id"])
        return RefundRequest(
            order_no=case.order_no,
            transaction_id=charge.transaction_id,
            refund_no=wanted["refund_no"],
            amount=Money(wanted["amount"], wanted["currency"]),
            captured=Money(charge.amount, charge.currency),
            why=wanted["why"],
        )

    async def requested(tx: AsyncConnection, sent: list[Outgoing]) -> None:
        now = here.clock.now()
        await record_refunds(tx, sent, now, now + here.settings.patience.refund_quiet)

    return await deliver(here, owner, batch, request_of, ask, after=requested)
