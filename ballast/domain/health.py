"""How well a customer's orders were fulfilled: a score from 0 to 100, and what it lost where. Pure, whole numbers only.

The formula, all of it (docs/customers.md has it for people, with an example by hand; `ballast/db/health.py` has it in
SQL for all customers at once, made of the tables of this file; a test holds both to the same figures):

1. Orders that were paid and were placed in the last `days` days. Fewer than `LEAST_ORDERS`: no score, "no data".
2. Each order is hurt in each part by 0 to 100: the worst thing of that part that happened to it (`hurts`).
3. An order weighs what it is worth, in thousandths of the customer's ordinary order of that currency (the median, the
   lower one of two): 1000 x total / median, at least 100 and at most 10,000. A late order of 50,000 costs more than a
   late one of 50, a gift for nothing counts a little, and no single order hides ten ordinary ones.
4. What is old counts less: the window has four quarters, and each counts half of the one after it (8, 4, 2, 1).
5. The share of a part is the weighted mean of how much its orders were hurt, in per cent. A part costs
   cap x share / full points, rounded half up, and never more than its cap.
6. The score is 100 less the points of all parts, never below 0.
7. The trend is the score of the newer half of the window beside that of the older half, by the same rules.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from ballast.domain.money import Money
from ballast.domain.returns import ReturnReason
from ballast.domain.sla import Moment, Policy
from ballast.domain.words import HoldReason, Label

DAYS: Final = 180
"""The window, unless somebody asks for another one."""
LEAST_ORDERS: Final = 3
"""Fewer say nothing about a customer; of half a window likewise."""
ALERT_BELOW: Final = 60
"""A score below it is told to the account's owner, once."""
WELL_AGAIN: Final = 65
"""From here on it is over, and the next fall is told again: who stays at the limit does not ring every day."""
STEADY: Final = 5
"""A trend of fewer points than this is none."""

FRESHNESS: Final = (8, 4, 2, 1)
"""How much an order counts, by the quarter of the window in which it was placed, the newest first."""
ORDINARY: Final = 1000
LEAST_WEIGHT: Final = 100
MOST_WEIGHT: Final = 10_000
"""Thousandths of an ordinary order."""


class Part(StrEnum):
    """What can go wrong for a customer."""

    LATE = "late"  # it took longer than the SLA policy allows
    DAMAGED = "damaged"  # it arrived broken
    RETURNS = "returns"  # it was to come back
    HELD = "held"  # it stood still because of us
    COMPLAINTS = "complaints"  # the customer said so


@dataclass(frozen=True, slots=True)
class Rule:
    """At a share of `full` per cent a part costs `cap` points, and never more."""

    cap: int
    full: int
    label: Label


RULES: Final[Mapping[Part, Rule]] = {
    Part.LATE: Rule(45, 40, Label("late deliveries", "配送超时")),
    Part.DAMAGED: Rule(45, 15, Label("damaged on the way", "运输破损")),
    Part.RETURNS: Rule(30, 30, Label("returns", "退货")),
    Part.HELD: Rule(25, 40, Label("held because of us", "我方原因挂起")),
    Part.COMPLAINTS: Rule(45, 20, Label("complaints", "投诉")),
}

# -- how much one order was hurt ---------------------------------------------------------------------------------------

LATE: Final = {"red": 100, "yellow": 40}
"""By the level of the breach."""
DAMAGE: Final = 100

LONG_HOLD: Final = timedelta(hours=4)
"""A shorter hold hurts nobody: it was seen to."""
OUR_HOLD: Final = 100
"""Stock, warehouse, ERP, prices, a failed refund, a system without an answer: whatever is not in the table below."""
HOLDS: Final[Mapping[HoldReason, int]] = {
    HoldReason.COURIER_PROBLEM: 50,
    HoldReason.COURIER_RETURNED: 50,
    HoldReason.COURIER_REFUSED: 50,
    HoldReason.BY_HAND: 50,
    HoldReason.RISK_SUSPECTED: 30,  # a precaution, but an honest customer waited
    HoldReason.PAYMENT_MISMATCH: 0,  # the customer's own doing, as the next three
    HoldReason.CANCEL_ASKED: 0,
    HoldReason.COURIER_STOPPED: 0,
    HoldReason.REFUNDED_ON_THE_WAY: 0,
    HoldReason.COURIER_DAMAGED: 0,  # counts as damaged, however short the hold was
    HoldReason.COMPLAINT: 0,  # counts as a complaint
}


