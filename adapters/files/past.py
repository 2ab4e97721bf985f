"""What a file knows of an order: how far it got, when, and what was paid. Pure; the import plays it back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from adapters.files.mapping import MILESTONES, RecordedState
from adapters.files.rows import Problem
from ballast.domain.returns import ReturnReason
from ballast.domain.words import Event
from ballast.ports import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCharge:
    """One charge of the file. `sequence` tells the charges of an order apart."""

    sequence: int
    method: str
    amount: int
    paid_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedReturn:
    """What came back at one time. `pieces`: line number -> how many. `refunded`: minor units, None: not recorded.

    `said`: the reason in the file's own words.
    """

    returned_at: datetime
    pieces: Mapping[int, int]
    requested_at: datetime | None = None
    refunded: int | None = None
    reason: ReturnReason = ReturnReason.OTHER
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One event of the way. `recorded` False: it must have happened, but the file has no time for it."""

    event: Event
    milestone: str
    at: datetime
    recorded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrder:
    """One order of a file. `milestones` are its recorded times, `said` its own status word, `where` its place.

    `refused`: rows of returns that cannot be; the order is played without them.
    """

    order: Order
    state: RecordedState
    said: str
    where: str
    milestones: Mapping[str, datetime]
    charges: tuple[RecordedCharge, ...] = ()
    parcels: tuple[tuple[str, str], ...] = ()  # (waybill, carrier)
    returns: tuple[RecordedReturn, ...] = ()  # by their time
    refused: tuple[Problem, ...] = ()

    @property
    def paid(self) -> int:
        return sum(charge.amount for charge in self.charges)

    @property
    def delivered(self) -> bool:
        """Signed for by its status, and the file says when."""
        return self.state in (RecordedState.SIGNED, RecordedState.CLOSED) and "signed_at" in self.milestones

    def passages(self) -> list[Passage]:
        """The way to the recorded state, in the order of the life cycle and not of the clock."""
        at, way = self.order.placed_at, []
        for event, milestone in _WAY[: self._reached()]:
            known = self._when(milestone)
            if event is Event.SCANNED and known is None and self.state is not RecordedState.IN_TRANSIT:
                continue  # couriers drop scans
            at = known or at
            way.append(Passage(event=event, milestone=milestone, at=at, recorded=known is not None))
        if end := _ENDS.get(self.state):
            milestone = "" if end is Event.HELD else "closed_at"
            known = self._when(milestone)
            way.append(Passage(event=end, milestone=milestone, at=known or at, recorded=known is not None))
        return way

    def _when(self, milestone: str) -> datetime | None:
        if milestone == "paid_at" and milestone not in self.milestones:
            return max((charge.paid_at for charge in self.charges if charge.paid_at), default=None)
        return self.milestones.get(milestone)

    def _reached(self) -> int:
        """How many stations of the way lie behind the order; where the status does not say, its times do."""
        if self.state in _REACHED:
            return _REACHED[self.state]
        paid = "paid_at" in self.milestones or bool(self.charges)
        if self.state is RecordedState.CANCELLED:
            return 2 if "locked_at" in self.milestones else int(paid)
        behind = [n for n, (_, name) in enumerate(_WAY[:4], start=1) if name in self.milestones]
        return max([int(paid), *behind])

    def beyond(self) -> dict[str, datetime]:
        """Recorded times of stations that the order, by its status, has not passed."""
        passed = {passage.milestone for passage in self.passages()}
        return {name: at for name, at in self.milestones.items() if name not in passed}

    def disorder(self) -> list[str]:
        """Recorded times that run backward: `outbound_at 2017-05-10 12:00:00 before paid_at 2017-05-12 ...`."""
        known = [("placed_at", self.order.placed_at)]
        known += [(name, self.milestones[name]) for name in MILESTONES if name in self.milestones]
        return [
            f"{later} {at:%Y-%m-%d %H:%M:%S} before {earlier} {before:%Y-%m-%d %H:%M:%S} (UTC)"
            for (earlier, before), (later, at) in pairwise(known) if at < before
        ]  # fmt: skip


_WAY = (
    (Event.PAYMENT_CONFIRMED, "paid_at"),
    (Event.STOCK_LOCKED, "locked_at"),
    (Event.SHIPPED, "outbound_at"),
    (Event.SCANNED, "picked_up_at"),
    (Event.SIGNED, "signed_at"),
)
_REACHED = {
    RecordedState.PENDING_PAYMENT: 0,
    RecordedState.PAID: 1,
    RecordedState.REFUNDED: 1,
    RecordedState.STOCK_LOCKED: 2,
    RecordedState.OUTBOUND: 3,
    RecordedState.IN_TRANSIT: 4,
    RecordedState.SIGNED: 5,
    RecordedState.CLOSED: 5,
}
_ENDS = {
    RecordedState.CLOSED: Event.RETURN_WINDOW_ENDED,
    RecordedState.CANCELLED: Event.CANCELLED,
    RecordedState.REFUNDED: Event.REFUNDED,
    RecordedState.ON_HOLD: Event.HELD,
}
