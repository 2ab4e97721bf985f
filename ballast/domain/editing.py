"""What may be changed of an order, by how far it is, and what it costs afterwards. Pure, to the cent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from ballast.domain.lines import Line
from ballast.domain.returns import Sold, worth_of, worths

ADDRESS: Final = ("name", "mobile", "province", "city", "district", "address")
"""The parts of a receiver, as orders have them."""


class Refusal(StrEnum):
    """Why an order is not changed."""

    ENDED = "ended"  # it is closed
    LEFT = "left"  # some of it has left: the way back is a return
    STOPPED = "stopped"  # it is being called off, or its money went back
    HELD = "held"  # a person has to look at something else first
    UNDER_WAY = "under_way"  # another change is asked for, or a step is just locking its stock
    NOTHING = "nothing"  # the change says what is so already
    UNKNOWN_LINE = "unknown_line"  # the order has no such line
    MORE_AFTER_PAYMENT = "more_after_payment"  # what is paid does not grow: that is another order, and can be merged
    EVERYTHING = "everything"  # nothing would be left: that is a cancellation
    NOT_ALIKE = "not_alike"  # orders of two customers, addresses, shops or currencies
    MERGED = "merged"  # another order carries it already
    UNKNOWN_ORDER = "unknown_order"  # no such order is in the books
    NOT_THERE = "not_there"  # one of them waits for money or stock, and the others do not


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What an order consists of and costs: goods + freight - discount = total, minor units."""

    lines: tuple[Line, ...]
    freight: int
    discount: int

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines) + self.freight - self.discount


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody wants changed. `receiver`: parts of it; `quantities`: line number -> pieces, 0 removes the line.

    `merge`: all orders that are to become one, the one that carries them first.
    """

    receiver: Mapping[str, str] = field(default_factory=dict)
    quantities: Mapping[int, int] = field(default_factory=dict)
    merge: tuple[str, ...] = ()


class NotChanged(Exception):
    """The order stays as it is. `refusal` says why in a word, the message in a sentence."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


def changed_receiver(receiver: Mapping[str, str], change: Change) -> dict[str, str]:
    """The receiver afterwards. Raises `ValueError` for a part that no receiver has."""
    if strange := sorted(change.receiver.keys() - set(ADDRESS)):
        raise ValueError(f"a receiver has no {', '.join(strange)}; it has {', '.join(ADDRESS)}")
    return {**receiver, **change.receiver}


def changed_bill(bill: Bill, change: Change, *, paid: bool) -> Bill:
    """The bill afterwards. What is taken away is worth what was to be paid for it, its share of the discount included:
    the same as if it had been returned. Pieces more cost the line's unit price.

    Raises `NotChanged`: a line that is not there, more of what is paid, nothing left.
    """
    known = {line.line_no: line for line in bill.lines}
    for line_no, quantity in change.quantities.items():
        if line_no not in known:
            raise NotChanged(Refusal.UNKNOWN_LINE, f"there is no line {line_no}; there are {_numbers(known)}")
        if quantity > known[line_no].quantity and paid:
            what = f"line {line_no} has {known[line_no].quantity} pieces and is paid; {quantity} are wanted"
            raise NotChanged(Refusal.MORE_AFTER_PAYMENT, f"{what}: place another order for the rest and merge both")
    net = worths([Sold(line.line_no, line.quantity, line.amount) for line in bill.lines], bill.discount)
    lines, discount = [], bill.discount
    for line in bill.lines:
        quantity = change.quantities.get(line.line_no, line.quantity)
        made = _resized(line, quantity)
        if quantity < line.quantity:
            kept = net[line.line_no] - worth_of(net[line.line_no], line.quantity, quantity, line.quantity - quantity)
            discount -= (line.amount - net[line.line_no]) - (made.amount - kept)
        if quantity:
            lines.append(made)
    if not lines:
        raise NotChanged(Refusal.EVERYTHING, "nothing would be left of the order: cancel it")
    return Bill(lines=tuple(lines), freight=bill.freight, discount=discount)


def _resized(line: Line, quantity: int) -> Line:
    """Fewer pieces keep their share of the line's amount, rounded down; more cost the unit price."""
    if quantity > line.quantity:
        return replace(line, quantity=quantity, amount=line.amount + line.unit_price * (quantity - line.quantity))
    return replace(line, quantity=quantity, amount=line.amount * quantity // line.quantity)


def _numbers(lines: Iterable[int]) -> str:
    return ", ".join(str(number) for number in sorted(lines))
