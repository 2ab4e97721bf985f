"""The one door for moves: lock orders (`cases.load`), decide in memory, write everything at once (`moves.write`).

A `Case` is one locked order while a transaction decides about it. `Case.take` is the only code that changes a state
(by the life cycle table), `moves.write` the only code that stores it. Row, history and outgoing messages are one
transaction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ballast.db.case_parts import ChargeCase, LineCase, ParcelCase, RefundCase, Trouble
from ballast.db.edits import Edits
from ballast.domain.deliveries import DeliveryOrder, sources_of
from ballast.domain.life_cycle import ASKED_ANEW, Standing, after
from ballast.domain.money import Money
from ballast.domain.returns import Known
from ballast.domain.schedule import Facts, Waits, next_due
from ballast.domain.words import Event, HoldReason, State, Step
from ballast.ports import GoodsBack, News, Order, Parcel, Receiver

MILESTONES = {
    State.STOCK_LOCKED: "locked_at",
    State.OUTBOUND: "outbound_at",
    State.SIGNED: "signed_at",
    State.CLOSED: "closed_at",
}

ANNOUNCEMENTS: dict[State, tuple[str, ...]] = {
    State.OUTBOUND: ("shop.shipped", "erp.outbound"),
    State.SIGNED: ("shop.received", "erp.receipt"),
}
"""What is told to whom when an order gets there. Parcels are announced one by one: `courier.subscribe`."""


@dataclass(slots=True)
class Case:
    """One locked order. Read it, `take` events, `write` it; then forget it."""

    id: int
    order_no: str
    version: int
    standing: Standing
    lease_owner: str | None
    attempts: int
    milestones: dict[str, datetime | None]
    placed_at: datetime
    head: Mapping[str, Any]
    lines: list[LineCase]
    parcels: dict[str, ParcelCase]
    held_for: Trouble | None  # the open hold
    overridden: frozenset[tuple[str, str]]
    with_warehouse: bool
    begun: frozenset[str]  # kinds of effects that were tried
    charges: list[ChargeCase]
    refunds: dict[str, RefundCase]
    last_said: Mapping[tuple[str, str], tuple[str, datetime]]
    now: datetime
    waits: Waits
    progress: str = ""
    warehouse: str = ""
    due: tuple[Step, datetime] | None = None
    holds_lease: bool = False  # loaded by the step that claimed it
    announce: bool = True
    touched: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    again_keys: list[str] = field(default_factory=list)  # messages that were sent and of which nothing came
    said: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    held: list[dict[str, Any]] = field(default_factory=list)
    released: list[dict[str, Any]] = field(default_factory=list)
    returns: list[dict[str, Any]] = field(default_factory=list)
    known_returns: tuple[Known, ...] = ()  # asked for before
    puzzles: list[str] = field(default_factory=list)  # what people have to look at in its returns
    goods_back: list[GoodsBack] = field(default_factory=list)  # what the warehouse has just told of returns
    watched: bool = True  # its clocks run; not those of a past that only stands in a file
    payments: list[dict[str, Any]] = field(default_factory=list)
    refunds_asked: list[dict[str, Any]] = field(default_factory=list)
    refunds_told: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrived: list[State] = field(default_factory=list)
    deliveries: dict[str, DeliveryOrder] = field(default_factory=dict)  # by code; none: whole, under its own number
    changed_deliveries: set[str] = field(default_factory=set)
    edits: Edits = field(default_factory=Edits)

    def is_as_read(self, version: int, sla_due_at: datetime | None) -> bool:
        """Whether its row says that nobody has written anything of the order since this was read."""
        return (version, sla_due_at) == (self.version, self.head["sla_due_at"])

    def as_of(self, now: datetime, waits: Waits) -> "Case":
        """The same order, decided about at another time."""
        self.now, self.waits = now, waits
        return self

    @property
    def written(self) -> bool:
        """Whether anything of it is to be stored: then its version goes up, and others see that they have to read."""
        return self.touched or bool(self.events)

    @property
    def place(self) -> State:
        """Where the order is on its way, whether held or not."""
        return self.standing.held_from or self.standing.state

    @property
    def all_shipped(self) -> bool:
        return all(line.shipped >= line.line.quantity for line in self.lines)

    @property
    def all_signed(self) -> bool:
        return bool(self.parcels) and all(parcel.signed_at for parcel in self.parcels.values())

    def refunds_of(self, charge: ChargeCase) -> dict[str, RefundCase]:
        """Refund number -> refund, of one charge."""
        return {number: refund for number, refund in self.refunds.items() if refund.key == charge.key}

    def returned(self, charge: ChargeCase) -> int:
        """How much of a charge went back to the customer, minor units."""
        return sum(refund.amount for refund in self.refunds_of(charge).values() if refund.state == "done")

    def overrode(self, reason: HoldReason | None, evidence: str) -> bool:
        """Whether a person let just this pass before. Another system's answer is never overridden: it is asked anew.

        Nor is a person's own hold: each is a judgement of its own.
        """
        again = reason in ASKED_ANEW or reason is HoldReason.BY_HAND
        return not again and (str(reason), evidence) in self.overridden

    def take(
        self,
        event: Event,
        *,
        cause: str,
        actor: str,
        happened_at: datetime | None = None,
        text: str = "",
        reason: HoldReason | None = None,
        evidence: str = "",
        note: str = "",
    ) -> bool:
        """Apply one event by the life cycle; True when it moved the order or was one of its ordinary stays.

        A HELD with evidence that a person overrode before is kept as history only. Raises `TooEarly`, `NoSuchMove`.
        """
        before = self.standing
        overridden = event is Event.HELD and self.overrode(reason, evidence)
        left = None if event is Event.HELD else self._trouble_left(event)
        ahead = None if overridden else after(before, event, reason, left.reason if left else None)
        if ahead is not None:
            by = "ballast" if ahead.reason and event is not Event.RELEASED else actor  # followed is not released
            self._hold_for(self._held_ahead(ahead, left, evidence or text), ahead, by=by, note=note)
            self._go(ahead, happened_at or self.now)
        self.events.append(
            {
                "order_id": self.id,
                "cause": cause,
                "event": event,
                "from_state": before.state,
                "to_state": self.standing.state,
                "moved": ahead is not None and ahead.state is not before.state,
                "actor": actor,
                "happened_at": happened_at or self.now,
                "recorded_at": self.now,
                "text": text or ("the same cause was overridden by a person" if overridden else ""),
            }
        )
        return ahead is not None

    def _trouble_left(self, event: Event) -> Trouble | None:
        """What is wrong with a parcel and nobody let pass; rather what the order is held for, unless that is released.

        One hold at a time: what was told of another parcel meanwhile is waiting for its turn.
        """
        troubles = [parcel.trouble for parcel in self.parcels.values() if parcel.trouble is not None]
        open_ = [one for one in troubles if not self.overrode(one.reason, one.evidence)]
        if event is Event.RELEASED:
            open_ = [one for one in open_ if one != self.held_for]
        return next((one for one in open_ if one == self.held_for), open_[0] if open_ else None)

    def _held_ahead(self, ahead: Standing, left: Trouble | None, evidence: str) -> Trouble | None:
        """What the order is held for from now on."""
        if ahead.reason is None:
            return None
        if left is not None and left.reason is ahead.reason:
            return left
        return self.held_for if ahead.reason is self.standing.reason else Trouble(ahead.reason, evidence)

    def _hold_for(self, cause: Trouble | None, ahead: Standing, *, by: str, note: str) -> None:
        """End the open hold, and begin the next, where the cause is another."""
        if cause == self.held_for:
            return
        if self.held_for is not None:
            self._end_hold(by, note or (f"followed by {cause.reason}" if cause else ""))
        if cause is not None:
            self._begin_hold(ahead, cause)
        self.held_for = cause

    def _go(self, ahead: Standing, at: datetime) -> None:
        place = self.place
        self.standing, self.touched = ahead, True
        if self.place is not place:
            self._arrive(self.place, at)
        self.reschedule()

    def _begin_hold(self, ahead: Standing, cause: Trouble) -> None:
        still_open = {"released_by": None, "released_at": None, "note": ""}
        hold = {"order_id": self.id, "reason": cause.reason, "evidence": cause.evidence, "held_from": ahead.held_from}
        self.held.append({**hold, "held_at": self.now, **still_open})

    def _end_hold(self, actor: str, note: str) -> None:
        end = {"order_id": self.id, "released_by": actor, "released_at": self.now, "note": note}
        if self.held:  # held in this very transaction: the row is written once, ended
            self.held[-1] |= end
        else:
            self.released.append(end)

    def _arrive(self, place: State, at: datetime) -> None:
        self.arrived.append(place)
        if milestone := MILESTONES.get(place):
            self.milestones[milestone] = self.milestones[milestone] or at
        for kind in ANNOUNCEMENTS.get(place, ()):
            if self.head["total"] or not kind.startswith("shop."):  # the shop knows an order by its payment
                self.send(kind)
        if place is State.SIGNED:  # by the shop's word: the courier never spoke of these, and nobody asks any more
            self.follow_again(parcel.waybill for parcel in self.parcels.values() if parcel.said_at is None)

    def reschedule(self) -> None:
        """Due where the life cycle says, afresh: attempts start at nought and the lease ends.

        News does not take the lease from a step that is at work on the order, unless it moved on to another step.
        """
        self.touched = True
        due = next_due(self.facts(), self.now, self.waits)
        if self.due and due and not self.holds_lease:
            if self.lease_owner and due[0] is self.due[0]:
                return
            if due[0] is Step.CALL_OFF and (self.lease_owner or self.due[0] is Step.CALL_OFF):
                # a call may be under way: only the end of that lease shows what came of it
                due = (due[0], max(due[1], self.due[1]))
        self.due, self.attempts, self.lease_owner = due, 0, None

    def facts(self) -> Facts:
        return Facts(
            standing=self.standing,
            placed_at=self.placed_at,
            paid_at=self.milestones["paid_at"],
            signed_at=self.milestones["signed_at"],
            with_warehouse=self.with_warehouse or self._perhaps_with_warehouse,
            charge_waiting=any(charge.state == "captured" for charge in self.charges),
            all_signed=self.all_signed,
            skus=tuple(line.line.sku for line in self.lines),
        )

    @property
    def _perhaps_with_warehouse(self) -> bool:
        """Held while nobody knows what came of handing it over: then the warehouse is asked, too."""
        return self.standing.state is State.ON_HOLD and "wms.create" in self.begun

    def again(self, at: datetime) -> None:
        """The same step once more, later: one more attempt is counted and the lease is given back."""
        assert self.due is not None
        self.touched, self.attempts, self.lease_owner, self.due = True, self.attempts + 1, None, (self.due[0], at)

    def send(self, kind: str, part: str = "", payload: Mapping[str, Any] | None = None) -> None:
        """One outgoing message, its key made of kind, order and part. The shop hears of each order that it carries."""
        if kind.startswith("shop.") and not part:
            for carried in self.edits.followers:
                self.send(kind, carried.order_no)
        if self.announce:
            self.messages.append(
                {
                    "key": self._key(kind, part),
                    "order_id": self.id,
                    "kind": kind,
                    "payload": payload or {},
                    "due_at": self.now,
                    "created_at": self.now,
                }
            )

    def send_once_more(self, kind: str, part: str = "") -> None:
        """A message that was sent, and nothing came of it: its effect is made again. One under way is left alone."""
        if self.announce:
            self.again_keys.append(self._key(kind, part))

    def follow_again(self, waybills: Iterable[str]) -> None:
        """A subscription cannot be read back: that it was none shows by the courier's silence only.

        A message of its own: the first may still be under way, and its yes may be the one that is none.
        """
        for waybill in waybills:
            self.send("parcel.follow", waybill)
            self.send_once_more("parcel.follow", waybill)

    def _key(self, kind: str, part: str) -> str:
        return f"{kind}:{self.order_no}" + (f":{part}" if part else "")

    def remember(self, news: News) -> None:
        """What a system last said: the newest source time wins, older news is dropped here."""
        heard = self.said.get((news.system, news.part))
        if heard and heard["happened_at"] > news.happened_at:
            return
        self.said[news.system, news.part] = {
            "order_id": self.id,
            "system": news.system,
            "part": news.part,
            "said": news.said,
            "event": news.event,
            "text": news.text,
            "happened_at": news.happened_at,
            "recorded_at": self.now,
        }

    def order(self) -> Order:
        """The frozen value that adapters write their documents from."""
        head, currency = self.head, self.head["currency"]
        return Order(
            order_no=self.order_no,
            channel=head["channel"],
            placed_at=self.placed_at,
            paid_at=self.milestones["paid_at"],
            total=Money(head["total"], currency),
            freight=Money(head["freight"], currency),
            discount=Money(head["discount"], currency),
            customer_no=head["customer_no"],
            openid=head["openid"],
            receiver=Receiver(**head["receiver"]),
            lines=tuple(line.line for line in self.lines),
            parcels=tuple(Parcel(carrier=p.carrier, waybill=p.waybill, items=p.items) for p in self.parcels.values()),
            warehouse=self.warehouse,
            sources=sources_of(self.deliveries.values(), {x.line.line_no: x.line.quantity for x in self.lines}),
            transaction_id=next((c.transaction_id for c in self.charges if c.state == "counted"), None),
            edited=self.edits.done,
        )
