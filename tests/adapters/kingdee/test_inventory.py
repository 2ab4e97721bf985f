"""Stock figures: every page or none, lots added up, a bad row refused and no other, nothing rounded."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.erp.kingdee import inventory
from adapters.erp.kingdee.client import Kingdee
from adapters.erp.kingdee.inventory import COLUMNS, Row, Sums, read_pages
from adapters.errors import NotUnderstood, Unavailable
from ballast.domain.stock import FigureFault
from ballast.ports import StockFigure
from tests.adapters.wire import BUSINESS, StoppedClock, connect, sample
from tests.contracts.outside import settings_for

CHANGED = "FUpdateTime"


def row(*cells: Any) -> dict[str, Any]:
    return dict(zip(COLUMNS, ("id", *cells), strict=True))


def client(**changes: str) -> Kingdee:
    return Kingdee(settings_for("http://k3.example.com").kingdee.model_copy(update=changes), StoppedClock())


async def test_pages_are_asked_for_until_one_brings_nothing_new(monkeypatch: pytest.MonkeyPatch) -> None:
    second, end = (
        b'[["f3","CK002","SKU-001",0,0,0],["f4","CK001","SKU-002",1,1,0]]',
        b'[["f4","CK001","SKU-002",1,1,0]]',
    )
    wire = connect(monkeypatch, sample("kingdee/stock_page.json"), second, end)
    kingdee = client()
    reading = await kingdee.stock()
    await kingdee.close()
    assert [wire.json(number)["data"]["StartRow"] for number in range(3)] == [0, 2, 3]
    assert {wire.json(number)["data"]["FilterString"] for number in range(3)} == {"FStockOrgId.FNumber='100'"}
    assert (reading.about, reading.refused) == (None, ())
    assert reading.figures == [
        StockFigure(sku="SKU-001", warehouse="CK001", on_hand=15, available=13, locked=2),
        StockFigure(sku="SKU-001", warehouse="CK002", on_hand=0, available=0, locked=0),
        StockFigure(sku="SKU-002", warehouse="CK001", on_hand=1, available=1, locked=0),
    ]


async def test_what_changed_is_asked_for_and_its_places_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lot changed; the place has two. Another warehouse of the same SKU is not asked about."""
    changed, lots = (
        b'[["f2","CK001","SKU-001"]]',
        [["f1", "CK001", "SKU-001", 10, 8, 2, ""], ["f2", "CK001", "SKU-001", 5, 5, 0, ""]],
    )
    wire = connect(monkeypatch, changed, changed, orjson.dumps(lots), orjson.dumps(lots[1:]))
    kingdee = client(stock_changed_field=CHANGED)
    reading = await kingdee.stock_changed(BUSINESS)
    await kingdee.close()
    assert reading is not None and reading.about == {("SKU-001", "CK001")}
    assert [(f.sku, f.warehouse, f.on_hand) for f in reading.figures] == [("SKU-001", "CK001", 15)]
    filters = [wire.json(number)["data"]["FilterString"] for number in range(4)]
    assert filters[0] == "FStockOrgId.FNumber='100' and FUpdateTime>='2026-03-04 13:05:07'"  # a minute before
    assert filters[2] == "FStockOrgId.FNumber='100' and FStockId.FNumber='CK001' and FMaterialId.FNumber='SKU-001'"


async def test_an_erp_that_does_not_say_what_changed_is_not_asked() -> None:
    kingdee = client()
    assert await kingdee.stock_changed(BUSINESS) is None
    await kingdee.close()


class List:
    """A server's list, which gives at most `cap` rows a page."""

    def __init__(self, rows: int, cap: int = 100) -> None:
        self.rows: list[Row] = [{"FID": f"{number:05}"} for number in range(rows)]
        self.cap = cap

    async def ask(self, start: int, limit: int, /) -> Sequence[Row]:
        return self.rows[start : start + min(limit, self.cap)]


def ids(server: List) -> list[str]:
    found: list[str] = []
    asyncio.run(read_pages(server.ask, lambda rows: found.extend(one["FID"] for one in rows)))
    return found


@given(rows=st.integers(0, 60), page=st.integers(2, 9), cap=st.integers(2, 12))
def test_every_row_comes_once_whatever_the_server_caps(rows: int, page: int, cap: int) -> None:
    server = List(rows, cap)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inventory, "PAGE", page)
        assert ids(server) == [one["FID"] for one in server.rows]


