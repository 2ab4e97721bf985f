"""Tickets of customer service in the books: each once, as it was last told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows
from ballast.ports.tickets import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of some tickets. `refused`: ticket number -> why; `strangers`: of customers whom nobody knows yet.

    `early`: those of the refused whose order may still come.
    """

    new: int = 0
    changed: int = 0
    known: int = 0
    strangers: int = 0
    refused: dict[str, str]
    early: frozenset[str] = frozenset()


_OWNERS = """
select order_no, customer_no from sales_order where order_no = any(cast(:nos as text[]))
union all select order_no, customer_no from archived_order where order_no = any(cast(:nos as text[]))
"""
_PUT = """
with put as (
  insert into ticket as t (source, ticket_no, customer_no, order_no, kind, severity, opened_at, closed_at, text,
    recorded_at)
  select source, ticket_no, customer_no, nullif(order_no, ''), kind, severity, opened_at, closed_at, text,
    cast(:now as timestamptz)
  from jsonb_to_recordset(cast(:rows as jsonb)) as r(source text, ticket_no text, customer_no text, order_no text,
    kind text, severity text, opened_at timestamptz, closed_at timestamptz, text text)
  order by source, ticket_no
  on conflict (source, ticket_no) do update set customer_no = excluded.customer_no, order_no = excluded.order_no,
    kind = excluded.kind, severity = excluded.severity, opened_at = excluded.opened_at, closed_at = excluded.closed_at,
    text = excluded.text, recorded_at = excluded.recorded_at
  where (t.customer_no, t.order_no, t.kind, t.severity, t.opened_at, t.closed_at, t.text) is distinct from
    (excluded.customer_no, excluded.order_no, excluded.kind, excluded.severity, excluded.opened_at, excluded.closed_at,
      excluded.text)
  returning customer_no, xmax = 0 as new)
select count(*) filter (where new) as new, count(*) filter (where not new) as changed from put
"""
_STRANGERS = """
select count(*) from unnest(cast(:nos as text[])) n where not exists (select from customer c where c.customer_no = n)
"""


async def take_tickets(tx: AsyncConnection, tickets: Sequence[Ticket], now: datetime) -> Taken:
    """Put these into the books; no number may stand twice among them. Three statements for any number.

    A ticket that names an order only is its customer's. One that names another customer than its order has, or no
    customer and an order that nobody knows, is refused. A customer whom nobody knows yet is no mistake: the ticket is
    kept, and counts as soon as he orders.
    """
    numbers = sorted({one.order_no for one in tickets if one.order_no})
    whose = {row.order_no: row.customer_no for row in await rows(tx, _OWNERS, nos=numbers)} if numbers else {}
    refused, early, rest = {}, set(), []
    for one in tickets:
        customer_no = one.customer_no or whose.get(one.order_no, "")
        if not customer_no:
            early.add(one.ticket_no)
            refused[one.ticket_no] = f"nobody knows order {one.order_no}, and no customer is named"
        elif whose.get(one.order_no, customer_no) != customer_no:
            refused[one.ticket_no] = (
                f"order {one.order_no} is of customer {whose[one.order_no]}, and the ticket names {one.customer_no}"
            )
        else:
            rest.append({name: getattr(one, name) for name in one.__slots__} | {"customer_no": customer_no})
    [put] = await rows(tx, _PUT, rows=dumps(rest), now=now)
    [strangers] = await rows(tx, _STRANGERS, nos=[row["customer_no"] for row in rest])
    return Taken(
        new=put.new,
        changed=put.changed,
        known=len(rest) - put.new - put.changed,
        strangers=strangers[0],
        refused=refused,
        early=frozenset(early),
    )
