"""Asking instead of being told: what a system says when asked acts through the same door as its webhooks."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import NotUnderstood, OutsideError, Unavailable, UnknownCode
from ballast.db import cases as orders
from ballast.db import moves, news
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.db.payments import mark_charges
from ballast.domain.life_cycle import TooEarly
from ballast.points import Point, reached
from ballast.ports import News
from ballast.wiring import House
from tasks.alarms import (
    closed_alerts,
    edit_alerts,
    hold_alerts,
    refund_alerts,
    return_alerts,
    surplus_alerts,
    unknown_code_alert,
)
from tasks.chunks import Tally, later
from tasks.policy import SystemDown

MOST_MONEY = 2**63 - 1
"""Minor units: what the database takes."""

K = TypeVar("K")
Answer = Sequence[News] | OutsideError


async def ask_and_apply(
    house: House,
    chunk: Chunk,
    cases: Sequence[Case],
    questions: Mapping[int, Awaitable[Sequence[News]]],
    *,
    also: Callable[[AsyncConnection, Sequence[Case], Mapping[int, Answer]], Awaitable[None]] | None = None,
) -> Tally:
    """Ask about orders side by side (order id -> question) and let the answers act on those that are still ours.

    `also(tx, cases, answers)` decides more about them, in the transaction that stores them.
    """
    if not questions:
        return Counter()
    answers = await ask_all(questions)
    reached(chunk.step, Point.CALLED)
    if nobody_answered(answers):
        raise SystemDown(f"{next(iter(answers.values()))}: {len(answers)} questions were not answered")
    async with house.moving(chunk.step) as tx:
        asked = [case for case in cases if case.id in answers]
        held = await orders.lock(tx, asked, now=house.clock.now(), waits=house.waits, lease_owner=chunk.owner)
        pairs = [(c.id, news.cause_of(n)) for c in held for n in _news(answers[c.id])]
        known = await moves.known_causes(tx, moves.by_order(pairs))
        tally = Counter(_apply(house, chunk, case, answers[case.id], known) for case in held)
        if also is not None:
            await also(tx, held, answers)
        await moves.write(tx, held)
        puzzles = [unknown_code_alert(answer) for answer in answers.values() if isinstance(answer, UnknownCode)]
        await raise_alerts(tx, hold_alerts(held) + puzzles, house.clock.now())
    return tally


async def write_told(
    tx: AsyncConnection, cases: Sequence[Case], puzzles: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    """Store what news made of locked orders, and tell people what they have to know of it. `puzzles`: alerts more."""
    charged = [case for case in cases if case.payments]
    await moves.write(tx, cases)
    await mark_charges(tx, charged)
    alerts = hold_alerts(cases) + surplus_alerts(charged) + refund_alerts(cases) + closed_alerts(cases)
    await raise_alerts(tx, [*alerts, *return_alerts(cases), *edit_alerts(cases), *puzzles], now)


async def ask_all(questions: Mapping[K, Awaitable[Sequence[News]]]) -> dict[K, Answer]:
    """All questions side by side; an error is an answer too."""
    return dict(zip(questions, await asyncio.gather(*map(_ask, questions.values())), strict=True))


def nobody_answered(answers: Mapping[K, Answer]) -> bool:
    """The system is down: not one question was taken."""
    return bool(answers) and all(isinstance(answer, Unavailable) for answer in answers.values())


async def _ask(question: Awaitable[Sequence[News]]) -> Answer:
    try:
        answer = await question
    except OutsideError as error:
        return error
    return next(filter(None, map(_impossible, answer)), None) or answer


def _impossible(one: News) -> NotUnderstood | None:
    """A sum that the books cannot hold: said here, it is one order's trouble; in the database, the whole chunk's."""
    sums = [part.amount for part in (one.charge, one.refund) if part is not None]
    wrong = [money for money in sums if not 0 < money.amount <= MOST_MONEY]
    return NotUnderstood(one.system, f"{wrong[0]} cannot be", order_no=one.order_no) if wrong else None


def knows_nothing(answer: Answer) -> bool:
    """The system answered, and has never heard of it."""
    return not isinstance(answer, OutsideError) and not answer


def _news(answer: Answer) -> Sequence[News]:
    return () if isinstance(answer, OutsideError) else answer


def _apply(house: House, chunk: Chunk, case: Case, answer: Answer, known: set[tuple[int, str]]) -> str:
    """Let one answer act. Whatever it says, the order is asked about again only after the usual quiet time."""
    if isinstance(answer, UnknownCode):
        case.reschedule()
        return "unknown code"
    if isinstance(answer, OutsideError):
        return later(house, case, answer, chunk.step)
    moved = [act(case, one) for one in answer if (case.id, news.cause_of(one)) not in known]
    case.reschedule()
    return "caught up" if any(moved) else "nothing new"


def act(case: Case, one: News) -> bool:
    """Let one thing that was said when asked act on its order; whether it did."""
    if news.says_the_same(case, one):
        return False  # some answers carry no time of their own: asking again is no news
    try:
        return news.apply(case, one)
    except TooEarly:
        return False  # asked again later; the news that should come first is asked of its own system
