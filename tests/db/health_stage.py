"""Customers with orders and what happened to them, as the tests of their health want them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, run
from ballast.db.health import Window
from ballast.wiring import House
from tests.times import NOON

CLOCKS: Final = ("in_transit",)
HALF: Final = Window(now=NOON, days=180, clocks=CLOCKS)


async def fill(tx: AsyncConnection, customers: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Orders with what happened to them: {at, total, currency, paid, breaches, holds, returns, damaged, tickets}."""
    await run(
        tx,
        """insert into customer (customer_no, name, first_order_at)
        select n, 'x', :now from unnest(cast(:nos as text[])) n""",
        nos=list(customers), now=NOON,
    )  # fmt: skip
    orders = [
        {"id": number, "no": f"SO-{number}", "customer_no": customer_no, **one}
        for number, (customer_no, one) in enumerate(
            ((customer_no, one) for customer_no, orders in customers.items() for one in orders), 1
        )
    ]
    await run(tx, _ORDERS, rows=dumps(orders))
    for sql, kind in ((_BREACHES, "breaches"), (_HOLDS, "holds"), (_RETURNS, "returns"), (_TICKETS, "tickets")):
        many = [{"id": one["id"], "at": one["at"], **row} for one in orders for row in one.get(kind, ())]
        if many:
            await run(tx, sql, rows=dumps(many), now=NOON)
    await run(tx, _PARCELS, rows=dumps([one for one in orders if one.get("damaged")]))


_ORDERS = """
with made as (
  insert into sales_order (id, order_no, channel, state, version, attempts, progress, placed_at, paid_at, currency,
    total, freight, discount, customer_no, receiver, warehouse, recorded_at)
  overriding system value
  select id, no, 'direct', 'SIGNED', 1, 0, '', at, case when paid then at end, currency, total, 0, 0, customer_no, '{}',
    '', at
  from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, no text, at timestamptz, paid bool, currency text,
    total bigint, customer_no text)
  returning id, placed_at, customer_no)
insert into order_origin (order_id, placed_at, customer_no) select * from made
"""
_BREACHES = """
insert into sla_breach (order_id, clock, level, started_at, due_at, seen_at, channel, courier)
select id, clock, level, at, at, at, '', ''
from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, at timestamptz, clock text, level text)
on conflict do nothing"""
_HOLDS = """
insert into hold (order_id, reason, evidence, held_from, held_at, released_at, note)
select id, reason, '', 'SIGNED', at, case when seconds is not null then at + seconds * interval '1 second' end, ''
from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, at timestamptz, reason text, seconds int)
on conflict do nothing"""
_RETURNS = """
insert into return_case (return_no, order_id, reason, why, asked_by, asked_at, state, exchange)
select 'RT-' || id || '-' || row_number() over (), id, reason, why, 'x', at, 'approved', '{}'
from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, at timestamptz, reason text, why text)
"""
_PARCELS = """
insert into parcel (order_id, waybill, carrier, shipped_at, said, trouble, trouble_evidence)
select id, 'Y', 'YTO', at, '', 'COURIER_DAMAGED', '' from jsonb_to_recordset(cast(:rows as jsonb))
  as r(id bigint, at timestamptz)"""
_TICKETS = """
insert into ticket (source, ticket_no, customer_no, order_no, kind, severity, opened_at, text, recorded_at)
select 'crm', r.ticket_no, o.customer_no, case when r.named then o.order_no end, r.kind, r.severity,
  o.placed_at + interval '1 minute', '', cast(:now as timestamptz)
from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, ticket_no text, named bool, kind text, severity text)
join sales_order o on o.id = r.id"""


def an_order(days_ago: float = 1, *, yuan: int = 100, **parts: Any) -> dict[str, Any]:
    """A paid order before noon, for `fill`."""
    at = NOON - timedelta(days=days_ago)
    return {"at": at, "total": yuan * 100, "currency": "CNY", "paid": True, **parts}


LATE: Final = {"breaches": [{"clock": "in_transit", "level": "red"}]}
DAMAGED: Final = {"holds": [{"reason": "COURIER_DAMAGED", "seconds": 60}]}
WELL: Final = [an_order() for _ in range(4)]
ILL: Final = [an_order(**LATE, **DAMAGED) for _ in range(3)]


async def put(house: House, customers: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    async with house.transaction() as tx:
        await fill(tx, customers)
