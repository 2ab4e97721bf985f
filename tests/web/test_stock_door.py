"""`GET /stock`: who may ask, what is answered, what is refused."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from ballast.db.stock_pulls import know_warehouses
from ballast.wiring import House
from tests.db.stage import fill_shelf, table
from tests.db.test_promises import limit, reserve
from tests.web.stage import Stage, make_house, open_stage

KEY = "stock-key-of-the-shop"


@pytest.fixture
async def shop(a_house: House, database_url: str) -> AsyncIterator[Stage]:
    house = make_house(database_url, stock_key=SecretStr(KEY))
    async with open_stage(house) as opened:
        yield opened
    await house.close()


async def ask(shop: Stage, status: int = 200, query: str = "", *, key: str = KEY) -> dict[str, Any]:
    answer = await shop.http.get(f"/stock{query}", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def fill(house: House) -> None:
    """SKU-1 in both warehouses, of two regions; SKU-2 and SKU-3 in one."""
    await fill_shelf(house, {"SKU-1": 10, "SKU-2": 4, "SKU-3": 0}, "CK001")
    await fill_shelf(house, {"SKU-1": 5}, "CK002")
    async with house.transaction() as tx:
        await know_warehouses(tx, ["CK001", "CK002"], house.clock.now())
    for code, region in (("CK001", "east"), ("CK002", "south")):
        await table(
            house, "update warehouse set region = :region where code = :code returning 1", code=code, region=region
        )


async def test_one_sku_by_warehouse_region_and_in_all(shop: Stage) -> None:
    await fill(shop.house)
    await limit(shop.house, "SKU-1", "CK001", safety_line=20, safety_reserve=1)
    await reserve(shop.house, "SO2", 3, timedelta(minutes=5))
    said = await ask(shop, query="?sku=SKU-1&sku=NOBODY&sku=SKU-1")
    assert said["unknown"] == ["NOBODY"]
    [one] = said["stock"]
    assert (one["sku"], one["on_hand"], one["reserved"], one["to_promise"], one["below_line"]) == (
        "SKU-1",
        15,
        3,
        11,
        True,
    )
    assert {region: sums["to_promise"] for region, sums in one["regions"].items()} == {"east": 6, "south": 5}
    east, south = one["warehouses"]
    assert (east["warehouse"], east["safety_line"], east["stale"], east["sells"]) == ("CK001", 20, False, True)
    assert (south["to_promise"], south["below_line"], south["safety_line"]) == (5, False, None)
    assert 0 <= one["figure_age_s"] < 3600


async def test_a_region_and_a_warehouse_narrow_it(shop: Stage) -> None:
    await fill(shop.house)
    assert [one["sku"] for one in (await ask(shop, query="?region=south"))["stock"]] == ["SKU-1"]
    [one] = (await ask(shop, query="?sku=SKU-1&warehouse=CK002"))["stock"]
    assert one["on_hand"] == 5
    assert (await ask(shop, query="?warehouse=CK001&region=south"))["stock"] == []
    await ask(shop, 404, "?region=nowhere")


async def test_all_of_it_comes_page_by_page(shop: Stage) -> None:
    await fill(shop.house)
    first = await ask(shop, query="?limit=2")
    assert ([one["sku"] for one in first["stock"]], first["next"]) == (["SKU-1", "SKU-2"], "SKU-2")
    rest = await ask(shop, query="?limit=2&after=SKU-2")
    assert ([one["sku"] for one in rest["stock"]], rest["next"]) == (["SKU-3"], None)


@pytest.mark.parametrize(
    "query",
    ["?skus=SKU-1", "?sku=", "?sku=%00", "?limit=0", "?limit=201", "?limit=x", "?sku=A&after=B", "?sku=" + "x" * 101,
     "?" + "&".join(f"sku={n}" for n in range(201))],
)  # fmt: skip
async def test_a_question_that_is_not_understood_is_not_guessed(shop: Stage, query: str) -> None:
    assert (await ask(shop, 400, query))["error"]


async def test_nobody_asks_without_the_key(shop: Stage) -> None:
    await ask(shop, 401, key="guess")
    assert (await shop.http.post("/stock")).status_code == 405


async def test_without_a_key_there_is_no_door(a_house: House, database_url: str) -> None:
    house = make_house(database_url)
    async with open_stage(house) as stage:
        assert (await stage.http.get("/stock")).status_code == 404
    await house.close()
