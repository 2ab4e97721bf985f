"""Asking every system what it says of some orders, comparing it with our books, and mending what differs.

books -> questions -> answers -> books again -> what differs is asked once more -> decided on locked orders
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from prefect import task
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import NotYet, OutsideError, Throttled, Unavailable, UnknownCode
from ballast.db import cases as orders
from ballast.db import moves, news
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.reconciling import Check, write_checks
from ballast.db.status_map import added_codes
from ballast.db.told import Traffic, books_of, is_leased, read_traffic, word_of
from ballast.domain.judging import followed, is_concerned, judge
from ballast.domain.truth import DRIFT, Books, Verdict, Witness
from ballast.points import Point, reached
from ballast.ports import News
from ballast.settings import SettingsError
from ballast.wiring import House, house
from tasks.alarms import unknown_code_alert
from tasks.courier import track
from tasks.listening import Answer, ask_all, write_told
from tasks.mending import UNDER_WAY, Look, drift_alerts, end_drift_alerts, mend
from tasks.policy import CHUNK
from tasks.wms import ask_warehouses

KIND: Final = "reconcile"
ROLES: Final = {
    Witness.ERP: "erp",
    Witness.WMS: "wms",
    Witness.COURIER: "courier",
    Witness.SHOP: "storefront",
    Witness.PAYMENT: "payment",
}
"""Witness -> its role in the house."""

FEW: Final = 3
"""So many unanswered questions of a chunk are a system that is down; fewer may be bad luck."""


class Turn(StrEnum):
    """Which look at an order it is."""

    FIRST = "first"  # mended; what a step holds just now is left for later
    LATE = "late"  # of those: mended, held or not (news takes no lease away)
    AGAIN = "again"  # after mending: what still differs rings; what was said first stays in the books


Asked = tuple[int, Witness]
"""(order id, who was asked about it)."""


@dataclass(slots=True)
class Looked:
    """What one look at some orders brought."""

    checks: list[Check] = field(default_factory=list)
    numbers: dict[int, str] = field(default_factory=dict)  # order id -> number, of the orders that were compared
    verdicts: dict[int, dict[Witness, Verdict]] = field(default_factory=dict)
    later: list[int] = field(default_factory=list)  # held by a step just now: to be looked at again
    down: set[Witness] = field(default_factory=set)  # took not one question
    why_down: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Our books of some orders at one moment."""

    cases: Mapping[int, Case]
    books: Mapping[int, Books]
    traffic: Mapping[int, Traffic]
    known: set[tuple[int, str]]


@task(name="ask every system", tags=["reconcile"], **CHUNK)
async def ask_everybody(
    reconciliation: int,
    ids: Sequence[int],
    *,
    mending: bool,
    skip: frozenset[Witness] = frozenset(),
    turn: Turn = Turn.FIRST,
) -> Looked:
    """Ask about these orders, keep what was said, and mend what differs where `mending`.

    `skip`: who does not answer at all at the moment. No answer is an answer: it is counted, and nothing fails.
    """
    here = await house()
    reached(KIND, Point.BEFORE)
    systems = configured(here)
    before = await _read(here, ids, systems, {})
    questions = _questions(here, before, systems, skip)
    answers = await ask_all(questions)
    now = await _read(here, ids, systems, answers)
    doubtful = [asked for asked, look in _compare(now, answers).items() if look.finding.verdict in DRIFT]
    if doubtful:  # news may be on its way to us, or the order went on between the question and our books
        await asyncio.sleep(here.settings.patience.gather.total_seconds())
        again = _questions(here, now, systems, skip)
        answers |= await ask_all({asked: again.pop(asked) for asked in doubtful if asked in again})
        _close(again)
    reached(KIND, Point.CALLED)
    return await _settle(here, reconciliation, now, answers, systems, skip, mending=mending, turn=turn)


def configured(here: House) -> dict[str, Witness]:
    """The systems that are there, by name, with the part that each plays."""
    found: dict[str, Witness] = {}
    for witness, role in ROLES.items():
        try:
            found[getattr(here, role).system] = witness
        except SettingsError:
            continue
    return found


