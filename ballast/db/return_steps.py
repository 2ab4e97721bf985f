"""What happens to a return of a locked order, one function per step: answered, come in, paid back, finished.

Each decides in memory, by the table of `domain.returns`, and says it in the order's history. Who calls stores the case
(`moves.write`) and the return (`returns.write`) in one transaction.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ballast.db import refunding, returning
from ballast.db.case import Case
from ballast.db.returns import LineBack, Return
from ballast.domain.money import Money
from ballast.domain.returns import (
    SELLERS_FAULT,
    ReturnEvent,
    ReturnState,
    after,
    spread,
    worth_of,
)
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import GoodsBack, PiecesBack

ARRIVED: Final = frozenset({"done", "overtaken"})
"""States of refunds whose money is with the customer."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """Good pieces that go back to the shelf."""

    sku: str
    warehouse: str
    pieces: int


def note(case: Case, row: Return, what: str, text: str, *, actor: str = "ballast") -> None:
    """A line of the order's history; `what` happens to a return once."""
    case.take(Event.NOTED, cause=f"return:{row.return_no}:{what}", actor=actor, text=f"{row.return_no}: {text}")


def answer(
    case: Case,
    row: Return,
    *,
    approve: bool,
    by: str,
    words: str = "",
    rule: str = "",
    goods: bool = True,
    freight: bool = False,
) -> bool:
    """Agree to it, or not; its clock ends. False: it does not wait for an answer. `by`: an actor.

    `goods` False: the customer keeps them. `freight`: what was paid for freight goes back, too.
    """
    if not row.take(ReturnEvent.APPROVED if approve else ReturnEvent.REJECTED, case.now):
        return False
    row.answered_by, row.answered_at, row.note, row.rule = by.removeprefix("person:"), case.now, words[:500], rule
    row.due_at = case.now
    if approve:
        row.freight = freight
        row.wants_goods = goods
        resolve(case, row)
    said = "the return is accepted" if approve else "the return is refused"
    note(case, row, "answered" if approve else "rejected", f"{said}. {words}".strip(), actor=by)
    return True


def resolve(case: Case, row: Return) -> bool:
    """Whether it is known which pieces come back. Of a return of everything: what has left, as soon as it has."""
    if row.lines:
        return True
    gone = returning.taken(case, but=row.return_no)
    for one in case.lines:
        if (pieces := one.shipped - gone.get(one.line.line_no, 0)) > 0:
            row.lines[one.line.line_no] = LineBack(one.line.line_no, one.line.sku, pieces)
    return bool(row.lines)


def announce(case: Case, row: Return) -> None:
    """Tell the warehouse what comes back; told once, whoever decides it again."""
    case.send("wms.return", row.return_no)


def awaited(case: Case, row: Return) -> None:
    """The warehouse took the return order on."""
    if row.take(ReturnEvent.AWAITED, case.now):
        note(case, row, "awaited", "the warehouse waits for the goods")


