"""Pulls into the ledger: whole or not at all, bad rows by themselves; what is wrong rings once per time it begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr

from adapters.errors import OutsideError, Refused, Unavailable
from ballast.db import stock_troubles
from ballast.db.promises import read_promises
from ballast.db.stock_troubles import Noted
from ballast.domain.stock import FigureFault, Place, Want
from ballast.domain.words import System
from ballast.ports import CountedFigure, RefusedFigure, StockCount, StockFigure, StockReading
from ballast.settings import QimenSettings, Settings
from ballast.wiring import House
from tasks.stock_view import Counted, Pulled, count, pull
from tests.db.stage import column, fill_shelf, make_order, place, table
from tests.db.test_promises import limit, reserve
from tests.db.test_stock import lock
from tests.times import SettableClock

A, B = ("A", "CK001"), ("B", "CK001")


@dataclass
class Listed:
    """An ERP whose list a test writes. `says_changes`: what it answers when it is asked what changed."""

    system = System.KINGDEE
    figures: dict[Place, int] = field(default_factory=dict)
    refused: tuple[Place, ...] = ()
    says_changes: StockReading | OutsideError | None = None
    broken: OutsideError | None = None
    asked: list[str] = field(default_factory=list)

    async def stock(self) -> StockReading:
        self.asked.append("all")
        if self.broken:
            raise self.broken
        return reading(self.figures, self.refused)

    async def stock_changed(self, _since: datetime) -> StockReading | None:
        self.asked.append("changes")
        if isinstance(self.says_changes, OutsideError):
            raise self.says_changes
        return self.says_changes

    async def close(self) -> None: ...


def reading(
    figures: Mapping[Place, int], refused: Sequence[Place] = (), about: frozenset[Place] | None = None
) -> StockReading:
    return StockReading(
        figures=[
            StockFigure(sku=sku, warehouse=warehouse, on_hand=n, available=n, locked=0)
            for (sku, warehouse), n in figures.items()
            if (sku, warehouse) not in refused
        ],
        refused=tuple(
            RefusedFigure(sku=sku, warehouse=warehouse, fault=FigureFault.NEGATIVE, said="FBaseQty -1")
            for sku, warehouse in refused
        ),
        about=about,
    )


@pytest.fixture
def erp(a_house: House) -> Listed:
    listed = Listed({A: 10, B: 5})
    a_house.roles["erp"] = listed
    return listed


async def on_hand(house: House) -> dict[Place, int]:
    found = await table(house, "select sku, warehouse, on_hand from stock_level order by 1, 2")
    return {(row["sku"], row["warehouse"]): row["on_hand"] for row in found}


async def lines(house: House) -> Noted:
    async with house.transaction() as tx:
        return await stock_troubles.note_lines(tx, house.clock.now())


async def rung(house: House) -> list[str]:
    """The titles of what rang, in order; over: those that ended."""
    return await column(
        house, "select title || case when ended_at is null then '' else ' (over)' end from alert order by id"
    )


# -- pulls -----------------------------------------------------------------------------------------------------------


async def test_a_sweep_takes_what_differs_and_what_is_not_listed_has_no_pieces(a_house: House, erp: Listed) -> None:
    assert await pull(a_house) == Pulled("all", 2, 2)
    assert await column(a_house, "select code from warehouse") == ["CK001"]
    erp.figures = {A: 7, ("C", "CK002"): 1}
    assert (await pull(a_house, sweep=True)).changed == 3
    assert await on_hand(a_house) == {A: 7, B: 0, ("C", "CK002"): 1}
    assert (await pull(a_house, sweep=True)).changed == 0
    assert await column(a_house, "select whole from stock_pull") == [True] * 3


async def test_between_two_sweeps_only_what_changed_is_read(a_house: House, erp: Listed, clock: SettableClock) -> None:
    """A place that changed and is not listed any more has no pieces; a place that did not change keeps its own."""
    await pull(a_house)
    gone = ("C", "CK001")
    erp.says_changes = reading({A: 3}, about=frozenset({A, gone}))
    clock.pass_by(seconds=30)
    assert await pull(a_house) == Pulled("changes", 1, 1)
    assert await on_hand(a_house) == {A: 3, B: 5, gone: 0}
    clock.pass_by(hours=1)
    await pull(a_house)
    erp.says_changes = Refused(System.KINGDEE, "no such field")
    clock.pass_by(seconds=30)
    assert (await pull(a_house)).kind == "all"
    assert erp.asked == ["all", "changes", "all", "changes", "all"]


async def test_of_a_pull_that_breaks_off_nothing_is_taken(a_house: House, erp: Listed, clock: SettableClock) -> None:
    await pull(a_house)
    before, erp.figures = await on_hand(a_house), {A: 1}
    erp.broken = Unavailable(System.KINGDEE, "page 2 is missing")
    clock.pass_by(minutes=1)
    assert "page 2" in (await pull(a_house, sweep=True)).failed
    assert await on_hand(a_house) == before and await rung(a_house) == []
    clock.pass_by(minutes=20)
    await pull(a_house, sweep=True)
    await pull(a_house, sweep=True)
    assert await rung(a_house) == ["the stock figures are not renewed 库存数未更新"]
    erp.broken = None
    await pull(a_house, sweep=True)
    assert await rung(a_house) == ["the stock figures are not renewed 库存数未更新 (over)"]
    assert await column(a_house, "select whole from stock_pull order by id") == [True, False, False, False, True]


async def test_a_list_that_lost_most_of_its_goods_is_not_taken(a_house: House, erp: Listed) -> None:
    await pull(a_house)
    erp.figures = {}
    assert "2 of 2 places" in (await pull(a_house, sweep=True)).failed
    assert await on_hand(a_house) == {A: 10, B: 5}
    await pull(a_house, sweep=True)
    assert len(await rung(a_house)) == 1
    assert (await pull(a_house, accept_less=True)).changed == 2
    assert await on_hand(a_house) == {A: 0, B: 0}
    assert (await rung(a_house))[0].endswith("(over)")


async def test_a_refused_row_keeps_its_figure_which_grows_older(
    a_house: House, erp: Listed, clock: SettableClock
) -> None:
    await pull(a_house)
    erp.refused = (A, ("", "CK001"))
    erp.figures[B] = 6
    clock.pass_by(minutes=10)
    assert (await pull(a_house, sweep=True)).refused == 2
    assert await on_hand(a_house) == {A: 10, B: 6}
    clock.pass_by(minutes=10)
    await pull(a_house, sweep=True)
    async with a_house.transaction() as tx:
        a, b = await read_promises(tx, ["A", "B"], now=clock.pass_by(minutes=10))
    assert (clock.now() - a.figure_at, a.stale) == (timedelta(minutes=20), True)
    assert (clock.now() - b.figure_at, b.stale) == (timedelta(minutes=10), False)
    assert len(await rung(a_house)) == 2  # one each, however often it is refused
    erp.refused = ()
    await pull(a_house, sweep=True)
    assert all(title.endswith("(over)") for title in await rung(a_house))


# -- safety lines ----------------------------------------------------------------------------------------------------


async def test_a_line_rings_once_per_crossing(a_house: House, clock: SettableClock) -> None:
    """A lock moves what can be promised as a pull does; a reservation that expires moves it back."""
    await fill_shelf(a_house, {"SKU-1": 10})
    await limit(a_house, "SKU-1", "CK001", safety_line=9)
    assert await lines(a_house) == Noted(0, 0, 0)
    (order,) = (await place(a_house, make_order("SO1"))).values()
    await lock(a_house, Want(order, {"SKU-1": 1}))
    await reserve(a_house, "SO2", 1, timedelta(minutes=5))
    clock.pass_by(minutes=1)
    assert await lines(a_house) == Noted(1, 0, 1)
    assert await lines(a_house) == Noted(0, 0, 0)
    clock.pass_by(minutes=5)
    assert await lines(a_house) == Noted(0, 1, 0)
    await reserve(a_house, "SO3", 1, timedelta(minutes=9))
    await lines(a_house)
    title = "SKU-1 in CK001: below its safety line 低于安全库存线"
    assert await rung(a_house) == [f"{title} (over)", title]


async def test_many_at_once_are_one_alert_which_ends_with_the_last(a_house: House, clock: SettableClock) -> None:
    skus = [f"S{number:02}" for number in range(25)]
    await fill_shelf(a_house, dict.fromkeys(skus, 1))
    await limit(a_house, "", "", safety_line=5)
    await lines(a_house)
    title = "25 places at once: below its safety line 低于安全库存线"
    assert await rung(a_house) == [title]
    clock.pass_by(minutes=1)
    await fill_shelf(a_house, dict.fromkeys(skus[1:], 9))
    await lines(a_house)
    assert await rung(a_house) == [title]
    await fill_shelf(a_house, {skus[0]: 9})
    await lines(a_house)
    assert await rung(a_house) == [f"{title} (over)"]


# -- the second opinion ----------------------------------------------------------------------------------------------


@dataclass
class Shelves:
    """A warehouse that counts what a test says; of a place in `wrong` it says nonsense."""

    system = System.QIMEN
    pieces: dict[Place, int]
    wrong: tuple[Place, ...] = ()
    asked: list[list[Place]] = field(default_factory=list)

    async def stock(self, places: Sequence[Place]) -> StockCount:
        self.asked.append(list(places))
        counted = [
            CountedFigure(sku=sku, warehouse=warehouse, free=self.pieces.get((sku, warehouse), 0), frozen=0)
            for sku, warehouse in places
            if (sku, warehouse) not in self.wrong
        ]
        return StockCount(counted=counted, refused=reading({}, [one for one in self.wrong if one in places]).refused)

    async def close(self) -> None: ...


@pytest.fixture
async def shelves(a_house: House) -> Shelves:
    qimen = QimenSettings(url="http://wms.example.com", app_key="k", secret=SecretStr("s"), customer_id="c")
    a_house.settings = Settings(qimen=qimen, _env_file=None)
    found = Shelves({A: 10, B: 4})
    a_house.roles["wms"] = found
    await fill_shelf(a_house, {"A": 10, "B": 5}, "CK001")
    await fill_shelf(a_house, {"A": 3}, "not theirs")
    return found


async def test_a_difference_is_told_when_two_counts_show_it(
    a_house: House, shelves: Shelves, clock: SettableClock
) -> None:
    assert await count(a_house) == Counted(2, new=1)
    assert await count(a_house) == Counted()  # nothing is due
    clock.pass_by(minutes=10)
    assert await count(a_house) == Counted(2, drifts=1)
    assert shelves.asked == [[A, B]] * 2
    clock.pass_by(minutes=10)
    await count(a_house)
    title = "B in CK001: ERP and warehouse count differently ERP 与仓库数量不一致"
    assert await rung(a_house) == [title]
    shelves.pieces[B] = 5
    clock.pass_by(minutes=10)
    await count(a_house)
    assert await rung(a_house) == [f"{title} (over)"]


async def test_the_warehouse_is_asked_in_turns(a_house: House, shelves: Shelves, clock: SettableClock) -> None:
    few = a_house.settings.stock.model_copy(update={"counts_at_once": 1})
    a_house.settings = a_house.settings.model_copy(update={"stock": few})
    shelves.wrong, shelves.pieces[B] = (A,), 5
    for _ in range(3):
        clock.pass_by(minutes=10)
        await count(a_house)
    assert {one for some in shelves.asked for one in some} == {A, B}
    assert await column(a_house, "select sku from warehouse_level") == ["B"]
    assert await rung(a_house) == ["A in CK001: a stock row of the warehouse is refused 仓库库存行被拒收"]
