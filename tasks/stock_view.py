"""The stock view: the ERP's figures into the ledger, the warehouse's count beside them, and who has to know."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prefect import task

from adapters.errors import OutsideError, Refused
from ballast.db import stock, stock_pulls, stock_troubles
from ballast.db.promises import MOST_AGE
from ballast.db.stock_pulls import Difference, Pull
from ballast.db.stock_troubles import EVERYWHERE, Noted
from ballast.domain.stock import Place
from ballast.domain.stock_troubles import Trouble
from ballast.points import Point, reached
from ballast.ports import RefusedFigure, StockReading
from ballast.wiring import House, house
from tasks.policy import ALONE

AT_ONCE, MOST_AT_ONCE = 1000, 5000
"""Levels that one transaction writes: orders and reservations wait for its row locks, some tens of milliseconds. Of a
list that is mostly new, such as the first, the more: a hundred transactions at most, where that is enough."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull came to. `failed`: why nothing of it was taken."""

    kind: str = "all"
    rows: int = 0
    changed: int = 0
    refused: int = 0
    failed: str = ""
    new: int = 0  # troubles that began with it, or were over


@dataclass(frozen=True, slots=True)
class Counted:
    """What warehouses answered: places, refused ones, and differences that are told now."""

    places: int = 0
    refused: int = 0
    drifts: int = 0
    failed: str = ""
    new: int = 0


async def pull(here: House, *, sweep: bool = False, accept_less: bool = False) -> Pulled:
    """Take what changed in the ERP into the ledger; everything from time to time, and when it does not say what did.

    Everything is read before anything is written: of a list that breaks off nothing is taken.
    """
    asked_at = here.clock.now()
    async with here.transaction() as tx:
        last = await stock_pulls.last_pulls(tx, here.erp.system)
    due = last.swept_at is None or asked_at - last.swept_at >= here.settings.stock.sweep_every
    since = None if sweep or accept_less or due else last.whole_at
    kind = "all" if since is None else "changes"
    try:
        reading, note = await _ask(here, since)
    except OutsideError as silent:
        return await _not_taken(here, Pull(system=here.erp.system, kind=kind, asked_at=asked_at, note=str(silent)))
    reached("figures", Point.CALLED)
    kind = "all" if reading.about is None else "changes"
    one = Pull(system=here.erp.system, kind=kind, asked_at=asked_at, figures=len(reading.figures), note=note)
    difference = await _compare(here, reading, asked_at)
    if difference.shrunk and not accept_less:
        what = f"{difference.gone} of {difference.had} places that had pieces are missing: nothing of it is taken"
        return await _not_taken(here, replace(one, note=what), shrunk=True)
    return await _take(here, one, reading, difference)


async def _ask(here: House, since: datetime | None) -> tuple[StockReading, str]:
    """What changed since then; everything where the ERP does not say that, and why not."""
    note = ""
    if since is not None:
        try:
            if (changed := await here.erp.stock_changed(since)) is not None:
                return changed, ""
        except Refused as no:
            note = f"what changed cannot be asked for: {no}"
    return await here.erp.stock(), note


async def _compare(here: House, reading: StockReading, asked_at: datetime) -> Difference:
    if reading.about is not None and not reading.about:
        return Difference((), 0, 0)
    async with here.transaction() as tx:
        return await stock_pulls.find_difference(tx, reading, asked_at=asked_at)


async def _take(here: House, one: Pull, reading: StockReading, difference: Difference) -> Pulled:
    changed, figures = 0, difference.figures
    size = min(MOST_AT_ONCE, max(AT_ONCE, len(figures) // 100))
    for at in range(0, len(figures), size):
        async with here.moving("figures") as tx:
            changed += len(await stock.take_figures(tx, figures[at : at + size], asked_at=one.asked_at))
    done = replace(one, whole=True, changed=changed, refused=len(reading.refused))
    async with here.transaction() as tx:
        now = here.clock.now()
        await stock_pulls.know_warehouses(tx, {figure.warehouse for figure in figures}, now)
        noted = [
            await stock_troubles.note(tx, Trouble.REFUSED, _texts(reading.refused), now, among=reading.about),
            await stock_troubles.note(tx, Trouble.NO_PULL, {}, now),
        ]
        if reading.about is None:
            noted.append(await stock_troubles.note(tx, Trouble.SHRUNK, {}, now))
        await stock_pulls.write_pull(tx, done, now)
    return Pulled(one.kind, one.figures, changed, len(reading.refused), new=_new(noted))


async def _not_taken(here: House, one: Pull, *, shrunk: bool = False) -> Pulled:
    """The figures stay as they are and grow older; somebody hears of it when that takes long."""
    why = {EVERYWHERE: one.note}
    async with here.transaction() as tx:
        now, last = here.clock.now(), await stock_pulls.last_pulls(tx, one.system)
        noted = []
        if shrunk:
            noted.append(await stock_troubles.note(tx, Trouble.SHRUNK, why, now))
        if last.whole_at is None or now - last.whole_at > MOST_AGE:
            noted.append(await stock_troubles.note(tx, Trouble.NO_PULL, why, now))
        await stock_pulls.write_pull(tx, one, now)
    return Pulled(one.kind, one.figures, failed=one.note, new=_new(noted))


async def count(here: House) -> Counted:
    """Ask the warehouse about the places it was asked about longest ago, and compare."""
    qimen, asked_at = here.settings.qimen, here.clock.now()
    if qimen is None:
        return Counted()
    config = here.settings.stock
    async with here.transaction() as tx:
        places = await stock_pulls.places_to_count(
            tx, qimen.warehouses, before=asked_at - config.count_every, most=config.counts_at_once
        )
    if not places:
        return Counted()
    one = Pull(system=here.wms.system, kind="changes", asked_at=asked_at)
    try:
        said = await here.wms.stock(places)
    except OutsideError as silent:
        async with here.transaction() as tx:
            await stock_pulls.write_pull(tx, replace(one, note=str(silent)), here.clock.now())
        return Counted(failed=str(silent))
    one = replace(one, whole=True, figures=len(said.counted), refused=len(said.refused))
    async with here.transaction() as tx:
        now = here.clock.now()
        await stock_pulls.take_counts(tx, said.counted, asked_at=asked_at)
        drift = await stock_troubles.note_drift(tx, places, config.drift, now)
        refused = await stock_troubles.note(tx, Trouble.NOT_COUNTED, _texts(said.refused), now, among=places)
        await stock_pulls.write_pull(tx, one, now)
    return Counted(one.figures, one.refused, drift.told, new=_new([drift, refused]))


@task(name="read stock", tags=["erp"], **ALONE)
async def read_stock(sweep: bool = False, accept_less: bool = False) -> Pulled:
    """Take the ERP's figures into the ledger."""
    return await pull(await house(), sweep=sweep, accept_less=accept_less)


@task(name="count stock", tags=["wms"], **ALONE)
async def count_stock() -> Counted:
    """Hear the second opinion."""
    return await count(await house())


@task(name="watch safety lines", tags=["stock"], **ALONE)
async def watch_lines() -> Noted:
    """Ring for every SKU that fell below its safety line since the last time: once, until it has risen again."""
    here = await house()
    async with here.transaction() as tx:
        return await stock_troubles.note_lines(tx, here.clock.now())


def _texts(refused: Sequence[RefusedFigure]) -> dict[Place, str]:
    return {(one.sku, one.warehouse): f"{one.fault}: {one.said}" for one in refused}


def _new(noted: Sequence[Noted]) -> int:
    return sum(one.began + one.over for one in noted)
