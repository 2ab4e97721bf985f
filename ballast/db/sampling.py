"""Which orders a reconciliation looks at: a stratified sample, what changed since, or those that are named.

Sampling reads no table from end to end and sorts none. Random ids between the smallest and the largest are looked up
by the primary key: one that is a gap is a miss, so every order is as likely as every other, however ids lie. States
that are too rare to be met that way often enough are topped up through the partial index over open orders, by a hash
of id and seed: `limit` over it keeps a heap of as many rows, not a sort. The same seed over the same books chooses the
same orders.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.accuracy import stratify
from ballast.domain.words import State

LEAST: Final = 20
"""Orders of every state, as far as there are so many: what is rare goes wrong as often as what is common."""
DRAWS: Final = 12
"""Random ids per order wanted: enough that a state with a twelfth of the orders is met in proportion."""
OPEN: Final = (State.PENDING_PAYMENT, State.STOCK_LOCKED, State.OUTBOUND, State.IN_TRANSIT, State.ON_HOLD)


async def choose_sample(tx: AsyncConnection, wanted: int, seed: int) -> list[int]:
    """Ids of up to `wanted` orders, stratified by state, in random order; all of them when there are no more."""
    ends = (await rows(tx, "select min(id) as low, max(id) as high from sales_order"))[0]
    if ends.low is None:
        return []
    random = Random(seed)  # noqa: S311  # a sample that can be drawn again, no secret
    drawn = _draw(random, ends.low, ends.high, wanted)
    found = {row.id: State(row.state) for row in await _look_up(tx, drawn)}
    met: defaultdict[State, list[int]] = defaultdict(list)
    for order_id in drawn:
        if order_id in found:
            met[found[order_id]].append(order_id)
    if len(drawn) <= ends.high - ends.low:  # else every order was met
        rare = [state for state in OPEN if len(met[state]) < LEAST]
        for row in await _top_up(tx, rare, seed):
            if row.id not in found:
                met[State(row.state)].append(row.id)
    quota = stratify(Counter({state: len(ids) for state, ids in met.items() if ids}), wanted, LEAST)
    chosen = [order_id for state, count in quota.items() for order_id in met[state][:count]]
    random.shuffle(chosen)
    return chosen


def _draw(random: Random, low: int, high: int, wanted: int) -> list[int]:
    """Different ids of the range in random order, all of them when it is small."""
    most = max(wanted, LEAST) * DRAWS
    whole = range(low, high + 1)
    return random.sample(whole, min(most, len(whole)))


async def _look_up(tx: AsyncConnection, ids: Sequence[int]) -> Sequence[Any]:
    """One that was merged is what the order that carries it is: the other systems know it as it was.

    `offset 0` has each looked up by its id; as a join the whole table is read.
    """
    return await rows(
        tx,
        """
        select id, state from sales_order o where id = any(cast(:ids as bigint[]))
          and not exists (select from order_merge m where m.order_id = o.id offset 0)""",
        ids=list(ids),
    )


async def _top_up(tx: AsyncConnection, states: Sequence[State], seed: int) -> Sequence[Any]:
    return await rows(
        tx,
        """
        select o.id, o.state from unnest(cast(:states as text[])) s(state) cross join lateral (
          select id, state from sales_order
          where state in ('PENDING_PAYMENT', 'STOCK_LOCKED', 'OUTBOUND', 'IN_TRANSIT', 'ON_HOLD')
            and sales_order.state = s.state
          order by hashint8extended(id, cast(:seed as bigint)) limit :most) o""",
        states=[str(state) for state in states],
        seed=seed,
        most=LEAST,
    )


async def changed_since(tx: AsyncConnection, since: datetime) -> list[int]:
    """Ids of the orders whose history has a line of that time or later, in the order of their ids."""
    found = await rows(
        tx,
        """
        select distinct order_id from order_event e where recorded_at >= :since
          and not exists (select from order_merge m where m.order_id = e.order_id) order by order_id""",
        since=since,
    )
    return [row.order_id for row in found]


async def ids_of(tx: AsyncConnection, numbers: Sequence[str]) -> dict[str, int]:
    """Order number -> id, of those that are in the books."""
    found = await rows(
        tx,
        "select order_no, id from sales_order where order_no = any(cast(:nos as text[]))",
        nos=list(numbers),
    )
    known = {row.order_no: row.id for row in found}
    return {number: known[number] for number in numbers if number in known}
