"""Returns and exchanges: their life cycle, one table keyed by (state, event), and what a returned piece is worth."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ballast.domain.rules.portions import portion


class ReturnState(StrEnum):
    """Where a return is. An order never moves back for its sake."""

    REQUESTED = "requested"  # somebody wants it; a rule or a person has to answer, within four hours
    APPROVED = "approved"  # agreed to; the warehouse does not know of it yet, or no goods are wanted
    WAITING_FOR_GOODS = "waiting_for_goods"  # the warehouse knows that they come, or the courier brings them back
    RECEIVED = "received"  # goods are in, not all of them looked at
    INSPECTED = "inspected"  # counted as good or damaged: money or a new order is next
    REFUNDED = "refunded"  # the provider says that the money arrived
    EXCHANGED = "exchanged"  # the new order is placed
    REJECTED = "rejected"  # the answer was no, or the goods were not as they should be
    CLOSED = "closed"  # the end: nothing is left to do anywhere


class ReturnEvent(StrEnum):
    """What can happen to a return."""

    APPROVED = "APPROVED"  # a rule, a person, or the fact that the parcel comes back
    REJECTED = "REJECTED"  # a rule or a person said no
    AWAITED = "AWAITED"  # the warehouse took the return order on, or the courier has the goods
    RECEIVED = "RECEIVED"  # the warehouse has goods of it
    INSPECTED = "INSPECTED"  # it said what is good and what is damaged, and that nothing more follows
    REFUNDED = "REFUNDED"  # everything that was to go back did
    EXCHANGED = "EXCHANGED"  # the new order is in the books
    FINISHED = "FINISHED"  # warehouse and ERP know everything
    GIVEN_UP = "GIVEN_UP"  # the goods do not come: the customer keeps them, or was reached after all


class ReturnKind(StrEnum):
    """Why goods come back."""

    RETURN = "return"  # the customer sends them and wants money
    EXCHANGE = "exchange"  # the customer sends them and wants others
    REFUSED_PARCEL = "refused_parcel"  # 拒收: the customer did not take the parcel
    RETURN_TO_SENDER = "return_to_sender"  # the courier brings it back


BY_FACT: Final = frozenset({ReturnKind.REFUSED_PARCEL, ReturnKind.RETURN_TO_SENDER})
"""Nobody asks for these and nobody has to agree: the parcel is on its way back."""


class ReturnReason(StrEnum):
    """What the customer says. Whose fault it is decides about damaged goods and about freight."""

    NO_REASON = "no_reason"  # 七天无理由: only of goods that are as they were
    QUALITY = "quality"  # broken or faulty
    WRONG_GOODS = "wrong_goods"  # not what was ordered
    NOT_AS_DESCRIBED = "not_as_described"  # as ordered, and not as shown
    CANCELLED_LATE = "cancelled_late"  # a cancellation that the goods outran
    NOT_DELIVERED = "not_delivered"  # refused, or it could not be delivered
    OTHER = "other"  # see the words


SELLERS_FAULT: Final = frozenset({ReturnReason.QUALITY, ReturnReason.WRONG_GOODS, ReturnReason.NOT_AS_DESCRIBED})
"""Damaged goods are refunded without a question."""

_S, _E = ReturnState, ReturnEvent

MOVES: Final[dict[tuple[ReturnState, ReturnEvent], ReturnState]] = {
    (_S.REQUESTED, _E.APPROVED): _S.APPROVED,
    (_S.REQUESTED, _E.REJECTED): _S.REJECTED,
    (_S.REQUESTED, _E.GIVEN_UP): _S.CLOSED,
    (_S.APPROVED, _E.AWAITED): _S.WAITING_FOR_GOODS,
    (_S.APPROVED, _E.RECEIVED): _S.RECEIVED,  # the goods were quicker than our notice
    (_S.APPROVED, _E.REFUNDED): _S.REFUNDED,  # no goods were wanted
    (_S.APPROVED, _E.EXCHANGED): _S.EXCHANGED,
    (_S.APPROVED, _E.GIVEN_UP): _S.CLOSED,
    (_S.WAITING_FOR_GOODS, _E.RECEIVED): _S.RECEIVED,
    (_S.WAITING_FOR_GOODS, _E.GIVEN_UP): _S.CLOSED,
    (_S.RECEIVED, _E.RECEIVED): _S.RECEIVED,  # another part of them
    (_S.RECEIVED, _E.INSPECTED): _S.INSPECTED,
    (_S.INSPECTED, _E.REFUNDED): _S.REFUNDED,
    (_S.INSPECTED, _E.EXCHANGED): _S.EXCHANGED,
    (_S.INSPECTED, _E.REJECTED): _S.REJECTED,  # a person will not pay for what came
    (_S.INSPECTED, _E.FINISHED): _S.CLOSED,  # there is no money to give back
    (_S.REFUNDED, _E.FINISHED): _S.CLOSED,
    (_S.EXCHANGED, _E.FINISHED): _S.CLOSED,
    (_S.REJECTED, _E.FINISHED): _S.CLOSED,
}

UNTIL_GOODS: Final = frozenset({_S.REQUESTED, _S.APPROVED, _S.WAITING_FOR_GOODS, _S.RECEIVED})
"""Somebody, or the goods, are waited for."""

FREES: Final = frozenset({ReturnEvent.REJECTED, ReturnEvent.GIVEN_UP})
"""Its pieces may be asked for again."""

TIMES: Final[Mapping[ReturnState, str]] = {
    _S.APPROVED: "approved_at",
    _S.WAITING_FOR_GOODS: "awaited_at",
    _S.RECEIVED: "received_at",
    _S.INSPECTED: "inspected_at",
    _S.REFUNDED: "refunded_at",
    _S.EXCHANGED: "exchanged_at",
    _S.REJECTED: "rejected_at",
    _S.CLOSED: "closed_at",
}
"""State -> the column with the time at which it was first reached."""


def after(state: ReturnState, event: ReturnEvent) -> ReturnState | None:
    """The state that follows; None: late or repeated, it moves nothing."""
    return MOVES.get((state, event))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A return that an order has already. `pieces`: line number -> how many; none yet of one that wants everything."""

    number: str
    kind: ReturnKind
    state: ReturnState
    counts: bool  # False: rejected or given up
    whole: bool
    waybill: str | None
    pieces: Mapping[int, int]

    @property
    def waits(self) -> bool:
        """For an answer."""
        return self.state is ReturnState.REQUESTED

    @property
    def is_timed(self) -> bool:
        """Whether a clock runs for it: until it is answered, and until its goods are there."""
        return self.state in UNTIL_GOODS


