"""Loading cases: some orders and everything that belongs to them, locked, in two statements whatever their number."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.case import Case
from ballast.db.case_parts import ChargeCase, LineCase, ParcelCase, RefundCase, Trouble
from ballast.db.deliveries import take_up
from ballast.db.edits import take_up as take_up_edits
from ballast.db.engine import rows
from ballast.domain.life_cycle import Standing
from ballast.domain.returns import Known, ReturnKind, ReturnState
from ballast.domain.schedule import Waits
from ballast.domain.words import HoldReason, State, Step
from ballast.ports import Line

_LOAD = """
select o.*,
  (select json_agg(json_build_array(l.line_no, l.sku, l.name, l.quantity, l.unit_price, l.amount, l.shipped)
     order by l.line_no) from order_line l where l.order_id = o.id) as line_rows,
  (select json_agg(row_to_json(p) order by p.shipped_at, p.waybill) from parcel p
     where p.order_id = o.id) as parcel_rows,
  (select json_build_array(h.reason, h.evidence) from hold h
     where h.order_id = o.id and h.released_at is null) as hold_row,
  (select json_agg(json_build_array(h.reason, h.evidence)) from hold h
     where h.order_id = o.id and h.released_by like 'person:%') as overridden_rows,
  exists (select from effect e where e.key = 'wms.create:' || o.order_no and e.state = 'done') as with_warehouse,
  (select array_agg(e.kind) from effect e where e.order_id = o.id) as begun_kinds,
  (select json_agg(row_to_json(y) order by y.paid_at, y.id) from payment y where y.order_id = o.id) as charge_rows,
  (select json_agg(json_build_array(r.refund_no, r.provider, r.transaction_id, r.amount, r.state, r.why)
     order by r.requested_at, r.refund_no) from refund r where r.order_id = o.id) as refund_rows,
  (select json_agg(json_build_array(s.system, s.part, s.said, s.happened_at)) from external_status s
     where s.order_id = o.id) as said_rows,
  (select c.tier from customer c where c.customer_no = o.customer_no) as tier,
  (select json_agg(row_to_json(d) order by d.number) from delivery d where d.order_id = o.id) as delivery_rows,
  (select row_to_json(x) from order_edit x where x.order_id = o.id and x.state = 'asked') as edit_row,
  exists (select from order_edit x where x.order_id = o.id and x.state = 'done') as was_edited,
  (select m.leader from order_merge m where m.order_id = o.id) as leader,
  (select json_agg(json_build_object('order_no', f.order_no, 'lines', m.lines, 'transaction_id', m.transaction_id,
       'in_erp', exists (select from outbox b where b.key = 'erp.void:' || f.order_no and b.due_at is not null
         and b.done_at is null)) order by f.id)
     from order_merge m join sales_order f on f.id = m.order_id where m.leader = o.order_no) as follower_rows,
  (select json_agg(json_build_array(r.return_no, r.kind, r.state, r.counts, r.whole, r.waybill,
       (select json_object_agg(l.line_no, case when r.inspected_at is null then l.quantity else l.good + l.damaged end)
        from return_line l where l.return_no = r.return_no)) order by r.id)
     from return_case r where r.order_id = o.id) as return_rows
