"""The detector and the compensator of the stock ledger: what does not fit, and mending what is ours to mend."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run
from ballast.db.stock import end_locks, take_figures
from ballast.domain.stock import Place
from ballast.domain.stock_check import (
    ErpFigure,
    Finding,
    Holding,
    Level,
    Rule,
    check_holding,
    check_levels,
    may_hold,
)
from ballast.domain.words import HoldReason, State
from ballast.ports import StockFigure


@dataclass(frozen=True, slots=True)
class Correction:
    """One figure of the ledger that was mended."""

    rule: Rule
    sku: str
    warehouse: str
    was: int
    became: int
    order_id: int | None = None


# -- the detector --------------------------------------------------------------------------------------------------


async def find_damage(
    tx: AsyncConnection, figures: Sequence[StockFigure] | None, *, asked_at: datetime
) -> list[Finding]:
    """Every broken rule, two statements. `figures`: all of the ERP's, asked for at `asked_at`; None: not compared."""
    levels = [Level(**row._mapping) for row in await rows(tx, _LEVELS, asked_at=asked_at)]
    holdings = [_holding(row._mapping) for row in await rows(tx, _HOLDINGS)]
    theirs = None if figures is None else {(f.sku, f.warehouse): _figure(f) for f in figures}
    return check_levels(levels, theirs, asked_at) + [one for holding in holdings for one in check_holding(holding)]


def _figure(figure: StockFigure) -> ErpFigure:
    """Reserved is what it locks, or what it does not call available: builds fill one field or the other."""
    return ErpFigure(figure.on_hand, max(figure.locked, figure.on_hand - figure.available))


def _holding(row: Any) -> Holding:
    reason = HoldReason(row["reason"]) if row["reason"] else None
    return Holding(**{**row, "place": State(row["place"]), "reason": reason})


_LEVELS = """
with held as (select sku, warehouse, sum(quantity) as pieces from stock_lock where state = 'held'
  group by sku, warehouse),
untold as (select sku, warehouse, sum(quantity) as pieces from stock_lock
  where state = 'shipped' and (told_at is null or told_at >= :asked_at) group by sku, warehouse),
back as (select sku, warehouse, sum(good) as pieces from return_line l
  where good > 0 and told_at is null and not exists (select from effect e where e.order_id = l.order_id
    and e.kind = 'erp.return' and right(e.key, length(l.return_no)) = l.return_no) group by sku, warehouse),
reserved as (select k.sku, k.warehouse, sum(k.quantity) as pieces
  from stock_lock k join sales_order o on o.id = k.order_id
  where k.state = 'held' and o.locked_at <= :asked_at and coalesce(o.held_from, o.state) = 'STOCK_LOCKED'
    and coalesce(o.hold_reason, '') not in ('CANCEL_ASKED', 'REFUNDED_ON_THE_WAY')
    and exists (select from effect e where e.key = 'erp.reserve:' || o.order_no and e.state = 'done')
  group by k.sku, k.warehouse)
select sku, warehouse, coalesce(v.on_hand, 0) as on_hand, coalesce(v.locked, 0) as locked,
  coalesce(h.pieces, 0) as held, coalesce(u.pieces, 0) - coalesce(b.pieces, 0) as untold,
  coalesce(r.pieces, 0) as reserved, coalesce(v.figure_at, to_timestamp(0)) as figure_at
from stock_level v full join held h using (sku, warehouse)
  left join untold u using (sku, warehouse) left join back b using (sku, warehouse)
  left join reserved r using (sku, warehouse)
order by sku, warehouse
"""
"""What is being called off may have lost its reservation already."""

