"""Changing an order: at once while no stock is locked, by taking it back from its warehouses after that.

    ask -> at once, or: asked -> every warehouse lets go -> `apply` -> sourced anew; a warehouse that does not: `refuse`

Everything happens under the lock of the order's row; `moves.write` stores it with the rest of the case.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import deliveries, refunding
from ballast.db.alerts import raise_alerts
from ballast.db.cancelling import has_left
from ballast.db.case import Case
from ballast.db.case_parts import LineCase
from ballast.db.deliveries import ask_of, deliveries_of, put, take_back
from ballast.db.edits import Asked
from ballast.db.engine import dumps, rows, run
from ballast.db.reservations import Terms, reserve
from ballast.db.stock import end_locks
from ballast.domain.deliveries import DeliveryState
from ballast.domain.editing import Bill, Change, NotChanged, Refusal, changed_bill, changed_receiver
from ballast.domain.life_cycle import CALLED_OFF
from ballast.domain.money import Money
from ballast.domain.promising import Basket, Piece
from ballast.domain.rules.portions import portion
from ballast.domain.words import Event, HoldReason, State, System

LET_GO: Final = frozenset(
    {
        HoldReason.WAREHOUSE_REFUSED,
        HoldReason.WAREHOUSE_SHORT,
        HoldReason.WAREHOUSE_EXCEPTION,
        HoldReason.ERP_REFUSED,
        HoldReason.NO_ANSWER,
    }
)
"""Holds of locked orders that a change ends: its pieces are sourced and handed over anew."""


# -- asking --------------------------------------------------------------------------------------------------------


async def edit(tx: AsyncConnection, case: Case, change: Change, *, by: str) -> str:
    """Ask for a change of a locked case that is written afterwards; a sentence that says what comes of it.

    Raises `NotChanged`, and nothing of the case was touched.
    """
    said = ask(case, change, by=by)
    await follow(tx, [case])
    return said


def ask(case: Case, change: Change, *, by: str) -> str:
    """`edit` without what the ledger has of the order."""
    if case.edits.asked is not None and case.edits.asked.change == change:
        return "asked for already: its warehouse has to let go first"
    _check(case, change)
    if case.place is State.PENDING_PAYMENT or (_unknown_to_warehouses(case) and not change.quantities):
        return _at_once(case, change, by)
    return recall(case, change, by)


def _unknown_to_warehouses(case: Case) -> bool:
    return "wms.create" not in case.begun and not _at_work(case)


def _check(case: Case, change: Change) -> None:
    """Raises `NotChanged` with the sentence for whoever asked."""
    may_change(case, _way_back(case, change))
    bill, receiver = bill_of(case), case.head["receiver"]
    same = changed_bill(bill, change, paid=_is_paid(case)) == bill
    if same and changed_receiver(receiver, change) == receiver:
        raise NotChanged(Refusal.NOTHING, f"{case.order_no} is so already")


def may_change(case: Case, way_back: str) -> None:
    """Raises `NotChanged` when an order is too far for any change, or somebody else is at it."""
    no, reason = case.order_no, case.standing.reason
    if case.edits.leader:
        what = f"{no} was merged into {case.edits.leader}: change that one, `ballast order edit {case.edits.leader}`"
        raise NotChanged(Refusal.MERGED, what)
    if case.standing.state is State.CLOSED:
        raise NotChanged(Refusal.ENDED, f"{no} is closed: place a new order")
    if has_left(case):
        raise NotChanged(Refusal.LEFT, f"{no} has left the warehouse{_said(case)}: {way_back}")
    if reason in CALLED_OFF:
        raise NotChanged(Refusal.STOPPED, f"{no} is being called off ({reason}): it is not changed any more")
    if case.edits.asked is not None:
        raise NotChanged(Refusal.UNDER_WAY, f"{no}: {case.edits.asked.by} asked for another change, which is under way")
    if case.place is State.PENDING_PAYMENT and _at_work(case):
        raise NotChanged(Refusal.UNDER_WAY, f"{no}: a step is just at work on it; try again in a minute")
    if case.place is State.STOCK_LOCKED and reason is not None and reason not in LET_GO:
        raise NotChanged(Refusal.HELD, f"{no} is on hold ({reason}): release it first, `ballast rerun {no}`")


def _at_work(case: Case) -> bool:
    """A step holds the order: what it read is what it sends."""
    return bool(case.lease_owner and case.due and case.due[1] > case.now)


def _at_once(case: Case, change: Change, by: str) -> str:
    text = _apply(case, change, by)
    case.edits.rows.append(_row(case, Asked(change, by, case.now, fresh=True), "done", text))
    case.take(Event.NOTED, cause=f"edit:v{case.version}", actor=_actor(by), text=text)
    if case.standing.reason is HoldReason.STOCK_SHORT and change.quantities:
        note = f"changed by {by}"
        case.take(Event.RELEASED, cause=f"edit:released:v{case.version}", actor="ballast", text=note, note=note)
    case.touched = True
    return text


def recall(case: Case, change: Change, by: str) -> str:
    """What a warehouse has, or may be given at this moment, has to be stopped first."""
    never = _unknown_to_warehouses(case)
    case.edits.asked = Asked(change, by, case.now, fresh=True)
    if case.standing.reason is not None:
        note = f"to be changed, {by}"
        case.take(Event.RELEASED, cause=f"edit:released:v{case.version}", actor="ballast", text=note, note=note)
    recalled = []
    for one in deliveries_of(case):
        planned = one.state is DeliveryState.PLANNED and not never
        if planned or one.state is DeliveryState.WITH_WAREHOUSE:
            deliveries.end(case, one.code, DeliveryState.RECALLED, f"to be changed, {by}")
            recalled.append(f"{one.code} {one.warehouse}")
    where = f"; to be stopped first: {', '.join(recalled)}" if recalled else ""
    text = f"change asked for: {', '.join(_words(case, change))}{where}"
    case.take(Event.NOTED, cause=f"edit:v{case.version}", actor=_actor(by), text=text)
    case.with_warehouse = False
    case.reschedule()
    return text


# -- answering -----------------------------------------------------------------------------------------------------


def apply(case: Case) -> None:
    """No warehouse has anything of it: take back what was to be handed over, and make the change that is asked for."""
    asked = case.edits.asked
    assert asked is not None
    take_back(case, f"changed, {asked.by}")
    text = _apply(case, asked.change, asked.by)
    end(case, "done", text)
    case.take(Event.NOTED, cause=f"edit:done:v{case.version}", actor="ballast", text=text)


def refuse(case: Case, why: str) -> None:
    """The order goes on as it is. What was to be stopped and was not goes (back) to its warehouse."""
    asked = case.edits.asked
    assert asked is not None
    merge = asked.change.merge
    text = f"not merged: {why}" if merge else f"not changed: {why}; {_way_back(case, asked.change)}"
    end(case, "refused", text)
    recalled = [one for one in case.deliveries.values() if one.state is DeliveryState.RECALLED]
    if recalled:
        put(case, *(replace(one, state=DeliveryState.PLANNED) for one in recalled))
    case.take(Event.NOTED, cause=f"edit:refused:v{case.version}", actor="ballast", text=text)
    if case.standing.state is State.STOCK_LOCKED:
        case.reschedule()


def end_overtaken(cases: Iterable[Case]) -> None:
    """A change waits only for orders that can still be changed: what left, or is called off, ends it."""
    for case in cases:
        if case.edits.asked is None:
            continue
        if has_left(case):
            refuse(case, "the goods were faster")
        elif case.standing.state is State.CLOSED or case.standing.reason in CALLED_OFF:
            refuse(case, "it is called off")


def _apply(case: Case, change: Change, by: str) -> str:
    """Lines, receiver and total as they are from now on; what was paid for more goes back. The figures in words."""
    before, words = bill_of(case), _words(case, change)
    after = changed_bill(before, change, paid=_is_paid(case))
    receiver = changed_receiver(case.head["receiver"], change)
    case.head = {**case.head, "receiver": receiver, "total": after.total, "discount": after.discount}
    kept = {line.line_no: line for line in after.lines}
    case.lines = [LineCase(now, one.shipped) for one in case.lines if (now := kept.get(one.line.line_no))]
    case.edits.bill_changed = case.edits.done = case.touched = True
    case.edits.lines_changed = bool(change.quantities)
    if after.total != before.total:
        words.append(f"total {_money(case, before.total)} -> {_money(case, after.total)}")
    if _is_paid(case) and (less := before.total - after.total):
        words.append(_give_back(case, less, by))
    return f"changed by {by}: {', '.join(words)}"


def _give_back(case: Case, amount: int, by: str) -> str:
    """Over the charges that pay for the order, in proportion to what is left of them."""
    charges = [charge for charge in case.charges if charge.state == "counted"]
    rooms = [refunding.left(case, charge) for charge in charges]
    parts = portion(amount, rooms, rooms) if charges else []
    for charge, part in zip(charges, parts, strict=True):
        if part:
            number = refunding.next_refund_no(case, charge)
            refunding.ask(case, charge, number, part, f"order changed by {by}")
    rest = amount - sum(parts)
    told = f"{_money(case, sum(parts))} goes back"
    return told + (f", {_money(case, rest)} was paid elsewhere: give it back there" if rest else "")


def end(case: Case, state: str, answer: str) -> None:
    """What was asked for is done, or refused."""
    assert case.edits.asked is not None
    case.edits.rows.append(_row(case, case.edits.asked, state, answer))
    case.edits.asked = None


# -- words ---------------------------------------------------------------------------------------------------------


def _words(case: Case, change: Change) -> list[str]:
    """What is changed. The receiver's parts by name only: the timeline conceals who they are."""
    pieces = {line.line.line_no: line.line.quantity for line in case.lines}
    there = case.head["receiver"]
    if change.merge:
        return [f"one order, {change.merge[0]}, of {', '.join(change.merge)}"]
    words = [part for part, value in change.receiver.items() if there.get(part) != value]
    return words + [
        f"line {line_no}: {pieces[line_no]} -> {wanted} pieces"
        for line_no, wanted in sorted(change.quantities.items())
        if pieces[line_no] != wanted
    ]


