"""What an order's money comes to, and what of it does not agree with where the order is. Pure; every cent is somewhere.

Two equations hold for every order and currency, whatever happened to it:

    due                 = earned + credited + open
    captured + unbooked = earned + surplus + on its way + refunded
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ballast.domain.words import Label, State

LATE: Final = timedelta(days=3)
"""A refund that is on its way for longer is worth a question: providers promise one to three days."""

WITH_GOODS: Final = frozenset({State.STOCK_LOCKED, State.OUTBOUND, State.IN_TRANSIT, State.SIGNED})
"""Here the order holds goods, or the customer does: somebody must have paid."""


class Finding(StrEnum):
    """What finance has to see of one order. Several may be true at once."""

    DUPLICATE_CAPTURE = "DUPLICATE_CAPTURE"  # a second charge of which something is neither back nor on its way
    DUPLICATE_GOES_BACK = "DUPLICATE_GOES_BACK"  # a second charge, its refund is on its way
    DUPLICATE_WENT_BACK = "DUPLICATE_WENT_BACK"  # a second charge, the customer has all of it again
    CAPTURED_ON_CLOSED = "CAPTURED_ON_CLOSED"  # money for an order that was closed unpaid
    CLOSED_WITH_MONEY = "CLOSED_WITH_MONEY"  # called off, and what paid for it is still here
    MISSING_CAPTURE = "MISSING_CAPTURE"  # paid by its state, and no charge that counts is in the books
    PAYMENT_DIFFERS = "PAYMENT_DIFFERS"  # what came is not what is due, and nobody has decided yet
    UNDERPAID = "UNDERPAID"  # a person accepted less than the total
    OVERPAID = "OVERPAID"  # a person accepted more than the total
    CURRENCY = "CURRENCY"  # a charge in another currency than the order
    REFUND_UNBOOKED = "REFUND_UNBOOKED"  # more went back than the books know to be captured
    REFUND_FAILED = "REFUND_FAILED"  # a refund did not reach the customer, and the money is here
    REFUND_BY_HAND = "REFUND_BY_HAND"  # a refund waits for a person
    REFUND_LATE = "REFUND_LATE"  # asked for longer ago than `LATE`, and no word
    REFUNDED_GOES_ON = "REFUNDED_GOES_ON"  # all of the money goes back, and the goods do not


class Weight(StrEnum):
    """How much a finding asks of people."""

    ACT = "act"  # money is wrong until somebody does something
    WATCH = "watch"  # it should end by itself; look again
    NOTE = "note"  # settled or decided; it explains the figures


FINDING_LABELS: Final[dict[Finding, Label]] = {
    Finding.DUPLICATE_CAPTURE: Label(
        "charged twice", "重复收款", "give the second charge back: `ballast refund`", "退回重复收款: `ballast refund`"
    ),
    Finding.DUPLICATE_GOES_BACK: Label(
        "charged twice, on its way back", "重复收款, 退款中", "nothing, unless it stays", "无需处理, 久未到账再查"
    ),
    Finding.DUPLICATE_WENT_BACK: Label("charged twice, given back", "重复收款, 已退回"),
    Finding.CAPTURED_ON_CLOSED: Label(
        "paid after it was closed", "关闭后收款", "give it back, or place the order again", "退款, 或重新下单"
    ),
    Finding.CLOSED_WITH_MONEY: Label(
        "called off, and the money is still here",
        "已取消但款未退",
        "refund it: `ballast refund`",
        "退款: `ballast refund`",
    ),
    Finding.MISSING_CAPTURE: Label(
        "no payment in the books",
        "缺少收款记录",
        "look for the charge in the provider's statement; stop the order if there is none",
        "在支付对账单中查找该笔收款; 若无则拦截订单",
    ),
    Finding.PAYMENT_DIFFERS: Label(
        "paid amount differs",
        "支付金额不符",
        "decide: release accepts it, or refund it",
        "人工判断: 放行即认可, 或退款",
    ),
    Finding.UNDERPAID: Label("less was accepted", "已认可少付"),
    Finding.OVERPAID: Label(
        "more was accepted", "已认可多付", "give the rest back if it is not a tip", "多付部分如非自愿应退回"
    ),
    Finding.CURRENCY: Label(
        "charged in another currency", "币种不符", "refund it, and ask for the right one", "退款并按正确币种收款"
    ),
    Finding.REFUND_UNBOOKED: Label(
        "more went back than was booked",
        "退款超出入账金额",
        "a charge is missing here: import the provider's statement",
        "账内缺少收款: 导入支付对账单核对",
    ),
    Finding.REFUND_FAILED: Label(
        "a refund failed", "退款失败", "refund it by hand in the payment console", "在支付后台手工退款"
    ),
    Finding.REFUND_BY_HAND: Label(
        "a refund waits for a person",
        "待人工退款",
        "make it at the provider, then `ballast finance done NUMBER`",
        "在支付平台退款后执行 `ballast finance done 单号`",
    ),
    Finding.REFUND_LATE: Label(
        "a refund takes long", "退款久未到账", "ask the provider; see the refund's number", "凭退款单号询问支付平台"
    ),
    Finding.REFUNDED_GOES_ON: Label(
        "refunded, and the goods are gone",
        "已全额退款但货物未回",
        "ask for the goods back, or write them off",
        "追回货物或核销",
    ),
}

WEIGHTS: Final[dict[Finding, Weight]] = {
    **dict.fromkeys(Finding, Weight.ACT),
    Finding.DUPLICATE_GOES_BACK: Weight.WATCH,
    Finding.REFUND_LATE: Weight.WATCH,
    Finding.REFUNDED_GOES_ON: Weight.WATCH,
    Finding.DUPLICATE_WENT_BACK: Weight.NOTE,
    Finding.UNDERPAID: Weight.NOTE,
    Finding.OVERPAID: Weight.WATCH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pot:
    """Charges of one kind, minor units: what was captured, what of it is back, on its way, and left.

    beyond: what went back, or is on its way, beyond the charge that it is of.
    """

    captured: int = 0
    refunded: int = 0
    on_its_way: int = 0
    left: int = 0
    beyond: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the books say of one order in one currency. Amounts in minor units of `currency`.

    `paying`: charges that the order lives on, counted or not yet checked. `second`: what was too much. `loose`: refunds
    of charges that are not in the books, all of it `beyond`.
    """

    order_no: str
    channel: str
    state: State
    held_from: State | None
    currency: str  # of these figures; a charge in another one than the order's has a row of its own
    own_currency: bool
    total: int  # 0 in a currency that is not the order's
    placed_at: datetime
    paid_at: datetime | None
    left: bool  # some goods left the warehouse
    recorded: bool = False  # a file said that it was paid, and may have had no charges
    paying: Pot
    second: Pot
    loose: Pot
    counted: int  # of `paying.captured`: what was accepted for the order
    failed: int = 0  # refunds that failed
    by_hand: int = 0  # refunds that wait for a person
    asked_at: datetime | None = None  # of the oldest refund that is on its way

    @property
    def place(self) -> State:
        return self.held_from or self.state

    @property
    def called_off(self) -> bool:
        """It ended before anything left: nobody has to pay for it."""
        return self.state is State.CLOSED and not self.left

    @property
    def has_goods(self) -> bool:
        return self.place in WITH_GOODS or (self.state is State.CLOSED and self.left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What it comes to; the equations of this module hold.

    due: the order's total, nothing for one that was called off. earned: what pays for the order and stays. credited:
    what of the price was given back. open: what nobody paid yet. surplus: what is here and belongs to the customer.
    unbooked: what went back without being in the books as captured.
    """

    due: int = 0
    captured: int = 0
    refunded: int = 0
    on_its_way: int = 0
    earned: int = 0
    credited: int = 0
    open: int = 0
    surplus: int = 0
    unbooked: int = 0

    @property
    def difference(self) -> int:
        """By how much the two equations fail, together: 0, or this program is wrong."""
        owed = self.earned + self.credited + self.open
        held = self.earned + self.surplus + self.on_its_way + self.refunded
        return abs(self.due - owed) + abs(self.captured + self.unbooked - held)

    @property
    def adds_up(self) -> bool:
        return not self.difference


def account(facts: Facts) -> Account:
    """Put every cent of an order into its place."""
    due = 0 if facts.called_off else facts.total
    pots = (facts.paying, facts.second, facts.loose)
    earned, open_ = min(facts.paying.left, due), max(0, due - facts.paying.captured)
    return Account(
        due=due,
        captured=sum(pot.captured for pot in pots),
        refunded=sum(pot.refunded for pot in pots),
        on_its_way=sum(pot.on_its_way for pot in pots),
        earned=earned,
        credited=due - earned - open_,
        open=open_,
        surplus=sum(pot.left for pot in pots) - earned,
        unbooked=sum(pot.beyond for pot in pots),
    )


def findings(facts: Facts, now: datetime) -> tuple[Finding, ...]:
    """What of an order's money does not agree with its state, the gravest first."""
    found = {*_of_charges(facts), *_of_refunds(facts, account(facts), now)}
    return tuple(one for weight in Weight for one in Finding if one in found and WEIGHTS[one] is weight)


def _of_charges(facts: Facts) -> Iterator[Finding]:
    paying = facts.paying
    if not facts.own_currency:
        if paying.left:
            yield Finding.CURRENCY
    elif facts.called_off and paying.left:
        yield Finding.CLOSED_WITH_MONEY
    elif not facts.called_off:
        yield from _of_price(facts)
    if facts.second.captured:
        yield _of_second(facts)


def _of_price(facts: Facts) -> Iterator[Finding]:
    """Whether what came is what is due."""
    paid = facts.paid_at is not None
    if facts.recorded and not facts.paying.captured:
        return
    if (paid or facts.has_goods) and not facts.counted and facts.total:
        yield Finding.MISSING_CAPTURE
    elif paid and facts.paying.captured < facts.total:
        yield Finding.UNDERPAID
    elif paid and facts.paying.captured > facts.total and facts.paying.left > facts.total:  # the rest did not go back
        yield Finding.OVERPAID
    elif not paid and facts.paying.left and facts.paying.left != facts.total:
        yield Finding.PAYMENT_DIFFERS


def _of_second(facts: Facts) -> Finding:
    if facts.second.left:
        unpaid = facts.paid_at is None and facts.state is State.CLOSED
        return Finding.CAPTURED_ON_CLOSED if unpaid else Finding.DUPLICATE_CAPTURE
    return Finding.DUPLICATE_GOES_BACK if facts.second.on_its_way else Finding.DUPLICATE_WENT_BACK


def _of_refunds(facts: Facts, money: Account, now: datetime) -> Iterator[Finding]:
    if money.unbooked:
        yield Finding.REFUND_UNBOOKED
    if facts.failed and (facts.paying.left or facts.second.left):
        yield Finding.REFUND_FAILED
    if facts.by_hand:
        yield Finding.REFUND_BY_HAND
    if facts.asked_at is not None and now - facts.asked_at > LATE:
        yield Finding.REFUND_LATE
    gone = money.credited and not money.earned and not money.open
    if gone and facts.has_goods and facts.state is not State.CLOSED:
        yield Finding.REFUNDED_GOES_ON
