"""What a cancellation does to a case: it is asked for, or outrun by the goods (then it is a return)."""

from datetime import datetime

from ballast.db import returning
from ballast.db.case import Case
from ballast.domain.words import Event, HoldReason, State

GONE = frozenset({State.OUTBOUND, State.IN_TRANSIT, State.SIGNED})
"""The goods are with the courier or the customer."""

PERSON = "person:"
"""What an actor begins with that is one."""


def has_left(case: Case) -> bool:
    """Whether any piece left the warehouse: a rest alone cannot be cancelled any more.

    A parcel is enough: a warehouse that confirms a part need not say what is in it.
    """
    return case.place in GONE or bool(case.parcels) or any(line.shipped for line in case.lines)


def ask(case: Case, *, cause: str, actor: str, why: str, evidence: str, at: datetime | None = None) -> str:
    """Somebody wants the order cancelled; a sentence that says what comes of it.

    What has not left is held and due at `call_off` at once. What has left becomes a return, goes on its way, and stays
    on hold if it was. Asking again for one that waits tries again; a closed order stays as it is, and so does one that
    a person released, when a system repeats the same `evidence`. A person's own word is a judgement of its own.
    """
    if case.edits.leader:
        return _is_carried(case, cause=cause, actor=actor, why=why, at=at)
    if case.standing.state is State.CLOSED:
        return "it is closed already"
    if not actor.startswith(PERSON) and case.overrode(HoldReason.CANCEL_ASKED, evidence):
        case.take(Event.NOTED, cause=cause, actor=actor, happened_at=at, text=f"{why} (a person let it go on)")
        return "a person let it go on in spite of this"
    if has_left(case):
        event = Event.CANCEL_ASKED if case.place in GONE else Event.NOTED  # partly shipped: not to be held
        case.take(event, cause=cause, actor=actor, happened_at=at, text=f"cancellation asked for: {why}")
        return outrun(case, cause=f"{cause}:outrun", why=why, by=actor)
    if not case.take(Event.CANCEL_ASKED, cause=cause, actor=actor, happened_at=at, text=why, evidence=evidence):
        _try_again(case)
    return "it is being stopped"


def _is_carried(case: Case, *, cause: str, actor: str, why: str, at: datetime | None) -> str:
    """The shop does not know that another order carries it: a person takes the lines out there."""
    leader = case.edits.leader
    text = f"it was merged into {leader}: take its lines out there, `ballast order edit {leader} --remove LINE`"
    case.take(Event.NOTED, cause=cause, actor=actor, happened_at=at, text=f"cancellation asked for ({why}): {text}")
    if not actor.startswith(PERSON):
        case.puzzles.append(f"a cancellation was asked for ({why}), but {text}")
    return text


def _try_again(case: Case) -> None:
    """A person mended what was in the way, or does not want to wait for the next attempt."""
    if case.due is None:
        case.reschedule()
    elif case.attempts and not case.lease_owner:  # it failed and pauses: no call is under way
        case.due, case.attempts, case.touched = (case.due[0], case.now), 0, True


def outrun(case: Case, *, cause: str, why: str, by: str = "ballast") -> str:
    """It cannot be stopped any more: a hold for the cancellation ends, a return is opened."""
    said = open_return(case, why=why, by=by)
    if case.standing.reason is HoldReason.CANCEL_ASKED:
        case.take(Event.RELEASED, cause=cause, actor="ballast", text=said, note=said)
    return said


def open_return(case: Case, *, why: str, by: str) -> str:
    """A return case for a person, one at a time per order."""
    returning.open_whole(case, why=why, by=by)
    return f"it has left the warehouse: a return is opened for a person ({why})"
