"""How people answer alerts, by whichever door: what they named, what came of each, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.clock import to_local
from ballast.db.answers import AlertSeen, answer_alerts, find_alerts
from ballast.db.holds import numbers_in

UNKNOWN: Final = "unknown alert"
LONGEST_NAME: Final = 60
LONGEST_NOTE: Final = 500
_LARGEST: Final = 2**63 - 1


class Unanswerable(ValueError):
    """The answer lacks a name, or names nothing: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one alert, or of a number that names none. `named`: as it was asked for."""

    named: str
    said: str
    alert: AlertSeen | None = None


def number_of(text: str) -> int | None:
    """`#12` or `12`: an alert's number; None when it cannot be one."""
    digits = text.removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19) or int(digits) > _LARGEST:
        return None
    return int(digits)


def clean(text: str, most: int) -> str:
    """What a person typed, on one line and without anything that cannot be printed. Raises `Unanswerable`: too long."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    if len(plain) > most:
        raise Unanswerable(f"at most {most} characters, please; nothing was changed")
    return plain


async def answer(
    tx: AsyncConnection,
    numbers: Sequence[str],
    order_nos: Sequence[str] = (),
    *,
    by: str,
    resolve: bool,
    now: datetime,
    note: str = "",
    dry_run: bool = False,
) -> list[Answered]:
    """Acknowledge or resolve these alerts and the open ones of these orders; what came of each, in their order.

    Entries may be pasted lists. Numbers that name nothing say so, and what is answered or over already is not changed.
    Raises `Unanswerable`.
    """
    name, words = clean(by, LONGEST_NAME), clean(note, LONGEST_NOTE)
    named, orders = numbers_in(numbers), [clean(no, 200) for no in numbers_in(order_nos)]
    if not name:
        raise Unanswerable("say who answers; nothing was changed")
    if not named and not orders:
        raise Unanswerable("say which alerts, by their numbers or their orders'; nothing was changed")
    ids = [number for text in named if (number := number_of(text)) is not None]
    found = await find_alerts(tx, ids=ids, order_nos=orders)
    changed = {} if dry_run else await _changed(tx, found, name, now, resolve, words)
    standing = {one.id: one for one in await find_alerts(tx, ids=[one.id for one in found])} if changed else {}
    before = {one.id: one for one in found}

    def say(alert_id: int, text: str) -> Answered:
        seen = changed.get(alert_id) or standing.get(alert_id) or before.get(alert_id)
        if seen is None:
            return Answered(text, UNKNOWN)
        return Answered(f"#{seen.id}", _said(seen, seen.id in changed, resolve, dry_run), seen)

    answers = [say(number_of(text) or -1, text) for text in named]
    for order_no in orders:
        of_it = [one for one in found if one.order_no == order_no and one.id not in ids]
        answers += [say(one.id, f"#{one.id}") for one in of_it]
        if not any(one.order_no == order_no for one in found):
            answers.append(Answered(order_no, "no open alert of this order"))
    return list({one.named: one for one in answers}.values())


async def _changed(
    tx: AsyncConnection, found: Sequence[AlertSeen], by: str, now: datetime, resolve: bool, note: str
) -> dict[int, AlertSeen]:
    ids = [one.id for one in found]
    return {one.id: one for one in await answer_alerts(tx, ids, by=by, now=now, resolve=resolve, note=note)}


def _said(seen: AlertSeen, changed: bool, resolve: bool, dry_run: bool) -> str:
    """What came of it; the words before the first colon or semicolon go into the run's name."""
    done = "resolved" if resolve else "acknowledged"
    if changed:
        return done
    if seen.resolved_by:
        return f"resolved already: by {seen.resolved_by}, {to_local(seen.resolved_at or seen.raised_at)}"
    if seen.ended_at:
        return f"over already: its cause ended {to_local(seen.ended_at)}"
    if seen.acknowledged_by and not resolve:
        return f"acknowledged already: by {seen.acknowledged_by}, {to_local(seen.acknowledged_at or seen.raised_at)}"
    return f"would be {done}" if dry_run else "not changed"
