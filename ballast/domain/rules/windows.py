"""Figures over a sliding window, named in rules: `ip_orders_1h`, `phone_return_rate_30d`, `customer_cards_7d`.

The name says whose orders (ip, device, phone, customer, card), which figure, and how long: 1h to 72h, 1d to 90d.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Self


class Subject(StrEnum):
    """Whose orders are looked at: those that have the same one of these."""

    IP = "ip"
    DEVICE = "device"
    PHONE = "phone"  # the receiver's
    CUSTOMER = "customer"
    CARD = "card"  # the payment card or account


class Figure(StrEnum):
    """What is said of them."""

    ORDERS = "orders"  # the most orders within one window that this order is in, this one counted, known by now
    EARLIER = "earlier"  # orders before this one, this one not counted
    RETURNS = "returns"  # of those: came back, were refused, or refunded after they left
    RETURN_RATE = "return_rate"  # returns of earlier, 0 to 1; 0 where there are none
    CARDS = "cards"  # the most different cards within one window that this order is in


MOST_NEIGHBOURS: Final = 100
"""Orders of the same subject that are looked at before an order, and after it: up to here a figure is exact."""

LONGEST_HOURS: Final = 72
LONGEST_DAYS: Final = 90
_NAME: Final = re.compile(r"(ip|device|phone|customer|card)_(orders|earlier|returns|return_rate|cards)_([0-9]+)([hd])")
_LIKE: Final = re.compile(r"([a-z]+)_(?:[a-z_]+_)?([0-9]+)([a-z]*)")


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One figure over one span, as a rule names it. Read it by `parse`, which bounds it."""

    subject: Subject
    figure: Figure
    count: int
    unit: str  # h or d

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """None when this is no window's name, or one out of bounds: `window_trouble` says why."""
        found = _NAME.fullmatch(name)
        if found is None or window_trouble(name):
            return None
        return cls(Subject(found[1]), Figure(found[2]), int(found[3]), found[4])

    @property
    def name(self) -> str:
        return f"{self.subject}_{self.figure}_{self.count}{self.unit}"

    @property
    def span(self) -> timedelta:
        return timedelta(hours=self.count) if self.unit == "h" else timedelta(days=self.count)

    @property
    def counts(self) -> bool:
        """Whether it is a number of things, which is exact up to `MOST_NEIGHBOURS`; else a rate."""
        return self.figure is not Figure.RETURN_RATE


def window_trouble(name: str) -> str:
    """What is wrong with a name that looks like a window's, in words; empty: nothing, or it looks like none."""
    found = _NAME.fullmatch(name)
    if found is None:
        like = _LIKE.fullmatch(name)
        if like is None:
            return ""
        return (
            f"{name} is not a window: write <{'|'.join(Subject)}>_<{'|'.join(Figure)}>_<number><h|d>, "
            "for example ip_orders_1h"
        )
    subject, figure, digits, unit = found.groups()
    if digits.startswith("0") or len(digits) > 3:
        return f"{name}: {digits} is not a number of hours or days"
    if unit == "h" and figure != Figure.ORDERS:
        return f"{name}: {figure} is counted in days, for example {subject}_{figure}_7d"
    if int(digits) > (most := LONGEST_HOURS if unit == "h" else LONGEST_DAYS):
        return f"{name}: a window is at most {most} {'hours' if unit == 'h' else 'days'} long"
    if subject == Subject.CARD and figure == Figure.CARDS:
        return f"{name}: a card is one card"
    return ""


def windows_in(names: Iterable[str]) -> frozenset[Window]:
    """The windows among these names."""
    return frozenset(window for name in names if (window := Window.parse(name)))


class Neighbour(NamedTuple):
    """Another order of the same subject. `at`: microseconds of its time; `returned`: see `Figure.RETURNS`."""

    at: int
    card: str
    returned: bool


def measure(window: Window, at: int, card: str, others: Sequence[Neighbour]) -> int | float:
    """The figure for an order placed `at` (microseconds) with this card, beside others by time, the earliest first.

    An order is within a window of another when their times differ by its span at most. Others that are placed at the
    same time count as earlier.
    """
    if not others:  # as with most orders
        return {Figure.ORDERS: 1, Figure.CARDS: int(bool(card))}.get(window.figure, 0)
    span = window.span // timedelta(microseconds=1)
    if window.figure is Figure.ORDERS:
        return _most_orders([other.at for other in others if abs(other.at - at) <= span], at, span)
    if window.figure is Figure.CARDS:
        return _most_cards([other for other in others if abs(other.at - at) <= span], at, card, span)
    before = [other for other in others if at - span <= other.at <= at]
    returned = sum(other.returned for other in before)
    if window.figure is Figure.EARLIER:
        return len(before)
    if window.figure is Figure.RETURNS:
        return returned
    return round(returned / len(before), 6) if before else 0


def _most_orders(times: Sequence[int], at: int, span: int) -> int:
    """The largest number of orders within a span that includes this one. `times`: of the others, sorted."""
    most = end = 0
    earlier = bisect_right(times, at)
    for start, first in enumerate([*times[:earlier], at]):
        while end < len(times) and times[end] <= first + span:
            end += 1
        most = max(most, end - start + 1)
    return most


def _most_cards(others: Sequence[Neighbour], at: int, card: str, span: int) -> int:
    """The same for different cards; an order without one adds none."""
    found = [other for other in others if other.card and other.card != card]
    inside: Counter[str] = Counter()
    most = end = 0
    earlier = bisect_right(found, at, key=lambda other: other.at)
    for start, first in enumerate([*(other.at for other in found[:earlier]), at]):
        while end < len(found) and found[end].at <= first + span:
            inside[found[end].card] += 1
            end += 1
        most = max(most, len(inside))
        if start < earlier:
            inside -= Counter([found[start].card])
    return most + bool(card)