async def _read(
    here: House, ids: Iterable[int], systems: Mapping[str, Witness], answers: Mapping[Asked, Answer]
) -> Snapshot:
    """Books, notices and what waits to be read, all of one moment."""
    async with here.transaction() as tx:
        await tx.execute(text("set transaction isolation level repeatable read, read only"))
        here.added_codes = await added_codes(tx)
        await here.rules.current(tx, here.clock.now())
        return await _snapshot(here, tx, ids, systems, answers, lock=False)


async def _snapshot(
    here: House,
    tx: AsyncConnection,
    ids: Iterable[int],
    systems: Mapping[str, Witness],
    answers: Mapping[Asked, Answer],
    *,
    lock: bool,
) -> Snapshot:
    loaded = await orders.load(tx, now=here.clock.now(), waits=here.waits, ids=ids, lock=lock)
    traffic = await read_traffic(tx, [case.order_no for case in loaded])
    pairs = [(order_id, news.cause_of(one)) for (order_id, _), answer in answers.items() for one in _told(answer)]
    known = await moves.known_causes(tx, moves.by_order(pairs))
    books = {case.id: books_of(case, traffic.get(case.id, Traffic()), systems) for case in loaded}
    return Snapshot({case.id: case for case in loaded}, books, traffic, known)


def _questions(
    here: House, snapshot: Snapshot, systems: Mapping[str, Witness], skip: frozenset[Witness]
) -> dict[Asked, Awaitable[Sequence[News]]]:
    """Every question that can be put: who is there, has to do with the order, and answers at the moment."""
    there = set(systems.values()) - skip
    return {
        (order_id, witness): _question(here, witness, snapshot.cases[order_id], books)
        for order_id, books in snapshot.books.items()
        for witness in Witness
        if witness in there and is_concerned(witness, books)
    }


async def _question(here: House, witness: Witness, case: Case, books: Books) -> Sequence[News]:
    match witness:
        case Witness.ERP:
            return await here.erp.ask(case.order_no)
        case Witness.WMS:
            return await ask_warehouses(here, case)
        case Witness.COURIER:
            return await track(here, case, followed(books))
        case Witness.SHOP:
            return await here.storefront.ask(case.order_no)
        case Witness.PAYMENT:
            return await _ask_payment(here, case)


async def _ask_payment(here: House, case: Case) -> Sequence[News]:
    """The payment, and every refund that the provider has taken on and has not ended in our books."""
    numbers = [number for number, refund in case.refunds.items() if refund.state == "requested"]
    questions = [here.payment.ask(case.order_no), *(here.payment.ask_refund(case.order_no, no) for no in numbers)]
    return [one for answer in await asyncio.gather(*questions) for one in answer]


def _close(questions: Mapping[Asked, Awaitable[Sequence[News]]]) -> None:
    """Questions that are not put after all."""
    for question in questions.values():
        if asyncio.iscoroutine(question):
            question.close()


def _told(answer: Answer) -> Sequence[News]:
    return () if isinstance(answer, OutsideError) else answer


def _compare(snapshot: Snapshot, answers: Mapping[Asked, Answer]) -> dict[Asked, Look]:
    """A look at every answer. What was not answered is not here."""
    looks = {}
    for (order_id, witness), answer in answers.items():
        if isinstance(answer, OutsideError) or order_id not in snapshot.cases:
            continue
        case, books = snapshot.cases[order_id], snapshot.books[order_id]
        words = [word_of(case, one, snapshot.known) for one in answer]
        looks[order_id, witness] = Look(case, witness, books, answer, judge(witness, books, words))
    return looks


