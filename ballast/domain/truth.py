"""What our books say of an order beside what every other system says of it: one table, and one function that reads it.

A system knows a part of the way only: the payment provider whether it was paid, the shop whether it was sent. So what
it says is not compared for equality with our state, but by a table: where we are, and what it says, gives a verdict.
`domain/judging.py` reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ballast.domain.life_cycle import CALLED_OFF
from ballast.domain.words import Event, HoldReason, Label, State


class Witness(StrEnum):
    """Who is asked. By role: another vendor's system in the same role is the same witness."""

    ERP = "erp"
    WMS = "wms"
    COURIER = "courier"
    SHOP = "shop"
    PAYMENT = "payment"


WITNESS_LABELS: Final[dict[Witness, Label]] = {
    Witness.ERP: Label("ERP", "ERP"),
    Witness.WMS: Label("warehouse", "仓库"),
    Witness.COURIER: Label("courier", "快递"),
    Witness.SHOP: Label("shop", "店铺"),
    Witness.PAYMENT: Label("payment", "支付"),
}


class Verdict(StrEnum):
    """How a system's word compares with our books."""

    AGREES = "agrees"
    BEHIND = "behind"  # it lacks a notice of ours
    AHEAD = "ahead"  # it says something that we have not heard: missed news
    CONTRADICTS = "contradicts"  # neither explains it
    NOT_ASKED = "not_asked"  # no answer, or one that says nothing of the state: never counted as agreeing


VERDICT_LABELS: Final[dict[Verdict, Label]] = {
    Verdict.AGREES: Label("agrees", "一致"),
    Verdict.BEHIND: Label("lacks a notice of ours", "缺我方通知"),
    Verdict.AHEAD: Label("says what we have not heard", "我方漏收消息"),
    Verdict.CONTRADICTS: Label("contradicts", "矛盾"),
    Verdict.NOT_ASKED: Label("not asked", "未询问到"),
}

DRIFT: Final = frozenset({Verdict.BEHIND, Verdict.AHEAD, Verdict.CONTRADICTS})


class Place(StrEnum):
    """Where an order is on its way, held or not; for a witness also that it knows nothing, or reports trouble."""

    NOTHING = ""  # never heard of it
    UNPAID = "unpaid"
    PAID = "paid"
    LOCKED = "locked"  # reserved; at the warehouse, perhaps in part on its way
    LEFT = "left"
    MOVING = "moving"
    ARRIVED = "arrived"
    FINISHED = "finished"  # arrived, and the return window is over
    OFF = "off"  # called off, or never paid: nothing left, nothing will
    TROUBLE = "trouble"


STATE_OF: Final[dict[Place, str]] = {
    Place.NOTHING: "",
    Place.UNPAID: State.PENDING_PAYMENT,
    Place.PAID: State.PENDING_PAYMENT,
    Place.LOCKED: State.STOCK_LOCKED,
    Place.LEFT: State.OUTBOUND,
    Place.MOVING: State.IN_TRANSIT,
    Place.ARRIVED: State.SIGNED,
    Place.FINISHED: State.CLOSED,
    Place.OFF: State.CLOSED,
    Place.TROUBLE: State.ON_HOLD,
}
"""What a witness's word means as one of the seven standard states."""

_BY_EVENT: Final[dict[Event, Place]] = {
    Event.PAYMENT_CAPTURED: Place.PAID,
    Event.PAYMENT_ENDED: Place.OFF,
    Event.REFUNDED: Place.OFF,
    Event.WAREHOUSE_PROGRESS: Place.LOCKED,
    Event.PARTLY_SHIPPED: Place.LOCKED,
    Event.SHIPPED: Place.LEFT,
    Event.WAREHOUSE_CANCELLED: Place.OFF,
    Event.CANCELLED: Place.OFF,
    Event.SCANNED: Place.MOVING,
    Event.PARCEL_SIGNED: Place.ARRIVED,
    Event.SIGNED: Place.ARRIVED,
    Event.RECEIPT_CONFIRMED: Place.ARRIVED,
    Event.HELD: Place.TROUBLE,
}
_BY_STATE: Final[dict[State, Place]] = {
    State.PENDING_PAYMENT: Place.UNPAID,
    State.STOCK_LOCKED: Place.LOCKED,
    State.OUTBOUND: Place.LEFT,
    State.IN_TRANSIT: Place.MOVING,
    State.SIGNED: Place.ARRIVED,
    State.CLOSED: Place.OFF,
    State.ON_HOLD: Place.TROUBLE,
}
_MARKS: Final = {
    "=": Verdict.AGREES,
    "<": Verdict.BEHIND,
    ">": Verdict.AHEAD,
    "!": Verdict.CONTRADICTS,
    "0": Verdict.NOT_ASKED,  # it has nothing to do with the order yet
}
_TABLE_TEXT: Final = """
who      says       unpaid paid locked left moving arrived finished off
erp      -            =     =     <     <     <      <        <      =
erp      unpaid       !     =     <     <     <      <        <      !
erp      locked       !     >     =     <     <      <        <      !
erp      left         !     !     !     =     =      <        <      !
erp      arrived      !     !     !     !     !      =        =      !
erp      off          !     !     !     !     !      !        !      =
wms      -            =     =     <     !     !      !        !      =
wms      locked       !     >     =     !     !      !        !      !
wms      left         !     >     >     =     =      =        =      !
wms      arrived      !     !     !     =     =      =        =      !
wms      off          !     !     >     !     !      !        !      =
wms      trouble      !     >     >     >     >      !        !      !
courier  -            =     =     =     =     !      !        0      !
courier  left         !     !     =     =     !      !        0      !
courier  moving       !     !     >     >     =      !        0      !
courier  arrived      !     !     >     >     >      =        0      !
courier  trouble      !     !     >     >     >      !        0      !
shop     -            =     0     0     <     <      <        <      =
shop     locked       >     =     =     <     <      <        <      <
shop     left         !     !     !     =     =      =        =      !
shop     arrived      !     !     !     >     >      =        =      !
shop     off          !     !     !     !     !      !        !      =
shop     trouble      >     >     >     >     >      >        >      >
payment  -            =     !     !     !     !      !        !      =
payment  unpaid       =     !     !     !     !      !        !      =
payment  paid         >     =     =     =     =      =        =      !
payment  off          >     !     !     !     !      !        !      =
payment  trouble      !     >     >     >     >      >        >      >
"""
"""Columns: where our books have the order (of a parcel: where they have the parcel). `=` agrees, `<` behind: a notice
of ours is missing there, `>` ahead: we missed news, `!` contradicts, `0` nothing to compare. `judging` says where
facts of the one order make another verdict of it: what is known already, what is under way with our knowledge."""


