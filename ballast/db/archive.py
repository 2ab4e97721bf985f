"""The archive: orders that closed long ago, whole, one compressed row each, and the way back.

A chunk is one transaction: orders are locked, those with which nothing is to be done any more are read, packed, written
to the archive and taken out of every other table. Whoever waits for the lock finds the order in the archive, because he
looks there after he looked for the order, in a statement of its own.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.clock import to_local
from ballast.db.archived_money import drop_money, keep_money
from ballast.db.engine import dumps, ring, rows, run
from ballast.domain.payments import transaction_key

OF_ORDER: Final = (
    "order_line",
    "parcel",
    "order_event",
    "hold",
    "return_line",
    "return_case",
    "payment",
    "refund",
    "stock_lock",
    "external_status",
    "effect",
    "outbox",
    "alert",
    "sla_breach",
    "sla_pause",
    "order_check",
    "order_origin",
    "order_gate",
    "delivery",
    "order_edit",
    "order_merge",
)
"""Tables whose rows belong to an order by `order_id`: all of them go with it."""

OF_MONEY: Final = ("sales_order", "order_line", "parcel", "order_event", "payment", "refund")
"""Tables of which `archived_money` is made."""

TAKEN: Final[Mapping[str, str]] = {
    "alert_notice": "using alert a where a.id = t.alert_id and a.order_id = any(cast(:ids as bigint[])) "
    "returning a.order_id",  # before its alerts go
    **dict.fromkeys(OF_ORDER, "where t.order_id = any(cast(:ids as bigint[])) returning t.order_id"),
    "inbox": "using sales_order o where t.state = 'done' and t.order_no = o.order_no "
    "and o.id = any(cast(:ids as bigint[])) returning o.id",
    "sales_order": "where t.id = any(cast(:ids as bigint[])) returning t.id",
}
"""Table -> which of its rows belong to some orders, and to whose; in the order in which they are taken out."""

MOST: Final = 200
"""Orders in one transaction: about two seconds of work, and 10,000 rows."""

_DUE = """
select id, order_no, closed_at from sales_order
where state = 'CLOSED' and closed_at < :before
  and (closed_at, id) > (cast(:after_at as timestamptz), cast(:after_id as bigint))
order by closed_at, id limit :most
"""
_KEPT = """
with unread as (
  select order_no from inbox where state = 'waiting' and order_no = any(cast(:nos as text[]))
  union select order_no from inbox where state = 'parked' and order_no = any(cast(:nos as text[]))
  union select order_no from inbox where state = 'new' and order_no = any(cast(:nos as text[])))
select o.id, o.order_no, o.channel, o.customer_no, o.placed_at, o.closed_at,
  case
    when o.state <> 'CLOSED' or o.due_step is not null or o.lease_owner is not null or o.sla_due_at is not null
      then 'a step or a clock has to look at it'
    when exists (select from return_case r where r.order_id = o.id and r.state <> 'closed') then 'an open return'
    when exists (select from refund f where f.order_id = o.id and f.state in ('asked', 'requested', 'by_hand'))
      or exists (select from payment p where p.order_id = o.id and p.state = 'surplus' and p.refunding < p.amount)
      then 'money that has to go back'
    when exists (select from hold h where h.order_id = o.id and h.released_at is null) then 'an open hold'
    when exists (select from alert a where a.order_id = o.id and (a.climbs_at is not null
        or (a.ended_at is null and a.acknowledged_at is null and a.level <> 'info')
        or exists (select from alert_notice n where n.alert_id = a.id and n.due_at is not null)))
      then 'an alert that nobody answered'
    when exists (select from outbox m where m.order_id = o.id and m.done_at is null) then 'a message that was not sent'
    when o.order_no in (select order_no from unread) then 'a message that was not read'
  end as kept
from sales_order o where o.id = any(cast(:ids as bigint[])) order by o.id
"""
_TAKE = """
with gone as (delete from {table} t {which} as owner, to_jsonb(t) as row)
select owner, count(*) as count, cast(jsonb_agg(row) as text) as rows from gone group by owner
"""
"""The document is made of the very rows that were taken out: what somebody adds meanwhile is in it, or stays."""

_INSERT = """
insert into archived_order (order_no, channel, customer_no, placed_at, closed_at, archived_at, charges, document)
select r.order_no, r.channel, r.customer_no, r.placed_at, r.closed_at, cast(:now as timestamptz), r.charges, d.document
from unnest(cast(:documents as bytea[])) with ordinality d(document, place)
join jsonb_to_recordset(cast(:rows as jsonb)) as r(place int, order_no text, channel text, customer_no text,
  placed_at timestamptz, closed_at timestamptz, charges text[]) using (place)
