"""The status map as a dictionary: what each code of each system means to us, who may say what, and where it leads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from ballast.domain.life_cycle import MOVES
from ballast.domain.words import Event, HoldReason, State, System


class Role(StrEnum):
    """What a system is to an order."""

    ERP = "erp"
    WAREHOUSE = "warehouse"
    COURIER = "courier"
    SHOP = "shop"
    PAYMENT = "payment"


ROLE_OF: Final[Mapping[System, Role]] = {
    System.KINGDEE: Role.ERP,
    System.QIMEN: Role.WAREHOUSE,
    System.KDNIAO: Role.COURIER,
    System.WECHAT: Role.SHOP,
    System.DIRECT: Role.SHOP,
    System.WECHATPAY: Role.PAYMENT,
}
"""Every system that has codes. The others are told things and say nothing of orders."""

_ALWAYS: Final = frozenset({Event.NOTED, Event.HELD})

MAY_SAY: Final[Mapping[Role, frozenset[Event]]] = {
    Role.ERP: _ALWAYS | {Event.CANCEL_ASKED},
    Role.WAREHOUSE: _ALWAYS
    | {Event.WAREHOUSE_PROGRESS, Event.PARTLY_SHIPPED, Event.SHIPPED, Event.WAREHOUSE_CANCELLED},
    Role.COURIER: _ALWAYS | {Event.SCANNED, Event.PARCEL_SIGNED},
    Role.SHOP: _ALWAYS | {Event.RECEIPT_CONFIRMED, Event.REFUNDED, Event.CANCEL_ASKED},
    Role.PAYMENT: _ALWAYS | {Event.PAYMENT_CAPTURED, Event.PAYMENT_ENDED, Event.REFUNDED},
}
"""What a code of such a system may mean. What our own steps decide (PAYMENT_CONFIRMED, STOCK_LOCKED, SIGNED, ...) is in
nobody's mouth: it would skip the check that the step makes."""

ONLY: Final[Mapping[tuple[System, str], frozenset[Event]]] = {
    # a process report has no waybills: shipped by its word, an order would be on its way without a parcel
    (System.QIMEN, "processStatus"): _ALWAYS | {Event.WAREHOUSE_PROGRESS, Event.WAREHOUSE_CANCELLED},
    (System.QIMEN, "itemlack.report"): _ALWAYS,
    (System.QIMEN, "batchcreate.answer"): _ALWAYS,
    (System.KDNIAO, "Success"): _ALWAYS,  # it could not be tracked: whatever it means, it is no scan
    # the payment's state says that some money went back, not how much: only the refund itself does
    (System.WECHATPAY, "trade_state"): _ALWAYS | {Event.PAYMENT_CAPTURED, Event.PAYMENT_ENDED},
    (System.WECHATPAY, "refund_status"): _ALWAYS | {Event.REFUNDED},
    (System.WECHAT, "in_complaint"): _ALWAYS,
    (System.DIRECT, "event"): _ALWAYS | {Event.PAYMENT_CAPTURED, Event.CANCEL_ASKED},  # `order.paid` has the charge
    # these messages name no order: known is all that they can be
    (System.WECHAT, "MsgType"): frozenset({Event.NOTED}),
    (System.WECHATPAY, "event_type"): frozenset({Event.NOTED}),
}
"""Fields that can say something else than their system, because of what a message with that field brings along."""

CLOSED: Final[frozenset[tuple[System, str]]] = frozenset(
    {
        (System.KINGDEE, "SAL_SaleOrder.FDocumentStatus"),  # the adapter has to know how far such a bill is
        (System.KINGDEE, "SAL_OUTSTOCK.FDocumentStatus"),
        (System.QIMEN, "itemlack.report"),
        (System.KDNIAO, "Success"),
        (System.WECHAT, "in_complaint"),
        (System.DIRECT, "event"),  # other words are refused at the door
    }
)
"""Fields whose codes the adapter knows to the last: another one would never be looked up."""

NEW_NAMES_NO_ORDER: Final[frozenset[tuple[System, str]]] = frozenset({(System.WECHAT, "Event")})
"""Fields in which only the adapter's own codes are about orders: another one can be NOTED, and no more."""

GIVES: Final[Mapping[Role, frozenset[HoldReason]]] = {
    Role.ERP: frozenset({HoldReason.ERP_REFUSED}),
    Role.WAREHOUSE: frozenset(
        {
            HoldReason.WAREHOUSE_REFUSED,
            HoldReason.WAREHOUSE_SHORT,
            HoldReason.WAREHOUSE_EXCEPTION,
            HoldReason.COURIER_REFUSED,
            HoldReason.COURIER_RETURNED,
            HoldReason.COURIER_DAMAGED,
            HoldReason.COURIER_STOPPED,
        }
    ),
    Role.COURIER: frozenset(
        {
            HoldReason.COURIER_PROBLEM,
            HoldReason.COURIER_REFUSED,
            HoldReason.COURIER_RETURNED,
            HoldReason.COURIER_DAMAGED,
            HoldReason.COURIER_STOPPED,
        }
    ),
    Role.SHOP: frozenset({HoldReason.COMPLAINT}),
    Role.PAYMENT: frozenset({HoldReason.REFUND_FAILED}),
}
"""For what a code of such a system may hold an order. The other reasons are our own steps' or a person's: orders that
are held for them are treated in another way (called off, asked for anew, let go ahead)."""

