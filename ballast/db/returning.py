"""Asking for a return: what an order has to give back, and the one place that keeps returns within it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ballast.clock import to_local
from ballast.db.case import Case
from ballast.db.case_parts import ParcelCase
from ballast.domain.returns import (
    BY_FACT,
    SELLERS_FAULT,
    Known,
    ReturnKind,
    ReturnReason,
    ReturnState,
    Sold,
    exchange_no,
    freight_paid,
    return_no,
    worths,
)
from ballast.domain.words import Event, HoldReason, State

PARCEL_KINDS: Final = {
    HoldReason.COURIER_REFUSED: ReturnKind.REFUSED_PARCEL,
    HoldReason.COURIER_RETURNED: ReturnKind.RETURN_TO_SENDER,
}
"""What the courier says of a parcel -> what kind of return it is."""


class ReturnRefused(Exception):
    """Nothing was asked for; the message says which order, the figures, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A return that somebody asks for. `lines`: line number -> pieces; None: everything that was delivered.

    `customer_no`: who asks, None where the asker answers for it. `exchange`: SKU -> pieces that are wanted instead.
    """

    lines: tuple[tuple[int, int], ...] | None
    reason: ReturnReason
    by: str
    why: str = ""
    customer_no: str | None = None
    exchange: Mapping[str, int] = field(default_factory=dict)


def sold(case: Case) -> list[Sold]:
    """The order's lines for the arithmetic of refunds."""
    return [Sold(one.line.line_no, one.line.quantity, one.line.amount) for one in case.lines]


def paid_for(case: Case) -> dict[int, int]:
    """Line number -> what was paid for it, minor units."""
    return worths(sold(case), case.head["discount"])


def paid_freight(case: Case) -> int:
    return freight_paid(sold(case), case.head["freight"], case.head["discount"])


def delivered(case: Case) -> dict[int, int]:
    """Line number -> pieces that the customer has: all that left once the order is signed, else what is in parcels
    that were."""
    if case.milestones["signed_at"] is not None or case.all_signed:
        return {one.line.line_no: one.shipped for one in case.lines}
    return in_parcels(case, *(parcel for parcel in case.parcels.values() if parcel.signed_at))


def in_parcels(case: Case, *parcels: ParcelCase) -> dict[int, int]:
    """The pieces of parcels, handed to the lines in their order."""
    left = Counter[str]()
    for parcel in parcels:
        left.update(parcel.items)
    found = {}
    for one in case.lines:
        found[one.line.line_no] = pieces = min(one.shipped, left[one.line.sku])
        left[one.line.sku] -= pieces
    return found


def taken(case: Case, *, but: str = "") -> dict[int, int]:
    """Line number -> pieces that came back, or are to, in other returns."""
    pieces = Counter[int]()
    for known in case.known_returns:
        if known.counts and known.number != but:
            pieces.update(known.pieces)
    return dict(pieces)


def free(case: Case, *, but: str = "") -> dict[int, int]:
    """Line number -> delivered pieces of which no return takes any; only lines that have some."""
    gone = taken(case, but=but)
    rest = {line_no: pieces - gone.get(line_no, 0) for line_no, pieces in delivered(case).items()}
    return {line_no: pieces for line_no, pieces in rest.items() if pieces > 0}


def ask(case: Case, wanted: Wanted, *, cause: str, at: datetime | None = None) -> str:
    """Put a return into the books, to be answered; its number. Raises `ReturnRefused`, and nothing was changed."""
    _refuse_strangers(case, wanted)
    lines = _lines_of(case, wanted)
    _refuse_late(case, lines, wanted.reason)
    number = _next_no(case)
    if wanted.exchange:
        _refuse_exchange(case, number, wanted.exchange)
    kind = ReturnKind.EXCHANGE if wanted.exchange else ReturnKind.RETURN
    row = {"why": wanted.why[:500], "asked_by": wanted.by, "exchange": dict(wanted.exchange), "reason": wanted.reason}
    _append(case, number, kind, ReturnState.REQUESTED, lines, row)
    words = f"{kind} {number} asked for: {_said(case, lines)} ({wanted.reason}) {wanted.why}".strip()
    case.take(Event.NOTED, cause=cause, actor=wanted.by, happened_at=at, text=words)
    return number


def open_whole(case: Case, *, why: str, by: str) -> None:
    """Everything that left should come back, when a person agrees. One at a time: asked again it is the same."""
    if any(known.whole and known.waits for known in case.known_returns):
        return
    row = {"why": why[:500], "asked_by": by, "reason": ReturnReason.CANCELLED_LATE, "whole": True}
    _append(case, _next_no(case), ReturnKind.RETURN, ReturnState.REQUESTED, {}, row)


def parcel_comes_back(case: Case, parcel: ParcelCase, reason: HoldReason | None, *, why: str, by: str) -> None:
    """The courier brings a parcel back: a return of what is in it, once per parcel, agreed to by the fact."""
    kind = PARCEL_KINDS.get(reason) if reason else None
    if kind is None or any(known.waybill == parcel.waybill for known in case.known_returns):
        return
    if any(row.get("waybill") == parcel.waybill for row in case.returns):
        return
    lines = {line_no: pieces for line_no, pieces in in_parcels(case, parcel).items() if pieces}
    if not lines and len(case.parcels) == 1:  # the warehouse does not say what is in it
        lines = {one.line.line_no: one.shipped for one in case.lines if one.shipped}
    row = {
        "why": why[:500], "asked_by": by, "reason": ReturnReason.NOT_DELIVERED, "waybill": parcel.waybill,
        "answered_by": "ballast", "answered_at": case.now, "approved_at": case.now, "awaited_at": case.now,
    }  # fmt: skip
    number = _next_no(case)
    _append(case, number, kind, ReturnState.WAITING_FOR_GOODS, lines, row)
    text = f"{kind} {number}: parcel {parcel.waybill} comes back with {_said(case, lines)}"
    case.take(Event.NOTED, cause=f"return:{number}:opened", actor="ballast", text=text)