"""
_BACK = """
insert into {table} ({columns}) select {columns} from jsonb_populate_recordset(null::{table}, cast(:rows as jsonb))
on conflict do nothing
"""


UNKNOWN: Final = "unknown order"
PUT_AWAY: Final = "in the archive"


class NotInArchive(Exception):
    """This order is not in the archive: look for a typing error, or at `ballast order show`."""


EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run through old orders is: behind this one. A run begins before all of them."""

    closed_at: datetime = EARLIEST
    id: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one transaction did: order numbers put away, why others stayed (reason -> how many), where to go on."""

    archived: tuple[str, ...] = ()
    kept: Counter[str] = field(default_factory=Counter)
    size: int = 0  # bytes of the documents
    end: Place | None = None  # None: there are no more


@dataclass(frozen=True, slots=True)
class Archived:
    """What has to be known of an order in the archive to tell a repeat from news."""

    order_no: str
    archived_at: datetime
    causes: frozenset[str]  # of its history
    charges: frozenset[tuple[str, str]]  # as `transaction_key`
    refunds: frozenset[str]  # numbers of those that are done


async def archive_chunk(tx: AsyncConnection, *, before: datetime, after: Place, now: datetime) -> Chunk:
    """Put away up to `MOST` orders that closed before that time. Orders that somebody has locked wait for the next run.

    Needs a transaction of its own: after its commit they are in the archive, before it nothing has happened.
    """
    due = await _look(tx, f"{_DUE} for update skip locked", before, after)
    if not due:
        return Chunk()
    # a statement of its own: what was written beside the orders before they were locked has to be seen
    found = await rows(tx, _KEPT, ids=[row.id for row in due], nos=[row.order_no for row in due])
    going = [row for row in found if row.kept is None]
    kept, end = Counter(row.kept for row in found if row.kept), Place(due[-1].closed_at, due[-1].id)
    if not going:
        return Chunk(kept=kept, end=end)
    return await _put_away(tx, going, Chunk(kept=kept, end=end), now)


async def _put_away(tx: AsyncConnection, going: Sequence[Any], chunk: Chunk, now: datetime) -> Chunk:
    """Out of every table, into the archive: a fixed number of statements for any number of orders."""
    taken: dict[int, dict[str, str]] = {row.id: {} for row in going}
    for table, which in TAKEN.items():
        for found in await rows(tx, _TAKE.format(table=table, which=which), ids=list(taken)):
            taken[found.owner][table] = found.rows
    documents = [taken[row.id] for row in going]
    heads = [
        {**row._mapping, "place": place, "charges": [charge_word(*key) for key in sorted(_charges(parts))]}
        for place, (row, parts) in enumerate(zip(going, documents, strict=True), 1)
    ]
    packed = await asyncio.to_thread(lambda: [pack(parts) for parts in documents])
    await run(tx, _INSERT, rows=dumps(heads), documents=packed, now=now)
    await keep_money(tx, ({name: orjson.loads(parts.get(name, "[]")) for name in OF_MONEY} for parts in documents))
    return replace(chunk, archived=tuple(row.order_no for row in going), size=sum(map(len, packed)))


def _charges(parts: Mapping[str, str]) -> set[tuple[str, str]]:
    return {transaction_key(row["provider"], row["transaction_id"]) for row in orjson.loads(parts.get("payment", "[]"))}


def charge_word(provider: str, transaction: str) -> str:
    """A `transaction_key` as `archived_order.charges` has it."""
    return f"{provider}:{transaction}"


async def would_archive(tx: AsyncConnection, *, before: datetime, after: Place) -> Chunk:
    """What `archive_chunk` would do, without doing it: nothing is locked or written, sizes are not known."""
    due = await _look(tx, _DUE, before, after)
    if not due:
        return Chunk()
    found = await rows(tx, _KEPT, ids=[row.id for row in due], nos=[row.order_no for row in due])
    going = tuple(row.order_no for row in found if row.kept is None)
    return Chunk(going, Counter(row.kept for row in found if row.kept), end=Place(due[-1].closed_at, due[-1].id))


async def count_due(tx: AsyncConnection, *, before: datetime) -> int:
    """How many orders closed before that time, those that will stay included."""
    found = await rows(
        tx, "select count(*) from sales_order where state = 'CLOSED' and closed_at < :before", before=before
    )
    return int(found[0][0])


async def _look(tx: AsyncConnection, sql: str, before: datetime, after: Place) -> Sequence[Any]:
    return await rows(tx, sql, before=before, after_at=after.closed_at, after_id=after.id, most=MOST)


def pack(parts: Mapping[str, str]) -> bytes:
    """Table -> its rows as JSON text; what stands in `archived_order.document`."""
    whole = ", ".join(f'"{table}": {found}' for table, found in parts.items())
    return zlib.compress(f"{{{whole}}}".encode(), 9)


def unpack(packed: bytes) -> dict[str, list[dict[str, Any]]]:
    """Table -> its rows of the order, as they were."""
    document: dict[str, list[dict[str, Any]]] = orjson.loads(zlib.decompress(packed))
    return document


async def say_where(tx: AsyncConnection, order_no: str) -> str:
    """Of an order that is not in the books: that nobody knows it, or since when it is in the archive."""
    found = await rows(tx, "select archived_at from archived_order where order_no = :no", no=order_no)
    if not found:
        return UNKNOWN
    return f"{PUT_AWAY} since {to_local(found[0].archived_at)}: `ballast db recall {order_no}` brings it back"


async def last_closed(tx: AsyncConnection) -> datetime | None:
    """When the last of the orders in the archive closed; None while it is empty."""
    at: datetime | None = (await rows(tx, "select max(closed_at) from archived_order"))[0][0]
    return at


async def read_archived(tx: AsyncConnection, order_nos: Collection[str]) -> dict[str, Archived]:
    """What is known of these orders, of those that are in the archive. Look for the orders first, then here."""
    if not order_nos:
        return {}
    found = await rows(
        tx,
        "select order_no, archived_at, document from archived_order where order_no = any(cast(:nos as text[]))",
        nos=list(order_nos),
    )
    return {row.order_no: _archived(row.order_no, row.archived_at, unpack(row.document)) for row in found}


def _archived(order_no: str, at: datetime, document: Mapping[str, list[dict[str, Any]]]) -> Archived:
    return Archived(
        order_no,
        at,
        frozenset(row["cause"] for row in document.get("order_event", ())),
        frozenset(transaction_key(row["provider"], row["transaction_id"]) for row in document.get("payment", ())),
        frozenset(row["refund_no"] for row in document.get("refund", ()) if row["state"] == "done"),
    )


async def recall(tx: AsyncConnection, order_no: str) -> int:
    """Bring an order back into the books as it was; the number of its rows. What was parked about it is read again.

    Raises `NotInArchive`. With nothing left to do it is put away again by the next `prune`.
    """
    found = await rows(tx, "delete from archived_order where order_no = :no returning document", no=order_no)
    if not found:
        raise NotInArchive(f"{order_no} is not in the archive")
    document, columns, back = unpack(found[0].document), await _columns(tx), 0
    await drop_money(tx, order_no)
    for table in reversed([*TAKEN]):  # the order first: the others refer to it
        if put := document.get(table):  # columns that the table has got since then take their defaults
            names = ", ".join(f'"{name}"' for name in columns[table] if name in put[0])
            back += await run(tx, _BACK.format(table=table, columns=names), rows=dumps(put))
    again = await run(
        tx, "update inbox set state = 'new', note = '' where state = 'parked' and order_no = :no", no=order_no
    )
    if again:
        await ring(tx, "inbox")
    return back


async def _columns(tx: AsyncConnection) -> dict[str, list[str]]:
    """Table -> its columns, as they are now."""
    found = await rows(
        tx,
        """
        select table_name, array_agg(cast(column_name as text)) as columns from information_schema.columns
        where table_schema = current_schema() and table_name = any(cast(:tables as text[])) group by table_name""",
        tables=[*TAKEN],
    )
    return {row.table_name: row.columns for row in found}
