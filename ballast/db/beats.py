"""Signs of life of long runs. A run whose sign does not change any more belongs to a process that died."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows, run

FORGET = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Signs:
    """How often each run has said that it is alive, and since when the database was there to hear it."""

    beats: Mapping[str, int]
    database_since: datetime


async def beat(tx: AsyncConnection, run_id: str, now: datetime) -> None:
    """Say once more that a run is alive. `now` is machine time."""
    await run(
        tx,
        """
        insert into run_beat as b (run_id, beats, beat_at) values (:run_id, 1, :now)
        on conflict (run_id) do update set beats = b.beats + 1, beat_at = excluded.beat_at""",
        run_id=run_id,
        now=now,
    )


async def signs(tx: AsyncConnection, run_ids: Sequence[str]) -> Signs:
    """How often these runs have said it so far; runs that never did are absent."""
    found = await rows(
        tx, "select run_id, beats from run_beat where run_id = any(cast(:ids as text[]))", ids=list(run_ids)
    )
    since = (await rows(tx, "select pg_postmaster_start_time()"))[0][0]
    return Signs({row.run_id: row.beats for row in found}, since)


async def forget_old(tx: AsyncConnection, now: datetime) -> int:
    """Take away the signs of runs that are long over."""
    return await run(tx, "delete from run_beat where beat_at < :before", before=now - FORGET)