AND_THEN: Final[Mapping[Event, State]] = {Event.PARCEL_SIGNED: State.SIGNED}
"""Where our own step goes on to: a parcel leads to IN_TRANSIT, the last one to SIGNED."""

MOST_CODE, MOST_NOTE = 200, 1000
"""Characters of a field or code, and of a note."""

Key: TypeAlias = tuple[System, str, str]
"""(system, field, their code), as the adapter compares it: exactly."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the dictionary. `reason` is set exactly when the event is HELD; `note`: their word, or its source."""

    system: System
    field: str
    code: str
    event: Event
    reason: HoldReason | None = None
    note: str = ""

    @property
    def key(self) -> Key:
        return self.system, self.field, self.code

    @property
    def meaning(self) -> tuple[Event, HoldReason | None]:
        return self.event, self.reason

    @property
    def meant(self) -> str:
        """`HELD COURIER_DAMAGED`, `SCANNED`."""
        return f"{self.event} {self.reason}" if self.reason else str(self.event)

    @property
    def name(self) -> str:
        """`kdniao StateEx 414`."""
        return f"{self.system} {self.field} {self.code}"


Dictionary: TypeAlias = Mapping[Key, Entry]


class Origin(StrEnum):
    """Where a row has its meaning from."""

    ADAPTER = "adapter"  # the adapter's own table
    ADDED = "added"  # people added the code
    OVERRIDDEN = "overridden"  # people gave the adapter's code another meaning


class Kind(StrEnum):
    """What became of a row."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    NOTED = "noted"  # another note, the same meaning


@dataclass(frozen=True, slots=True)
class Change:
    """One row before and after; at least one of them is there."""

    before: Entry | None
    after: Entry | None

    @property
    def entry(self) -> Entry:
        entry = self.after or self.before
        assert entry is not None
        return entry

    @property
    def kind(self) -> Kind:
        if self.before is None:
            return Kind.ADDED
        if self.after is None:
            return Kind.REMOVED
        return Kind.NOTED if self.before.meaning == self.after.meaning else Kind.CHANGED

    def __str__(self) -> str:
        was = self.before.meant if self.before else "nothing"
        becomes = self.after.meant if self.after else "nothing: messages with it are parked"
        return f"{self.entry.name}: {was} -> {becomes}" if self.kind is not Kind.NOTED else f"{self.entry.name}: note"


def dictionary_of(entries: Iterable[Entry]) -> dict[Key, Entry]:
    """Entries by their key; the last one of a key stands."""
    return {entry.key: entry for entry in entries}


def overlaid(own: Dictionary, added: Iterable[Entry]) -> dict[Key, Entry]:
    """What is in force: the adapters' own tables, and over them what people added."""
    return {**own, **dictionary_of(added)}


def beyond(own: Dictionary, wanted: Dictionary) -> list[Entry]:
    """The rows of a dictionary that the adapters do not have like that: what the table keeps."""
    return [entry for key, entry in wanted.items() if entry != own.get(key)]


def origin_of(entry: Entry, own: Dictionary) -> Origin:
    """Where the row has its meaning from. Another note alone does not override."""
    known = own.get(entry.key)
    if known is None:
        return Origin.ADDED
    return Origin.ADAPTER if known.meaning == entry.meaning else Origin.OVERRIDDEN


def changes(before: Dictionary, after: Dictionary) -> list[Change]:
    """Every row that differs, by system, field and code."""
    keys = sorted({*before, *after})
    return [Change(before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def leads_to(event: Event) -> tuple[State, ...]:
    """The standard states that the event can bring an order to, by the life cycle; none when it moves nothing.

    An event that leaves an order where it is (WAREHOUSE_PROGRESS) leads to just that state.
    """
    found = [target for (_, moved_by), target in MOVES.items() if moved_by is event and target is not None]
    return tuple(dict.fromkeys([*found, *([AND_THEN[event]] if event in AND_THEN else [])]))


def leads_to_text(event: Event) -> str:
    """As it stands in the column `state`: `CLOSED / ON_HOLD`; empty when it moves nothing."""
    return " / ".join(leads_to(event))


def may_say(system: System, field: str) -> frozenset[Event]:
    """What a code of this field may mean."""
    return ONLY.get((system, field), MAY_SAY[ROLE_OF[system]])


def clean_note(note: str) -> str:
    """A note as it is kept: without blanks around it, tabs as blanks, lines ended by line feeds."""
    return note.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").strip()