def goods_in(case: Case, row: Return, told: GoodsBack) -> list[Shelved]:
    """Pieces came in and were looked at: the good ones go back to the shelf, the damaged ones are written off.

    Never more than was asked for. What comes for a return that does not wait for it is told to people, and moves
    nothing: it was told before, or somebody has to look. Of a sum only what is new is counted. After one, a confirm may
    be in it already or not; and when something is missing after the last confirm, one before it may be lost: then the
    warehouse is asked.
    """
    fresh = _not_counted(row, told) if told.so_far or row.summed else told
    if after(row.state, ReturnEvent.RECEIVED) is None:
        if fresh is told or fresh.pieces:
            what = f"{row.return_no} is {row.state}, and the warehouse tells of goods for it: {_said(fresh)}"
            case.puzzles.append(what)
        return []
    if row.summed and not told.so_far:
        row.due_at, row.end_told = case.now, row.end_told or told.final
        return []
    if told.so_far and not (fresh.pieces or told.final):
        return []
    row.summed, told = row.summed or told.so_far, fresh
    resolve(case, row)
    before = {line_no: line.good for line_no, line in row.lines.items()}
    over = [one for pieces in told.pieces if (one := _count(case, row, pieces))]
    if over:
        case.puzzles.append(f"{row.return_no}: more came back than was asked for: {', '.join(over)}; look at the goods")
    row.take(ReturnEvent.RECEIVED, case.now)
    everything = all(line.came == line.quantity for line in row.lines.values())
    good, damaged = sum(line.good for line in row.lines.values()), row.damaged
    text = f"{good} good, {damaged} damaged of {sum(line.quantity for line in row.lines.values())} pieces are back"
    note(case, row, f"received:{good + damaged}", text, actor="qimen")
    row.due_at = case.now + case.waits.warehouse_quiet
    if everything or (told.final and told.so_far):
        end_count(case, row)
    elif told.final:
        row.due_at, row.end_told = case.now, True
    return [
        Shelved(line.sku, line.warehouse, line.good - before[line_no])
        for line_no, line in row.lines.items()
        if line.good > before[line_no]
    ]


def _not_counted(row: Return, told: GoodsBack) -> GoodsBack:
    """What is new in it, when it is read as a sum."""
    good, damaged = Counter[str](), Counter[str]()
    for line in row.lines.values():
        good[line.sku] += line.good
        damaged[line.sku] += line.damaged
    pieces = []
    for one in told.pieces:
        known = min(one.good, good[one.sku]), min(one.damaged, damaged[one.sku])
        good[one.sku] -= known[0]
        damaged[one.sku] -= known[1]
        pieces.append(replace(one, good=one.good - known[0], damaged=one.damaged - known[1]))
    return replace(told, pieces=tuple(one for one in pieces if one.good or one.damaged))


def _count(case: Case, row: Return, pieces: PiecesBack) -> str:
    """Hand pieces to the lines of their SKU; what has no place there, in words."""
    good, damaged = pieces.good, pieces.damaged
    mine = [line for line in row.lines.values() if line.sku == pieces.sku]
    for line in sorted(mine, key=lambda line: (line.line_no != pieces.line_no, line.line_no)):
        took = min(good, line.quantity - line.came)
        line.good += took
        good -= took
        took = min(damaged, line.quantity - line.came)
        line.damaged += took
        damaged -= took
        line.warehouse = line.warehouse or case.warehouse
    return f"{good + damaged} of {pieces.sku}" if good + damaged else ""


def end_count(case: Case, row: Return) -> None:
    """Nothing more follows: what is there is what came back."""
    row.take(ReturnEvent.INSPECTED, case.now)
    row.due_at = case.now
    if any(line.good for line in row.lines.values()):
        case.send("erp.return", row.return_no)
    _close_if_all_is_back(case, row)


def _said(told: GoodsBack) -> str:
    return ", ".join(f"{one.good} good and {one.damaged} damaged of {one.sku}" for one in told.pieces) or "nothing"


def _close_if_all_is_back(case: Case, row: Return) -> None:
    """What was refused and is in the warehouse again is on no way any more: its order ends, whatever is paid back.

    Not while it is held for anything else: then a person looks at it anyway.
    """
    back = Counter(row.pieces)
    for known in case.known_returns:
        if known.number != row.return_no and known.counts and known.state in _IS_BACK:
            back.update(known.pieces)
    on_its_way = case.place in (State.OUTBOUND, State.IN_TRANSIT) and case.standing.reason in _ENDS_WITH_IT
    if on_its_way and all(back[one.line.line_no] >= one.shipped for one in case.lines):
        case.take(
            Event.RETURNED, cause=f"returned:{case.order_no}", actor="ballast", text="everything that left came back"
        )


