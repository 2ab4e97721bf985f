"""How long each thing may take, and who hears of it when it takes longer. Pure: an order's facts in, breaches out.

A clock runs from one moment of an order to another. It passes two thresholds, yellow and red; a passed one is a breach.
A ladder says who is told of an alert, how long after it was raised, and through which channels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ballast.domain.people import Person
from ballast.domain.words import State
from ballast.domain.working_time import Span, WorkingHours, reached


class Moment(StrEnum):
    """What clocks start and end with."""

    PLACED = "placed"
    PAID = "paid"
    LOCKED = "locked"
    OUTBOUND = "outbound"
    FIRST_SCAN = "first_scan"  # the courier has it: a printed label is not transit
    SIGNED = "signed"
    CLOSED = "closed"
    HELD = "held"  # on hold, each hold by itself
    ACKNOWLEDGED = "acknowledged"  # a person took the hold on
    RELEASED = "released"  # the hold ended
    RETURN_ASKED = "return_asked"  # each return by itself
    RETURN_ANSWERED = "return_answered"
    RETURN_APPROVED = "return_approved"  # whose goods are wanted
    GOODS_BACK = "goods_back"  # they are in and counted, or do not come any more


class Level(StrEnum):
    """How bad it is."""

    YELLOW = "yellow"  # somebody should look
    RED = "red"  # somebody has to act


class Pause(StrEnum):
    """What can stop a clock for a while."""

    HOLD = "hold"  # the order waits for a person: another clock runs for that
    WISH = "wish"  # the customer wants it later


WAY: Final = (Moment.PLACED, Moment.PAID, Moment.LOCKED, Moment.OUTBOUND, Moment.FIRST_SCAN, Moment.SIGNED)
"""Milestones in their order. One that is skipped is ended by the next: couriers drop scans."""

RUNS_IN: Final[dict[State, tuple[Moment, ...]]] = {
    State.PENDING_PAYMENT: (Moment.PLACED, Moment.PAID),
    State.STOCK_LOCKED: (Moment.LOCKED,),
    State.OUTBOUND: (Moment.OUTBOUND,),
    State.IN_TRANSIT: (Moment.OUTBOUND, Moment.FIRST_SCAN),
    State.ON_HOLD: (Moment.HELD,),
}
"""Which moments a clock of a state can start with. Nothing runs in SIGNED and CLOSED; a return runs in any state."""

OF_RETURNS: Final = frozenset({Moment.RETURN_ASKED, Moment.RETURN_APPROVED})
"""What clocks of returns start with."""

ENDS_AT: Final[dict[Moment, tuple[Moment, ...]]] = {
    Moment.PLACED: (Moment.PAID, Moment.LOCKED, Moment.OUTBOUND, Moment.FIRST_SCAN, Moment.SIGNED),
    Moment.PAID: (Moment.LOCKED, Moment.OUTBOUND, Moment.FIRST_SCAN, Moment.SIGNED),
    Moment.LOCKED: (Moment.OUTBOUND, Moment.FIRST_SCAN, Moment.SIGNED),
    Moment.OUTBOUND: (Moment.FIRST_SCAN, Moment.SIGNED),
    Moment.FIRST_SCAN: (Moment.SIGNED,),
    Moment.HELD: (Moment.ACKNOWLEDGED, Moment.RELEASED),
    Moment.RETURN_ASKED: (Moment.RETURN_ANSWERED,),
    Moment.RETURN_APPROVED: (Moment.GOODS_BACK,),
}
"""Which moments can end a clock that started with this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which orders a row is for. An empty part takes every order."""

    channel: frozenset[str] = frozenset()
    tier: frozenset[str] = frozenset()
    courier: frozenset[str] = frozenset()
    region: frozenset[str] = frozenset()

    def takes(self, facts: "OrderFacts") -> bool:
        return (
            (not self.channel or facts.channel in self.channel)
            and (not self.tier or facts.tier in self.tier)
            and (not self.courier or bool(self.courier & facts.couriers))
            and (not self.region or any(facts.region.startswith(region) for region in self.region))
        )

    def __str__(self) -> str:
        """`tier vip; courier SF, YTO`; empty when it takes every order."""
        names = ("channel", "tier", "courier", "region")
        parts = zip(names, self._parts(), strict=True)
        return "; ".join(f"{name} {', '.join(sorted(some))}" for name, some in parts if some)

    def covers(self, other: "Selection") -> bool:
        """Whether every order that `other` takes is taken by this one, too."""
        mine, theirs = self._parts(), other._parts()
        return all(not part or (bool(that) and that <= part) for part, that in zip(mine, theirs, strict=True))

    def _parts(self) -> tuple[frozenset[str], ...]:
        return self.channel, self.tier, self.courier, self.region


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When it is yellow and when red, counted as the clock counts; None: never. Rows are asked in their order."""

    only: Selection
    yellow: timedelta | None
    red: timedelta | None

    def thresholds(self) -> Iterator[tuple[Level, timedelta]]:
        if self.yellow is not None:
            yield Level.YELLOW, self.yellow
        if self.red is not None:
            yield Level.RED, self.red


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One promise. `label` is what people read; `ladders`: who hears of a breach of each level.

    `state`: where an order has to be; None for returns, which come in any state.
    """

    name: str
    label: str
    state: State | None
    since: Moment
    until: Moment
    limits: tuple[Limits, ...]  # the last one takes every order
    pauses: frozenset[Pause] = frozenset()
    working_hours: bool = False
    ladders: Mapping[Level, str] = field(default_factory=dict)

    ends: tuple[Moment, ...] = field(init=False, repr=False, compare=False)
    """`until`, or whatever comes after it when it was skipped; at last CLOSED."""
    shortest: timedelta = field(init=False, repr=False, compare=False)
    """The least that any order may take before it is a breach."""

    def __post_init__(self) -> None:
        possible = ENDS_AT[self.since]
        amounts = (amount for row in self.limits for _, amount in row.thresholds())
        object.__setattr__(self, "ends", (*possible[possible.index(self.until) :], Moment.CLOSED))
        object.__setattr__(self, "shortest", min(amounts, default=timedelta(0)))

    def limits_of(self, facts: "OrderFacts") -> Limits:
        return next(row for row in self.limits if row.only.takes(facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """`after` the alert was raised: tell these roles through the first of these channels that takes it."""

    after: timedelta
    to: tuple[str, ...]
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Who plays it: all of them, or with `turn` one after the other, from `begins` on."""

    people: tuple[str, ...]
    turn: timedelta | None = None
    begins: datetime | None = None

    def on_duty(self, at: datetime) -> tuple[str, ...]:
        if self.turn is None or self.begins is None:
            return self.people
        return (self.people[(at - self.begins) // self.turn % len(self.people)],)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One time on hold. `acknowledged_at`: a person took it on; `released_at`: it ended."""

    held_at: datetime
    acknowledged_at: datetime | None = None
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """One return. `approved_at`: its goods are waited for since then; None: they are not wanted, or not yet."""

    asked_at: datetime
    answered_at: datetime | None = None
    approved_at: datetime | None = None
    back_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """What clocks need to know of an order. `milestones` has those that were reached, and CLOSED."""

    state: State
    channel: str
    tier: str
    couriers: frozenset[str]
    region: str
    milestones: Mapping[Moment, datetime]
    holds: tuple[Hold, ...] = ()
    returns: tuple[Return, ...] = ()
    wishes: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A threshold that was passed at `due_at`. `ended_at`: the clock has ended since; then nobody has to be told."""

    clock: Clock
    level: Level
    started_at: datetime
    due_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All clocks of an order at one moment: what was passed so far, and when the next threshold is."""

    breaches: tuple[Breach, ...]
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The whole policy. `version` tells one text from another; the empty policy watches nothing and tells nobody."""

    version: str = ""
    clocks: tuple[Clock, ...] = ()
    ladders: Mapping[str, tuple[Rung, ...]] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    hours: WorkingHours | None = None
    warnings: tuple[str, ...] = ()

    def read(self, facts: OrderFacts, now: datetime) -> Reading:
        """Exact: with pauses, working hours and who the order is for."""
        breaches: list[Breach] = []
        ahead: list[datetime] = []
        for clock in self.clocks:
            for started_at, ended_at in _runs(clock, facts):
                pauses = _pauses(clock, facts)
                hours = self.hours if clock.working_hours else None
                for level, amount in clock.limits_of(facts).thresholds():
                    due_at = reached(started_at, amount, pauses=pauses, hours=hours)
                    if due_at is None or (ended_at is not None and due_at >= ended_at):
                        continue
                    if due_at > now:
                        ahead.append(due_at)
                    else:
                        breaches.append(
                            Breach(clock=clock, level=level, started_at=started_at, due_at=due_at, ended_at=ended_at)
                        )
        return Reading(breaches=tuple(breaches), next_at=min(ahead, default=None))

    def earliest(
        self, state: State, before: Mapping[Moment, datetime], after: Mapping[Moment, datetime], now: datetime
    ) -> datetime | None:
        """When an order that just moved has to be read: never too late, at times for nothing.

        For the way of every order, from its milestones alone: no pause and no calendar makes a threshold come earlier
        than this. `before` and `after`: its milestones before and after the move; a clock that this move ended and that
        may have passed a threshold is read at once.
        """
        times = [at for clock in self.clocks if (at := _lower_bound(clock, state, before, after, now)) is not None]
        return min(times, default=None)

    def shortest(self, since: Moment) -> timedelta | None:
        """The least that a clock from this moment allows; None: no clock starts with it."""
        return min((clock.shortest for clock in self.clocks if clock.since is since), default=None)


def _runs(clock: Clock, facts: OrderFacts) -> Iterator[tuple[datetime, datetime | None]]:
    """When this clock ran for this order: (started, ended or None). Holds and returns each have a run of their own."""
    closed_at = facts.milestones.get(Moment.CLOSED)
    if clock.since is Moment.HELD:
        for hold in facts.holds:
            ends = [hold.acknowledged_at if clock.until is Moment.ACKNOWLEDGED else None, hold.released_at]
            yield hold.held_at, min(filter(None, ends), default=None)
    elif clock.since is Moment.RETURN_ASKED:
        for each in facts.returns:
            yield each.asked_at, each.answered_at
    elif clock.since is Moment.RETURN_APPROVED:
        for each in facts.returns:
            if each.approved_at is not None:
                yield each.approved_at, each.back_at
    elif (started_at := facts.milestones.get(clock.since)) is not None:
        ended_at = _ended(clock, facts.milestones)
        if ended_at is None and not _is_there(clock, facts):
            ended_at = closed_at or started_at  # it left this way without a milestone: nothing was passed
        yield started_at, ended_at


def _ended(clock: Clock, milestones: Mapping[Moment, datetime]) -> datetime | None:
    return min([milestones[each] for each in clock.ends if each in milestones], default=None)


def _is_there(clock: Clock, facts: OrderFacts) -> bool:
    """Whether the order is where this clock runs: `state` of an order on hold is where it was held."""
    return facts.state is clock.state


def _pauses(clock: Clock, facts: OrderFacts) -> Sequence[Span]:
    pauses: list[Span] = []
    if Pause.HOLD in clock.pauses:
        pauses += [(hold.held_at, hold.released_at) for hold in facts.holds]
    if Pause.WISH in clock.pauses:
        pauses += facts.wishes
    return pauses


def _lower_bound(
    clock: Clock, state: State, before: Mapping[Moment, datetime], after: Mapping[Moment, datetime], now: datetime
) -> datetime | None:
    started_at = after.get(clock.since)
    if started_at is None:
        return None
    ended_at = _ended(clock, after)
    if ended_at is None:
        return started_at + clock.shortest if clock.state is state else None
    if _ended(clock, before) == ended_at and before.get(clock.since) == started_at:
        return None  # read when it ended
    return now if started_at + clock.shortest < ended_at else None