def _append(
    case: Case, number: str, kind: ReturnKind, state: ReturnState, lines: Mapping[int, int], row: Mapping[str, Any]
) -> None:
    skus = {one.line.line_no: one.line.sku for one in case.lines}
    case.touched = True
    case.returns.append(
        {
            "order_id": case.id,
            "return_no": number,
            "kind": kind,
            "state": state,
            "whole": False,
            "asked_at": case.now,
            "due_at": case.now,
            "exchange": {},
            "lines": [
                {"line_no": line_no, "sku": skus[line_no], "quantity": pieces} for line_no, pieces in lines.items()
            ],
        }
        | dict(row)
    )
    whole = bool(row.get("whole"))
    known = Known(
        number=number, kind=kind, state=state, counts=True, whole=whole, waybill=row.get("waybill"), pieces=dict(lines)
    )
    case.known_returns = (*case.known_returns, known)


def _next_no(case: Case) -> str:
    return return_no(case.order_no, len(case.known_returns) + 1)


def _refuse_strangers(case: Case, wanted: Wanted) -> None:
    if wanted.customer_no is not None and wanted.customer_no != case.head["customer_no"]:
        raise ReturnRefused(
            f"{case.order_no} is not an order of customer {wanted.customer_no}: compare the order's number"
        )


def _refuse_late(case: Case, lines: Mapping[int, int], reason: ReturnReason) -> None:
    """By the window of these pieces. An order that is closed was open for the longest that any of it has."""
    skus = {one.line.sku for one in case.lines if one.line.line_no in lines}
    window = case.waits.windows.narrowest(skus, reason, case.waits.return_window)
    what = f" for {window.sku} ({window.category})" if window.category else ""
    if window.lasts is None:
        raise ReturnRefused(
            f"{case.order_no}: {window.sku} ({window.category}) comes back only by the seller's fault "
            f"({', '.join(sorted(SELLERS_FAULT))}), not for {reason}: leave it out, or say what is wrong with it"
        )
    signed_at = case.milestones["signed_at"]
    by_hand = f"a person may give money back by `ballast finance refund {case.order_no}`"
    if signed_at is not None and case.now > (ended := signed_at + window.lasts):
        raise ReturnRefused(
            f"{case.order_no} was signed for on {to_local(signed_at)}, its return window of {window.lasts.days} days"
            f"{what} ended on {to_local(ended)}: {by_hand}"
        )
    if signed_at is not None and case.standing.state is State.CLOSED:
        raise ReturnRefused(f"{case.order_no} is closed: {by_hand}")


def _lines_of(case: Case, wanted: Wanted) -> dict[int, int]:
    """Line number -> pieces, each line once and no more than is there. Refuses with the figures."""
    there = free(case)
    if wanted.lines is None:
        if not there:
            raise ReturnRefused(f"{case.order_no}: nothing can come back: {_figures(case)}")
        return there
    numbers = [line_no for line_no, _ in wanted.lines]
    if twice := sorted({line_no for line_no in numbers if numbers.count(line_no) > 1}):
        raise ReturnRefused(
            f"{case.order_no}: line {twice[0]} stands twice in this return: say it once, with all pieces"
        )
    unknown = sorted(set(numbers) - {one.line.line_no for one in case.lines})
    if unknown:
        raise ReturnRefused(f"{case.order_no} has no line {unknown[0]}: {_figures(case)}")
    if not numbers or any(pieces < 1 for _, pieces in wanted.lines):
        raise ReturnRefused(f"{case.order_no}: say which pieces come back, at least one: {_figures(case)}")
    for line_no, pieces in wanted.lines:
        if pieces > there.get(line_no, 0):
            raise ReturnRefused(f"{case.order_no}: {pieces} of line {line_no} asked for: {_figures(case, line_no)}")
    return dict(wanted.lines)


def _figures(case: Case, line_no: int | None = None) -> str:
    has, gone = delivered(case), taken(case)
    return "; ".join(
        f"line {one.line.line_no} {one.line.sku}: ordered {one.line.quantity}, delivered {has[one.line.line_no]}, "
        f"in other returns {gone.get(one.line.line_no, 0)}"
        for one in case.lines
        if line_no in (None, one.line.line_no)
    )


def _refuse_exchange(case: Case, number: str, exchange: Mapping[str, int]) -> None:
    if any(pieces < 1 for pieces in exchange.values()):
        raise ReturnRefused(f"{case.order_no}: say how many pieces are wanted instead, at least one")
    try:
        exchange_no(number)
    except ValueError as wrong:
        raise ReturnRefused(f"{case.order_no} cannot be exchanged: {wrong}; ask for a return") from None


def _said(case: Case, lines: Mapping[int, int]) -> str:
    skus = {one.line.line_no: one.line.sku for one in case.lines}
    return ", ".join(f"{pieces} of line {line_no} {skus[line_no]}" for line_no, pieces in lines.items()) or "everything"


def is_by_fact(kind: ReturnKind) -> bool:
    """Nobody asked for it, and nobody has to agree."""
    return kind in BY_FACT
