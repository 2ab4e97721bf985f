"""Do the charges cover the order, once, and is any of it left? Pure arithmetic over what providers reported."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ballast.domain.money import Money
from ballast.domain.words import System

REFUNDED_BY_US: Final = frozenset({System.WECHATPAY})
"""Providers that Ballast can ask for a refund. Money that came through another one goes back by hand."""


def clean_transaction(transaction_id: str) -> str:
    """A transaction's number without the spaces that a console, a file or a person put into it."""
    return "".join(transaction_id.split())


def transaction_key(provider: str, transaction_id: str) -> tuple[str, str]:
    """What makes a transaction the same one, whoever reports it: spaces and case are no matter."""
    return provider, clean_transaction(transaction_id).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One charge in our books. `counted` was accepted for the order before; `returned` of it, in minor units, went
    back to the customer."""

    provider: str = System.WECHATPAY
    transaction_id: str
    amount: Money
    paid_at: datetime
    counted: bool = False
    returned: int = 0

    @property
    def left(self) -> Money:
        """What is still with us."""
        return Money(max(0, self.amount.amount - self.returned), self.amount.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`counted` pay for the order, `surplus` must go back. `paid_at` is set when the order is covered exactly, or when
    a person accepted the `problem`."""

    counted: tuple[Captured, ...]
    surplus: tuple[Captured, ...]
    paid_at: datetime | None
    problem: str = ""


def judge(total: Money, charges: Sequence[Captured], accepted: Collection[str] = ()) -> Verdict:
    """Count charges in the order of their time until the total is reached; what comes after that is surplus.

    Several charges may add up to one order (vouchers and a card). A charge that would overshoot is surplus when the
    order is covered without it, and a mismatch when it is not. Only what is left of a charge counts; a charge that went
    back whole is surplus. A problem that a person `accepted` word by word is none: everything that came counts.
    """
    here = tuple(charge for charge in charges if charge.left.amount)
    gone = tuple(charge for charge in charges if not charge.left.amount)
    verdict = _judge(total, here)
    if verdict.problem and verdict.problem in accepted:
        return replace(verdict, counted=here, surplus=gone, paid_at=max(charge.paid_at for charge in here))
    return replace(verdict, surplus=(*verdict.surplus, *gone))


def _judge(total: Money, charges: Sequence[Captured]) -> Verdict:
    wrong = [charge for charge in charges if charge.amount.currency != total.currency]
    if wrong:
        return Verdict(counted=(), surplus=(), paid_at=None, problem=f"paid {wrong[0].amount}, the order is {total}")
    counted: list[Captured] = []
    surplus: list[Captured] = []
    reached = Money(0, total.currency)
    for charge in sorted(charges, key=lambda c: (not c.counted, c.paid_at, c.transaction_id, c.provider)):
        if reached + charge.left <= total:
            counted.append(charge)
            reached = reached + charge.left
        else:
            surplus.append(charge)
    if reached == total:
        paid_at = max((charge.paid_at for charge in counted), default=None)
        return Verdict(counted=tuple(counted), surplus=tuple(surplus), paid_at=paid_at)
    received = sum(charge.left.amount for charge in charges)
    problem = f"paid {Money(received, total.currency)} of {total}" if charges else ""
    return Verdict(counted=(), surplus=(), paid_at=None, problem=problem)


def all_went_back(charges: Sequence[Captured]) -> bool:
    """Whether nothing is left of the money that pays for the order: of what counted, or else of all that came.

    False when nothing ever came. A surplus charge must not be among `charges`: its refund says nothing of the order.
    """
    paying = [charge for charge in charges if charge.counted] or list(charges)
    return bool(paying) and not any(charge.left.amount for charge in paying)
