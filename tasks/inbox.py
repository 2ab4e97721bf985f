"""Reading what came in: each message once, in one transaction with what it changes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import task

from adapters.errors import NotUnderstood, UnknownCode
from ballast.db import cases as orders
from ballast.db import inbox, moves, news
from ballast.db.alerts import raise_alerts
from ballast.db.cases import Case
from ballast.db.inbox import Letter
from ballast.db.payments import mark_charges, refunds_done
from ballast.db.status_map import added_codes
from ballast.domain.life_cycle import NoSuchMove, TooEarly
from ballast.domain.words import System
from ballast.ports import Codes, Hook, News
from ballast.wiring import hooks, house
from tasks.chunks import Tally, hold_alerts, surplus_alerts, unknown_code_alert
from tasks.policy import CHUNK


@dataclass(frozen=True, slots=True)
class Read:
    """One letter and what it says: news, nothing about an order (None), or why it cannot be read."""

    letter: Letter
    news: News | None
    problem: UnknownCode | NotUnderstood | None = None


@task(name="read messages", tags=["inbox"], **CHUNK)
async def read_messages(most: int) -> Tally:
    """Let up to `most` new messages act on their orders; they are done in the same transaction, or new again."""
    here = await house()
    async with here.transaction() as tx:
        letters = await inbox.take(tx, "news", most)
        if not letters:
            return Tally()
        doors, added = hooks(here.settings), await added_codes(tx)
        reads = [_read(letter, doors, added) for letter in letters]
        now = here.clock.now()
        numbers = sorted({read.news.order_no for read in reads if read.news})
        held = {case.order_no: case for case in await orders.load(tx, now=now, waits=here.waits, order_nos=numbers)}
        known = await moves.known_causes(
            tx,
            moves.by_order(
                (held[read.news.order_no].id, news.cause_of(read.news))
                for read in reads
                if read.news and read.news.order_no in held
            ),
        )
        states = [_settle(read, held, known) for read in sorted(reads, key=_when)]
        await moves.write(tx, list(held.values()))
        await mark_charges(tx, [case for case in held.values() if case.payments])
        await refunds_done(tx, [read.news.refund_no for read in reads if read.news and read.news.refund_no], now)
        await inbox.settle(tx, states, now)
        await raise_alerts(
            tx,
            hold_alerts(list(held.values()))
            + surplus_alerts([case for case in held.values() if case.payments])
            + _puzzles(reads),
            now,
        )
    if any(state["note"] == inbox.NO_ORDER for state in states):
        async with here.transaction() as tx:
            await inbox.wake_waiting(tx)
    return Tally(Counter(state["word"] for state in states))


def _read(letter: Letter, doors: Mapping[str, Hook], added: Mapping[str, Codes]) -> Read:
    door = doors.get(letter.source)
    if door is None:
        return Read(letter, None, NotUnderstood(System(letter.source), "this system is not configured any more"))
    try:
        return Read(letter, door.read(letter.message, {**door.codes, **added.get(letter.source, {})}))
    except (UnknownCode, NotUnderstood) as problem:
        return Read(letter, None, problem)


def _when(read: Read) -> Any:
    """Oldest news first, whatever order it came in."""
    return (read.news is not None, read.news.happened_at if read.news else None, read.letter.id)


def _settle(read: Read, held: Mapping[str, Case], known: set[tuple[int, str]]) -> dict[str, Any]:
    letter = read.letter.id
    if read.problem is not None:
        return {"id": letter, "state": "parked", "note": str(read.problem)[:500], "word": "parked"}
    if read.news is None:
        return {"id": letter, "state": "done", "note": "concerns no order", "word": "noted"}
    case = held.get(read.news.order_no)
    if case is None:
        return {"id": letter, "state": "waiting", "note": inbox.NO_ORDER, "word": "waiting for their order"}
    if (case.id, news.cause_of(read.news)) in known:
        return {"id": letter, "state": "done", "note": "repeated", "word": "repeated"}
    known.add((case.id, news.cause_of(read.news)))
    try:
        moved = news.apply(case, read.news)
    except TooEarly as early:
        known.discard((case.id, news.cause_of(read.news)))
        return {"id": letter, "state": "waiting", "note": str(early), "word": "early"}
    except NoSuchMove as wrong:
        return {"id": letter, "state": "parked", "note": str(wrong), "word": "parked"}
    return {"id": letter, "state": "done", "note": "", "word": "applied" if moved else "late"}


def _puzzles(reads: Sequence[Read]) -> list[dict[str, Any]]:
    """One alert per unknown code, however many messages carry it; one per unreadable message."""
    alerts: dict[str, dict[str, Any]] = {}
    for read in reads:
        if isinstance(read.problem, UnknownCode):
            alert = unknown_code_alert(read.problem)
            alerts[alert["key"]] = alert
        elif read.problem is not None:
            key = f"unread:{read.letter.source}:{read.letter.message.event_id}"
            alerts[key] = {
                "key": key,
                "level": "warning",
                "title": f"message from {read.letter.source} not understood",
                "text": str(read.problem),
            }
    return list(alerts.values())
