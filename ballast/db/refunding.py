"""Money on its way back: the one place that gives a refund its number and keeps it within what was captured."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from ballast.db.case import Case
from ballast.db.case_parts import ChargeCase, RefundCase
from ballast.domain.payments import REFUNDED_BY_US
from ballast.ports import Refund

SECOND_CHARGE: Final = "second charge for a paid order"
OVER: Final = frozenset({"failed", "overtaken"})
"""States of refunds that will move no money: their share of the charge is free again."""


def by_hand(provider: str, number: str) -> str:
    """What a person has to do about a refund that Ballast cannot ask for."""
    return f"refund it by hand at {provider}, then `ballast finance done {number}`"


def going_back(case: Case, charge: ChargeCase) -> int:
    """What of a charge went back or is on its way, minor units."""
    return sum(refund.amount for refund in case.refunds_of(charge).values() if refund.state not in OVER)


def left(case: Case, charge: ChargeCase) -> int:
    """How much of a charge can still be given back, minor units; never less than nothing."""
    return max(0, charge.amount - going_back(case, charge))


def refund_no(charge: ChargeCase) -> str:
    """Our number for what Ballast itself gives back of a charge: made of the transaction, never random."""
    provider = "" if charge.provider in REFUNDED_BY_US else f"{charge.provider}-"
    return f"RF-{provider}{charge.transaction_id}"


def part_of(number: str) -> str:
    """What its message to the provider has in its key, behind the order."""
    return number.removeprefix("RF-")


def next_refund_no(case: Case, charge: ChargeCase) -> str:
    """The number of a person's next refund of a charge: counted on from those that there are.

    An imported charge is called `SO1-1`, and another order may be called just that: its charge is `SO1-1-1`. So there a
    point stands before the count, which no order's number has. WeChat Pay takes no points, and its numbers are digits.
    """
    begin = refund_no(charge) + ("-" if charge.provider in REFUNDED_BY_US else ".")
    return f"{begin}{sum(number.startswith(begin) for number in case.refunds_of(charge)) + 1}"


def give_back(case: Case, charge: ChargeCase, *, why: str = SECOND_CHARGE) -> None:
    """Ask for a refund of what is left of a charge, once: asked again, or after it failed, nothing happens."""
    number, amount = refund_no(charge), left(case, charge)
    if amount and number not in case.refunds and case.announce:
        ask(case, charge, number, amount, why)


def return_refund_no(charge: ChargeCase, return_no: str) -> str:
    """The number of what a return gives back of a charge: made of the transaction and the return's place in its order.

    A return gives back of a charge once, so it is never asked for twice.
    """
    join = "-" if charge.provider in REFUNDED_BY_US else "."
    return f"{refund_no(charge)}{join}R{return_no.rpartition('-')[2]}"


def ask(case: Case, charge: ChargeCase, number: str, amount: int, why: str) -> None:
    """Put one refund into the books and send for it; where Ballast cannot ask, it waits for a person.

    Raises `ValueError` when that is more than is left: who decides must have looked, and said both figures.
    """
    _book(case, charge, number, amount, why)
    if case.refunds[number].state == "asked":
        case.send("payment.refund", part_of(number), _row(number, case.refunds[number], charge.currency))


def reopen(case: Case, charge: ChargeCase, number: str) -> bool:
    """A refund that was refused is to be sent again: it takes its share anew. False: the share is gone."""
    refund = case.refunds[number]
    if refund.amount > left(case, charge):
        return False
    _book(case, charge, number, refund.amount, refund.why)
    return True


def _book(case: Case, charge: ChargeCase, number: str, amount: int, why: str) -> None:
    if not 0 < amount <= left(case, charge):
        raise ValueError(f"{number}: {amount} asked for, {left(case, charge)} left of {charge.amount} captured")
    state = "asked" if charge.provider in REFUNDED_BY_US else "by_hand"
    case.refunds[number] = refund = RefundCase(charge.provider, charge.transaction_id, amount, state, why)
    booked = {"order_id": case.id, "state": state, "requested_at": case.now}
    case.refunds_asked.append(_row(number, refund, charge.currency) | booked)


def _row(number: str, refund: RefundCase, currency: str) -> dict[str, Any]:
    return {
        "refund_no": number,
        "provider": refund.provider,
        "transaction_id": refund.transaction_id,
        "amount": refund.amount,
        "currency": currency,
        "why": refund.why,
    }


def tell(case: Case, number: str, refund: RefundCase, *, currency: str, at: datetime, note: str = "") -> None:
    """A refund stands as somebody outside says. The reason that it was asked for with stays."""
    case.refunds[number] = refund
    stands: Mapping[str, Any] = {
        "order_id": case.id,
        "state": refund.state,
        "requested_at": at,
        "done_at": at if refund.state == "done" else None,
        "note": note,
    }
    case.refunds_told[number] = _row(number, refund, currency) | dict(stands)


def overtake(case: Case, charge: ChargeCase, refund: Refund, at: datetime) -> None:
    """Money went back under a number that is not ours: a refund of just that much waits for no person any more.

    Nor is one that failed sent again: people were told to make it by hand, and they did.
    """
    for number, ours in case.refunds_of(charge).items():
        if ours.state in ("by_hand", "failed") and ours.amount == refund.amount.amount:
            give_up(case, charge, number, at=at, note=f"given back as {refund.refund_no}")
            return


def give_up(case: Case, charge: ChargeCase, number: str, *, at: datetime, note: str) -> None:
    """Somebody else gave the money back: this refund is over before it began."""
    tell(case, number, replace(case.refunds[number], state="overtaken"), currency=charge.currency, at=at, note=note)