_HOLDINGS = """
with candidates as (
  select id from sales_order where due_at is not null and state not in ('SIGNED', 'CLOSED')
  union select id from sales_order where state = 'ON_HOLD'
  union select order_id from stock_lock where state = 'held'
  union select order_id from stock_lock where state = 'shipped' and told_at is null),
lines as (select order_id, sku, sum(quantity) as wanted, sum(shipped) as sold
  from order_line where order_id in (select id from candidates) group by order_id, sku),
bound as (select d.order_id, l.sku, sum(cast(i.value as int)) as pieces
  from delivery d cross join jsonb_each_text(
      case when d.state in ('ended', 'taken_back') then d.shipped else d.items end) i
    join order_line l on l.order_id = d.order_id and l.line_no = cast(i.key as int)
  where d.warehouse <> '' and d.order_id in (select id from candidates) group by d.order_id, l.sku),
locks as (select order_id, sku, min(warehouse) as warehouse,
    sum(quantity) filter (where state = 'held') as held, sum(quantity) filter (where state = 'shipped') as gone,
    sum(quantity) filter (where state = 'shipped' and told_at is null) as untold
  from stock_lock where order_id in (select id from candidates) group by order_id, sku)
select o.id as order_id, o.order_no, coalesce(o.held_from, o.state) as place, o.hold_reason as reason,
  o.paid_at is not null as paid, sku, coalesce(k.warehouse, o.warehouse) as warehouse,
  coalesce(l.wanted, 0) as wanted, coalesce(l.sold, 0) as left,
  case when exists (select from delivery d where d.order_id = o.id) then coalesce(b.pieces, 0)
    else coalesce(l.wanted, 0) end as needed,
  coalesce(k.held, 0) as held, coalesce(k.gone, 0) as gone, coalesce(k.untold, 0) as untold,
  exists (select from effect e where e.key = 'erp.reserve:' || o.order_no and e.state = 'done') as reserved,
  exists (select from effect e where e.key = 'erp.outbound:' || o.order_no and e.state = 'done') as booked,
  exists (select from outbox m where m.key = 'erp.outbound:' || o.order_no) as announced
from lines l full join locks k using (order_id, sku) left join bound b using (order_id, sku)
  join sales_order o on o.id = order_id
order by o.id, sku
"""


# -- the compensator -----------------------------------------------------------------------------------------------


async def mend_locks(tx: AsyncConnection, findings: Iterable[Finding], now: datetime) -> list[Correction]:
    """Count `locked` again and end locks that were left over, wherever that is true under the locks, too.

    `findings` only say where to look: orders are locked first, then levels, then everything is read anew.
    """
    found = [f for f in findings if f.rule in (Rule.LOCKED_SUM, Rule.LOCK_LEFT_OVER)]
    if not found:
        return []
    order_ids = sorted({f.order_id for f in found if f.order_id is not None})
    stuck = await _left_over(tx, order_ids)
    places = dumps(await _places(tx, {f.place for f in found}, order_ids))
    await run(tx, _MAKE_LEVELS, places=places)
    await rows(tx, _LOCK_LEVELS, places=places)
    counted = [Correction(Rule.LOCKED_SUM, *row) for row in await rows(tx, _COUNT_AGAIN, places=places)]
    ended = await end_locks(tx, stuck, now)
    made = counted + [Correction(Rule.LOCK_LEFT_OVER, e.sku, e.warehouse, e.held, 0, e.order_id) for e in ended]
    await _write_down(tx, made, now)
    return made


async def _left_over(tx: AsyncConnection, order_ids: Sequence[int]) -> list[int]:
    """Lock these orders; those that may hold nothing now."""
    found = await rows(
        tx,
        """
        select id, coalesce(held_from, state) as place, hold_reason, paid_at is not null as paid from sales_order
        where id = any(cast(:ids as bigint[])) order by id for no key update""",
        ids=list(order_ids),
    )
    reasons = {row.id: HoldReason(row.hold_reason) if row.hold_reason else None for row in found}
    return [row.id for row in found if not may_hold(State(row.place), reasons[row.id], paid=row.paid)]