def _way_back(case: Case, change: Change) -> str:
    """What is left to whoever wanted it changed."""
    pieces = {line.line.line_no: line.line.quantity for line in case.lines}
    less = [(no, pieces[no] - wanted) for no, wanted in sorted(change.quantities.items()) if wanted < pieces.get(no, 0)]
    lines = "".join(f" --line {line_no}:{count}" for line_no, count in less)
    redirect = "have the courier redirect the parcel, or " if change.receiver else ""
    return f"{redirect}once it is delivered it can come back: `ballast returns request {case.order_no}{lines}`"


def _said(case: Case) -> str:
    return f" ({', '.join(case.parcels)})" if case.parcels else ""


def _money(case: Case, amount: int) -> str:
    return str(Money(amount, case.head["currency"]))


def _actor(by: str) -> str:
    """A shop asks by its name, a person by theirs."""
    return by if by in list(System) else f"person:{by}"


def _is_paid(case: Case) -> bool:
    return case.milestones["paid_at"] is not None


def bill_of(case: Case) -> Bill:
    """What it consists of and costs now."""
    lines = tuple(one.line for one in case.lines)
    return Bill(lines=lines, freight=case.head["freight"], discount=case.head["discount"])


# -- storing -------------------------------------------------------------------------------------------------------


async def follow(tx: AsyncConnection, cases: Sequence[Case]) -> None:
    """What is reserved for unpaid orders follows lines that just changed, until the same time. Before the write."""
    changed = [case for case in cases if case.edits.lines_changed and case.place is State.PENDING_PAYMENT]
    if not changed:
        return
    now, waits = changed[0].now, changed[0].waits
    await end_locks(tx, [case.id for case in changed], now)  # an earlier attempt may have left some, of what was wanted
    found = await rows(
        tx,
        """
        select order_no, max(expires_at) - cast(:now as timestamptz) as lasts from stock_reservation
        where order_no = any(cast(:nos as text[])) and expires_at > :now group by order_no""",
        nos=[case.order_no for case in changed],
        now=now,
    )
    if lasts := {row.order_no: row.lasts for row in found}:
        baskets = [_basket(case) for case in changed if case.order_no in lasts]
        await reserve(tx, baskets, Terms(rules=waits.sourcing), now=now, lasts=lasts)