@pytest.mark.parametrize("moved", ["a row is gone", "a row came", "StartRow is ignored", "a page is empty"])
def test_a_list_that_moves_while_it_is_read_is_not_taken(monkeypatch: pytest.MonkeyPatch, moved: str) -> None:
    monkeypatch.setattr(inventory, "PAGE", 5)
    server = List(20)
    ask = server.ask

    async def moving(start: int, limit: int, /) -> Sequence[Row]:
        if start > 10:
            return {
                "a row is gone": server.rows[1:], "a row came": [{"FID": "0"}, *server.rows], "a page is empty": [],
            }.get(moved, server.rows)[start : start + limit]  # fmt: skip
        return await ask(start if moved != "StartRow is ignored" else 0, limit)

    monkeypatch.setattr(server, "ask", moving)
    with pytest.raises(Unavailable, match="nothing of it is taken"):
        ids(server)


def test_a_list_that_only_grows_is_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed while it was asked for pushes the rest on: none of that is missed."""
    monkeypatch.setattr(inventory, "PAGE", 5)
    server, seen = List(23), list[str]()
    there = [one["FID"] for one in server.rows]

    async def growing(start: int, limit: int, /) -> Sequence[Row]:
        page = server.rows[start : start + limit]
        if len(server.rows) < 30:
            server.rows = sorted([*server.rows, {"FID": f"{start:05}-new"}], key=lambda one: str(one["FID"]))
        return page

    asyncio.run(read_pages(growing, lambda rows: seen.extend(one["FID"] for one in rows), grows=True))
    assert {*there} <= {*seen}


def test_a_list_without_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "MOST_PAGES", 3)
    monkeypatch.setattr(inventory, "PAGE", 2)
    with pytest.raises(NotUnderstood, match="does not end"):
        ids(List(60))


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [(1.5, "fraction"), (-1, "negative"), ("many", "no_number"), (None, "no_number"), (float("nan"), "no_number"),
     (True, "no_number"), (10**13, "no_number")],
)  # fmt: skip
@pytest.mark.parametrize("column", [2, 4])
def test_a_figure_that_is_no_number_of_pieces_spoils_its_place_only(wrong: object, fault: str, column: int) -> None:
    cells: list[object] = ["CK001", "SKU-001", 1, 1, 0]
    cells[column] = wrong
    sums = Sums(BUSINESS)
    sums.add([row("CK001", "SKU-001", 1, 1, 0), row(*cells), row("CK002", "SKU-001", 3, 3, 0)])
    reading = sums.reading(None)
    assert [(one.warehouse, one.on_hand) for one in reading.figures] == [("CK002", 3)]
    [refused] = reading.refused
    assert (refused.sku, refused.warehouse, refused.fault) == ("SKU-001", "CK001", fault)


@pytest.mark.parametrize("wrong", [1.5, "many", None])
def test_so_does_one_that_says_nothing_of_what_is_available(wrong: object) -> None:
    sums = Sums(BUSINESS)
    sums.add([row("CK001", "SKU-001", 1, wrong, 0)])
    assert not sums.reading(None).figures


def test_where_more_is_reserved_than_there_is_nothing_is_available() -> None:
    """The ERP reserved beyond its stock: what is on hand counts, or an older and higher figure would be sold on."""
    sums = Sums(BUSINESS)
    sums.add([row("CK001", "SKU-001", 2, -3, 5)])
    [one] = sums.reading(None).figures
    assert (one.on_hand, one.available, one.locked) == (2, 0, 5)


@pytest.mark.parametrize("cells", [("", "SKU", 1, 1, 0), ("CK001", None, 1, 1, 0), ("CK001", "SKU\x00", 1, 1, 0)])
def test_a_row_without_a_usable_name_is_reported(cells: tuple[Any, ...]) -> None:
    sums = Sums(BUSINESS)
    sums.add([row(*cells)])
    assert [one.fault for one in sums.reading(None).refused] == [FigureFault.NAMELESS]


@pytest.mark.parametrize(("minutes", "refused"), [(4, 0), (6, 1)])
def test_a_row_from_a_clock_in_the_future_is_refused(minutes: int, refused: int) -> None:
    sums = Sums(BUSINESS, CHANGED)
    at = (BUSINESS + timedelta(minutes=minutes)).isoformat()
    sums.add([row("CK001", "SKU", 1, 1, 0) | {CHANGED: at}])
    assert [one.fault for one in sums.reading(None).refused] == [FigureFault.FUTURE] * refused


def test_big_figures_stay_exact() -> None:
    sums = Sums(BUSINESS)
    sums.add([row("CK001", "SKU", orjson.loads(b"123456789012.0"), "7.0000000000", 0)])
    [figure] = sums.reading(None).figures
    assert (figure.on_hand, figure.available) == (123456789012, 7)
