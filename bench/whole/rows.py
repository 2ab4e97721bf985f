"""The rows that the floor writes, by hand-written SQL: one statement per table and batch, nothing read before."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import orjson

GATHER: Final = 0.02
"""Seconds: as long as Ballast's web process waits for company."""

Row = Mapping[str, Any]
"""Column -> value, JSON-able (datetimes too)."""

_INSERTS: Final[dict[str, str]] = {
    "inbox": "source text, event_id text, topic text, order_no text, payload jsonb, state text, "
    "received_at timestamptz, done_at timestamptz, note text",
    "sales_order": "id bigint, order_no text, channel text, state text, version int, due_step text, "
    "due_at timestamptz, attempts int, progress text, placed_at timestamptz, currency text, total bigint, "
    "freight bigint, discount bigint, customer_no text, openid text, receiver jsonb, warehouse text, "
    "sla_due_at timestamptz, recorded_at timestamptz",
    "order_line": "order_id bigint, line_no int, sku text, name text, quantity int, unit_price bigint, "
    "amount bigint, shipped int",
    "customer": "customer_no text, name text, openid text, first_order_at timestamptz, tier text",
    "payment": "order_id bigint, provider text, transaction_id text, method text, amount bigint, currency text, "
    "merchant text, state text, paid_at timestamptz, recorded_at timestamptz",
    "stock_lock": "order_id bigint, sku text, warehouse text, quantity int, state text, locked_at timestamptz",
    "order_event": "order_id bigint, cause text, event text, from_state text, to_state text, moved boolean, "
    "actor text, happened_at timestamptz, recorded_at timestamptz, text text",
    "parcel": "order_id bigint, waybill text, carrier text, items jsonb, shipped_at timestamptz, said text, "
    "trouble_evidence text",
    "outbox": "key text, order_id bigint, kind text, payload jsonb, attempts int, due_at timestamptz, "
    "created_at timestamptz, note text",
    "effect": "key text, order_id bigint, kind text, state text, attempts int, digest text, receipt jsonb, "
    "error text, begun_at timestamptz, done_at timestamptz",
    "external_status": "order_id bigint, system text, part text, said text, event text, text text, "
    "happened_at timestamptz, recorded_at timestamptz",
}
_ONCE: Final = {
    "inbox": "on conflict (source, event_id) do nothing",
    "customer": "on conflict (customer_no) do nothing",
    "external_status": "on conflict (order_id, system, part) do update set said = excluded.said, "
    "event = excluded.event, text = excluded.text, happened_at = excluded.happened_at, "
    "recorded_at = excluded.recorded_at",
}


def _insert(table: str, columns: str) -> str:
    names = ", ".join(column.split()[0] for column in columns.split(", "))
    return (
        f"insert into {table} ({names}) select {names} from jsonb_to_recordset($1::jsonb) as r({columns}) "  # noqa: S608  # ours
        f"{_ONCE.get(table, '')}"
    )


_UPDATES: Final[dict[str, str]] = {
    "sales_order": """
        update sales_order o set state = r.state, version = o.version + 1, due_step = r.due_step, due_at = r.due_at,
          progress = r.progress, warehouse = r.warehouse, paid_at = r.paid_at, locked_at = r.locked_at,
          outbound_at = r.outbound_at, picked_up_at = r.picked_up_at, signed_at = r.signed_at,
          sla_due_at = r.sla_due_at
        from jsonb_to_recordset($1::jsonb) as r(id bigint, state text, due_step text, due_at timestamptz,
          progress text, warehouse text, paid_at timestamptz, locked_at timestamptz, outbound_at timestamptz,
          picked_up_at timestamptz, signed_at timestamptz, sla_due_at timestamptz)
        where o.id = r.id""",
    "order_line": """
        update order_line l set shipped = l.quantity from jsonb_to_recordset($1::jsonb) as r(order_id bigint)
        where l.order_id = r.order_id""",
    "parcel": """
        update parcel p set said = r.said, said_at = r.said_at, picked_up_at = r.picked_up_at, signed_at = r.signed_at
        from jsonb_to_recordset($1::jsonb) as r(order_id bigint, waybill text, said text, said_at timestamptz,
          picked_up_at timestamptz, signed_at timestamptz)
        where p.order_id = r.order_id and p.waybill = r.waybill""",
    "stock_lock": """
        with ended as (
          update stock_lock k set state = 'shipped', ended_at = r.ended_at
          from jsonb_to_recordset($1::jsonb) as r(order_id bigint, ended_at timestamptz)
          where k.order_id = r.order_id returning k.sku, k.warehouse, k.quantity),
        sums as (select sku, warehouse, sum(quantity) as gone from ended group by sku, warehouse)
        update stock_level v set locked = v.locked - s.gone, on_hand = v.on_hand - s.gone
        from sums s where v.sku = s.sku and v.warehouse = s.warehouse""",
    "stock_level": """
        update stock_level v set locked = v.locked + s.quantity
        from (select sku, warehouse, sum(quantity) as quantity
          from jsonb_to_recordset($1::jsonb) as r(sku text, warehouse text, quantity int)
          group by sku, warehouse) s
        where v.sku = s.sku and v.warehouse = s.warehouse""",
    "told": """
        update stock_lock k set told_at = r.told_at
        from jsonb_to_recordset($1::jsonb) as r(order_id bigint, told_at timestamptz)
        where k.order_id = r.order_id""",
    "outbox": """
        update outbox o set done_at = r.done_at, due_at = null, attempts = 1
        from jsonb_to_recordset($1::jsonb) as r(key text, done_at timestamptz) where o.key = r.key""",
}
"""What is updated, and how; `told` are the locks whose outbound bill is in the ERP's books."""

_STATEMENTS: Final = {f"insert {table}": _insert(table, columns) for table, columns in _INSERTS.items()} | {
    f"update {table}": sql for table, sql in _UPDATES.items()
}


class Rows:
    """The rows of one transaction, gathered table by table and written in the order of these statements."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[object, Row]] = {}

    def insert(self, table: str, row: Row, once: object = None) -> None:
        """Of rows with the same `once` the last one is written."""
        self._put(f"insert {table}", row, once)

    def update(self, table: str, row: Row, once: object = None) -> None:
        self._put(f"update {table}", row, once)

    def _put(self, statement: str, row: Row, once: object) -> None:
        found = self._rows.setdefault(statement, {})
        found[len(found) if once is None else once] = row

    async def write(self, tx: asyncpg.Connection) -> None:
        for name, sql in _STATEMENTS.items():
            if found := self._rows.get(name):
                await tx.execute(sql, orjson.dumps(list(found.values())).decode())


class Books:
    """One connection. Whatever is gathered within a moment is one transaction, whoever it is from."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection, self._rows, self._stored = connection, Rows(), asyncio.Event()
        self._some = asyncio.Event()

    @property
    def rows(self) -> Rows:
        """Where to put rows; they are written with the next transaction."""
        return self._rows

    async def stored(self) -> None:
        """Once what was put in until now is committed."""
        self._some.set()
        await self._stored.wait()

    async def write(self) -> None:
        """For ever."""
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER)
            rows, stored = self._rows, self._stored
            self._rows, self._stored, self._some = Rows(), asyncio.Event(), asyncio.Event()
            async with self._connection.transaction():
                await rows.write(self._connection)
            stored.set()
