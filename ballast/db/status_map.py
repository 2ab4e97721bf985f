"""Codes that people added to the adapters' own tables: what an unknown code means, without a change of code."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows, run
from ballast.domain.words import Event, HoldReason
from ballast.ports import Codes, Meaning


async def added_codes(tx: AsyncConnection) -> dict[str, Codes]:
    """System -> (field, code) -> meaning."""
    added: dict[str, dict[tuple[str, str], Meaning]] = {}
    for row in await rows(tx, "select system, field, code, event, reason from status_map"):
        reason = HoldReason(row.reason) if row.reason else None
        added.setdefault(row.system, {})[row.field, row.code] = Meaning(Event(row.event), reason)
    return dict(added)


async def add_code(
    tx: AsyncConnection, system: str, field: str, code: str, meaning: Meaning, *, note: str, by: str, now: datetime
) -> None:
    """Say what a code means; saying it again replaces it and counts the version."""
    await run(
        tx,
        """
        insert into status_map as m (system, field, code, event, reason, note, version, changed_by, changed_at)
        values (:system, :field, :code, :event, :reason, :note, 1, :by, :now)
        on conflict (system, field, code) do update set event = excluded.event, reason = excluded.reason,
          note = excluded.note, version = m.version + 1, changed_by = excluded.changed_by,
          changed_at = excluded.changed_at""",
        system=system,
        field=field,
        code=code,
        event=meaning.event.value,
        reason=meaning.reason.value if meaning.reason else None,
        note=note,
        by=by,
        now=now,
    )
