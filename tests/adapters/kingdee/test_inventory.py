"""Stock figures: all pages, lots added up, nothing skipped and nothing rounded."""

from typing import Any

import orjson
import pytest

from adapters.erp.kingdee.client import Kingdee
from adapters.erp.kingdee.inventory import COLUMNS, add_up
from adapters.errors import NotUnderstood
from ballast.ports import StockFigure
from tests.adapters.wire import StoppedClock, connect, sample
from tests.contracts.outside import settings_for


def row(*cells: Any) -> dict[str, Any]:
    return dict(zip(COLUMNS, cells, strict=True))


async def test_pages_are_asked_for_until_one_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, sample("kingdee/stock_page.json"), b'[["CK001","SKU-002",1,1,0]]', b"[]")
    client = Kingdee(settings_for("http://k3.example.com").kingdee, StoppedClock())
    figures = await client.stock()
    await client.close()
    assert [wire.json(number)["data"]["StartRow"] for number in range(3)] == [0, 3, 4]
    assert {wire.json(number)["data"]["FilterString"] for number in range(3)} == {"FStockOrgId.FNumber='100'"}
    assert figures == [
        StockFigure(sku="SKU-001", warehouse="CK001", on_hand=15, available=13, locked=2),
        StockFigure(sku="SKU-001", warehouse="CK002", on_hand=0, available=0, locked=0),
        StockFigure(sku="SKU-002", warehouse="CK001", on_hand=1, available=1, locked=0),
    ]


@pytest.mark.parametrize("wrong", [1.5, -1, "many", None, float("nan"), True])
@pytest.mark.parametrize("column", [2, 3, 4])
def test_a_figure_that_is_no_number_of_pieces_names_its_row(wrong: object, column: int) -> None:
    cells: list[object] = ["CK001", "SKU-001", 1, 1, 0]
    cells[column] = wrong
    with pytest.raises(NotUnderstood, match=rf"stock row 1 \(SKU-001 in CK001\): {COLUMNS[column]}"):
        add_up([row("CK001", "SKU-001", 1, 1, 0), row(*cells)])


@pytest.mark.parametrize("cells", [("", "SKU", 1, 1, 0), ("CK001", None, 1, 1, 0)])
def test_a_row_without_a_name_is_not_skipped(cells: tuple[Any, ...]) -> None:
    with pytest.raises(NotUnderstood, match="stock row 0"):
        add_up([row(*cells)])


def test_big_figures_stay_exact() -> None:
    [figure] = add_up([row("CK001", "SKU", orjson.loads(b"123456789012.0"), "7.0000000000", 0)])
    assert (figure.on_hand, figure.available) == (123456789012, 7)
