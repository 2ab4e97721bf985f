"""Writing cases: the only statements that change `sales_order.state`, each once per chunk whatever its size."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.alerts import end_alerts
from ballast.db.case import Case
from ballast.db.case_parts import LineCase, ParcelCase
from ballast.db.clocks import read_next
from ballast.db.deliveries import write_deliveries
from ballast.db.editing import end_overtaken, write_edits
from ballast.db.engine import dumps, ring, rows, run
from ballast.db.outbox import send_once_more
from ballast.db.payments import write_money
from ballast.db.reservations import end_reservations
from ballast.db.return_news import lock_levels, shelve, take_goods_in, write_asked
from ballast.db.return_steps import Shelved
from ballast.db.stock import end_locks
from ballast.domain.words import State

_UPDATE_ORDERS = """
update sales_order o set state = r.state, held_from = r.held_from, hold_reason = r.hold_reason,
  version = o.version + 1, due_step = r.due_step, due_at = r.due_at, attempts = r.attempts,
  lease_owner = r.lease_owner, progress = r.progress, warehouse = r.warehouse, paid_at = r.paid_at,
  locked_at = r.locked_at, outbound_at = r.outbound_at, picked_up_at = r.picked_up_at, signed_at = r.signed_at,
  closed_at = r.closed_at, sla_due_at = r.sla_due_at
from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, version int, state text, held_from text,
  hold_reason text, due_step text, due_at timestamptz, attempts int, lease_owner text, progress text, warehouse text,
  paid_at timestamptz, locked_at timestamptz, outbound_at timestamptz, picked_up_at timestamptz,
  signed_at timestamptz, closed_at timestamptz, sla_due_at timestamptz)
where o.id = r.id and o.version = r.version
"""
_INSERT_EVENTS = """
insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at, text)
select order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at, text
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, cause text, event text, from_state text,
  to_state text, moved boolean, actor text, happened_at timestamptz, recorded_at timestamptz, text text)
on conflict (order_id, cause) do nothing
"""
_UPSERT_PARCELS = """
insert into parcel (order_id, waybill, carrier, items, shipped_at, picked_up_at, signed_at, said, said_at, trouble,
  trouble_evidence)
select order_id, waybill, carrier, items, shipped_at, picked_up_at, signed_at, said, said_at, trouble,
  trouble_evidence
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, waybill text, carrier text, items jsonb,
  shipped_at timestamptz, picked_up_at timestamptz, signed_at timestamptz, said text, said_at timestamptz,
  trouble text, trouble_evidence text)
on conflict (order_id, waybill) do update set items = excluded.items, picked_up_at = excluded.picked_up_at,
  signed_at = excluded.signed_at, said = excluded.said, said_at = excluded.said_at, trouble = excluded.trouble,
  trouble_evidence = excluded.trouble_evidence
"""
_UPDATE_LINES = """
update order_line l set shipped = r.shipped
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, line_no int, shipped int)
where l.order_id = r.order_id and l.line_no = r.line_no and l.shipped <> r.shipped
"""
_UPSERT_SAID = """
insert into external_status as s (order_id, system, part, said, event, text, happened_at, recorded_at)
select order_id, system, part, said, event, text, happened_at, recorded_at
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, system text, part text, said text, event text,
  text text, happened_at timestamptz, recorded_at timestamptz)
on conflict (order_id, system, part) do update set said = excluded.said, event = excluded.event,
  text = excluded.text, happened_at = excluded.happened_at, recorded_at = excluded.recorded_at
where excluded.happened_at >= s.happened_at
"""
_INSERT_MESSAGES = """
insert into outbox (key, order_id, kind, payload, attempts, due_at, created_at, note)
select key, order_id, kind, payload, 0, due_at, created_at, ''
from jsonb_to_recordset(cast(:rows as jsonb)) as r(key text, order_id bigint, kind text, payload jsonb,
  due_at timestamptz, created_at timestamptz)
on conflict (key) do nothing
"""
_INSERT_HOLDS = """
insert into hold (order_id, reason, evidence, held_from, held_at, released_by, released_at, note)
select order_id, reason, evidence, held_from, held_at, released_by, released_at, note
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, reason text, evidence text, held_from text,
  held_at timestamptz, released_by text, released_at timestamptz, note text)
on conflict (order_id) where released_at is null do nothing
"""
_END_HOLDS = """
update hold h set released_by = r.released_by, released_at = r.released_at, note = r.note
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, released_by text, released_at timestamptz,
  note text)
