"""Messages on their way in. Stored before they are acknowledged, unique by source and event id, read later."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, ring, rows, run
from ballast.ports import Message

BELLS: Final = {"news": "inbox", "order": "orders"}
"""Topic -> what is rung for its messages."""
NO_ORDER = "no such order yet"
"""The note of messages that wait for their order (others wait for their order to get further)."""
BUSY: Final = "a step or another change is at work on the order"
"""The note of messages that wait until their order can be judged."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One stored message, locked for this transaction."""

    id: int
    source: str
    message: Message


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages of one source that wait for one order: that it comes, or that it gets far enough."""

    source: str
    order_no: str
    messages: int
    since: datetime
    why: str

    @property
    def alert_key(self) -> str:
        return f"waiting:{self.source}:{self.order_no}"


async def store(tx: AsyncConnection, letters: Sequence[tuple[str, Message]], now: datetime) -> int:
    """Put (source, message) pairs into the inbox; the number of new ones. Repeats change nothing."""
    values = [
        {
            "source": source,
            "event_id": m.event_id,
            "order_no": m.order_no,
            "payload": {**m.payload, "_topic": m.topic},
            "topic": "order" if m.topic == "order.placed" else "news",
        }
        for source, m in letters
    ]
    found = await rows(
        tx,
        """
        insert into inbox (source, event_id, topic, order_no, payload, state, received_at, note)
        select source, event_id, topic, order_no, payload, 'new', cast(:now as timestamptz), ''
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(source text, event_id text, topic text, order_no text,
          payload jsonb)
        on conflict (source, event_id) do nothing returning topic""",
        rows=dumps(values),
        now=now,
    )
    await ring(tx, *{BELLS[row.topic] for row in found})
    return len(found)


async def count_new(tx: AsyncConnection, topic: str, most: int) -> int:
    """How many new messages nobody works on, counted up to `most`: the cost does not grow with what is done."""
    found = await rows(
        tx,
        """
        select count(*) from (select 1 from inbox where state = 'new' and topic = :topic limit :most
          for update skip locked) n""",
        topic=topic,
        most=most,
    )
    return int(found[0][0])


async def take(tx: AsyncConnection, topic: str, most: int, *, only: int | None = None) -> list[Letter]:
    """Up to `most` new messages, oldest first, or `only` this one; locked until this transaction ends."""
    found = await rows(
        tx,
        """
        select id, source, event_id, order_no, payload from inbox
        where state = 'new' and topic = :topic and (cast(:only as bigint) is null or id = :only)
        order by id limit :most for update skip locked""",
        topic=topic,
        most=most,
        only=only,
    )
    return [Letter(r.id, r.source, _message(r)) for r in found]


async def parked_news(tx: AsyncConnection, sources: Collection[str], most: int) -> list[Letter]:
    """Up to `most` parked messages of these sources, oldest first, unlocked: for looking only."""
    found = await rows(
        tx,
        """
        select id, source, event_id, order_no, payload from inbox
        where state = 'parked' and topic = 'news' and source = any(cast(:sources as text[])) order by id limit :most""",
        sources=sorted(sources),
        most=most,
    )
    return [Letter(r.id, r.source, _message(r)) for r in found]


async def count_parked(tx: AsyncConnection, sources: Collection[str]) -> int:
    """How many messages about orders of these sources are parked."""
    found = await rows(
        tx,
        """select count(*) from inbox
        where state = 'parked' and topic = 'news' and source = any(cast(:sources as text[]))""",
        sources=sorted(sources),
    )
    return int(found[0][0])


async def new_ids(tx: AsyncConnection, topic: str, most: int) -> list[int]:
    """The oldest new messages by id, unlocked."""
    found = await rows(
        tx,
        "select id from inbox where state = 'new' and topic = :topic order by id limit :most",
        topic=topic,
        most=most,
    )
    return [row.id for row in found]


def _message(row: Any) -> Message:
    payload: dict[str, Any] = dict(row.payload)
    return Message(event_id=row.event_id, topic=payload.pop("_topic"), order_no=row.order_no, payload=payload)


async def settle(tx: AsyncConnection, states: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Mark messages: {id, state: done|waiting|parked, note}."""
    if states:
        await run(
            tx,
            """
            update inbox i set state = r.state, note = r.note,
              done_at = case when r.state = 'done' then cast(:now as timestamptz) end
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, state text, note text)
            where i.id = r.id""",
            rows=dumps(list(states)),
            now=now,
        )


async def wake_waiting(tx: AsyncConnection) -> int:
    """Messages whose order has come since are new again.

    Call it after the commit that brought orders, and after the commit that left messages waiting: whichever is second
    sees the other's work, so no message waits for an order that is there.
    """
    count = await run(
        tx,
        """
        update inbox i set state = 'new', note = ''
        where i.state = 'waiting' and i.note = :note
          and exists (select from sales_order o where o.order_no = i.order_no)""",
        note=NO_ORDER,
    )
    if count:
        await ring(tx, "inbox")
    return count


async def wake_busy(tx: AsyncConnection, now: datetime) -> int:
    """Messages whose order nobody works on any more are new again."""
    count = await run(
        tx,
        """
        update inbox i set state = 'new', note = ''
        where i.state = 'waiting' and i.note = :note and exists (
          select from sales_order o where o.order_no = i.order_no and (o.lease_owner is null or o.due_at <= :now)
            and not exists (select from order_edit e where e.order_id = o.id and e.state = 'asked'))""",
        note=BUSY,
        now=now,
    )
    if count:
        await ring(tx, "inbox")
    return count


async def waiting(tx: AsyncConnection, *, most: int = 200) -> list[Waiting]:
    """What waits for an order, the oldest first."""
    return _waiting(await rows(tx, _WAITING.format(which="true"), most=most))


async def waiting_untold(tx: AsyncConnection, *, before: datetime, most: int = 200) -> list[Waiting]:
    """What came in before that time, still waits, and has no alert yet."""
    which = "received_at < :before and not exists (select from alert a where a.key = {key})"
    key = "'waiting:' || i.source || ':' || i.order_no"
    return _waiting(await rows(tx, _WAITING.format(which=which.format(key=key)), before=before, most=most))


_WAITING = """
select source, order_no, count(*) as messages, min(received_at) as since, min(note) as why from inbox i
where state = 'waiting' and {which} group by source, order_no order by min(received_at) limit :most
"""


def _waiting(found: Sequence[Any]) -> list[Waiting]:
    return [Waiting(r.source, r.order_no, r.messages, r.since, r.why) for r in found]


async def replay_parked(tx: AsyncConnection, source: str | None = None) -> int:
    """Parked messages are new again, for after the map was extended."""
    count = await run(
        tx,
        """
        update inbox set state = 'new', note = '' where state = 'parked' and (:source = '' or source = :source)""",
        source=source or "",
    )
    await ring(tx, "inbox", "orders")
    return count