def _basket(case: Case) -> Basket:
    lines = [Piece(one.line.line_no, one.line.sku, one.line.quantity) for one in case.lines]
    return Basket(case.order_no, lines, ask=ask_of(case))


def _row(case: Case, asked: Asked, state: str, answer: str) -> dict[str, Any]:
    return {
        "order_id": case.id,
        "order_no": case.order_no,
        "change": {
            "receiver": dict(asked.change.receiver),
            "quantities": {str(line_no): pieces for line_no, pieces in asked.change.quantities.items()},
            **({"merge": list(asked.change.merge)} if asked.change.merge else {}),
        },
        "asked_by": asked.by,
        "asked_at": asked.asked_at,
        "state": state,
        "answer": answer,
        "ended_at": None if state == "asked" else case.now,
        "fresh": asked.fresh,
    }


async def write_edits(tx: AsyncConnection, cases: Sequence[Case]) -> None:
    """Store what was asked for, answered and changed; no statement when nothing was. A late refusal is told."""
    open_ = [_row(c, c.edits.asked, "asked", "") for c in cases if c.edits.asked is not None and c.edits.asked.fresh]
    ended = [row for case in cases for row in case.edits.rows]
    if waiting := [row for row in ended if not row["fresh"]]:
        await run(tx, _END, rows=dumps(waiting))
        refused = [row for row in waiting if row["state"] == "refused"]
        await raise_alerts(tx, [_alert(row) for row in refused], cases[0].now)
    if made := [*open_, *(row for row in ended if row["fresh"])]:
        await run(tx, _INSERT, rows=dumps(made))
    if changed := [case for case in cases if case.edits.bill_changed]:
        await run(tx, _UPDATE_HEADS, rows=dumps([_head(case) for case in changed]))
        lines = dumps([_line(case, one) for case in changed for one in case.lines])
        await run(tx, _REMOVE_LINES, rows=lines, ids=[case.id for case in changed])
        await run(tx, _PUT_LINES, rows=lines)


