"""What news of money does to a case: charges and refunds stand in the books once, and what is too much goes back."""

from ballast.db import refunding
from ballast.db.case import Case
from ballast.db.case_parts import ChargeCase, RefundCase
from ballast.db.heard import cause_of, record, take
from ballast.domain.money import Money
from ballast.domain.payments import Captured, all_went_back, clean_transaction, transaction_key
from ballast.domain.words import Event, HoldReason, State, System
from ballast.ports import News, Refund

REFUND_STATES = {Event.REFUNDED: "done", Event.HELD: "failed"}
"""What the news of a refund makes of it; any other event: it is under way."""


def take_charge(case: Case, news: News) -> bool:
    """A charge is put into the books once. On a paid or closed order it goes back, and people are told."""
    charge = news.charge
    assert charge is not None
    provider, number = charge.provider or news.system, clean_transaction(charge.transaction_id)
    if any(known.key == transaction_key(provider, number) for known in case.charges):
        return record(case, news, "this transaction is known")
    paid, closed = case.milestones["paid_at"] is not None, case.standing.state is State.CLOSED
    state = "surplus" if paid or closed else "captured"
    add_charge(
        case,
        ChargeCase(provider, number, charge.amount.amount, charge.amount.currency, state, charge.paid_at),
        merchant=charge.merchant,
    )
    if state == "surplus":
        why = refunding.SECOND_CHARGE if paid else "charge for a closed order"
        refunding.give_back(case, case.charges[-1], why=why)
    moved = take(
        case, news, Event.PAYMENT_CAPTURED, text=f"{charge.amount} captured at {provider}, transaction {number}"
    )
    if state == "captured" and all_went_back(paying(case)):
        text = "its refund was here before it: nothing is left of what was paid"
        case.take(Event.REFUNDED, cause=f"{cause_of(news)}:gone", actor=news.system, text=text)
    return moved


def take_refund(case: Case, news: News, refund: Refund) -> bool:
    """A refund is put into the books under its number. It acts on the order when nothing that counted is left.

    A failed one asks a person, if it was of money that counted: whoever asked for it does not want the goods to go out.
    """
    known, state = case.refunds.get(refund.refund_no), REFUND_STATES.get(news.event)
    if known is not None and known.state == "done":
        return record(case, news, "this refund is known")
    if state is None:
        return record(case, news, "under way")
    charge = _charge_of(case, refund, known.provider if known else news.system)
    _write_down(case, news, refund, charge, state)
    if charge is None:
        return record(case, news, "no charge of this order has this transaction")
    if charge.state == "surplus":
        return record(case, news, "of a second charge: the order stays as it is")
    if state == "failed":
        return take(case, news, Event.HELD)
    if not all_went_back(paying(case)):
        return record(case, news, "a part of what was paid: the order stays as it is")
    return _all_refunded(case, news)


def _all_refunded(case: Case, news: News) -> bool:
    """Nobody pays for the order any more. Once it was confirmed, ERP or warehouse may know of it: it is called off."""
    if case.standing.state is State.CLOSED and case.milestones["outbound_at"] is None:
        case.send("shop.refunded")
    if case.place is State.PENDING_PAYMENT and case.milestones["paid_at"]:
        return take(case, news, Event.HELD, reason=HoldReason.REFUNDED_ON_THE_WAY)
    return take(case, news, Event.REFUNDED)


def _charge_of(case: Case, refund: Refund, provider: str) -> ChargeCase | None:
    """The charge that a refund is of. A file has no transactions: there it is one of just that amount."""
    exact = (c for c in case.charges if c.key == transaction_key(provider, refund.transaction_id))
    alike = (c for c in case.charges if (c.provider, c.amount) == (System.IMPORT, refund.captured.amount))
    return next(exact, None) or next((c for c in alike if case.returned(c) < c.amount), None)


def _write_down(case: Case, news: News, refund: Refund, charge: ChargeCase | None, state: str) -> None:
    """Under the charge's name in our books, when it has one there."""
    provider, transaction = news.system.value, clean_transaction(refund.transaction_id)
    if charge is not None:
        provider, transaction = charge.provider, charge.transaction_id
        if state == "done" and refund.refund_no not in case.refunds:
            refunding.overtake(case, charge, refund, news.happened_at)
    told = RefundCase(provider, transaction, refund.amount.amount, state, "not asked for by Ballast")
    note = news.said if state == "failed" else ""
    refunding.tell(case, refund.refund_no, told, currency=refund.amount.currency, at=news.happened_at, note=note)


def captured(case: Case) -> list[Captured]:
    """The charges of an order, and what went back of each."""
    return [
        Captured(
            provider=charge.provider,
            transaction_id=charge.transaction_id,
            amount=Money(charge.amount, charge.currency),
            paid_at=charge.paid_at,
            counted=charge.state == "counted",
            returned=case.returned(charge),
        )
        for charge in case.charges
    ]


def paying(case: Case) -> list[Captured]:
    """The charges that the order lives on: all but the surplus ones."""
    return [seen for seen, charge in zip(captured(case), case.charges, strict=True) if charge.state != "surplus"]


def add_charge(case: Case, charge: ChargeCase, *, merchant: str, method: str = "") -> None:
    """Put a charge into the books of its order."""
    case.charges.append(charge)
    case.payments.append(
        {
            "order_id": case.id,
            "provider": charge.provider,
            "transaction_id": charge.transaction_id,
            "method": method,
            "amount": charge.amount,
            "currency": charge.currency,
            "merchant": merchant,
            "state": charge.state,
            "paid_at": charge.paid_at,
            "recorded_at": case.now,
        }
    )
