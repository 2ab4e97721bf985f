"""Goods that should come back: what waits for a person, and what the person answered."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import ring, rows
from ballast.domain.words import State


@dataclass(frozen=True, slots=True)
class OpenReturn:
    """One return that was asked for. `state` is where the order stands now."""

    order_no: str
    state: State
    why: str
    asked_by: str
    asked_at: datetime


async def open_returns(tx: AsyncConnection, *, most: int = 1000) -> list[OpenReturn]:
    """All open returns, the oldest first."""
    found = await rows(
        tx,
        """
        select o.order_no, o.state, r.why, r.asked_by, r.asked_at
        from return_case r join sales_order o on o.id = r.order_id
        where r.state = 'requested' order by r.asked_at, r.id limit :most""",
        most=most,
    )
    return [OpenReturn(r.order_no, State(r.state), r.why, r.asked_by, r.asked_at) for r in found]


async def answer_return(
    tx: AsyncConnection, order_no: str, *, accept: bool, by: str, note: str, now: datetime
) -> OpenReturn | None:
    """Answer the open return of an order: its clock ends, and the history has a line of it. None: none is open."""
    found = await rows(
        tx,
        """
        with answered as (
          update return_case r set state = case when :accept then 'accepted' else 'refused' end, answered_by = :by,
            answered_at = :now, note = :note
          from sales_order o where o.id = r.order_id and o.order_no = :order_no and r.state = 'requested'
          returning r.id, r.order_id, o.order_no, o.state, r.why, r.asked_by, r.asked_at),
        timed as (update sales_order o set sla_due_at = :now from answered a where o.id = a.order_id),
        told as (
          insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at,
            text)
          select order_id, 'return answered ' || id, 'NOTED', state, state, false, 'person:' || :by,
            cast(:now as timestamptz), cast(:now as timestamptz), cast(:text as text) from answered
          on conflict (order_id, cause) do nothing)
        select * from answered""",
        order_no=order_no,
        accept=accept,
        by=by,
        note=note,
        now=now,
        text=f"the return is {'accepted' if accept else 'refused'}. {note}".strip(),
    )
    if not found:
        return None
    await ring(tx, "sla")
    one = found[0]
    return OpenReturn(one.order_no, State(one.state), one.why, one.asked_by, one.asked_at)
