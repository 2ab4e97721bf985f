"""What a person may do about refunds: ask for one, or say that one was made by hand. Same books, same bound."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases, moves, news, refunding
from ballast.db.archive import say_where
from ballast.db.cancelling import has_left
from ballast.db.case import Case
from ballast.db.case_parts import ChargeCase
from ballast.db.engine import rows
from ballast.domain.money import Money
from ballast.domain.payments import transaction_key
from ballast.domain.schedule import Waits
from ballast.domain.words import Event, State, System
from ballast.ports import News, Refund


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A refund that a person asks for. `amount` as people write it (`12.34`), None: all that is left of the charge.

    `transaction` names the charge, `provider:transaction` where two providers gave the same number; it may be left out
    where there is one only. `again` asks for the same once more.
    """

    order_no: str
    why: str
    by: str
    amount: str | None = None
    transaction: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What comes of it: a number to ask about later, and a sentence."""

    order_no: str
    refund_no: str
    text: str


class RefundRefused(Exception):
    """Nothing was asked for; the message says which order, why, and what to do."""


async def request(tx: AsyncConnection, wanted: Wanted, *, now: datetime, waits: Waits, dry_run: bool = False) -> Answer:
    """Ask for one refund. The same charge, amount and words twice are one request, unless `again` says otherwise.

    Raises `RefundRefused`: no reason, unknown order or charge, no amount, more than is left, asked for already.
    """
    if not wanted.why.strip():
        raise RefundRefused(f"{wanted.order_no}: a refund needs a reason: say it with --why")
    found = await cases.load(tx, now=now, waits=waits, order_nos=[wanted.order_no])
    if not found:
        where = await say_where(tx, wanted.order_no)
        raise RefundRefused(f"{wanted.order_no}: {where}; `ballast order show {wanted.order_no}` shows what is known")
    case = found[0]
    charge = _charge_of(case, wanted)
    asked = _amount_of(case, charge, wanted)
    if not wanted.again:
        _refuse_a_repeat(case, charge, asked, wanted)
    amount = _within(case, charge, asked)
    number = refunding.next_refund_no(case, charge)
    refunding.ask(case, charge, number, amount.amount, wanted.why)
    text = f"{amount} of charge {charge.transaction_id} goes back: {_how(case, charge, number)}"
    case.take(
        Event.NOTED, cause=f"refund:{number}", actor=f"person:{wanted.by}", text=f"{number}, {text} ({wanted.why})"
    )
    if not dry_run:
        await moves.write(tx, found)
    return Answer(order_no=case.order_no, refund_no=number, text=text)


def _how(case: Case, charge: ChargeCase, number: str) -> str:
    by_hand = case.refunds[number].state == "by_hand"
    how = refunding.by_hand(charge.provider, number) if by_hand else f"asked for at {charge.provider} as {number}"
    nothing_stays = not any(refunding.left(case, one) for one in case.charges)
    if nothing_stays and case.standing.state is not State.CLOSED and not has_left(case):
        how += f"; this does not stop the order: `ballast cancel {case.order_no}` does"
    return how


def _charge_of(case: Case, wanted: Wanted) -> ChargeCase:
    """The charge that is meant. One that only happens to be left is not taken for another: a repeat would move on."""
    if not case.charges:
        raise RefundRefused(f"{case.order_no}: no money was captured for this order, nothing can go back")
    known = ", ".join(f"{c.transaction_id} ({Money(c.amount, c.currency)} at {c.provider})" for c in case.charges)
    if wanted.transaction is None:
        if len(case.charges) > 1:
            raise RefundRefused(f"{case.order_no} has several charges: name one with --charge: {known}")
        return case.charges[0]
    provider, _, number = wanted.transaction.rpartition(":")
    meant = [c for c in case.charges if c.key == transaction_key(c.provider, wanted.transaction)]
    meant = meant or [c for c in case.charges if c.key == transaction_key(provider, number)]
    if len(meant) > 1:
        both = " or ".join(f"{c.provider}:{c.transaction_id}" for c in meant)
        raise RefundRefused(f"{case.order_no}: {wanted.transaction} is a charge of several providers: say {both}")
    if not meant:
        raise RefundRefused(f"{case.order_no} has no charge {wanted.transaction}: it has {known}")
    return meant[0]


def _amount_of(case: Case, charge: ChargeCase, wanted: Wanted) -> Money | None:
    if wanted.amount is None:
        return None
    try:
        amount = Money.from_major(wanted.amount, charge.currency)
    except ValueError as wrong:
        raise RefundRefused(f"{case.order_no}: {wrong}; write it like 12.34 ({charge.currency})") from None
    if amount.amount <= 0:
        raise RefundRefused(f"{case.order_no}: {amount} cannot be given back; say an amount above nothing")
    return amount


def _refuse_a_repeat(case: Case, charge: ChargeCase, asked: Money | None, wanted: Wanted) -> None:
    for number, refund in case.refunds_of(charge).items():
        alike = asked is None or refund.amount == asked.amount
        if alike and refund.state not in refunding.OVER and refund.why.split() == wanted.why.split():
            what = (
                f"{Money(refund.amount, charge.currency)} for the same reason is {_STANDING[refund.state]} as {number}"
            )
            raise RefundRefused(f"{case.order_no}: {what}; nothing more was asked for. If it is another one: --again")


_STANDING = {
    "asked": "asked for already",
    "requested": "at the provider already",
    "by_hand": "waiting for a person already",
    "done": "given back already",
}


def _within(case: Case, charge: ChargeCase, asked: Money | None) -> Money:
    """What is asked for, or all that is left. Refuses more than that, with the figures of both."""
    rest = Money(refunding.left(case, charge), charge.currency)
    if rest.amount and (asked is None or asked <= rest):
        return asked or rest
    captured, done = Money(charge.amount, charge.currency), Money(case.returned(charge), charge.currency)
    under_way = Money(refunding.going_back(case, charge), charge.currency) - done
    raise RefundRefused(
        f"{case.order_no}: cannot give back {asked or 'anything'} of charge {charge.transaction_id}: "
        f"{captured} captured, {rest} left ({done} went back, {under_way} on its way); ask for no more than is left"
    )


async def made_by_hand(tx: AsyncConnection, number: str, *, by: str, now: datetime, waits: Waits) -> Answer:
    """A person made this refund where Ballast could not. It acts on the order as a provider's notice would.

    Raises `RefundRefused` when there is no such refund, or it is not a person's to make.
    """
    known = await rows(tx, "select order_id from refund where refund_no = :number", number=number)
    if not known:
        raise RefundRefused(f"no refund {number}: see `ballast finance list`")
    found = await cases.load(tx, now=now, waits=waits, ids=[known[0].order_id])
    case, refund = found[0], found[0].refunds[number]
    if refund.state != "by_hand":
        raise RefundRefused(f"{case.order_no}: refund {number} is {refund.state}: it does not wait for a person")
    charge = next(charge for charge in case.charges if charge.key == refund.key)
    amount = Money(refund.amount, charge.currency)
    text = f"{amount} of charge {charge.transaction_id} was given back by hand at {charge.provider}, {by} says"
    told = Refund(
        refund_no=number,
        transaction_id=charge.transaction_id,
        amount=amount,
        captured=Money(charge.amount, charge.currency),
    )
    news.apply(
        case,
        News(
            system=System.PERSON, order_no=case.order_no, happened_at=now, field="refund_status", said="done",
            event=Event.REFUNDED, text=text, refund=told,
        ),
    )  # fmt: skip
    await moves.write(tx, found)
    return Answer(order_no=case.order_no, refund_no=number, text=text)
