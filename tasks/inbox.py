"""Reading what came in: each message once, in one transaction with what it changes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from prefect import task
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import NotUnderstood, UnknownCode
from adapters.storefronts.direct.tickets import EVENTS as TICKETS
from adapters.storefronts.direct.tickets import read_ticket
from ballast.clock import to_local
from ballast.db import cases as orders
from ballast.db import editing, inbox, merging, moves, news, payments
from ballast.db.alerts import raise_alerts
from ballast.db.archive import Archived, read_archived
from ballast.db.case import Case
from ballast.db.inbox import Letter
from ballast.db.status_map import added_codes
from ballast.db.to_come import called_off_unseen
from ballast.db.told_tickets import take_told
from ballast.domain.life_cycle import NoSuchMove, TooEarly
from ballast.domain.payments import transaction_key
from ballast.domain.words import Event, State, System
from ballast.points import Point, reached
from ballast.ports import Codes, Hook, News
from ballast.ports.tickets import Ticket
from ballast.wiring import House, hooks, house
from tasks.alarms import asked_too_late_alert, made_too_late_alert, unknown_code_alert
from tasks.chunks import Tally
from tasks.listening import write_told
from tasks.policy import CHUNK

IN_ARCHIVE: Final = "its order is in the archive"
"""The note of messages that change nothing any more."""


@dataclass(frozen=True, slots=True)
class Read:
    """One letter and what it says: news, a ticket, nothing that concerns anybody, or why it cannot be read."""

    letter: Letter
    news: News | None
    problem: UnknownCode | NotUnderstood | None = None
    ticket: Ticket | None = None
    early: bool = False  # a ticket of an order that has not come yet


@task(name="read messages", tags=["inbox"], **CHUNK)
async def read_messages(most: int) -> Tally:
    """Let up to `most` new messages act on their orders; they are done in the same transaction, or new again.

    When the database refuses what a message says (a value out of range), the messages are read one by one and that one
    is parked: one poisoned message never stops the inbox.
    """
    here = await house()
    try:
        return await _read_batch(here, most)
    except DBAPIError as refusal:
        if not refuses_a_value(refusal):
            raise
    return await _one_by_one(here, most)


async def _one_by_one(here: House, most: int) -> Tally:
    tally = Tally()
    async with here.transaction() as tx:
        ids = await inbox.new_ids(tx, "news", most)
    for letter in ids:
        try:
            tally.update(await _read_batch(here, 1, only=letter))
        except DBAPIError as refusal:
            if not refuses_a_value(refusal):
                raise
            async with here.transaction() as tx:
                now = here.clock.now()
                why = f"the database refuses a value of it ({type(refusal.orig).__name__})"
                await inbox.settle(tx, [{"id": letter, "state": "parked", "note": why}], now)
                alert = {"key": f"poison:{letter}", "level": "warning", "title": "an incoming message was parked"}
                await raise_alerts(tx, [{**alert, "text": f"inbox {letter}: {why}"}], now)
            tally["parked"] += 1
    return tally


def refuses_a_value(refusal: DBAPIError) -> bool:
    """Data exception or constraint (SQLSTATE classes 22 and 23): the same message fails again. Others are blips."""
    return str(getattr(refusal.orig, "sqlstate", None) or "")[:2] in ("22", "23")


async def _read_batch(here: House, most: int, only: int | None = None) -> Tally:
    reached("inbox", Point.BEFORE)
    async with here.moving("inbox") as tx:
        letters = await inbox.take(tx, "news", most, only=only)
        if not letters:
            return Tally()
        doors, added = hooks(here.settings), await added_codes(tx)
        await here.rules.current(tx, here.clock.now())  # a refused delivery may be sourced again
        reads = await _to_leaders(tx, [read_letter(letter, doors, added) for letter in letters])
        states = await _apply(here, tx, reads)
    if any(state["note"] == inbox.NO_ORDER for state in states):
        async with here.transaction() as tx:
            await inbox.wake_waiting(tx)
    if unknown := {read.letter.source for read in reads if isinstance(read.problem, UnknownCode)}:
        await _mapped_meanwhile(here, added, unknown)
    return Tally(Counter(state["word"] for state in states))


async def _to_leaders(tx: AsyncConnection, reads: Sequence[Read]) -> Sequence[Read]:
    """News of the money and the returns of an order that was merged is news of the order that carries it."""
    concerned = {read.news.order_no for read in reads if read.news and merging.is_the_leaders(read.news)}
    led = await merging.leaders_of(tx, concerned) if concerned else {}
    if not led:
        return reads
    return [replace(read, news=merging.redirected(read.news, led)) if read.news else read for read in reads]


async def _mapped_meanwhile(here: House, added: Mapping[str, Codes], sources: set[str]) -> None:
    """A map that was published while messages were being parked did not find them: they are read again.

    Call it after the commit that parked them, as the publication replays after its own: whichever is second sees the
    other's work.
    """
    async with here.transaction() as tx:
        now = await added_codes(tx)
        for source in sorted(source for source in sources if now.get(source) != added.get(source)):
            await inbox.replay_parked(tx, source)


@dataclass(slots=True)
class Books:
    """What messages are held against: the orders that they name, what is in their history, whose each charge is.

    `archived`: those of the named orders that are not in the books any more.
    """

    cases: dict[str, Case] = field(default_factory=dict)
    archived: dict[str, Archived] = field(default_factory=dict)
    known: set[tuple[int, str]] = field(default_factory=set)
    owners: dict[tuple[str, str], str] = field(default_factory=dict)


async def open_books(
    here: House, tx: AsyncConnection, reads: Sequence[Read], books: Books, *, lock: bool = True
) -> None:
    """Put into `books` what these messages need and is not there yet."""
    numbers = sorted({read.news.order_no for read in reads if read.news} - books.cases.keys())
    now, waits = here.clock.now(), here.waits
    found = await orders.load(tx, now=now, waits=waits, order_nos=numbers, lock=lock) if numbers else []
    books.cases |= {case.order_no: case for case in found}
    books.archived |= await read_archived(tx, [number for number in numbers if number not in books.cases])
    books.owners = await payments.owners(tx, {key for read in reads if (key := _charge_key(read))}) | books.owners
    causes = moves.by_order(
        (books.cases[read.news.order_no].id, news.cause_of(read.news))
        for read in reads
        if read.news and read.news.order_no in books.cases
    )
    books.known |= await moves.known_causes(tx, causes)


def act(reads: Sequence[Read], books: Books) -> tuple[list[Read], list[dict[str, Any]]]:
    """Let messages act on the orders in `books`, in memory: what each says, oldest first, and what becomes of it."""
    ordered = [_charged_once(_of_archive(read, books), books.cases, books.owners) for read in sorted(reads, key=_when)]
    return ordered, [_settle(read, books) for read in ordered]


async def _apply(here: House, tx: AsyncConnection, reads: Sequence[Read]) -> list[dict[str, Any]]:
    """Everything that the messages change, and that they are done."""
    now, books = here.clock.now(), Books()
    reads = await _take_tickets(tx, reads, now)
    await open_books(here, tx, reads, books)
    reads, states = act(reads, books)
    await editing.follow(tx, list(books.cases.values()))
    puzzles = _puzzles(reads) + _asked_too_late(reads, books) + await _made_too_late(tx, reads, books)
    await write_told(tx, list(books.cases.values()), puzzles, now)
    await inbox.settle(tx, states, now)
    return states


async def _take_tickets(tx: AsyncConnection, reads: Sequence[Read], now: datetime) -> list[Read]:
    """Put the tickets among them into the books; one that is refused cannot be read, one of no order yet waits."""
    answers = await take_told(tx, [(read.letter.id, read.ticket) for read in reads if read.ticket], now)
    return [_answered(read, answers[read.letter.id]) if read.letter.id in answers else read for read in reads]


def _answered(read: Read, why: str) -> Read:
    if why == inbox.NO_ORDER:
        return replace(read, early=True)
    order_no = read.letter.message.order_no
    return replace(read, problem=NotUnderstood(System(read.letter.source), why, order_no=order_no))


def _asked_too_late(reads: Sequence[Read], books: Books) -> list[dict[str, Any]]:
    """Alerts of what shops asked for of orders that are in the archive: nobody waits for the answer of a message."""
    asked = [read.news for read in reads if read.news and (read.news.return_asked or read.news.edit_asked)]
    return [asked_too_late_alert(one) for one in asked if one.order_no in books.archived]


async def _made_too_late(tx: AsyncConnection, reads: Sequence[Read], books: Books) -> list[dict[str, Any]]:
    """Alerts of what was taken on, called off while nobody there knew it, and made all the same."""
    made = [read.news for read in reads if read.news and read.news.state is State.STOCK_LOCKED]
    known = [one for one in made if one.event is Event.NOTED and one.order_no in books.cases]
    told = {one.delivery or one.order_no: one for one in known}
    closed = {code for code, one in told.items() if books.cases[one.order_no].standing.state is State.CLOSED}
    unseen = await called_off_unseen(tx, closed)
    return [made_too_late_alert(books.cases[told[code].order_no], told[code]) for code in sorted(unseen)]


async def tell_overdue() -> Tally:
    """Ring once per order and source when messages wait for longer than patience has; they go on waiting.

    Those that waited for nothing but a step to let go of their order are read again.
    """
    here = await house()
    async with here.transaction() as tx:
        now = here.clock.now()
        await inbox.wake_busy(tx, now)
        overdue = await inbox.waiting_untold(tx, before=now - here.settings.patience.early_news)
        told = await raise_alerts(tx, [_overdue_alert(one) for one in overdue], now)
    return +Tally({"told that messages wait": told})


def _overdue_alert(one: inbox.Waiting) -> dict[str, Any]:
    unknown = one.why == inbox.NO_ORDER
    advice = "find out why the shop did not send it" if unknown else f"see `ballast order show {one.order_no}`"
    return {
        "key": one.alert_key,
        "level": "warning",
        "title": f"{one.order_no}: messages from {one.source} wait for it",
        "text": f"{one.messages} since {to_local(one.since)}: {one.why}; {advice}. They act once it is there; "
        "`ballast parked waiting` lists them",
    }


def read_letter(letter: Letter, doors: Mapping[str, Hook], added: Mapping[str, Codes]) -> Read:
    """What a message says, with these codes over those of its door."""
    door = doors.get(letter.source)
    if door is None:
        return Read(letter, None, NotUnderstood(System(letter.source), "this system is not configured any more"))
    try:
        if letter.message.topic in TICKETS:
            told = read_ticket(letter.message.topic, letter.message.payload, order_no=letter.message.order_no)
            return Read(letter, None, ticket=told)
        return Read(letter, door.read(letter.message, {**door.codes, **added.get(letter.source, {})}))
    except (UnknownCode, NotUnderstood) as problem:
        return Read(letter, None, problem)
    except (ValueError, ArithmeticError, TypeError, LookupError, RecursionError, OSError) as wrong:
        # A reader stumbled over a value that nobody thought of (OSError: a time that the platform cannot tell): this
        # message is parked, the others go on.
        return Read(letter, None, NotUnderstood(System(letter.source), f"could not be read ({type(wrong).__name__})"))


def _when(read: Read) -> Any:
    """Oldest news first, whatever order it came in."""
    return (read.news is not None, read.news.happened_at if read.news else None, read.letter.id)


def _charge_key(read: Read) -> tuple[str, str] | None:
    if read.news is None or read.news.charge is None:
        return None
    return transaction_key(read.news.charge.provider or read.news.system, read.news.charge.transaction_id)


def _charged_once(read: Read, held: Mapping[str, Case], owners: dict[tuple[str, str], str]) -> Read:
    """One transaction pays for one order: told of another one it is somebody's mistake, and no second charge."""
    key, one = _charge_key(read), read.news
    if key is None or one is None or one.order_no not in held:
        return read
    owner = owners.setdefault(key, one.order_no)
    if owner == one.order_no:
        return read
    what = f"transaction {key[1]} at {key[0]} pays for order {owner} in our books; ask the shop which order it is for"
    return Read(read.letter, None, NotUnderstood(one.system, what, order_no=one.order_no))


