"""`POST /returns` and `GET /returns/{number}`: who may ask, what is answered, what is refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ballast.domain.words import State
from ballast.rules.windows_in_force import WindowsInForce
from ballast.wiring import House
from tests.db.stage import bring, make_order
from tests.web.stage import Stage, make_house, open_stage

KEY = "key-of-the-shop"


@pytest.fixture
async def shop(a_house: House, database_url: str) -> AsyncIterator[Stage]:
    await bring(a_house, State.SIGNED, order=make_order())
    house = make_house(database_url, returns_key=SecretStr(KEY))
    async with a_house.transaction() as tx:  # signed for a moment ago, by this house's clock
        await tx.exec_driver_sql("update sales_order set signed_at = now()")
    async with open_stage(house) as opened:
        yield opened
    await house.close()


async def ask(shop: Stage, status: int, *, key: str = KEY, **more: Any) -> dict[str, Any]:
    question = {"order_no": "SO-1", "customer_no": "C-SO-1", "lines": [{"line_no": 1, "quantity": 1}], **more}
    answer = await shop.http.post("/returns", json=question, headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_a_return_is_asked_for_and_looked_up(shop: Stage) -> None:
    assert await ask(shop, 201) == {"return_no": "RT-SO-1-1", "order_no": "SO-1", "state": "requested"}
    found = await shop.http.get("/returns/RT-SO-1-1", headers={"authorization": f"Bearer {KEY}"})
    said = found.json()
    assert (found.status_code, said["state"], said["lines"][0]["quantity"]) == (200, "requested", 1)
    assert "order_id" not in said
    missing = await shop.http.get("/returns/RT-SO-1-2", headers={"authorization": f"Bearer {KEY}"})
    assert missing.status_code == 404


async def test_refusals_have_their_figures(shop: Stage) -> None:
    said = await ask(shop, 409, lines=[{"line_no": 1, "quantity": 3}])
    assert "ordered 2, delivered 2, in other returns 0" in said["error"]
    assert "not an order of customer C-9" in (await ask(shop, 409, customer_no="C-9"))["error"]
    assert "unknown order" in (await ask(shop, 409, order_no="SO-9"))["error"]
    assert "lines.0.quantity" in (await ask(shop, 400, lines=[{"line_no": 1, "quantity": 0}]))["error"]
    assert "no reason, known are" in (await ask(shop, 400, reason="because"))["error"]
    assert "customer_no" in (await ask(shop, 400, customer_no=None))["error"]


async def test_the_window_of_a_category_refuses_with_its_figures(shop: Stage, tmp_path: Path) -> None:
    file = tmp_path / "returns.yaml"
    file.write_text("categories: {ours: [SKU-*]}\nwindow: {ours: 0}\nrules: []")
    shop.house.return_windows = WindowsInForce(file)
    said = await ask(shop, 409, reason="no_reason")
    assert "SKU-1 (ours) comes back only by the seller's fault" in said["error"]
    assert (await ask(shop, 201, reason="quality"))["return_no"] == "RT-SO-1-1"


async def test_without_the_key_nobody_learns_anything(shop: Stage) -> None:
    assert "BALLAST_RETURNS_KEY" in (await ask(shop, 401, key="guessed"))["error"]
    assert (await shop.http.get("/returns/RT-SO-1-1")).status_code == 401


async def test_without_a_key_in_the_settings_there_is_no_such_door(a_house: House, database_url: str) -> None:
    house = make_house(database_url)
    async with open_stage(house) as opened:
        assert (await opened.http.post("/returns", json={})).status_code == 404
    await house.close()
