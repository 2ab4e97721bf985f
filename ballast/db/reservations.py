"""Pieces that are kept for orders which are not paid yet. An expired reservation counts for nothing, swept or not.

Check and reservation are one transaction under the row locks of the levels (SKU, warehouse), which every lock of stock
takes, too: of two buyers of the last piece one is promised it, whichever door they came through.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run
from ballast.db.incoming import read_coming
from ballast.db.promises import read_promises
from ballast.domain.promising import Answer, Basket, Shelf, promise, with_days
from ballast.domain.sourcing import SourcingSet
from ballast.domain.stock import NO_ROWS, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What may be promised. `split`: an order may come from several warehouses; `unknown`: SKUs without any figure may
    be wanted. `rules`: how orders are sourced.
    """

    split: bool = False
    unknown: bool = True
    rules: SourcingSet = NO_ROWS


async def look(tx: AsyncConnection, baskets: Sequence[Basket], terms: Terms, *, now: datetime) -> list[Answer]:
    """What could be promised of these baskets now, one after the other. Locks nothing, keeps nothing."""
    asking, shelves = await _read(tx, baskets, now)
    answers = promise(asking, shelves, split=terms.split, lets_in_unknown=terms.unknown, rules=terms.rules)
    return await _with_days(tx, answers, terms, now)


async def look_at_each(tx: AsyncConnection, baskets: Sequence[Basket], terms: Terms, *, now: datetime) -> list[Answer]:
    """The same, of each basket as if it were the only one: who only asks takes nothing from the next."""
    asking, shelves = await _read(tx, baskets, now)
    holders = [replace(basket, lines=()) for basket in asking if basket.held]
    answers = []
    for basket in asking:
        others = [one for one in holders if one.order_no != basket.order_no]
        found = promise([basket, *others], shelves, split=terms.split, lets_in_unknown=terms.unknown, rules=terms.rules)
        answers.append(found[0])
    return await _with_days(tx, answers, terms, now)


async def _read(tx: AsyncConnection, baskets: Sequence[Basket], now: datetime) -> tuple[list[Basket], list[Shelf]]:
    """The baskets with what is kept for them, and the shelves of what they want, without that."""
    skus = sorted({line.sku for basket in baskets for line in basket.lines})
    numbers = sorted({basket.order_no for basket in baskets if basket.order_no})
    held = await _held(tx, numbers, now) if numbers else {}
    shelves = [
        Shelf(
            sku=one.sku,
            warehouse=one.warehouse,
            free=one.free,
            reservable=one.counts_reservations,
            stale=not one.sells and one.to_promise > 0,
        )
        for one in await read_promises(tx, skus, now=now, but=numbers)
    ]
    return [replace(basket, held=held.get(basket.order_no, {})) for basket in baskets], shelves


async def _with_days(tx: AsyncConnection, answers: list[Answer], terms: Terms, now: datetime) -> list[Answer]:
    short = sorted({line.sku for answer in answers for line in answer.lines if line.short})
    return with_days(answers, await read_coming(tx, short, now=now), split=terms.split) if short else answers


async def reserve(
    tx: AsyncConnection,
    baskets: Sequence[Basket],
    terms: Terms,
    *,
    now: datetime,
    lasts: Mapping[str, timedelta],
) -> list[Answer]:
    """Lock the levels of what is wanted, then `keep`."""
    await lock_levels(tx, {line.sku for basket in baskets for line in basket.lines})
    return await keep(tx, baskets, terms, now=now, lasts=lasts)


async def keep(
    tx: AsyncConnection,
    baskets: Sequence[Basket],
    terms: Terms,
    *,
    now: datetime,
    lasts: Mapping[str, timedelta],
) -> list[Answer]:
    """Keep what can be promised, each basket whole or not at all: a fixed number of statements for any number of them.

    The levels are locked. `lasts`: order number -> for how long its pieces are kept from now; nothing is kept for who
    is not in it. A second reservation of one order takes the place of the first; one that cannot be promised leaves
    the first as it is.
    """
    answers = await look(tx, baskets, terms, now=now)
    kept = [answer for answer in answers if answer.ok and lasts.get(answer.order_no)]
    if kept:
        values = [
            {"order_no": a.order_no, "sku": sku, "warehouse": warehouse, "quantity": quantity,
             "expires_at": now + lasts[a.order_no]}
            for a in kept for (sku, warehouse), quantity in a.takes.items()
        ]  # fmt: skip
        await run(tx, _KEEP, rows=dumps(values), nos=[answer.order_no for answer in kept], now=now)
    return answers


async def lock_levels(tx: AsyncConnection, skus: Collection[str]) -> None:
    """Whoever takes or promises pieces of these SKUs waits until this transaction ends."""
    await rows(
        tx,
        "select 1 from stock_level where sku = any(cast(:skus as text[])) order by sku, warehouse for update",
        skus=sorted(skus),
    )


async def _held(tx: AsyncConnection, order_nos: Sequence[str], now: datetime) -> dict[str, dict[Place, int]]:
    """Order number -> what is kept for it, of those for whom something is."""
    found = await rows(
        tx,
        """
        select order_no, sku, warehouse, quantity from stock_reservation
        where order_no = any(cast(:nos as text[])) and expires_at > :now""",
        nos=list(order_nos),
        now=now,
    )
    held: defaultdict[str, dict[Place, int]] = defaultdict(dict)
    for row in found:
        held[row.order_no][row.sku, row.warehouse] = row.quantity
    return dict(held)