from sales_order o where {which} order by o.id
"""
_LOCK = "select o.id from sales_order o where {which} order by o.id for no key update"
_LOCK_HELD = """
select id, version, sla_due_at from sales_order
where id = any(cast(:ids as bigint[])) and lease_owner = :owner order by id for no key update
"""


async def load(
    tx: AsyncConnection,
    *,
    now: datetime,
    waits: Waits,
    ids: Iterable[int] = (),
    order_nos: Iterable[str] = (),
    lease_owner: str | None = None,
    lock: bool = True,
) -> list[Case]:
    """The orders with these ids, or these numbers, locked; with `lease_owner` only those that it still holds."""
    wanted: dict[str, Any] = {"nos": list(order_nos)}
    which = "o.order_no = any(cast(:nos as text[]))"
    if not wanted["nos"]:
        wanted, which = {"ids": list(ids)}, "o.id = any(cast(:ids as bigint[]))"
    if lease_owner is not None:
        wanted, which = {**wanted, "owner": lease_owner}, f"{which} and o.lease_owner = :owner"
    if lock:  # a statement of its own: who waited for the lock must read what the other wrote beside the order's row
        await rows(tx, _LOCK.format(which=which), **wanted)
    found = await rows(tx, _LOAD.format(which=which), **wanted)
    names = found[0]._fields if found else ()  # plain dicts: a row finds its values by name slowly
    heads = (dict(zip(names, row, strict=True)) for row in found)
    return [_case(head, now, waits, holds_lease=lease_owner is not None) for head in heads]


async def lock(
    tx: AsyncConnection, cases: Sequence[Case], *, now: datetime, waits: Waits, lease_owner: str
) -> list[Case]:
    """Of cases that were read unlocked, those that `lease_owner` still holds, locked now and as they stand now.

    Nearly always nothing was written of an order while its call was under way: then what was read is taken as it is.
    """
    read = {case.id: case for case in cases}
    found = await rows(tx, _LOCK_HELD, ids=list(read), owner=lease_owner)
    same = [read[r.id].as_of(now, waits) for r in found if read[r.id].is_as_read(r.version, r.sla_due_at)]
    changed = {r.id for r in found} - {case.id for case in same}
    anew = await load(tx, now=now, waits=waits, ids=changed, lease_owner=lease_owner, lock=False) if changed else []
    return sorted([*same, *anew], key=lambda case: case.id)


def _case(row: Mapping[str, Any], now: datetime, waits: Waits, *, holds_lease: bool) -> Case:
    standing = Standing(
        State(row["state"]),
        State(row["held_from"]) if row["held_from"] else None,
        HoldReason(row["hold_reason"]) if row["hold_reason"] else None,
    )
    case = Case(
        id=row["id"],
        order_no=row["order_no"],
        version=row["version"],
        standing=standing,
        lease_owner=row["lease_owner"],
        attempts=row["attempts"],
        placed_at=row["placed_at"],
        head=row,
        milestones={
            name: row[name]
            for name in ("paid_at", "locked_at", "outbound_at", "picked_up_at", "signed_at", "closed_at")
        },
        lines=[_line(values) for values in row["line_rows"] or ()],
        parcels={p["waybill"]: _parcel(p) for p in row["parcel_rows"] or ()},
        held_for=_trouble(*row["hold_row"]) if row["hold_row"] else None,
        overridden=frozenset((reason, evidence) for reason, evidence in row["overridden_rows"] or ()),
        with_warehouse=row["with_warehouse"],
        begun=frozenset(row["begun_kinds"] or ()),
        charges=[_charge(values) for values in row["charge_rows"] or ()],
        refunds={number: RefundCase(*values) for number, *values in row["refund_rows"] or ()},
        last_said={
            (system, part): (said, datetime.fromisoformat(at)) for system, part, said, at in row["said_rows"] or ()
        },
        now=now,
        waits=waits,
        progress=row["progress"],
        warehouse=row["warehouse"],
        due=(Step(row["due_step"]), row["due_at"]) if row["due_step"] else None,
        holds_lease=holds_lease,
        known_returns=tuple(_known_return(*values) for values in row["return_rows"] or ()),
        edits=take_up_edits(
            row["edit_row"], done=row["was_edited"], leader=row["leader"], followers=row["follower_rows"] or ()
        ),
    )
    if row["delivery_rows"]:
        take_up(case, row["delivery_rows"])
    return case


def _line(values: Sequence[Any]) -> LineCase:
    line_no, sku, name, quantity, unit_price, amount, shipped = values
    line = Line(line_no=line_no, sku=sku, name=name, quantity=quantity, unit_price=unit_price, amount=amount)
    return LineCase(line, shipped)


def _charge(row: Mapping[str, Any]) -> ChargeCase:
    return ChargeCase(
        row["provider"],
        row["transaction_id"],
        row["amount"],
        row["currency"],
        row["state"],
        datetime.fromisoformat(row["paid_at"]),
    )


def _parcel(row: Mapping[str, Any]) -> ParcelCase:
    def at(name: str) -> datetime | None:
        return datetime.fromisoformat(row[name]) if row[name] else None

    shipped_at = at("shipped_at")
    assert shipped_at is not None
    return ParcelCase(
        carrier=row["carrier"],
        waybill=row["waybill"],
        items=row["items"],
        shipped_at=shipped_at,
        picked_up_at=at("picked_up_at"),
        signed_at=at("signed_at"),
        said=row["said"],
        said_at=at("said_at"),
        trouble=_trouble(row["trouble"], row["trouble_evidence"]) if row["trouble"] else None,
    )


def _known_return(
    number: str, kind: str, state: str, counts: bool, whole: bool, waybill: str | None, pieces: Mapping[str, int] | None
) -> Known:
    return Known(
        number=number,
        kind=ReturnKind(kind),
        state=ReturnState(state),
        counts=counts,
        whole=whole,
        waybill=waybill,
        pieces={int(line_no): count for line_no, count in (pieces or {}).items()},
    )


def _trouble(reason: str, evidence: str) -> Trouble:
    return Trouble(HoldReason(reason), evidence)
