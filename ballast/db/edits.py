"""What is known of the changes of one order while a transaction decides about it; `ballast.db.editing` does them."""

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """An order that was merged into this one. `lines`: its line number -> (ours, pieces).

    `in_erp`: the ERP has not yet voided its sale order.
    """

    order_no: str
    lines: Mapping[int, tuple[int, int]]
    transaction_id: str | None
    in_erp: bool = False


@dataclass(slots=True)
class Edits:
    """The changes of one order. `rows`: what is to be stored of them."""

    asked: Asked | None = None
    followers: tuple[Follower, ...] = ()  # whose lines and money it carries
    leader: str = ""  # the order that carries its lines and money
    done: bool = False  # the order was changed since it was placed
    bill_changed: bool = False  # lines, receiver and total are to be written
    lines_changed: bool = False  # what is reserved for it has to follow
    refused: list[str] = field(default_factory=list)  # why, of those that were asked for by message
    rows: list[dict[str, Any]] = field(default_factory=list)


def take_up(
    asked: Mapping[str, Any] | None, *, done: bool, leader: str | None, followers: Sequence[Mapping[str, Any]]
) -> Edits:
    """As the books have them."""
    edits = Edits(done=done, leader=leader or "", followers=tuple(map(_follower, followers)))
    if asked is not None:
        change = Change(
            receiver=asked["change"]["receiver"],
            quantities={int(line_no): pieces for line_no, pieces in asked["change"]["quantities"].items()},
            merge=tuple(asked["change"].get("merge", ())),
        )
        edits.asked = Asked(change, asked["asked_by"], datetime.fromisoformat(asked["asked_at"]))
    return edits


def read_lines(stored: Mapping[str, Sequence[int]]) -> dict[int, tuple[int, int]]:
    """Line number of a merged order -> (the leader's, pieces)."""
    return {int(line_no): (ours, pieces) for line_no, (ours, pieces) in stored.items()}


def _follower(row: Mapping[str, Any]) -> Follower:
    return Follower(
        order_no=row["order_no"],
        lines=read_lines(row["lines"]),
        transaction_id=row["transaction_id"],
        in_erp=row["in_erp"],
    )