class Why(StrEnum):
    """Why something was to come back, by its reason and the words of whoever asked."""

    DAMAGED = "damaged"  # also counts as damaged
    SELLER = "seller"  # bad, wrong, missing, too late
    WISH = "wish"  # the customer changed their mind
    UNKNOWN = "unknown"  # the words say nothing that we know


WHY_WORDS: Final[Mapping[Why, tuple[str, ...]]] = {
    Why.DAMAGED: ("破损", "损坏", "摔坏", "压坏", "碎", "damaged", "broken", "smashed"),
    Why.SELLER: (
        "质量", "瑕疵", "缺陷", "错发", "发错", "漏发", "少发", "少件", "缺件", "不符", "假货", "过期", "变质", "太慢",
        "超时", "未收到", "没收到", "quality", "defect", "wrong item", "wrong size sent", "missing", "not as described",
        "expired", "too late", "never arrived", "fake",
    ),
    Why.WISH: (
        "无理由", "不想要", "不喜欢", "不需要", "拍错", "买错", "多拍", "尺码", "尺寸", "不合适", "changed mind",
        "changed my mind", "no longer", "not wanted", "does not fit", "too big", "too small", "by mistake",
    ),
}  # fmt: skip
"""Asked in this order; small letters. A refusal of ours does not undo that the customer wanted to give it back."""
WHY_REASONS: Final[Mapping[ReturnReason, Why]] = {
    ReturnReason.QUALITY: Why.SELLER,
    ReturnReason.WRONG_GOODS: Why.SELLER,
    ReturnReason.NOT_AS_DESCRIBED: Why.SELLER,
    ReturnReason.NO_REASON: Why.WISH,
    ReturnReason.CANCELLED_LATE: Why.WISH,
    ReturnReason.NOT_DELIVERED: Why.UNKNOWN,
}
"""A reason that is not in here leaves it to the words. Words that say broken are believed beside every reason."""
RETURNS: Final[Mapping[Why, int]] = {Why.DAMAGED: 100, Why.SELLER: 100, Why.UNKNOWN: 50, Why.WISH: 20}


class TicketKind(StrEnum):
    """What a ticket of customer service is about. Only complaints count."""

    COMPLAINT = "complaint"
    QUESTION = "question"
    REQUEST = "request"  # an invoice, another address
    OTHER = "other"