# -- numbers -----------------------------------------------------------------------------------------------------

_NUMBER: Final = re.compile(r"RT-(?P<order>.+)-(?P<count>[1-9][0-9]*)")
_EXCHANGE: Final = re.compile(r".+-HH[1-9][0-9]*")
LONGEST_ORDER_NO: Final = 32


def return_no(order_no: str, count: int) -> str:
    """The number of the count-th return of an order, never random: `RT-SO1-1`."""
    return f"RT-{order_no}-{count}"


def order_of(number: str) -> str | None:
    """Whose return it is; None when the number is none of ours."""
    found = _NUMBER.fullmatch(number)
    return found["order"] if found else None


def exchange_no(number: str) -> str:
    """The number of the order that a return is exchanged for: `SO1-HH1` for `RT-SO1-1`. Raises `ValueError`."""
    found = _NUMBER.fullmatch(number)
    made = f"{found['order']}-HH{found['count']}" if found else ""
    if not found or len(made) > LONGEST_ORDER_NO:
        raise ValueError(f"{number}: no order number of at most {LONGEST_ORDER_NO} characters can be made of it")
    return made


def is_exchange_no(order_no: str) -> bool:
    """Whether it is made of a return's number, as `exchange_no` makes them."""
    return _EXCHANGE.fullmatch(order_no) is not None


# -- what a piece is worth ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sold:
    """One order line as it was sold. `amount`: of the whole line before the order's discount, minor units."""

    line_no: int
    quantity: int
    amount: int


def worths(lines: Sequence[Sold], discount: int) -> dict[int, int]:
    """Line number -> what was paid for it: its amount less its share of the order's discount, minor units.

    The shares are exact to the cent: all lines together are worth what was paid for goods.
    """
    amounts = [line.amount for line in lines]
    shares = portion(discount, amounts, amounts) if amounts else []
    return {line.line_no: line.amount - share for line, share in zip(lines, shares, strict=True)}


def freight_paid(lines: Sequence[Sold], freight: int, discount: int) -> int:
    """What was paid for freight: a discount above the goods is taken off it."""
    return max(0, freight - max(0, discount - sum(line.amount for line in lines)))


def worth_of(worth: int, quantity: int, before: int, pieces: int) -> int:
    """What `pieces` of a line are worth when `before` of them went back already, minor units.

    Piece by piece, in any order and in any parts, the whole line adds up to exactly `worth`.
    """
    if not 0 <= before <= before + pieces <= quantity:
        raise ValueError(f"{pieces} pieces after {before}, of {quantity}")
    return worth * (before + pieces) // quantity - worth * before // quantity


def spread(amount: int, rooms: Sequence[int]) -> list[int]:
    """An amount over charges, the first first, each at most what is left of it; less than `amount` if there is less."""
    parts = []
    for room in rooms:
        part = min(amount, room)
        parts.append(part)
        amount -= part
    return parts