where h.order_id = r.order_id and h.released_at is null
"""
_WAKE_WAITING = """
update inbox set state = 'new', note = ''
where state = 'waiting' and order_no = any(cast(:nos as text[])) returning topic
"""


class MovedMeanwhile(Exception):
    """Somebody else wrote these orders since they were read: nothing was stored; load them locked and decide again."""


async def write(tx: AsyncConnection, cases: Sequence[Case]) -> None:
    """Store what was decided: a fixed number of statements for any number of cases, none for what has no rows.

    Raises `MovedMeanwhile`, and the transaction has to be rolled back, when a case is not as it was loaded.
    """
    end_overtaken(cases)
    shelved = await take_goods_in(tx, cases)
    written = [case for case in cases if case.written]
    if await _many(tx, _UPDATE_ORDERS, [_order_row(case) for case in written]) != len(written):
        raise MovedMeanwhile(f"among orders {', '.join(case.order_no for case in written)}")
    await _many(tx, _INSERT_EVENTS, [row for case in cases for row in case.events])
    await _many(tx, _UPSERT_PARCELS, [_parcel_row(c, p) for c in cases for p in c.parcels.values() if p.changed])
    await _many(tx, _UPDATE_LINES, [_line_row(c, line) for c in cases for line in c.lines if line.changed])
    await write_deliveries(tx, cases)
    await write_edits(tx, cases)
    await _many(tx, _UPSERT_SAID, [row for case in cases for row in case.said.values()])
    await _many(tx, _END_HOLDS, [row for case in cases for row in case.released])
    await _many(tx, _INSERT_HOLDS, [row for case in cases for row in case.held])
    await write_asked(tx, cases)
    await write_money(tx, cases)
    await _many(tx, _INSERT_MESSAGES, [row for case in cases for row in case.messages])
    if again := [key for case in cases for key in case.again_keys]:
        await send_once_more(tx, again, cases[0].now)
    if let_go := [case.id for case in cases if case.released]:
        await end_alerts(tx, cases[0].now, held_orders=let_go)
    await _settle_stock(tx, cases, shelved)
    await _wake(tx, cases)


async def note(tx: AsyncConnection, cases: Sequence[Case]) -> None:
    """Store the history of cases that are not written yet: what comes of them may be written by somebody else."""
    await _many(tx, _INSERT_EVENTS, [row for case in cases for row in case.events])


async def _settle_stock(tx: AsyncConnection, cases: Sequence[Case], shelved: Sequence[Shelved]) -> None:
    """Locks end exactly once: when the order is outbound, or when it closes before that; then its reservation, too.

    What came back is there.
    """
    ended = [
        case.id
        for case in cases
        if State.OUTBOUND in case.arrived or (State.CLOSED in case.arrived and case.milestones["outbound_at"] is None)
    ]
    if shelved:
        await lock_levels(tx, shelved, ended)
        await shelve(tx, shelved, cases[0].now)
    if ended:
        await end_locks(tx, ended, cases[0].now)
        await end_reservations(tx, ended)


async def _wake(tx: AsyncConnection, cases: Sequence[Case]) -> None:
    """News that waited for an order to get there, or for a parcel, is new again; who got work is rung."""
    bells: set[str] = {case.due[0] for case in cases if case.touched and case.due and case.due[1] <= case.now}
    arrived = [c.order_no for c in cases if c.arrived or any(parcel.fresh for parcel in c.parcels.values())]
    if arrived and await rows(tx, _WAKE_WAITING, nos=arrived):
        bells.add("inbox")
    if any(case.messages or case.again_keys for case in cases):
        bells.add("outbox")
    await ring(tx, *bells)


async def _many(tx: AsyncConnection, sql: str, values: Sequence[Mapping[str, Any]]) -> int:
    return await run(tx, sql, rows=dumps(values)) if values else 0


def _order_row(case: Case) -> dict[str, Any]:
    step, at = case.due or (None, None)
    return {
        "id": case.id,
        "version": case.version,
        "state": case.standing.state,
        "held_from": case.standing.held_from,
        "hold_reason": case.standing.reason,
        "due_step": step,
        "due_at": at,
        "attempts": case.attempts,
        "lease_owner": case.lease_owner,
        "progress": case.progress,
        "warehouse": case.warehouse,
        "sla_due_at": read_next(case),
        **case.milestones,
    }


def _parcel_row(case: Case, parcel: ParcelCase) -> dict[str, Any]:
    return {
        "order_id": case.id,
        "waybill": parcel.waybill,
        "carrier": parcel.carrier,
        "items": dict(parcel.items),
        "shipped_at": parcel.shipped_at,
        "picked_up_at": parcel.picked_up_at,
        "signed_at": parcel.signed_at,
        "said": parcel.said,
        "said_at": parcel.said_at,
        "trouble": parcel.trouble.reason if parcel.trouble else None,
        "trouble_evidence": parcel.trouble.evidence if parcel.trouble else "",
    }


def _line_row(case: Case, line: LineCase) -> dict[str, Any]:
    return {"order_id": case.id, "line_no": line.line.line_no, "shipped": line.shipped}


async def last_text(tx: AsyncConnection, order_id: int) -> str:
    """What the newest line of an order's history says."""
    found = await rows(tx, "select text from order_event where order_id = :id order by id desc limit 1", id=order_id)
    return str(found[0].text) if found else ""


async def known_causes(tx: AsyncConnection, causes: Mapping[int, Iterable[str]]) -> set[tuple[int, str]]:
    """Which of these (order id, cause) are in the history already."""
    pairs = [{"order_id": order_id, "cause": cause} for order_id, many in causes.items() for cause in many]
    if not pairs:
        return set()
    found = await rows(
        tx,
        """
        select e.order_id, e.cause from order_event e
        join jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, cause text)
          on e.order_id = r.order_id and e.cause = r.cause""",
        rows=dumps(pairs),
    )
    return {(row.order_id, row.cause) for row in found}


def by_order(pairs: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    """Group (order id, cause) pairs for `known_causes`."""
    grouped: defaultdict[int, list[str]] = defaultdict(list)
    for order_id, cause in pairs:
        grouped[order_id].append(cause)
    return grouped