_KEEP = """
with wanted as (
  select * from jsonb_to_recordset(cast(:rows as jsonb))
    as r(order_no text, sku text, warehouse text, quantity bigint, expires_at timestamptz)),
gone as (
  delete from stock_reservation v where v.order_no = any(cast(:nos as text[])) and not exists (
    select from wanted r where r.order_no = v.order_no and r.sku = v.sku and r.warehouse = v.warehouse))
insert into stock_reservation as v (order_no, sku, warehouse, quantity, made_at, expires_at)
select order_no, sku, warehouse, quantity, cast(:now as timestamptz), expires_at from wanted
on conflict (order_no, sku, warehouse) do update
  set quantity = excluded.quantity, expires_at = excluded.expires_at
"""


async def read_reserved(tx: AsyncConnection, skus: Sequence[str], *, now: datetime) -> dict[Place, int]:
    """What is kept for anybody, where reservations count. Ask under the row locks of the levels."""
    found = await rows(tx, _RESERVED, skus=list(skus), now=now)
    return {(row.sku, row.warehouse): int(row.quantity) for row in found}


_RESERVED = """
select r.sku, r.warehouse, sum(r.quantity) as quantity from stock_reservation r
left join stock_limit a on a.sku = r.sku and a.warehouse = r.warehouse
left join stock_limit b on b.sku = r.sku and b.warehouse = ''
left join stock_limit c on c.sku = '' and c.warehouse = r.warehouse
left join stock_limit d on d.sku = '' and d.warehouse = ''
where r.sku = any(cast(:skus as text[])) and r.expires_at > :now
  and coalesce(a.counts_reservations, b.counts_reservations, c.counts_reservations, d.counts_reservations, true)
group by r.sku, r.warehouse
"""


async def held_by(tx: AsyncConnection, order_ids: Sequence[int], *, now: datetime) -> dict[int, dict[Place, int]]:
    """Order id -> what is kept for it, of those for whom something is."""
    found = await rows(
        tx,
        """
        select o.id, v.sku, v.warehouse, v.quantity from stock_reservation v join sales_order o using (order_no)
        where o.id = any(cast(:ids as bigint[])) and v.expires_at > :now""",
        ids=list(order_ids),
        now=now,
    )
    held: defaultdict[int, dict[Place, int]] = defaultdict(dict)
    for row in found:
        held[row.id][row.sku, row.warehouse] = row.quantity
    return dict(held)


async def end_reservations(tx: AsyncConnection, order_ids: Sequence[int]) -> int:
    """These orders need none any more: their pieces are locked, or they are closed."""
    return await run(
        tx,
        """
        delete from stock_reservation v using sales_order o
        where o.id = any(cast(:ids as bigint[])) and v.order_no = o.order_no""",
        ids=list(order_ids),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What is kept of one SKU in one warehouse for one order."""

    order_no: str
    sku: str
    warehouse: str
    quantity: int
    made_at: datetime
    expires_at: datetime


async def list_reservations(
    tx: AsyncConnection, *, now: datetime, sku: str = "", most: int = 1000
) -> list[Reservation]:
    """What is kept now, of one SKU or of all, the next to expire first."""
    found = await rows(
        tx,
        """
        select order_no, sku, warehouse, quantity, made_at, expires_at from stock_reservation
        where expires_at > :now and :sku in ('', sku) order by expires_at, order_no, sku, warehouse limit :most""",
        now=now,
        sku=sku,
        most=most,
    )
    return [Reservation(**row._mapping) for row in found]


async def free_reservations(tx: AsyncConnection, order_nos: Sequence[str], *, now: datetime) -> dict[str, int]:
    """Give back what is kept for these orders; order number -> pieces that somebody else can have now."""
    found = await rows(
        tx,
        """
        delete from stock_reservation where order_no = any(cast(:nos as text[]))
        returning order_no, case when expires_at > :now then quantity else 0 end as pieces""",
        nos=list(order_nos),
        now=now,
    )
    freed = dict.fromkeys(order_nos, 0)
    for row in found:
        freed[row.order_no] += row.pieces
    return freed


async def sweep(tx: AsyncConnection, now: datetime, *, most: int = 10_000) -> int:
    """Take away what has expired. Nothing depends on it: it keeps the table small."""
    return await run(
        tx,
        """
        delete from stock_reservation v using (
          select order_no, sku, warehouse from stock_reservation where expires_at <= :now
          order by order_no, sku, warehouse limit :most for update skip locked) old
        where v.order_no = old.order_no and v.sku = old.sku and v.warehouse = old.warehouse""",
        now=now,
        most=most,
    )


async def known(tx: AsyncConnection, order_nos: Sequence[str], events: Sequence[tuple[str, str]] = ()) -> set[str]:
    """Which of these orders are stored already: in the books, in the archive, or on their way there.

    `events`: (source, event id) of messages beside the numbers; one that is in the inbox makes its order known.
    """
    found: Sequence[Any] = await rows(
        tx,
        _KNOWN,
        nos=list(order_nos),
        sources=[source for source, _ in events],
        ids=[event_id for _, event_id in events],
    )
    return {row.order_no for row in found}


_KNOWN = """
select order_no from sales_order where order_no = any(cast(:nos as text[]))
union select order_no from archived_order where order_no = any(cast(:nos as text[]))
union select order_no from inbox where state = 'new' and topic = 'order' and order_no = any(cast(:nos as text[]))
union select i.order_no from inbox i
  join unnest(cast(:sources as text[]), cast(:ids as text[])) m(source, event_id) using (source, event_id)
"""
