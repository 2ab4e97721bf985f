"""What the gates found, written down and looked up again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


async def record(tx: AsyncConnection, looks: Sequence[Look]) -> None:
    """Write looks down, in one statement."""
    if looks:
        versions = {f"{kind}s": [look.versions[kind] for look in looks] for kind in ("price", "promotion", "risk")}
        await run(
            tx,
            _INSERT,
            order_ids=[look.order_id for look in looks],
            stages=[look.stage for look in looks],
            times=[look.looked_at for look in looks],
            facts=[dumps(look.facts) for look in looks],
            outcomes=[dumps(look.outcome) for look in looks],
            **versions,
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


_INSERT = """
insert into order_gate (order_id, stage, looked_at, price_version, promotion_version, risk_version, facts, outcome)
select order_id, stage, looked_at, price, promotion, risk, cast(facts as jsonb), cast(outcome as jsonb)
from unnest(cast(:order_ids as bigint[]), cast(:stages as text[]), cast(:times as timestamptz[]),
  cast(:prices as int[]), cast(:promotions as int[]), cast(:risks as int[]), cast(:facts as text[]),
  cast(:outcomes as text[])) r (order_id, stage, looked_at, price, promotion, risk, facts, outcome)
"""
_SELECT = "select * from order_gate where order_id = any(cast(:ids as bigint[])) order by id"
