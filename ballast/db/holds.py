"""Orders that wait for a person: list them, choose which to let go on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.life_cycle import ASKED_ANEW
from ballast.domain.words import HoldReason, State

SEPARATORS = re.compile(r"[\s,;\uff0c\uff1b\u3001]+")
"""People paste a column of a sheet into one field."""


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One open hold."""

    order_no: str
    reason: HoldReason
    evidence: str
    held_from: State
    held_at: datetime
    acknowledged_by: str | None


_OPEN = """
select o.order_no, h.reason, h.evidence, h.held_from, h.held_at, h.acknowledged_by
from hold h join sales_order o on o.id = h.order_id
where h.released_at is null and {which} order by h.held_at desc, h.id desc limit :most
"""


async def recent_holds(tx: AsyncConnection, *, since: datetime, most: int) -> list[HeldRow]:
    """Open holds that began at or after `since`, newest first."""
    return _held(await rows(tx, _OPEN.format(which="h.held_at >= :since"), since=since, most=most))


async def open_holds(tx: AsyncConnection, *, reason: HoldReason | None = None, most: int = 1000) -> list[HeldRow]:
    """All open holds, or those of one reason, newest first."""
    return _held(
        await rows(
            tx,
            _OPEN.format(which="(:reason = '' or h.reason = :reason)"),
            reason=reason.value if reason else "",
            most=most,
        )
    )


def _held(found: Sequence[Any]) -> list[HeldRow]:
    return [
        HeldRow(r.order_no, HoldReason(r.reason), r.evidence, State(r.held_from), r.held_at, r.acknowledged_by)
        for r in found
    ]


def numbers_in(entries: Sequence[str]) -> list[str]:
    """The order numbers in what people typed or pasted, each once, in their order."""
    return list(dict.fromkeys(number for entry in entries for number in SEPARATORS.split(entry) if number))


async def which_to_rerun(
    tx: AsyncConnection,
    *,
    order_nos: Sequence[str],
    reason: HoldReason | None,
    since: datetime | None,
    until: datetime | None,
    most: int,
) -> list[str]:
    """The orders that a rerun form names: by number (found or not), and held ones by reason and time of the hold.

    A time alone takes only what another system is asked anew for (`ASKED_ANEW`): a release of any other hold is a
    judgement about that order, and nobody judges by the hour.
    """
    named = numbers_in(order_nos)
    if reason is None and since is None and until is None:
        return named
    found = await rows(
        tx,
        """
        select o.order_no from hold h join sales_order o on o.id = h.order_id
        where h.released_at is null and h.reason = any(cast(:reasons as text[]))
          and (cast(:since as timestamptz) is null or h.held_at >= :since)
          and (cast(:until as timestamptz) is null or h.held_at < :until)
        order by h.held_at limit :most""",
        reasons=sorted([reason] if reason else ASKED_ANEW),
        since=since,
        until=until,
        most=most,
    )
    return list(dict.fromkeys([*named, *(row.order_no for row in found)]))
