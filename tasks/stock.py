"""The stock ledger against locks, orders and ERP: compare, mend, tell; and let short orders go on."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from prefect import task

from adapters.errors import OutsideError
from ballast.clock import to_local
from ballast.db import cases, moves, restock, stock
from ballast.db import stock_check as books
from ballast.db.alerts import raise_alerts
from ballast.db.archive import UNKNOWN, say_where
from ballast.db.promised_anew import promise_anew
from ballast.db.reservations import sweep
from ballast.db.stock_check import Correction
from ballast.domain.stock_check import MENDED, RULE_LABELS, Finding
from ballast.domain.words import Event
from ballast.door import terms
from ballast.ports import StockFigure
from ballast.settings import SettingsError
from ballast.wiring import House, house
from tasks.policy import ALONE

WOKEN_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class StockReport:
    """What was compared, what did not fit, and what was mended (then `findings` is what is left).

    With `dry_run`, `corrections` is what would be mended.
    """

    findings: Sequence[Finding]
    not_compared: str = ""  # why the ERP's figures were left out; empty when they were compared
    corrections: Sequence[Correction] = ()
    dry_run: bool = False

    @property
    def compared(self) -> str:
        """One sentence for people."""
        if self.not_compared:
            return f"ledger, locks and orders were compared; the ERP's figures were not: {self.not_compared}"
        return "ledger, locks, orders and the ERP's figures were compared"

    def as_dict(self) -> dict[str, Any]:
        """Everything, JSON-able."""
        return {"compared": self.compared, **asdict(self)}


async def compare(here: House) -> StockReport:
    """Look for damage, change nothing. Without an answer of the ERP everything else is compared all the same."""
    asked_at = here.clock.now()
    figures, why = await _figures(here)
    return StockReport(await _look(here, figures, asked_at), why)


async def mend(here: House) -> StockReport:
    """Mend what is ours to mend, each under its locks and only where it is still true; then look again.

    What was mended is written down in `stock_correction`. A second run finds nothing to do.
    """
    asked_at, made = here.clock.now(), list[Correction]()
    figures, why = await _figures(here)
    found = await _look(here, figures, asked_at)
    async with here.transaction() as tx:
        made += await books.mend_locks(tx, found, here.clock.now())
    found = await _look(here, figures, asked_at)  # a lock that has just ended as shipped may have its bill already
    async with here.transaction() as tx:
        made += await books.note_bills(tx, found, here.clock.now())
    found = await _look(here, figures, asked_at)
    async with here.transaction() as tx:
        made += await books.mend_figures(tx, found, figures or (), asked_at=asked_at)
    return StockReport(await _look(here, figures, asked_at), why, made)


async def would_mend(here: House) -> StockReport:
    """What `mend` would change now, and what it would leave. Changes nothing."""
    found = await compare(here)
    ours = [
        Correction(one.rule, one.sku, one.warehouse, one.found, one.expected, one.order_id)
        for one in found.findings
        if one.rule in MENDED
    ]
    left = [one for one in found.findings if one.rule not in MENDED]
    return StockReport(left, found.not_compared, ours, dry_run=True)


async def _look(here: House, figures: Sequence[StockFigure] | None, asked_at: datetime) -> list[Finding]:
    async with here.transaction() as tx:
        return await books.find_damage(tx, figures, asked_at=asked_at)


async def _figures(here: House) -> tuple[Sequence[StockFigure] | None, str]:
    """All of the ERP's figures. A list with rows that are refused is not compared: a place that is missing in it says
    nothing.
    """
    try:
        reading = await here.erp.stock()
        if reading.refused:
            return (
                None,
                f"{len(reading.refused)} rows of the ERP's list are refused: see `ballast stock troubles`",
            )
        return reading.figures, ""
    except (OutsideError, SettingsError) as silent:
        return None, str(silent)


async def tell(here: House, report: StockReport) -> None:
    """Ring for what a person has to look at: once per order, else once a day; and for corrections, once per mend."""
    now = here.clock.now()
    alerts = [_alert(finding, now) for finding in report.findings if finding.rule not in MENDED]
    if report.corrections:
        alerts.append(_mended(report.corrections, now))
    async with here.transaction() as tx:
        await raise_alerts(tx, alerts, now)


def _alert(finding: Finding, now: datetime) -> dict[str, Any]:
    label, about = RULE_LABELS[finding.rule], finding.order_no or to_local(now)[:10]
    return {
        "key": f"stock:{finding.rule}:{finding.sku}:{finding.warehouse}:{about}",
        "level": "warning",
        "order_id": finding.order_id,
        "title": f"{finding.order_no or 'stock'}: {label.en}",
        "text": f"{finding.sku} in {finding.warehouse}: {finding.found}, should be {finding.expected}; "
        f"{label.advice_en}",
    }


def _mended(corrections: Sequence[Correction], now: datetime) -> dict[str, Any]:
    first = corrections[0]
    return {
        "key": f"stock-mended:{now.isoformat()}",
        "level": "info",
        "title": f"{len(corrections)} figure(s) of the stock ledger were mended",
        "text": f"first: {first.rule}, {first.sku} in {first.warehouse}, {first.was} to {first.became}; "
        "all of them: the artifact of the run `check-stock`, table stock_correction",
    }


async def note_booked(here: House, order_nos: Iterable[str], by: str) -> dict[str, str]:
    """A person booked what left in the ERP: its figures know of it from now on. What came of each, by number."""
    now, said = here.clock.now(), dict.fromkeys(order_nos, UNKNOWN)
    async with here.transaction() as tx:
        loaded = await cases.load(tx, now=now, waits=here.waits, order_nos=list(said))
        for number in said.keys() - {case.order_no for case in loaded}:
            said[number] = await say_where(tx, number)
        for case in loaded:
            told = await stock.booked(tx, [case.id], now)
            said[case.order_no] = f"{told} SKU(s) noted as booked" if told else "nothing of it waits for the ERP"
            if told:
                text = "what left was booked in the ERP by hand"
                case.take(Event.NOTED, cause=f"booked:v{case.version}", actor=f"person:{by}", text=text)
        await moves.write(tx, loaded)
    return said


@task(name="compare stock", tags=["erp"], **ALONE)
async def compare_stock(mending: bool) -> StockReport:
    """Compare, mend when asked to, and ring for what is a person's."""
    here = await house()
    report = await (mend if mending else compare)(here)
    await tell(here, report)
    return report


@task(name="wake short orders", tags=["orders"], **ALONE)
async def wake_short_orders() -> int:
    """Let every order go on that was short of stock and fits now, the paid ones first; how many."""
    here, woken = await house(), 0
    async with here.transaction() as tx:
        await here.rules.current(tx, here.clock.now())
    for wake in (restock.wake_backordered, restock.wake_short):  # what left in part before what did not begin
        while True:
            async with here.moving("restock") as tx:
                some = await wake(tx, now=here.clock.now(), waits=here.waits, most=WOKEN_AT_ONCE)
            if not some:
                break
            woken += len(some)
    return woken + await _promise_anew(here)


async def _promise_anew(here: House) -> int:
    """The same for orders that nobody has paid yet; then what has expired is swept out of the reservations."""
    woken, lasts = 0, here.settings.door.lasts
    while True:
        async with here.moving("restock") as tx:
            some = await promise_anew(
                tx, await terms(here, tx), lasts, now=here.clock.now(), waits=here.waits, most=WOKEN_AT_ONCE
            )
        if not some:
            break
        woken += len(some)
    async with here.transaction() as tx:
        await sweep(tx, here.clock.now())
    return woken
