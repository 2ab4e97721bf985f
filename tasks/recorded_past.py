"""Playing back what a file knows of an order: through the one door for moves, telling nobody outside."""

from adapters.files.past import FileOrder, Passage
from ballast.db.case import Case
from ballast.db.case_parts import ChargeCase, ParcelCase
from ballast.db.money_news import add_charge
from ballast.domain.words import Event, HoldReason, State, System
from ballast.ports import News

ACTOR = System.IMPORT


def play_back(case: Case, past: FileOrder, *, carry_on: bool) -> None:
    """Take a new order to where the file has it. Its milestones are the file's times; what has no time gets none.

    With `carry_on` it is due where the life cycle says, from now on; otherwise at no step.
    """
    case.announce = False
    way = past.passages()
    _add_charges(case, past, counted=any(passage.event is Event.PAYMENT_CONFIRMED for passage in way))
    for passage in way:
        _pass(case, past, passage)
    for milestone, at in past.beyond().items():
        text = f"{past.where}: {milestone} is recorded, but the status is {past.said}"
        case.take(Event.NOTED, cause=f"import:{milestone}", actor=ACTOR, happened_at=at, text=text)
    _remember(case, past, way)
    case.with_warehouse = case.standing.state is State.STOCK_LOCKED
    case.reschedule()
    case.watched = carry_on
    if not carry_on:
        case.due = None


def _add_charges(case: Case, past: FileOrder, *, counted: bool) -> None:
    """Charges of an order that its status calls unpaid are captured: checking them is the next step's work."""
    state = "counted" if counted else "captured"
    fallback = past.milestones.get("paid_at", past.order.placed_at)
    for charge in past.charges:
        number = f"{case.order_no}-{charge.sequence}"
        made = ChargeCase(ACTOR, number, charge.amount, past.order.total.currency, state, charge.paid_at or fallback)
        add_charge(case, made, merchant=past.order.channel, method=charge.method)


def _pass(case: Case, past: FileOrder, passage: Passage) -> None:
    """One event. `take` fills in a milestone that is missing; only that of the payment may stay without a record."""
    milestone, event = passage.milestone, passage.event
    keep = passage.recorded or event is Event.PAYMENT_CONFIRMED
    if milestone and keep:
        case.milestones[milestone] = passage.at
    if event is Event.SHIPPED:
        _ship(case, past, passage)
    text = f"{past.where}: {past.said}" + ("" if passage.recorded else ", at a time that the file does not have")
    held = HoldReason.BY_HAND if event is Event.HELD else None
    case.take(event, cause=f"import:{event}", actor=ACTOR, happened_at=passage.at, text=text, reason=held)
    if milestone and not keep:
        case.milestones[milestone] = None


def _ship(case: Case, past: FileOrder, passage: Passage) -> None:
    for line in case.lines:
        line.shipped, line.changed = line.line.quantity, True
    arrived = any(each.event is Event.SIGNED for each in past.passages())
    signed_at = past.milestones.get("signed_at", passage.at) if arrived else None
    for waybill, carrier in past.parcels:
        case.parcels[waybill] = ParcelCase(
            carrier, waybill, {}, shipped_at=passage.at, picked_up_at=past.milestones.get("picked_up_at"),
            signed_at=signed_at, changed=True,
        )  # fmt: skip


def _remember(case: Case, past: FileOrder, way: list[Passage]) -> None:
    """The file's own word, as the last that this source said."""
    event, at = (way[-1].event, way[-1].at) if way else (Event.NOTED, past.order.placed_at)
    case.remember(News(
        system=System.IMPORT, order_no=case.order_no, happened_at=at, field="status", said=past.said, event=event,
        text=past.where,
    ))  # fmt: skip
