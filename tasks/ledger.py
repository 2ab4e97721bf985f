"""The ledger of a day: every sum from two sides, what has to be seen to, and the statements of that day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.clock import SHANGHAI
from ballast.db import ledger, statements
from ballast.db.alerts import raise_alerts
from ballast.db.engine import run
from ballast.db.ledger import Movement, OrderMoney, Sums
from ballast.db.statements import Item, StatementHead, midnight
from ballast.domain.ledger import FINDING_LABELS, WEIGHTS, Finding, Weight
from ballast.domain.money import Money
from ballast.domain.report import Window
from ballast.domain.statements import OPEN, Verdict
from ballast.wiring import House, house
from tasks.policy import ALONE

MOST: Final = 200_000
"""Charges, refunds, lines of statements that one day's book holds."""

RINGS: Final = frozenset({Finding.MISSING_CAPTURE, Finding.CLOSED_WITH_MONEY, Finding.CURRENCY})
"""Findings that nobody else rings for: second charges, refunds and mismatches have alerts from when they happen."""


class NoDay(ValueError):
    """This is no day: say it as 2026-01-31, or leave it out for yesterday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLedger:
    """A day in China. `sums` are made by the database, `orders` one by one: they have to agree to the cent.

    `seen`: every order with a finding, of the day or still open. `items`: open lines of the day's statements.
    """

    day: date
    made_at: datetime
    sums: Sequence[Sums]
    orders: Sequence[OrderMoney]
    seen: Sequence[OrderMoney]
    charges: Sequence[Movement]
    refunds: Sequence[Movement]
    statements: Sequence[StatementHead]
    items: Sequence[Item]

    @property
    def adds_up(self) -> bool:
        by_order, by_sums = _parts(self.orders), _parts(self.sums)
        return by_order == by_sums and all(one.account.adds_up for one in (*self.orders, *self.seen))

    @property
    def open_items(self) -> list[Item]:
        return [item for item in self.items if item.verdict in (*OPEN, Verdict.MISSING)]

    def to_act_on(self) -> list[OrderMoney]:
        """Orders of which money is wrong until somebody does something."""
        return [one for one in self.seen if any(WEIGHTS[found] is Weight.ACT for found in one.findings)]


def _parts(found: Sequence[OrderMoney] | Sequence[Sums]) -> dict[str, tuple[int, int, int]]:
    totals: dict[str, tuple[int, int, int]] = {}
    for one in found:
        if isinstance(one, Sums):
            currency, parts = one.currency, (one.due, one.captured, one.refunded)
        else:
            currency, parts = one.facts.currency, (one.moved_due, one.moved_captured, one.moved_refunded)
        before = totals.get(currency, (0, 0, 0))
        totals[currency] = (before[0] + parts[0], before[1] + parts[1], before[2] + parts[2])
    return {currency: parts for currency, parts in totals.items() if any(parts)}


def read_day(said: str, now: datetime) -> date:
    """A day as people type it; empty: yesterday in China. Raises `NoDay`."""
    if not said.strip():
        return now.astimezone(SHANGHAI).date() - timedelta(days=1)
    try:
        return date.fromisoformat(said.strip().replace("/", "-"))
    except ValueError:
        raise NoDay(f"{said!r} is no day: say it as 2026-01-31, or leave it out for yesterday") from None


def window_of_day(day: date) -> Window:
    """[its midnight, the next one) in China."""
    return Window(midnight(day), midnight(day + timedelta(days=1)))


async def read_ledger(here: House, day: date) -> DayLedger:
    """Everything of a day as it stands at one moment; open lines of statements are matched once more before."""
    async with here.transaction() as tx:
        await statements.match_all_open(tx)
    async with here.transaction() as tx:
        await run(
            tx, "set transaction isolation level repeatable read, read only"
        )  # what comes meanwhile is not half in
        return await _read(tx, day, here.clock.now())


async def _read(tx: AsyncConnection, day: date, now: datetime) -> DayLedger:
    window = window_of_day(day)
    orders = [one async for page in ledger.moved(tx, window, now) for one in page]
    open_ones = [one async for page in ledger.standing(tx, window, now) for one in page if one.findings]
    seen = {(one.facts.order_no, one.facts.currency): one for one in (*orders, *open_ones) if one.findings}
    heads = await statements.statements(tx, since=day, until=day)
    return DayLedger(
        day=day, made_at=now, sums=await ledger.sums(tx, window), orders=orders,
        seen=sorted(seen.values(), key=lambda one: (_gravest(one), one.facts.order_no)),
        charges=await ledger.charges(tx, window, most=MOST), refunds=await ledger.refunds(tx, window, most=MOST),
        statements=heads, items=await statements.items(tx, heads, only_open=False, most=MOST),
    )  # fmt: skip


def _gravest(one: OrderMoney) -> int:
    return min([*Weight].index(WEIGHTS[found]) for found in one.findings)


@task(name="collect ledger", tags=["report"], **ALONE)
async def collect_ledger(day: date) -> DayLedger:
    """The day's ledger; what nobody heard of yet rings."""
    here = await house()
    found = await read_ledger(here, day)
    async with here.transaction() as tx:
        await raise_alerts(tx, finding_alerts(found.seen), here.clock.now())
    return found


def finding_alerts(seen: Sequence[OrderMoney]) -> list[dict[str, Any]]:
    """One alert for each order and kind of finding, however many days see it."""
    return [
        {
            "key": f"money:{found}:{one.facts.order_no}",
            "level": "urgent",
            "order_id": one.order_id,
            "title": f"{one.facts.order_no}: {FINDING_LABELS[found].en}",
            "text": f"due {Money(one.account.due, one.facts.currency)}, captured "
            f"{Money(one.account.captured, one.facts.currency)}: {FINDING_LABELS[found].advice_en}",
        }
        for one in seen
        for found in one.findings
        if found in RINGS and one.order_id is not None
    ]


def day_file(here: House, day: date) -> Path:
    """Where a day's workbook stands."""
    return here.settings.reports.folder / f"money-{day.isoformat()}.xlsx"