def _read_table(text: str) -> dict[tuple[Witness, Place, Place], Verdict]:
    head, *lines = (line.split() for line in text.strip().splitlines())
    places = [Place(name) for name in head[2:]]
    return {
        (Witness(who), Place("" if says == "-" else says), place): _MARKS[mark]
        for who, says, *marks in lines
        for place, mark in zip(places, marks, strict=True)
    }


TABLE: Final = _read_table(_TABLE_TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One thing that a witness said when it was asked, read into our words by the status map.

    `known`: our books have heard just this. `parcels` are those it says it shipped, `waybills` those it shows (None: it
    does not say), `transaction` the charge that it reports, `refund_no` the refund that it speaks of.
    """

    event: Event
    state: State | None = None
    reason: HoldReason | None = None
    said: str = ""
    known: bool = False
    waybill: str = ""
    parcels: frozenset[str] = frozenset()
    waybills: frozenset[str] | None = None
    transaction: str = ""
    refund_no: str = ""

    @property
    def place(self) -> Place | None:
        """None when it says nothing of where the order is."""
        return _BY_STATE[self.state] if self.state is not None else _BY_EVENT.get(self.event)


@dataclass(frozen=True, slots=True)
class ParcelBooks:
    """One parcel in our books. `trouble`: what its courier reported, and nothing better since."""

    place: Place
    trouble: HoldReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What our books say of one order, as far as anybody else should know it."""

    state: State
    place: Place
    held_for: HoldReason | None = None
    all_shipped: bool = True
    parcels: Mapping[str, ParcelBooks] = field(default_factory=dict)
    dealt: frozenset[str] = frozenset()  # kinds of effects that Ballast itself began for it: `erp.reserve`, ...
    handed_over: bool = False  # the warehouse said yes to the delivery order
    decided: frozenset[str] = frozenset()  # notices that were decided, `KIND` or `courier.subscribe:WAYBILL`
    given_up: frozenset[str] = frozenset()  # of these: not delivered, and nobody tries any more
    to_pay: bool = True
    charges: frozenset[str] = frozenset()  # transactions of the provider that is asked
    charged_elsewhere: bool = False
    refunds: Mapping[str, str] = field(default_factory=dict)  # number -> state
    all_back: bool = False  # nothing is left of what was paid
    under_way: frozenset[Witness] = frozenset()  # a message to or from it waits its turn, or a step is with it

    @property
    def being_called_off(self) -> bool:
        return self.held_for in CALLED_OFF

    @property
    def going_back(self) -> bool:
        """Money is back, on its way back, or a person is to send it back."""
        return any(state not in ("failed", "overtaken") for state in self.refunds.values())


@dataclass(frozen=True, slots=True)
class Finding:
    """What comes of asking one witness. `theirs` is None when it did not say; `lacks` are notices to be sent again."""

    verdict: Verdict
    theirs: Place | None = None
    lacks: tuple[str, ...] = ()
    waybills: tuple[str, ...] = ()  # of the courier: whose word it is


def place_of(state: State, held_from: State | None, *, paid: bool, left: bool) -> Place:
    """`paid`, `left`: whether the order has these milestones; only `left` tells the two ends of an order apart."""
    place = held_from or state
    if place is State.PENDING_PAYMENT:
        return Place.PAID if paid else Place.UNPAID
    if place is State.CLOSED:
        return Place.FINISHED if left else Place.OFF
    return _BY_STATE[place]
