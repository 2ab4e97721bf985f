"""New orders into the books: whole or not at all, each order number once."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run
from ballast.domain.origin import plain_mobile
from ballast.domain.schedule import Waits
from ballast.domain.sla import Moment
from ballast.domain.words import Event, State, Step
from ballast.ports import Order


class Inserted(NamedTuple):
    """`ids`: order number -> id of the new orders; `new_customers`: of whom nothing was in the books before."""

    ids: dict[str, int]
    new_customers: frozenset[str] = frozenset()


async def insert_orders(
    tx: AsyncConnection, orders: Sequence[Order], *, source: str, now: datetime, waits: Waits
) -> dict[str, int]:
    """`put_in`, for whoever needs no more than the ids."""
    return (await put_in(tx, orders, source=source, now=now, waits=waits)).ids


async def put_in(tx: AsyncConnection, orders: Sequence[Order], *, source: str, now: datetime, waits: Waits) -> Inserted:
    """Insert what is not known yet. Then call `inbox.wake_waiting`.

    An order in the archive is known, too; also one that went there while this statement waited for it.
    They are inserted by order number: two chunks with the same orders in them wait for each other, not both ways.
    """
    found = await rows(tx, _INSERT_ORDERS, rows=dumps([_head(order, now, waits) for order in orders]), now=now)
    if not found:
        return Inserted({})
    put_away = {row.id for row in await rows(tx, _TAKE_BACK, ids=[row.id for row in found])}
    ids = {row.order_no: row.id for row in found if row.id not in put_away}
    if not ids:
        return Inserted(ids)
    fresh = [order for order in orders if order.order_no in ids]
    await run(tx, _INSERT_LINES, rows=dumps([line for order in fresh for line in _lines(order, ids)]))
    customers = await rows(tx, _INSERT_CUSTOMERS, rows=dumps([_customer(order) for order in fresh]))
    await run(tx, _INSERT_PLACED, rows=dumps([_placed(order, ids, source, now) for order in fresh]))
    await run(tx, _INSERT_ORIGINS, rows=dumps([_origin(order, ids) for order in fresh]))
    return Inserted(ids, frozenset(customers[0].new))


def _head(order: Order, now: datetime, waits: Waits) -> dict[str, Any]:
    return {
        "order_no": order.order_no,
        "channel": order.channel,
        "state": State.PENDING_PAYMENT,
        "due_step": Step.CONFIRM_PAYMENT,
        "due_at": max(now, order.placed_at + waits.unpaid) if order.total.amount else now,
        "placed_at": order.placed_at,
        "currency": order.total.currency,
        "total": order.total.amount,
        "freight": order.freight.amount,
        "discount": order.discount.amount,
        "customer_no": order.customer_no,
        "openid": order.openid,
        "receiver": asdict(order.receiver),
        "warehouse": order.warehouse,
        "sla_due_at": waits.sla.earliest(State.PENDING_PAYMENT, {}, {Moment.PLACED: order.placed_at}, now),
    }


def _lines(order: Order, ids: dict[str, int]) -> list[dict[str, Any]]:
    return [{"order_id": ids[order.order_no], **asdict(line)} for line in order.lines]


def _customer(order: Order) -> dict[str, Any]:
    return {
        "customer_no": order.customer_no,
        "name": order.receiver.name,
        "openid": order.openid,
        "first_order_at": order.placed_at,
        "tier": order.customer_tier,
    }


def _placed(order: Order, ids: dict[str, int], source: str, now: datetime) -> dict[str, Any]:
    return {
        "order_id": ids[order.order_no],
        "event": Event.NOTED,
        "actor": source,
        "happened_at": order.placed_at,
        "recorded_at": now,
        "state": State.PENDING_PAYMENT,
        "text": f"placed, {order.total}",
    }


def _origin(order: Order, ids: dict[str, int]) -> dict[str, Any]:
    return {
        "order_id": ids[order.order_no],
        "placed_at": order.placed_at,
        "customer_no": order.customer_no,
        "mobile": plain_mobile(order.receiver.mobile) or None,
        **asdict(order.origin),
        "coupons": order.coupons,
    }


_INSERT_ORDERS = """
insert into sales_order (order_no, channel, state, version, due_step, due_at, attempts, progress, placed_at, currency,
  total, freight, discount, customer_no, openid, receiver, warehouse, sla_due_at, recorded_at)
select order_no, channel, state, 0, due_step, due_at, 0, '', placed_at, currency, total, freight, discount,
  customer_no, openid, receiver, warehouse, sla_due_at, cast(:now as timestamptz)
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_no text, channel text, state text, due_step text,
  due_at timestamptz, placed_at timestamptz, currency text, total bigint, freight bigint, discount bigint,
  customer_no text, openid text, receiver jsonb, warehouse text,
  sla_due_at timestamptz)
where not exists (select from archived_order a where a.order_no = r.order_no)
order by order_no
on conflict (order_no) do nothing returning id, order_no
"""
_TAKE_BACK = """
delete from sales_order o using archived_order a
where o.id = any(cast(:ids as bigint[])) and a.order_no = o.order_no returning o.id
"""
_INSERT_LINES = """
insert into order_line (order_id, line_no, sku, name, quantity, unit_price, amount, shipped)
select order_id, line_no, sku, name, quantity, unit_price, amount, 0
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, line_no int, sku text, name text, quantity int,
  unit_price bigint, amount bigint)
"""
# a row that was inserted has no xmax; one that was there has that of the lock, or of its new version
_INSERT_CUSTOMERS = """
with put as (
insert into customer as c (customer_no, name, openid, first_order_at, tier)
select distinct on (customer_no) customer_no, name, openid, min(first_order_at) over (partition by customer_no), tier
from jsonb_to_recordset(cast(:rows as jsonb)) as r(customer_no text, name text, openid text, first_order_at timestamptz,
  tier text)
order by customer_no, tier = '', first_order_at desc
on conflict (customer_no) do update set tier = excluded.tier where excluded.tier not in ('', c.tier)
returning customer_no, xmax = 0 as new)
select coalesce(array_agg(customer_no) filter (where new), '{}') as new from put
"""
_INSERT_PLACED = """
insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at, text)
select order_id, 'placed', event, state, state, false, actor, happened_at, recorded_at, text
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, event text, state text, actor text,
  happened_at timestamptz, recorded_at timestamptz, text text)
"""
_INSERT_ORIGINS = """
insert into order_origin (order_id, placed_at, customer_no, mobile, ip, device, card, coupons)
select order_id, placed_at, customer_no, mobile, ip, device, card, coupons
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, placed_at timestamptz, customer_no text,
  mobile text, ip text, device text, card text, coupons text[])
"""
