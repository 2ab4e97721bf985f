"""What a warehouse counts: batches added up, broken goods left out, a bad row refused and no other."""

import pytest

from adapters.wms.qimen.counting import read_count
from adapters.xml import parse
from ballast.domain.stock import FigureFault, Place
from ballast.domain.words import System
from ballast.ports import StockCount
from tests.contracts.outside import settings_for

SETTINGS = settings_for("http://wms.example.com").qimen
PLACES: list[Place] = [("A", "CK001"), ("B", "CK001")]


def item(sku: str, quantity: object, frozen: object = 0, *, kind: str = "ZP", warehouse: str = "WH01") -> str:
    return (
        f"<item><warehouseCode>{warehouse}</warehouseCode><itemCode>{sku}</itemCode><inventoryType>{kind}</inventoryType>"
        f"<quantity>{quantity}</quantity><lockQuantity>{frozen}</lockQuantity></item>"
    )


def read(*items: str) -> StockCount:
    body = f"<response><flag>success</flag><items>{''.join(items)}</items></response>"
    return read_count(parse(body.encode(), System.QIMEN)["response"], PLACES, SETTINGS)


def test_batches_are_added_up_and_broken_goods_left_out() -> None:
    said = read(item("A", 3, 1), item("A", "2.00"), item("A", 9, kind="CC"))
    assert [(one.sku, one.free, one.frozen) for one in said.counted] == [("A", 5, 1), ("B", 0, 0)]


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [(item("A", -1), FigureFault.NEGATIVE), (item("A", 1, "0.5"), FigureFault.FRACTION),
     (item("A", "many"), FigureFault.NO_NUMBER), (item("X", 1), FigureFault.UNKNOWN_SKU),
     (item("A", 1, warehouse="WH09"), FigureFault.UNKNOWN_SKU)],
)  # fmt: skip
def test_a_bad_row_is_refused_and_no_other(wrong: str, fault: FigureFault) -> None:
    said = read(wrong, item("B", 4))
    assert [one.fault for one in said.refused] == [fault]
    assert ("B", 4) in [(one.sku, one.free) for one in said.counted]