async def _settle(
    here: House,
    reconciliation: int,
    seen: Snapshot,
    answers: Mapping[Asked, Answer],
    systems: Mapping[str, Witness],
    skip: frozenset[Witness],
    *,
    mending: bool,
    turn: Turn,
) -> Looked:
    """Decide on what differs with its orders locked, against the books of that moment; keep everything."""
    looks = _compare(seen, answers)
    suspects = {order_id for (order_id, _), look in looks.items() if look.finding.verdict in DRIFT}
    async with here.moving(KIND) as tx:
        locked = await _snapshot(here, tx, suspects, systems, answers, lock=True)
        looks |= _compare(locked, {asked: answer for asked, answer in answers.items() if asked[0] in locked.cases})
        drifting = [look for look in looks.values() if look.finding.verdict in DRIFT]
        later = {look.case.id for look in drifting if turn is Turn.FIRST and is_leased(look.case)}
        drifting = [look for look in drifting if look.case.id not in later]
        if mending:
            await end_drift_alerts(tx, list(looks.values()))
            await _mend(here, tx, locked, drifting, f"reconcile:{reconciliation}", turn)
        puzzles = [unknown_code_alert(answer) for answer in answers.values() if isinstance(answer, UnknownCode)]
        await raise_alerts(tx, puzzles, here.clock.now())
        looked = _looked(seen, looks, answers, skip, systems, later)
        if turn is not Turn.AGAIN:
            await write_checks(tx, reconciliation, looked.checks)
    return looked


async def _mend(
    here: House, tx: AsyncConnection, locked: Snapshot, drifting: Sequence[Look], run: str, turn: Turn
) -> None:
    """Mend, and ring for what nothing was done about. A difference that something is done about gets its time first."""
    if not drifting:
        return
    if turn is not Turn.AGAIN:
        await mend(tx, drifting, run)
    nobody_will = turn is Turn.AGAIN
    left = [one for one in drifting if not one.mended and (nobody_will or one.finding.verdict is Verdict.CONTRADICTS)]
    left = [look for look in left if look.witness not in look.books.under_way]
    for look in left:
        look.mended = "alert"
    await write_told(tx, list(locked.cases.values()), drift_alerts(left), here.clock.now())


def _looked(
    seen: Snapshot,
    looks: Mapping[Asked, Look],
    answers: Mapping[Asked, Answer],
    skip: frozenset[Witness],
    systems: Mapping[str, Witness],
    later: set[int],
) -> Looked:
    looked = Looked(later=sorted(later))
    for order_id, case in seen.cases.items():
        if order_id in later:
            continue
        looked.numbers[order_id] = case.order_no
        looked.verdicts[order_id] = {}
        for witness in Witness:
            check = _check(seen, order_id, witness, looks, answers, skip, systems)
            if check is not None:
                looked.checks.append(check)
                looked.verdicts[order_id][witness] = Verdict(check.verdict)
    for witness in Witness:
        said = [answer for (_, who), answer in answers.items() if who is witness]
        if len(said) >= FEW and all(_is_down(answer) for answer in said):
            looked.down.add(witness)
            looked.why_down = looked.why_down or str(said[0])
    return looked


def _is_down(answer: Answer) -> bool:
    return isinstance(answer, Unavailable) and not isinstance(answer, Throttled | NotYet)


def _check(
    seen: Snapshot,
    order_id: int,
    witness: Witness,
    looks: Mapping[Asked, Look],
    answers: Mapping[Asked, Answer],
    skip: frozenset[Witness],
    systems: Mapping[str, Witness],
) -> Check | None:
    """None for who has nothing to do with the order, or is not there at all."""
    look, answer = looks.get((order_id, witness)), answers.get((order_id, witness))
    ours = str(seen.books[order_id].state)
    if look is not None:
        verdict = str(look.finding.verdict)
        if look.finding.verdict in DRIFT and not look.mended and witness in look.books.under_way:
            look.mended = UNDER_WAY
        ours = str(look.books.state)
        return Check(
            order_id=order_id, system=witness, ours=ours, theirs=look.theirs, said=look.said[:200], verdict=verdict,
            mended=look.mended,
        )  # fmt: skip
    skipped = witness in skip and witness in systems.values() and is_concerned(witness, seen.books[order_id])
    if answer is None and not skipped:
        return None
    why = str(answer)[:200] if answer is not None else "it took no question: not asked again in this run"
    return Check(order_id=order_id, system=witness, ours=ours, theirs="", said=why, verdict=str(Verdict.NOT_ASKED))
