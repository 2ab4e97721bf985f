"""What the gates found, written down and looked up again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at one order. `versions`: kind of rules -> the version that was used."""

    order_id: int
    stage: str
    looked_at: datetime
    versions: Mapping[str, int]
    facts: Mapping[str, Any]
    outcome: Mapping[str, Any]


class Found(NamedTuple):
    """What a look found of one order: see `OrderGate`."""

    order_id: int
    facts: Mapping[str, Any]
    outcome: Mapping[str, Any]


async def record(
    tx: AsyncConnection, stage: str, at: datetime, versions: Mapping[str, int], found: Sequence[Found]
) -> None:
    """Write a look at a chunk down, in one statement: the same rules at the same moment for all of it."""
    if found:
        await run(
            tx,
            _INSERT,
            stage=stage,
            at=at,
            **versions,
            order_ids=[one.order_id for one in found],
            facts=[dumps(one.facts) for one in found],
            outcomes=[dumps(one.outcome) for one in found],
        )


async def looks_at(tx: AsyncConnection, order_ids: Collection[int]) -> dict[int, list[Look]]:
    """Every look at these orders, the oldest first."""
    found: dict[int, list[Look]] = {}
    for row in await rows(tx, _SELECT, ids=list(order_ids)):
        versions = {"price": row.price_version, "promotion": row.promotion_version, "risk": row.risk_version}
        look = Look(
            order_id=row.order_id,
            stage=row.stage,
            looked_at=row.looked_at,
            versions=versions,
            facts=row.facts,
            outcome=row.outcome,
        )
        found.setdefault(row.order_id, []).append(look)
    return found


class LastLook(NamedTuple):
    """What the last look at an order said of its risk. `held`: the reason for which it was held by that look."""

    risk_version: int
    fired: list[str]
    held: str | None


async def last_looks(tx: AsyncConnection, order_ids: Collection[int]) -> dict[int, LastLook]:
    """Order id -> the last look at it, of those that were looked at."""
    found = await rows(tx, _LAST, ids=list(order_ids))
    return {number: LastLook(version, fired or [], held) for number, version, fired, held in found}


_INSERT = """
insert into order_gate (order_id, stage, looked_at, price_version, promotion_version, risk_version, facts, outcome)
select order_id, :stage, :at, :price, :promotion, :risk, cast(facts as jsonb), cast(outcome as jsonb)
from unnest(cast(:order_ids as bigint[]), cast(:facts as text[]), cast(:outcomes as text[]))
  r (order_id, facts, outcome)
"""
_SELECT = "select * from order_gate where order_id = any(cast(:ids as bigint[])) order by id"
_LAST = """
select distinct on (order_id) order_id, risk_version, outcome->'risk'->'fired' as fired, outcome->>'held' as held
from order_gate where order_id = any(cast(:ids as bigint[])) order by order_id, id desc
"""