def _of_archive(read: Read, books: Books) -> Read:
    """Money that an order in the archive does not know of is for a person, who brings the order back."""
    one = read.news
    if one is None or (put_away := books.archived.get(one.order_no)) is None or _is_known(one, put_away):
        return read
    if one.charge is None and one.refund is None:
        return read
    what = f"money moved on {one.order_no}, which is in the archive: `ballast db recall {one.order_no}` brings it back"
    return Read(read.letter, None, NotUnderstood(one.system, f"{what} and has this message act", order_no=one.order_no))


def _is_known(one: News, order: Archived) -> bool:
    if one.charge is not None:
        return transaction_key(one.charge.provider or one.system, one.charge.transaction_id) in order.charges
    if one.refund is not None and one.refund.refund_no in order.refunds:
        return True
    return news.cause_of(one) in order.causes


def _settle(read: Read, books: Books) -> dict[str, Any]:
    letter, known = read.letter.id, books.known
    if read.problem is not None:
        return {"id": letter, "state": "parked", "note": str(read.problem)[:500], "word": "parked"}
    if read.early:
        return {"id": letter, "state": "waiting", "note": inbox.NO_ORDER, "word": "waiting for their order"}
    if read.news is None:
        return {"id": letter, "state": "done", "note": "" if read.ticket else "concerns no order", "word": "noted"}
    case = books.cases.get(read.news.order_no)
    if put_away := books.archived.get(read.news.order_no):
        word = "repeated" if _is_known(read.news, put_away) else "late"
        return {"id": letter, "state": "done", "note": f"{word}: {IN_ARCHIVE}", "word": word}
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
