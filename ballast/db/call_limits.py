"""Limits of other systems over all processes: who holds how many calls at once, and the time line that calls stand on.

One row per system. Times are the database's own: the clocks of processes differ.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ballast.db.engine import dumps, rows, run
from ballast.domain.sharing import Share, fair_slots

LEASE: Final = 20.0
"""Seconds: the slots of a process that died are free again after this."""


OLD_SHAPE: Final = "the database has no table of calls yet, run `ballast db upgrade`"


@dataclass(frozen=True, slots=True)
class Granted:
    """How many calls at once a process may make now, and whether others want some, too."""

    slots: int
    others: bool


async def share_slots(
    engine: AsyncEngine, system: str, owner: str, *, limit: int, holding: int, wanted: int
) -> Granted:
    """Say what `owner` holds and wants, and hear what it may have.

    `holding` is the most that it will use until it hears the answer. Fewer than that granted: it gives the rest back
    by saying so the next time. Lasts `LEASE` seconds, unless said again.
    """
    async with engine.begin() as tx:
        shares, now = await _locked(tx, system)
        before = shares.get(owner)
        since = before.since if before is not None and bool(before.slots) == bool(holding) else now
        shares[owner] = Share(slots=holding, wanted=wanted, since=since, until=now + LEASE)
        slots = fair_slots(limit, owner, shares, now)
        if slots > holding:
            shares[owner] = replace(shares[owner], slots=slots, since=since if holding else now)
        if not (wanted or holding):
            del shares[owner]
        await run(
            tx,
            "update call_limit set shares = cast(:shares as jsonb) where system = :system",
            system=system,
            shares=dumps({name: asdict(share) for name, share in shares.items()}),
        )
    return Granted(slots, len(shares) > (owner in shares))


async def _locked(tx: AsyncConnection, system: str) -> tuple[dict[str, Share], float]:
    """Who holds what, those whose lease is over left out, and the time; nobody else changes it until the commit."""
    look = """
        select shares, cast(extract(epoch from clock_timestamp()) as float8) as now
        from call_limit where system = :system for update"""
    if not (found := await rows(tx, look, system=system)):
        await _open(tx, system)
        found = await rows(tx, look, system=system)
    row = found[0]
    shares: Mapping[str, Mapping[str, float]] = row.shares
    living = {name: share for name, share in shares.items() if share["until"] > row.now}
    return {
        name: Share(slots=int(share["slots"]), wanted=int(share["wanted"]), since=share["since"], until=share["until"])
        for name, share in living.items()
    }, row.now


async def _open(tx: AsyncConnection, system: str) -> None:
    await run(
        tx,
        "insert into call_limit (system, next_at, shares) values (:system, clock_timestamp(), '{}') "
        "on conflict do nothing",
        system=system,
    )


@dataclass(frozen=True, slots=True)
class Reserved:
    """A part of the common time line: where it begins, and what time it was. Unix seconds of the database."""

    begins: float
    now: float


async def reserve(engine: AsyncEngine, system: str, *, seconds: float, lead: float) -> Reserved:
    """Take the next free `seconds` of the time line, from `lead` seconds ahead on.

    Not waited for on the disk: after a crash of the database the line begins anew, at its present time.
    """
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as tx:
        if not (found := await rows(tx, _RESERVE, system=system, seconds=seconds, lead=lead)):
            await _open(tx, system)
            found = await rows(tx, _RESERVE, system=system, seconds=seconds, lead=lead)
    return Reserved(found[0].ends - seconds, found[0].now)


_RESERVE: Final = """
with at_once as (select set_config('synchronous_commit', 'off', true) as said)
update call_limit set next_at = greatest(next_at, clock_timestamp() + make_interval(secs => cast(:lead as float8)))
  + make_interval(secs => cast(:seconds as float8))
from at_once where system = :system and said is not null
returning cast(extract(epoch from next_at) as float8) as ends,
  cast(extract(epoch from clock_timestamp()) as float8) as now
"""
