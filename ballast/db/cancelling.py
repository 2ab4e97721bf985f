"""What a cancellation does to a case: it is asked for, or outrun by the goods (then it is a return)."""

from datetime import datetime

from ballast.db.case import Case
from ballast.domain.words import Event, HoldReason, State

GONE = frozenset({State.OUTBOUND, State.IN_TRANSIT, State.SIGNED})
"""The goods are with the courier or the customer."""


def has_left(case: Case) -> bool:
    """Whether any piece left the warehouse: a rest alone cannot be cancelled any more."""
    return case.place in GONE or any(line.shipped for line in case.lines)


def ask(case: Case, *, cause: str, actor: str, why: str, evidence: str, at: datetime | None = None) -> str:
    """Somebody wants the order cancelled; a sentence that says what comes of it.

    What has not left is held and due at `call_off` at once. What has left becomes a return, and goes on its way. Asking
    again for one that waits tries again; a closed order stays as it is, and so does one that a person released from the
    same `evidence`.
    """
    if case.standing.state is State.CLOSED:
        return "it is closed already"
    if case.overrode(HoldReason.CANCEL_ASKED, evidence):
        case.take(Event.NOTED, cause=cause, actor=actor, happened_at=at, text=f"{why} (a person let it go on)")
        return "a person let it go on in spite of this"
    moved = case.take(Event.CANCEL_ASKED, cause=cause, actor=actor, happened_at=at, text=why, evidence=evidence)
    if has_left(case):
        return open_return(case, why=why, by=actor)
    if not moved and case.due is None:  # somebody refused to let it go, and a person mended that
        case.reschedule()
    return "it is being stopped"


def outrun(case: Case, *, cause: str, why: str) -> str:
    """It cannot be stopped any more: a hold for the cancellation ends, a return is opened."""
    said = open_return(case, why=why, by="ballast")
    if case.standing.reason is HoldReason.CANCEL_ASKED:
        case.take(Event.RELEASED, cause=cause, actor="ballast", text=said, note=said)
    return said


def open_return(case: Case, *, why: str, by: str) -> str:
    """A return case for a person, one at a time per order."""
    case.returns.append({"order_id": case.id, "why": why[:500], "asked_by": by, "asked_at": case.now})
    return f"it has left the warehouse: a return is opened for a person ({why})"