async def _places(tx: AsyncConnection, found: Iterable[Place], order_ids: Sequence[int]) -> list[dict[str, str]]:
    """Where to count: the places of the findings, and all that these orders hold."""
    theirs = await rows(
        tx,
        "select sku, warehouse from stock_lock where order_id = any(cast(:ids as bigint[])) and state = 'held'",
        ids=list(order_ids),
    )
    wanted = {*found, *((row.sku, row.warehouse) for row in theirs)}
    return [{"sku": sku, "warehouse": warehouse} for sku, warehouse in sorted(wanted)]


_MAKE_LEVELS = """
insert into stock_level (sku, warehouse, on_hand, locked, short, figure_at)
select sku, warehouse, 0, 0, 0, to_timestamp(0)
from jsonb_to_recordset(cast(:places as jsonb)) as r(sku text, warehouse text) order by sku, warehouse
on conflict do nothing
"""
"""A level that is missing under its locks is made, empty."""

_LOCK_LEVELS = """
select 1 from stock_level v join jsonb_to_recordset(cast(:places as jsonb)) as r(sku text, warehouse text)
  using (sku, warehouse) order by v.sku, v.warehouse for update of v
"""

_COUNT_AGAIN = """
with counted as (
  select v.sku, v.warehouse, v.locked as was, coalesce(sum(k.quantity), 0) as held
  from stock_level v join jsonb_to_recordset(cast(:places as jsonb)) as r(sku text, warehouse text)
    using (sku, warehouse)
  left join stock_lock k on k.sku = v.sku and k.warehouse = v.warehouse and k.state = 'held'
  group by v.sku, v.warehouse)
update stock_level v set locked = c.held, short = greatest(v.short, c.held - v.on_hand)
from counted c where v.sku = c.sku and v.warehouse = c.warehouse and v.locked <> c.held
returning v.sku, v.warehouse, c.was, v.locked
"""


async def note_bills(tx: AsyncConnection, findings: Iterable[Finding], now: datetime) -> list[Correction]:
    """Shipped locks whose outbound bill the ERP audited are told, as of then."""
    ids = sorted({f.order_id for f in findings if f.rule is Rule.BILL_NOT_NOTED and f.order_id is not None})
    if not ids:
        return []
    noted = await rows(
        tx,
        """
        update stock_lock k set told_at = e.done_at
        from effect e join sales_order o on e.key = 'erp.outbound:' || o.order_no
        where o.id = any(cast(:ids as bigint[])) and k.order_id = o.id and e.state = 'done'
          and k.state = 'shipped' and k.told_at is null
        returning k.sku, k.warehouse, k.quantity, k.order_id""",
        ids=ids,
    )
    made = [Correction(Rule.BILL_NOT_NOTED, n.sku, n.warehouse, n.quantity, 0, n.order_id) for n in noted]
    await _write_down(tx, made, now)
    return made


async def mend_figures(
    tx: AsyncConnection, findings: Iterable[Finding], figures: Sequence[StockFigure], *, asked_at: datetime
) -> list[Correction]:
    """Take the ERP's figures of the places that differed; what is newer in the ledger stays."""
    places = {f.place for f in findings if f.rule is Rule.ON_HAND}
    wanted = [figure for figure in figures if (figure.sku, figure.warehouse) in places]
    if not wanted:
        return []
    changed = await take_figures(tx, wanted, asked_at=asked_at)
    made = [Correction(Rule.ON_HAND, c.sku, c.warehouse, c.was, c.on_hand) for c in changed]
    await _write_down(tx, made, asked_at)
    return made


async def _write_down(tx: AsyncConnection, made: Sequence[Correction], now: datetime) -> None:
    if made:
        values = [{name: getattr(one, name) for name in one.__slots__} for one in made]
        await run(
            tx,
            """
            insert into stock_correction (rule, sku, warehouse, order_id, was, became, corrected_at)
            select rule, sku, warehouse, order_id, was, became, cast(:now as timestamptz)
            from jsonb_to_recordset(cast(:rows as jsonb))
              as r(rule text, sku text, warehouse text, order_id bigint, was bigint, became bigint)""",
            rows=dumps(values),
            now=now,
        )
