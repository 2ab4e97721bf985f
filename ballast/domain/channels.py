"""What a sales channel brings and costs in a period, compared with the period before. None is «no data», never 0."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from ballast.domain.figures import share

MEDIAN: Final = 0.5
ROUNDING: Final = 1e-12
"""A product of shares may miss the half by this much; without it two thirds of three quarters would."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in China, the last one included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """The period before: of whole months as many whole months, else as many days."""
        last = self.first - timedelta(days=1)
        if self.first.day == 1 and (self.last + timedelta(days=1)).day == 1:
            months = (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1
            count = self.first.year * 12 + self.first.month - 1 - months
            return Period(date(count // 12, count % 12 + 1, 1), last)
        return Period(self.first - timedelta(days=self.days), last)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a source took for a channel on a day in China. `amount` in minor units."""

    channel: str
    day: date
    source: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class AgeCount:
    """Of waits for the next order, at one age in whole days: how many were seen from this age on, how many ended with
    an order at it, and of how many nothing more is known after it."""

    age: int
    entered: int
    ended: int
    lost: int


@dataclass(frozen=True, slots=True)
class Repurchase:
    """Waits between one paid order of a customer and the next, as far as they lie in the period.

    A wait that began before the period counts from the age that it had at its first day; one that has no end by the
    last day is right-censored: the customer has not come back yet, and may still do.
    """

    ages: Sequence[AgeCount] = ()  # by age

    @property
    def ended(self) -> int:
        """Orders of the period that were not the customer's first."""
        return sum(one.ended for one in self.ages)

    @property
    def waiting(self) -> int:
        """Customers who had not come back by the end of the period."""
        return sum(one.lost for one in self.ages)

    @property
    def median(self) -> float | None:
        """Days, of the waits that ended in the period. Too short as long as many wait: who is slow is not in it yet."""
        count = self.ended
        if not count:
            return None
        return (self._nth((count - 1) // 2) + self._nth(count // 2)) / 2

    @property
    def estimate(self) -> int | None:
        """Kaplan and Meier's median in days: the age by which half have ordered again, those who wait counted as long
        as they were seen. None: the half was not reached."""
        at_risk, still_waiting = 0, 1.0
        for one in self.ages:
            at_risk += one.entered
            if one.ended:
                still_waiting *= 1 - one.ended / at_risk
                if still_waiting <= MEDIAN + ROUNDING:
                    return one.age
            at_risk -= one.ended + one.lost
        return None

    def _nth(self, place: int) -> int:
        for one in self.ages:
            place -= one.ended
            if place < 0:
                return one.age
        raise IndexError("there are not so many waits")

    def __add__(self, other: "Repurchase") -> "Repurchase":
        """Both together, age by age."""
        found: dict[int, AgeCount] = {}
        for one in (*self.ages, *other.ages):
            had = found.get(one.age, AgeCount(one.age, 0, 0, 0))
            found[one.age] = AgeCount(one.age, had.entered + one.entered, had.ended + one.ended, had.lost + one.lost)
        return Repurchase([found[age] for age in sorted(found)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReturn:
    """Orders of a channel that were paid in the period, in one currency. Money in minor units.

    refunds and returned: of these orders, whenever it happened, as far as it is known. A second charge is no revenue
    and its refund is none. cost: None when nobody said what the channel cost; cost_days: on how many days it is known.
    """

    channel: str
    currency: str
    orders: int = 0
    customers: int = 0
    new_customers: int = 0  # whose first paid order in this channel it was
    revenue: int = 0
    refunds: int = 0
    returned: int = 0  # orders of which goods should come back; refused ones are not counted
    cost: int | None = None
    cost_days: int = 0
    repurchase: Repurchase = field(default_factory=Repurchase)

    @property
    def net(self) -> int | None:
        return self.revenue - self.refunds if self.orders else None

    @property
    def contribution(self) -> int | None:
        """What is left of the revenue after refunds and acquisition cost. The cost of the goods is not in the books."""
        return None if self.cost is None else self.revenue - self.refunds - self.cost


class Measure(StrEnum):
    """A column of the table."""

    ORDERS = "orders"  # paid in the period
    REVENUE = "revenue"  # what they come to
    REFUNDS = "refunds"  # what of it went back
    NET = "net_revenue"  # revenue without refunds
    COST = "acquisition_cost"  # as imported by channel and day
    NEW = "new_customers"  # whose first order in this channel it was
    COST_PER_NEW = "cost_per_new_customer"  # over customers whose first order it was
    AVERAGE = "average_order_value"  # revenue over orders
    RETURN_RATE = "return_rate"  # orders with a return over orders
    REPURCHASE = "repurchase_days"  # median of the waits that ended
    REPURCHASE_ALL = "repurchase_days_estimate"  # with those who still wait (Kaplan-Meier)
    CONTRIBUTION = "contribution"  # net revenue without acquisition cost
    ROI = "roi"  # contribution over acquisition cost
    COST_SHARE = "cost_share"  # acquisition cost over net revenue


MONEY: Final = frozenset(
    {Measure.REVENUE, Measure.REFUNDS, Measure.NET, Measure.COST, Measure.COST_PER_NEW, Measure.AVERAGE,
     Measure.CONTRIBUTION}
)  # fmt: skip
SHARES: Final = frozenset({Measure.RETURN_RATE, Measure.ROI, Measure.COST_SHARE})
DAYS: Final = frozenset({Measure.REPURCHASE, Measure.REPURCHASE_ALL})
LESS_IS_BETTER: Final = frozenset(
    {Measure.REFUNDS, Measure.COST, Measure.COST_PER_NEW, Measure.RETURN_RATE, Measure.REPURCHASE,
     Measure.REPURCHASE_ALL, Measure.COST_SHARE}
)  # fmt: skip


def measure(name: Measure, of: ChannelReturn) -> float | None:
    """Money in minor units, shares as parts of one, cycles in days. None: no data, also where it would be x / 0."""
    nothing = not of.orders
    values: Mapping[Measure, float | None] = {
        Measure.ORDERS: of.orders,
        Measure.REVENUE: None if nothing else of.revenue,
        Measure.REFUNDS: None if nothing else of.refunds,
        Measure.NET: of.net,
        Measure.COST: of.cost,
        Measure.NEW: None if nothing else of.new_customers,
        Measure.COST_PER_NEW: None if of.cost is None else _money_per(of.cost, of.new_customers),
        Measure.AVERAGE: _money_per(of.revenue, of.orders),
        Measure.RETURN_RATE: share(of.returned, of.orders),
        Measure.REPURCHASE: of.repurchase.median,
        Measure.REPURCHASE_ALL: of.repurchase.estimate,
        Measure.CONTRIBUTION: of.contribution,
        Measure.ROI: None if of.contribution is None else share(of.contribution, of.cost or 0),
        Measure.COST_SHARE: None if of.cost is None or (of.net or 0) <= 0 else share(of.cost, of.net or 0),
    }
    return values[name]


def _money_per(amount: int, count: int) -> int | None:
    """Minor units, rounded to the nearest, halves up."""
    return (2 * amount + count) // (2 * count) if count else None


def change(name: Measure, now: ChannelReturn, before: ChannelReturn) -> float | None:
    """Against the period before: of shares and days the difference, of all else the part by which it grew."""
    new, old = measure(name, now), measure(name, before)
    if new is None or old is None:
        return None
    return new - old if name in SHARES | DAYS else share(new - old, abs(old))


@dataclass(frozen=True, slots=True)
class Compared:
    """A channel in a period and in the one before."""

    now: ChannelReturn
    before: ChannelReturn

    def as_dict(self) -> dict[str, Any]:
        return {
            "channel": self.now.channel,
            "currency": self.now.currency,
            **{str(name): measure(name, self.now) for name in Measure},
            "customers": self.now.customers,
            "cost_days": self.now.cost_days,
            "came_back": self.now.repurchase.ended,
            "not_back_yet": self.now.repurchase.waiting,
            "before": {str(name): measure(name, self.before) for name in Measure},
            "change": {str(name): change(name, self.now, self.before) for name in Measure},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReport:
    """All channels of a period. `before_as_of`: the period before is shown as it stood when it was as old as this one
    is at `as_of`, or its refunds and returns would have had more time."""

    period: Period
    as_of: datetime
    before_as_of: datetime
    channels: Sequence[Compared]  # by currency, then by net revenue
    archived: int = 0  # orders that were under way in either period and are in the archive: counted in nothing
    history_cut: bool = False  # the archive holds orders: older customers look new, long cycles are missing

    @property
    def before(self) -> Period:
        return self.period.before

    def totals(self) -> list[Compared]:
        """All channels of each currency together. Customers are counted once per channel."""
        currencies = dict.fromkeys(one.now.currency for one in self.channels)
        return [self._total(currency) for currency in currencies]

    def _total(self, currency: str) -> Compared:
        of = [one for one in self.channels if one.now.currency == currency]
        return Compared(add_up([one.now for one in of]), add_up([one.before for one in of]))

    def as_dict(self) -> dict[str, Any]:
        """For scripts. Money in minor units, shares of one, cycles in days; null: no data."""
        return {
            "from": self.period.first,
            "to": self.period.last,
            "before": {"from": self.before.first, "to": self.before.last},
            "as_of": self.as_of,
            "before_as_of": self.before_as_of,
            "archived": self.archived,
            "history_cut": self.history_cut,
            "channels": [one.as_dict() for one in self.channels],
            "totals": [one.as_dict() | {"channel": None} for one in self.totals()],
        }


def add_up(channels: Sequence[ChannelReturn]) -> ChannelReturn:
    """All of one currency. What costs are not known is taken as such: a sum without them would look too good."""
    total = replace(channels[0], channel="")
    for one in channels[1:]:
        total = ChannelReturn(
            channel="",
            currency=total.currency,
            orders=total.orders + one.orders,
            customers=total.customers + one.customers,
            new_customers=total.new_customers + one.new_customers,
            revenue=total.revenue + one.revenue,
            refunds=total.refunds + one.refunds,
            returned=total.returned + one.returned,
            cost=None if total.cost is None or one.cost is None else total.cost + one.cost,
            cost_days=min(total.cost_days, one.cost_days),
            repurchase=total.repurchase + one.repurchase,
        )
    return total


@dataclass(frozen=True, slots=True)
class Axis:
    """One ray of the radar. `worst` and `best` are what 0 and 100 mean; None: measured by the best channel."""

    measure: Measure
    worst: float | None = None
    best: float | None = None


AXES: Final = (
    Axis(Measure.NET),
    Axis(Measure.AVERAGE),
    Axis(Measure.RETURN_RATE, worst=0.30, best=0.0),
    Axis(Measure.REPURCHASE_ALL, worst=180, best=0),
    Axis(Measure.COST_SHARE, worst=0.50, best=0.0),
    Axis(Measure.CONTRIBUTION),
)


def scores(report: ChannelReport, currency: str) -> list[tuple[str, list[float | None], list[float | None]]]:
    """(channel, its scores now, its scores before) by `AXES`, 0 to 100, further out is better; None: no data.

    An axis with bounds is a line between them, cut at both ends. One without is the part of the best that any channel
    had in either period, so that both periods have one scale; what is negative is 0.
    """
    of = [one for one in report.channels if one.now.currency == currency]
    tops = {
        axis.measure: max((measure(axis.measure, each) or 0 for one in of for each in (one.now, one.before)), default=0)
        for axis in AXES
    }
    return [
        (
            one.now.channel,
            [_score(axis, one.now, tops) for axis in AXES],
            [_score(axis, one.before, tops) for axis in AXES],
        )
        for one in of
    ]


def _score(axis: Axis, of: ChannelReturn, tops: Mapping[Measure, float]) -> float | None:
    value = measure(axis.measure, of)
    worst, best = (0.0, tops[axis.measure]) if axis.best is None or axis.worst is None else (axis.worst, axis.best)
    if value is None or best == worst:
        return None
    return min(100.0, max(0.0, 100 * (value - worst) / (best - worst)))
