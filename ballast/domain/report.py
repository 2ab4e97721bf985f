"""What a report says: the three hard numbers with their bounds, and the figures behind them. All of one window."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from ballast.domain.figures import Interval, Spread, share, wilson


@dataclass(frozen=True, slots=True)
class Bound:
    """How good a number has to be, and how good it was where the mission measured it."""

    healthy: float
    reference: float


ACCURACY: Final = Bound(healthy=0.998, reference=0.9997)  # share, at least
RESPONSE: Final = Bound(healthy=15.0, reference=8.3)  # minutes, at most
INTERVENTIONS: Final = Bound(healthy=0.5, reference=0.07)  # per order, at most


@dataclass(frozen=True, slots=True)
class Window:
    """`since` is in it, `until` no more. Aware UTC."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `asked` orders, how many are with a system (or with all of them) what they are with us."""

    asked: int
    agreeing: int

    @property
    def share(self) -> float | None:
        """None when nobody was asked: that is no hundred per cent."""
        return share(self.agreeing, self.asked)

    @property
    def interval(self) -> Interval:
        """Where the share of all orders lies, at 95 %."""
        return wilson(self.agreeing, self.asked)

    def as_dict(self) -> dict[str, Any]:
        low, high = self.interval if self.asked else (None, None)
        return {"asked": self.asked, "agreeing": self.agreeing, "share": self.share, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of the newest finished reconciliation of a window; without one there is nothing in it."""

    measured_at: datetime | None = None
    scope: str = ""
    overall: Agreement = Agreement(0, 0)
    systems: Mapping[str, Agreement] = field(default_factory=dict)

    @property
    def healthy(self) -> bool | None:
        """None: not measured."""
        found = self.overall.share
        return None if found is None else found >= ACCURACY.healthy

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.overall.as_dict(),
            "measured_at": self.measured_at,
            "scope": self.scope,
            "systems": {name: one.as_dict() for name, one in self.systems.items()},
            **_judged(self.healthy, ACCURACY),
        }


@dataclass(frozen=True, slots=True)
class Response:
    """Minutes from an alert to a person acting. Alerts of level warning and urgent.

    ended_alone: their cause was over before anybody acted. open: nobody has acted yet; `open_minutes` is how long
    all of them have waited together, `oldest_minutes` the longest.
    """

    answered: Spread
    ended_alone: int = 0
    open: int = 0
    open_minutes: float = 0.0
    oldest_minutes: float | None = None

    @property
    def at_least(self) -> float | None:
        """The mean if everybody acted this very moment on what is open: what waits must not make the figure better."""
        waited = (self.answered.mean or 0.0) * self.answered.count + self.open_minutes
        return share(waited, self.answered.count + self.open)

    @property
    def healthy(self) -> bool | None:
        """Both the mean and `at_least` are within the bound. None: no alert that anybody had to answer."""
        found = [minutes for minutes in (self.answered.mean, self.at_least) if minutes is not None]
        return max(found) <= RESPONSE.healthy if found else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "mean": self.answered.mean,
            "p50": self.answered.p50,
            "p95": self.answered.p95,
            "answered": self.answered.count,
            "ended_alone": self.ended_alone,
            "open": self.open,
            "oldest_open_minutes": self.oldest_minutes,
            "mean_at_least": self.at_least,
            **_judged(self.healthy, RESPONSE),
        }


@dataclass(frozen=True, slots=True)
class Interventions:
    """What people did to orders: `actions` on `touched` of `orders`, by what was done."""

    orders: int
    actions: int
    touched: int
    kinds: Mapping[str, int] = field(default_factory=dict)

    @property
    def per_order(self) -> float | None:
        """None: no orders."""
        return share(self.actions, self.orders)

    @property
    def untouched(self) -> float | None:
        """The share of orders that no person had to do anything to."""
        return share(self.orders - self.touched, self.orders)

    @property
    def healthy(self) -> bool | None:
        found = self.per_order
        return None if found is None else found <= INTERVENTIONS.healthy

    def as_dict(self) -> dict[str, Any]:
        return {
            "per_order": self.per_order,
            "actions": self.actions,
            "orders": self.orders,
            "orders_touched": self.touched,
            "untouched_share": self.untouched,
            "kinds": dict(self.kinds),
            **_judged(self.healthy, INTERVENTIONS),
        }


@dataclass(frozen=True, slots=True)
class LeadTime:
    """How long a step of the way took, minutes. waiting: it began and has not ended. disorder: it ended before it began
    by the times that were told; such times are counted and measure nothing."""

    step: str
    count: int
    p50: float | None
    p95: float | None
    waiting: int
    disorder: int


@dataclass(frozen=True, slots=True)
class HoldFigures:
    """Holds of one reason that began in the window. followed: another cause took its place, the order stayed held."""

    reason: str
    count: int
    open: int
    by_person: int
    by_itself: int
    followed: int
    median_minutes: float | None  # of those that have ended


@dataclass(frozen=True, slots=True)
class BreachFigures:
    """Thresholds of one clock that orders of one courier passed in the window."""

    clock: str
    level: str
    courier: str
    count: int
    open: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Second charges that were found in the window, minor units of one currency.

    amount = refunded + under_way + open, where `open` is what nobody gives back yet.
    """

    currency: str
    count: int
    amount: int
    refunded: int
    under_way: int
    open: int


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """Orders of one channel that were placed in the window. Lead time from placed to signed, minutes."""

    channel: str
    orders: int
    actions: int
    touched: int
    held: int
    red: int  # orders that broke a red threshold
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything of one window, as it was known at `made_at`."""

    window: Window
    made_at: datetime
    accuracy: Accuracy
    response: Response
    interventions: Interventions
    states: Mapping[str, int]  # where the orders that were placed in the window are now
    lead_times: Sequence[LeadTime]
    holds: Sequence[HoldFigures]
    breaches: Sequence[BreachFigures]
    duplicates: Sequence[Duplicates]
    channels: Sequence[ChannelFigures]
    archived: int = 0  # orders that were under way in the window and are in the archive: not counted in anything above

    def as_dict(self) -> dict[str, Any]:
        """For scripts. Shares are between 0 and 1, times in minutes, money in minor units; null: not measured."""
        return {
            "since": self.window.since,
            "until": self.window.until,
            "made_at": self.made_at,
            "numbers": {
                "status_accuracy": self.accuracy.as_dict(),
                "response_minutes": self.response.as_dict(),
                "interventions_per_order": self.interventions.as_dict(),
            },
            "orders": self.interventions.orders,
            "orders_by_state": dict(self.states),
            "archived": self.archived,
            "lead_times": [asdict(one) for one in self.lead_times],
            "holds": [asdict(one) for one in self.holds],
            "sla_breaches": [asdict(one) for one in self.breaches],
            "duplicate_charges": [asdict(one) for one in self.duplicates],
            "channels": [asdict(one) for one in self.channels],
        }


def _judged(healthy: bool | None, bound: Bound) -> dict[str, Any]:
    return {"healthy": healthy, "healthy_bound": bound.healthy, "reference": bound.reference}
