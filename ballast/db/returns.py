"""Returns in the books: loading them under their order's lock, and the only statements that change their state."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, ring, rows, run
from ballast.domain.returns import FREES, TIMES, ReturnEvent, ReturnKind, ReturnReason, ReturnState, after
from ballast.domain.words import State


@dataclass(slots=True)
class LineBack:
    """Pieces of one order line that come back. `amount`: asked back for them, minor units; `warehouse`: of the good."""

    line_no: int
    sku: str
    quantity: int
    good: int = 0
    damaged: int = 0
    amount: int | None = None
    warehouse: str = ""

    @property
    def came(self) -> int:
        return self.good + self.damaged


@dataclass(slots=True)
class Return:
    """One return of a locked order. Read it, `take` events, `write` it; then forget it."""

    return_no: str
    order_id: int
    kind: ReturnKind
    state: ReturnState
    whole: bool
    counts: bool
    wants_goods: bool
    reason: ReturnReason
    why: str
    asked_by: str
    asked_at: datetime
    waybill: str | None
    exchange: Mapping[str, int]
    exchange_order_no: str | None
    answered_by: str | None
    answered_at: datetime | None
    rule: str
    note: str
    freight: bool
    accepted: bool
    summed: bool
    end_told: bool
    settled_at: datetime | None
    refund_nos: list[str]
    due_at: datetime | None
    times: dict[str, datetime | None]
    lines: dict[int, LineBack] = field(default_factory=dict)
    was: ReturnState = ReturnState.REQUESTED

    def take(self, event: ReturnEvent, at: datetime) -> bool:
        """Apply one event by the life cycle; False: late or repeated, nothing was changed."""
        ahead = after(self.state, event)
        if ahead is None:
            return False
        self.state = ahead
        if name := TIMES.get(ahead):
            self.times[name] = self.times[name] or at
        if event in FREES:
            self.counts = False
        return True

    @property
    def pieces(self) -> dict[int, int]:
        """Line number -> pieces that are paid for: those that came, or all where no goods are wanted."""
        return {no: line.came if self.wants_goods else line.quantity for no, line in self.lines.items()}

    @property
    def damaged(self) -> int:
        return sum(line.damaged for line in self.lines.values())


class ReturnMoved(Exception):
    """Somebody else wrote this return since it was read: nothing was stored."""


_LOAD: Final = """
select r.*, (select json_agg(row_to_json(l) order by l.line_no) from return_line l
  where l.return_no = r.return_no) as line_rows
from return_case r where {which} order by r.id
"""


async def load(tx: AsyncConnection, *, order_ids: Iterable[int] = (), numbers: Iterable[str] = ()) -> list[Return]:
    """All returns of these orders, or those with these numbers, the oldest first. Lock the orders before."""
    wanted: dict[str, Any] = {"ids": list(order_ids)}
    which = "r.order_id = any(cast(:ids as bigint[]))"
    if not wanted["ids"]:
        wanted, which = {"nos": list(numbers)}, "r.return_no = any(cast(:nos as text[]))"
    return [_read(row._mapping) for row in await rows(tx, _LOAD.format(which=which), **wanted)]


_PLAIN: Final = (
    "return_no", "order_id", "whole", "counts", "wants_goods", "why", "asked_by", "asked_at", "waybill", "exchange",
    "exchange_order_no", "answered_by", "answered_at", "rule", "note", "freight", "accepted", "summed", "end_told",
    "settled_at", "due_at",
)  # fmt: skip
_OF_LINE: Final = ("line_no", "sku", "quantity", "good", "damaged", "amount", "warehouse")


def _read(row: Mapping[str, Any]) -> Return:
    return Return(
        **{name: row[name] for name in _PLAIN},
        kind=ReturnKind(row["kind"]),
        state=ReturnState(row["state"]),
        was=ReturnState(row["state"]),
        reason=ReturnReason(row["reason"]),
        refund_nos=list(row["refund_nos"]),
        times={name: row[name] for name in TIMES.values()},
        lines={line["line_no"]: LineBack(**{name: line[name] for name in _OF_LINE}) for line in row["line_rows"] or ()},
    )


async def write(tx: AsyncConnection, returns: Sequence[Return]) -> None:
    """Store what was decided: two statements. Raises `ReturnMoved` when one is not as it was loaded."""
    if not returns:
        return
    if await run(tx, _UPDATE, rows=dumps([_row(one) for one in returns])) != len(returns):
        raise ReturnMoved(f"among returns {', '.join(one.return_no for one in returns)}")
    lines = [
        {"return_no": one.return_no, "order_id": one.order_id, **{name: getattr(line, name) for name in _OF_LINE}}
        for one in returns
        for line in one.lines.values()
    ]
    if lines:
        await run(tx, _UPSERT_LINES, rows=dumps(lines))
    if any(one.due_at is not None for one in returns):
        await ring(tx, "returns")


def _row(one: Return) -> dict[str, Any]:
    names = (
        "return_no", "state", "was", "counts", "wants_goods", "exchange_order_no", "answered_by", "answered_at", "rule",
        "note", "freight", "accepted", "summed", "end_told", "settled_at", "refund_nos",
        "due_at",
    )  # fmt: skip
    return {name: getattr(one, name) for name in names} | one.times


_UPDATE: Final = """
update return_case c set state = r.state, counts = r.counts, wants_goods = r.wants_goods,
  exchange_order_no = r.exchange_order_no, answered_by = r.answered_by, answered_at = r.answered_at, rule = r.rule,
  note = r.note, freight = r.freight, accepted = r.accepted, summed = r.summed, end_told = r.end_told,
  settled_at = r.settled_at, refund_nos = r.refund_nos, due_at = r.due_at, approved_at = r.approved_at,
  awaited_at = r.awaited_at, received_at = r.received_at, inspected_at = r.inspected_at, refunded_at = r.refunded_at,
  exchanged_at = r.exchanged_at, rejected_at = r.rejected_at, closed_at = r.closed_at