def _alert(row: Mapping[str, Any]) -> dict[str, Any]:
    at: datetime = row["asked_at"]
    return {
        "key": f"edit:{row['order_no']}:{at.isoformat()}",
        "level": "info",
        "order_id": row["order_id"],
        "title": f"{row['order_no']} was not changed, as {row['asked_by']} had asked",
        "text": str(row["answer"])[:300],
    }


def _head(case: Case) -> dict[str, Any]:
    return {"id": case.id, **{name: case.head[name] for name in ("total", "freight", "discount", "receiver")}}


def _line(case: Case, one: LineCase) -> dict[str, Any]:
    line = one.line
    return {
        "order_id": case.id, "line_no": line.line_no, "sku": line.sku, "name": line.name, "quantity": line.quantity,
        "unit_price": line.unit_price, "amount": line.amount,
    }  # fmt: skip


_INSERT = """
insert into order_edit (order_id, change, asked_by, asked_at, state, answer, ended_at)
select order_id, change, asked_by, asked_at, state, answer, ended_at
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, change jsonb, asked_by text, asked_at timestamptz,
  state text, answer text, ended_at timestamptz)
"""
_END = """
update order_edit e set state = r.state, answer = r.answer, ended_at = r.ended_at
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, state text, answer text, ended_at timestamptz)
where e.order_id = r.order_id and e.state = 'asked'
"""
_UPDATE_HEADS = """
update sales_order o set total = r.total, freight = r.freight, discount = r.discount, receiver = r.receiver
from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, total bigint, freight bigint, discount bigint,
  receiver jsonb)
where o.id = r.id
"""
_REMOVE_LINES = """
delete from order_line l where l.order_id = any(cast(:ids as bigint[])) and not exists (
  select from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, line_no int)
  where r.order_id = l.order_id and r.line_no = l.line_no)
"""
_PUT_LINES = """
insert into order_line (order_id, line_no, sku, name, quantity, unit_price, amount, shipped)
select order_id, line_no, sku, name, quantity, unit_price, amount, 0
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, line_no int, sku text, name text, quantity int,
  unit_price bigint, amount bigint)
on conflict (order_id, line_no) do update set quantity = excluded.quantity, amount = excluded.amount
"""
