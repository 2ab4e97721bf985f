"""What is known of the changes of one order while a transaction decides about it; `ballast.db.editing` does them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ballast.domain.editing import Change


@dataclass(frozen=True, slots=True)
class Asked:
    """A change that is asked for and not yet answered."""

    change: Change
    by: str
    asked_at: datetime
    fresh: bool = False  # asked for in this transaction


@dataclass(slots=True)
class Edits:
    """The changes of one order. `rows`: what is to be stored of them."""

    asked: Asked | None = None
    done: bool = False  # the order was changed since it was placed
    bill_changed: bool = False  # lines, receiver and total are to be written
    lines_changed: bool = False  # what is reserved for it has to follow
    refused: list[str] = field(default_factory=list)  # why, of those that were asked for by message
    rows: list[dict[str, Any]] = field(default_factory=list)


def take_up(asked: dict[str, Any] | None, *, done: bool) -> Edits:
    """As the books have them."""
    if asked is None:
        return Edits(done=done)
    change = Change(
        receiver=asked["change"]["receiver"],
        quantities={int(line_no): pieces for line_no, pieces in asked["change"]["quantities"].items()},
    )
    return Edits(Asked(change, asked["asked_by"], datetime.fromisoformat(asked["asked_at"])), done)