_IS_BACK: Final = frozenset({ReturnState.INSPECTED, ReturnState.REFUNDED, ReturnState.EXCHANGED, ReturnState.CLOSED})
_ENDS_WITH_IT: Final = frozenset(
    {None, HoldReason.COURIER_REFUSED, HoldReason.COURIER_RETURNED, HoldReason.REFUNDED_ON_THE_WAY}
)


def waits_for_person(row: Return) -> str:
    """Why a person has to say whether what came is paid for; empty: nobody has to."""
    if row.accepted or not row.wants_goods:
        return ""
    if not sum(line.came for line in row.lines.values()):
        return "the warehouse found nothing in it"
    if row.damaged and row.reason not in SELLERS_FAULT:
        return f"{row.damaged} piece(s) came back damaged, and the customer did not say so"
    return ""


def refund(case: Case, row: Return, others: Sequence[Return]) -> None:
    """Ask for the money of what came back: each line's share of what was paid, from the charges that paid for it.

    Never more than is left of them. With nothing to give back it is finished.
    """
    row.settled_at = case.now
    amount = _amount(case, row, others)
    charges = [charge for charge in case.charges if charge.state == "counted"]
    parts = spread(amount, [refunding.left(case, charge) for charge in charges])
    for charge, part in zip(charges, parts, strict=True):
        if part:
            number = refunding.return_refund_no(charge, row.return_no)
            refunding.ask(case, charge, number, part, f"return {row.return_no}")
            row.refund_nos.append(number)
    currency = case.head["currency"]
    less = f" ({Money(amount - sum(parts), currency)} of it had gone back before)" if sum(parts) < amount else ""
    note(case, row, "settled", f"{Money(sum(parts), currency)} goes back{less}")
    if not row.refund_nos:
        row.due_at = case.now
        row.take(ReturnEvent.REFUNDED, case.now)


def _amount(case: Case, row: Return, others: Sequence[Return]) -> int:
    """Writes each line's amount down."""
    before, paid = Counter[int](), returning.paid_for(case)
    settled = [other for other in others if other.return_no != row.return_no and other.settled_at is not None]
    for other in settled:
        before.update(other.pieces)
    ordered = {one.line.line_no: one.line.quantity for one in case.lines}
    for line_no, pieces in row.pieces.items():
        row.lines[line_no].amount = worth_of(paid[line_no], ordered[line_no], before[line_no], pieces)
    freight = row.freight and not any(other.freight for other in settled)  # once for an order
    return sum(line.amount or 0 for line in row.lines.values()) + (returning.paid_freight(case) if freight else 0)


def is_paid_back(case: Case, row: Return) -> bool:
    """Whether all its refunds arrived, by the provider's word or a person's."""
    return bool(row.refund_nos) and all(case.refunds[number].state in ARRIVED for number in row.refund_nos)


def give_up(case: Case, row: Return, why: str, *, by: str = "ballast") -> bool:
    """Its goods do not come any more. False: it is past that."""
    if not row.take(ReturnEvent.GIVEN_UP, case.now):
        return False
    row.due_at = None
    note(case, row, "given-up", why, actor=by)
    return True


def finish(case: Case, row: Return) -> bool:
    """Nothing is left to do anywhere."""
    if not row.take(ReturnEvent.FINISHED, case.now):
        return False
    row.due_at = None
    note(case, row, "closed", "closed")
    return True


def reached_after_all(case: Case, row: Return) -> bool:
    """A parcel that was refused, or on its way back, was signed for by the customer all the same."""
    parcel = case.parcels.get(row.waybill or "")
    return parcel is not None and parcel.signed_at is not None and parcel.trouble is None and case.place in _WITH_HIM


_WITH_HIM: Final = frozenset({State.OUTBOUND, State.IN_TRANSIT, State.SIGNED, State.CLOSED})


def is_over(row: Return) -> bool:
    """Only the messages of it may still be under way."""
    return row.state in (ReturnState.REFUNDED, ReturnState.EXCHANGED, ReturnState.REJECTED)
