"""Do the charges cover the order, once? Pure arithmetic over what providers reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ballast.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One charge in our books. `counted` was accepted for the order before."""

    transaction_id: str
    amount: Money
    paid_at: datetime
    counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`counted` pay for the order, `surplus` must go back. `paid_at` is set when the order is covered exactly."""

    counted: tuple[Captured, ...]
    surplus: tuple[Captured, ...]
    paid_at: datetime | None
    problem: str = ""


def judge(total: Money, charges: Sequence[Captured]) -> Verdict:
    """Count charges in the order of their time until the total is reached; what comes after that is surplus.

    Several charges may add up to one order (vouchers and a card). A charge that would overshoot is surplus when the
    order is covered without it, and a mismatch when it is not.
    """
    wrong = [charge for charge in charges if charge.amount.currency != total.currency]
    if wrong:
        return Verdict(counted=(), surplus=(), paid_at=None, problem=f"paid {wrong[0].amount}, the order is {total}")
    counted: list[Captured] = []
    surplus: list[Captured] = []
    reached = Money(0, total.currency)
    for charge in sorted(charges, key=lambda c: (not c.counted, c.paid_at, c.transaction_id)):
        if reached + charge.amount <= total:
            counted.append(charge)
            reached = reached + charge.amount
        else:
            surplus.append(charge)
    if reached == total:
        paid_at = max((charge.paid_at for charge in counted), default=None)
        return Verdict(counted=tuple(counted), surplus=tuple(surplus), paid_at=paid_at)
    received = sum(charge.amount.amount for charge in charges)
    problem = f"paid {Money(received, total.currency)} of {total}" if charges else ""
    return Verdict(counted=(), surplus=(), paid_at=None, problem=problem)