class Severity(StrEnum):
    """How bad customer service says it is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


COMPLAINTS: Final[Mapping[Severity, int]] = {Severity.HIGH: 100, Severity.NORMAL: 60, Severity.LOW: 30}
"""A complaint that names no order counts for the customer's last order before it. One that the shop told us of, and
that held the order, is a normal one."""


def why_of(said: str, reason: ReturnReason = ReturnReason.OTHER) -> Why:
    """What reason and words mean; `UNKNOWN` when neither says it."""
    small = said.lower()
    by_words = next((why for why, words in WHY_WORDS.items() if any(word in small for word in words)), Why.UNKNOWN)
    return by_words if by_words is Why.DAMAGED else WHY_REASONS.get(reason, by_words)


def delivery_clocks(policy: Policy) -> tuple[str, ...]:
    """The clocks that a delivery can be late by: paid, locked, outbound or scanned until something later. Not those of
    unpaid orders, of holds and of returns, which have parts of their own or are nobody's delay.
    """
    since = (Moment.PAID, Moment.LOCKED, Moment.OUTBOUND, Moment.FIRST_SCAN)
    return tuple(clock.name for clock in policy.clocks if clock.since in since)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPast:
    """What happened to one order that was paid.

    `breaches`: levels that clocks of delivery passed; `holds`: reason and how long; `returns`: reason and words;
    `complaints`: of its tickets; `damaged`: a parcel of it is damaged right now.
    """

    placed_at: datetime
    total: Money
    breaches: tuple[str, ...] = ()
    holds: tuple[tuple[HoldReason, timedelta], ...] = ()
    returns: tuple[tuple[ReturnReason, str], ...] = ()
    complaints: tuple[Severity, ...] = ()
    damaged: bool = False


def hurts(past: OrderPast) -> dict[Part, int]:
    """How much it was hurt in each part, 0 to 100; parts that were not are left out."""
    reasons, whys = [reason for reason, _ in past.holds], [why_of(said, reason) for reason, said in past.returns]
    told = [COMPLAINTS[severity] for severity in past.complaints]
    found = {
        Part.LATE: [LATE[level] for level in past.breaches],
        Part.DAMAGED: [DAMAGE] * (past.damaged or HoldReason.COURIER_DAMAGED in reasons or Why.DAMAGED in whys),
        Part.RETURNS: [RETURNS[why] for why in whys],
        Part.HELD: [HOLDS.get(reason, OUR_HOLD) for reason, lasted in past.holds if lasted >= LONG_HOLD],
        Part.COMPLAINTS: told + [COMPLAINTS[Severity.NORMAL]] * (HoldReason.COMPLAINT in reasons),
    }
    return {part: worst for part, every in found.items() if (worst := max(every, default=0))}


# -- the score of a customer -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PartScore:
    """`orders`: how many were hurt; `share`: hundredths of a per cent; `lost`: points."""

    orders: int
    share: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """None: no data. `value`: what the orders were worth, in the currency that most of them have (`Money`).

    `parts` has those in which an order was hurt.
    """

    orders: int = 0
    value: Money | None = None
    score: int | None = None
    newer: int | None = None
    older: int | None = None
    parts: Mapping[Part, PartScore] = field(default_factory=dict)

    @property
    def trend(self) -> int | None:
        """Points that the newer half of the window has more than the older one."""
        return None if self.newer is None or self.older is None else self.newer - self.older

    def as_dict(self) -> dict[str, Any]:
        """For scripts: null is "no data", the value is in minor units, shares are hundredths of a per cent."""
        return {
            "score": self.score,
            "newer_half": self.newer,
            "older_half": self.older,
            "trend": self.trend,
            "orders": self.orders,
            "value": self.value.amount if self.value else None,
            "currency": self.value.currency if self.value else None,
            "parts": {
                str(part): {"orders": one.orders, "share": one.share, "lost": one.lost, "cap": rule.cap}
                for part, rule in RULES.items()
                for one in [self.parts.get(part, PartScore(0, 0, 0))]
            },
        }


def health(orders: Iterable[OrderPast], now: datetime, days: int = DAYS) -> Health:
    """The score of one customer, of these orders of theirs."""
    quarter = timedelta(days=days) / 4
    recent = [past for past in orders if timedelta(0) <= now - past.placed_at < timedelta(days=days)]
    ordinary = _ordinary(recent)
    weighed = [
        (age, FRESHNESS[age] * weight(past.total, ordinary[past.total.currency]), hurts(past))
        for past in recent
        for age in [(now - past.placed_at) // quarter]
    ]
    parts = {part: _part(part, weighed) for part in Part}
    return Health(
        orders=len(recent),
        value=_value(recent),
        score=_score(weighed),
        newer=_score([one for one in weighed if one[0] < len(FRESHNESS) // 2]),
        older=_score([one for one in weighed if one[0] >= len(FRESHNESS) // 2]),
        parts={part: one for part, one in parts.items() if one.orders},
    )


Weighed = tuple[int, int, Mapping[Part, int]]
"""The quarter of an order, what it weighs there, and how much it was hurt."""


def weight(total: Money, ordinary: int) -> int:
    """Thousandths of an ordinary order."""
    return min(MOST_WEIGHT, max(LEAST_WEIGHT, ORDINARY * total.amount // ordinary))


def _ordinary(orders: Sequence[OrderPast]) -> dict[str, int]:
    """Currency -> the median of the totals, of an even number the lower one; at least one minor unit."""
    totals: dict[str, list[int]] = defaultdict(list)
    for past in orders:
        totals[past.total.currency].append(past.total.amount)
    return {currency: max(1, sorted(every)[(len(every) - 1) // 2]) for currency, every in totals.items()}


def _value(orders: Sequence[OrderPast]) -> Money | None:
    counted = Counter(past.total.currency for past in orders)
    if not counted:
        return None
    currency = min(counted, key=lambda one: (-counted[one], one))
    return Money(sum(past.total.amount for past in orders if past.total.currency == currency), currency)


def _score(weighed: Sequence[Weighed]) -> int | None:
    if len(weighed) < LEAST_ORDERS:
        return None
    return max(0, 100 - sum(_part(part, weighed).lost for part in Part))


def _part(part: Part, weighed: Sequence[Weighed]) -> PartScore:
    """Exact: hurts are per cent, so their weighted sum over the weights is the share in per cent."""
    rule = RULES[part]
    whole = sum(weight for _, weight, _ in weighed) or 1
    hurt = sum(weight * found.get(part, 0) for _, weight, found in weighed)
    lost = (2 * rule.cap * hurt + rule.full * whole) // (2 * rule.full * whole)
    count = sum(part in found for _, _, found in weighed)
    return PartScore(orders=count, share=100 * hurt // whole, lost=min(rule.cap, lost))