from jsonb_to_recordset(cast(:rows as jsonb)) as r(return_no text, state text, was text, counts boolean,
  wants_goods boolean, exchange_order_no text, answered_by text, answered_at timestamptz, rule text, note text,
  freight boolean, accepted boolean, summed boolean, end_told boolean, settled_at timestamptz, refund_nos text[],
  due_at timestamptz,
  approved_at timestamptz, awaited_at timestamptz, received_at timestamptz, inspected_at timestamptz,
  refunded_at timestamptz, exchanged_at timestamptz, rejected_at timestamptz, closed_at timestamptz)
where c.return_no = r.return_no and c.state = r.was
"""
_UPSERT_LINES: Final = """
insert into return_line as l (return_no, order_id, line_no, sku, quantity, good, damaged, amount, warehouse)
select return_no, order_id, line_no, sku, quantity, good, damaged, amount, warehouse
from jsonb_to_recordset(cast(:rows as jsonb)) as r(return_no text, order_id bigint, line_no int, sku text,
  quantity int, good int, damaged int, amount bigint, warehouse text)
on conflict (return_no, line_no) do update set good = excluded.good, damaged = excluded.damaged,
  amount = excluded.amount, warehouse = excluded.warehouse
"""


async def insert(tx: AsyncConnection, asked: Sequence[Mapping[str, Any]]) -> None:
    """Put new returns into the books, with their lines. One that is there (`one_open_return`, a parcel's) stays."""
    if not asked:
        return
    await run(
        tx,
        _INSERT,
        rows=dumps([{name: value for name, value in row.items() if name != "lines"} for row in asked]),
        lines=dumps([{"return_no": row["return_no"], **line} for row in asked for line in row["lines"]]),
    )
    await ring(tx, "returns")


_INSERT: Final = """
with fresh as (
  insert into return_case (order_id, return_no, kind, state, whole, reason, why, asked_by, asked_at, waybill, exchange,
    answered_by, answered_at, approved_at, awaited_at, due_at)
  select order_id, return_no, kind, state, whole, reason, why, asked_by, asked_at, waybill, exchange, answered_by,
    answered_at, approved_at, awaited_at, due_at
  from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, return_no text, kind text, state text,
    whole boolean, reason text, why text, asked_by text, asked_at timestamptz, waybill text, exchange jsonb,
    answered_by text, answered_at timestamptz, approved_at timestamptz, awaited_at timestamptz, due_at timestamptz)
  on conflict do nothing returning return_no, order_id)
insert into return_line (return_no, order_id, line_no, sku, quantity)
select f.return_no, f.order_id, l.line_no, l.sku, l.quantity
from fresh f join jsonb_to_recordset(cast(:lines as jsonb)) as l(return_no text, line_no int, sku text, quantity int)
  using (return_no)
"""


async def claim(tx: AsyncConnection, *, most: int, now: datetime, until: datetime) -> dict[str, int]:
    """Take up to `most` returns that are due, each looked at again at `until` should we die: number -> order id."""
    found = await rows(
        tx,
        """
        with due as (select id from return_case where due_at <= :now order by due_at limit :most
          for update skip locked)
        update return_case r set due_at = :until from due where r.id = due.id returning r.return_no, r.order_id""",
        most=most,
        now=now,
        until=until,
    )
    return {row.return_no: row.order_id for row in found}


async def refunds_told(tx: AsyncConnection, order_ids: Sequence[int], now: datetime) -> None:
    """A provider spoke of refunds of these orders: returns that wait for theirs are looked at."""
    woken = await run(
        tx,
        """
        update return_case set due_at = :now
        where order_id = any(cast(:ids as bigint[])) and settled_at is not null
          and state in ('approved', 'inspected')""",
        ids=list(order_ids),
        now=now,
    )
    if woken:
        await ring(tx, "returns")


async def unsent(tx: AsyncConnection, numbers: Sequence[str]) -> frozenset[str]:
    """Of these returns, those of which a message to warehouse or ERP is still to be sent."""
    found = await rows(
        tx,
        """
        select n.number from unnest(cast(:nos as text[])) as n(number)
        join return_case r on r.return_no = n.number
        where exists (select from outbox m where m.order_id = r.order_id and m.done_at is null
          and m.kind in ('wms.return', 'erp.return') and right(m.key, length(n.number) + 1) = ':' || n.number)""",
        nos=list(numbers),
    )
    return frozenset(row.number for row in found)


async def to_ask_about(tx: AsyncConnection, numbers: Sequence[str]) -> frozenset[str]:
    """Of these returns, those of which a warehouse that took them on has to tell what came, or the rest of it."""
    found = await rows(
        tx,
        """
        select r.return_no from return_case r
        where r.return_no = any(cast(:nos as text[])) and r.state in ('waiting_for_goods', 'received') and exists (
          select from outbox m where m.order_id = r.order_id and m.kind = 'wms.return' and m.done_at is not null
            and right(m.key, length(r.return_no) + 1) = ':' || r.return_no)""",
        nos=list(numbers),
    )
    return frozenset(row.return_no for row in found)


async def booked(tx: AsyncConnection, numbers: Sequence[str], now: datetime) -> None:
    """The ERP's figures have the good pieces of these returns; what waited for that only is looked at."""
    await run(
        tx,
        "update return_line set told_at = :now where return_no = any(cast(:nos as text[])) and told_at is null",
        nos=list(numbers),
        now=now,
    )
    over = await run(
        tx,
        """
        update return_case set due_at = :now
        where return_no = any(cast(:nos as text[])) and state in ('refunded', 'exchanged', 'rejected')""",
        nos=list(numbers),
        now=now,
    )
    if over:
        await ring(tx, "returns")


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """One return for people. `order_state` is where the order stands now; `waits_for`: whom or what."""

    return_no: str
    order_no: str
    kind: ReturnKind
    state: ReturnState
    order_state: State
    reason: str
    why: str
    asked_by: str
    asked_at: datetime
    pieces: int
    due_at: datetime | None


async def list_returns(tx: AsyncConnection, *, state: str = "", most: int = 1000) -> list[ReturnRow]:
    """Returns that are not closed, or those in one state, the oldest first."""
    found = await rows(
        tx,
        """
        select r.return_no, o.order_no, r.kind, r.state, o.state as order_state, r.reason, r.why, r.asked_by,
          r.asked_at, r.due_at,
          coalesce((select sum(l.quantity) from return_line l where l.return_no = r.return_no), 0) as pieces
        from return_case r join sales_order o on o.id = r.order_id
        where case when :state = '' then r.state <> 'closed' else r.state = :state end
        order by r.asked_at, r.id limit :most""",
        state=state,
        most=most,
    )
    return [
        ReturnRow(
            **{**row._mapping, "kind": ReturnKind(row.kind), "state": ReturnState(row.state),
               "order_state": State(row.order_state), "pieces": int(row.pieces)}
        )
        for row in found
    ]  # fmt: skip
