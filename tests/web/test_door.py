"""The door: what a shop is told before and when it orders; what cannot be promised is not taken."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from ballast.clock import SHANGHAI
from ballast.db.incoming import put_incoming
from ballast.db.reservations import lock_levels
from ballast.domain.promising import Basket, Incoming, Piece
from ballast.door import look_together, reserve_together
from ballast.settings import DoorSettings
from ballast.wiring import House
from tests.adapters.wire import sample
from tests.db.stage import column, fill_shelf, make_order, place, statements, table
from tests.web.senders import direct_order
from tests.web.stage import Stage, make_house, open_stage
from web.quotes.desk import Desk

KEY = "key-of-the-shop"
LINE = {"sku": "SKU-1", "quantity": 2}


@pytest.fixture
async def shop(a_house: House, database_url: str) -> AsyncIterator[Stage]:
    house = make_house(database_url, quote_key=SecretStr(KEY))
    async with open_stage(house) as opened:
        yield opened
    await house.close()


def configure(shop: Stage, **door: Any) -> None:
    shop.house.settings = shop.house.settings.model_copy(update={"door": DoorSettings(**door)})


async def check(shop: Stage, status: int = 200, **question: Any) -> dict[str, Any]:
    answer = await shop.http.post("/orders/check", json=question, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def push(shop: Stage, number: str, *lines: tuple[str, int], event: str = "") -> httpx.Response:
    """An order as a shop sends it."""
    pushed = orjson.loads(sample("direct/order_placed.json"))
    pushed["event_id"] = event or f"E-{number}"
    order = pushed["order"]
    wanted = lines or (("SKU-1", 2),)
    order["order_no"] = number
    order["lines"] = [
        {"line_no": number_, "sku": sku, "name": sku, "quantity": pieces, "unit_price": 100, "amount": 100 * pieces}
        for number_, (sku, pieces) in enumerate(wanted, 1)
    ]
    order["total"], order["freight"], order["discount"] = 100 * sum(pieces for _, pieces in wanted), 0, 0
    return await direct_order(orjson.dumps(pushed)).post(shop.http)


async def kept(shop: Stage) -> dict[str, int]:
    found = await table(shop.house, "select order_no, quantity from stock_reservation order by order_no")
    return {row["order_no"]: row["quantity"] for row in found}


async def test_what_can_be_promised_is_said_line_by_line(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 3, "SKU-2": 1})
    await fill_shelf(shop.house, {"SKU-2": 4}, "CK002")
    said = await check(shop, lines=[LINE, {"sku": "SKU-2", "quantity": 5}, {"sku": "NEVER", "quantity": 1}])
    assert (said["ok"], said["reserved_until"]) == (False, None)
    one, two, three = said["lines"]
    assert (one["wanted"], one["can"], one["why"]) == (2, 2, None)
    assert two == {
        "line_no": 2, "sku": "SKU-2", "wanted": 5, "can": 1, "why": "short", "from": None,
        "in": [{"warehouse": "CK001", "quantity": 1}, {"warehouse": "CK002", "quantity": 4}],
    }  # fmt: skip
    assert (three["can"], three["why"], three["in"]) == (1, "unknown", [])
    assert (await check(shop, lines=[LINE]))["ok"] is True
    assert await kept(shop) == {}


async def test_a_short_line_says_from_which_day_there_is_enough(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 3})
    arrives = (datetime.now(SHANGHAI) + timedelta(days=3)).replace(hour=9)
    coming = [Incoming(sku="SKU-1", warehouse="CK001", quantity=5, expected_at=arrives, reference="ASN-1")]
    async with shop.house.transaction() as tx:
        await put_incoming(tx, coming, by="li", now=shop.house.clock.now())
    for asked, day in ((8, arrives.date().isoformat()), (9, None)):
        said = await check(shop, lines=[{"sku": "SKU-1", "quantity": asked}])
        assert (said["lines"][0]["can"], said["lines"][0]["from"]) == (3, day)
    answer = await push(shop, "SO1", ("SKU-1", 8))
    assert answer.json()["lines"][0]["from"] == arrives.date().isoformat()


async def test_reserved_pieces_are_nobody_elses_until_they_expire(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 3})
    for _ in range(2):  # a repeat is one reservation
        said = await check(shop, lines=[LINE], order_no="SO-1", reserve=True)
        assert said["ok"] and said["reserved_until"]
        assert said["reserved"] == [{"sku": "SKU-1", "warehouse": "CK001", "quantity": 2}]
    assert await kept(shop) == {"SO-1": 2}
    other = await check(shop, lines=[LINE], order_no="SO-2", reserve=True)
    assert (other["ok"], other["lines"][0]["can"], other["reserved"]) == (False, 1, [])
    more = await check(shop, lines=[LINE | {"quantity": 4}], order_no="SO-1", reserve=True)
    assert more["ok"] is False and await kept(shop) == {"SO-1": 2}, "what was kept before stays"
    await column(shop.house, "update stock_reservation set expires_at = now() returning 1")
    assert (await check(shop, lines=[LINE], order_no="SO-2", reserve=True))["ok"] is True


async def test_how_long_is_the_channels_setting_and_some_reserve_nothing(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 9})
    configure(shop, reserves=timedelta(minutes=5), reserves_of={"pos": timedelta(0)})
    await check(shop, lines=[LINE], order_no="SO-1", reserve=True)
    assert (await check(shop, lines=[LINE], order_no="SO-2", reserve=True, channel="pos"))["reserved_until"] is None
    assert await column(shop.house, "select expires_at - made_at from stock_reservation") == [timedelta(minutes=5)]


async def test_nothing_is_reserved_for_an_order_that_is_in_the_books(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 9})
    await place(shop.house, make_order("SO-1"))
    said = await check(shop, lines=[LINE], order_no="SO-1", reserve=True)
    assert (said["ok"], said["known"], said["reserved_until"]) == (True, True, None)
    assert await kept(shop) == {}


async def test_a_whole_order_may_be_asked_about_as_it_will_be_pushed(shop: Stage) -> None:
    order = orjson.loads(sample("direct/order_placed.json"))["order"]
    sku, pieces = order["lines"][0]["sku"], sum(line["quantity"] for line in order["lines"])
    await fill_shelf(shop.house, {line["sku"]: pieces for line in order["lines"]})
    said = await check(shop, **order, reserve=True)
    assert said["ok"] and said["order_no"] == order["order_no"] and said["lines"][0]["sku"] == sku


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ({"lines": []}, "lines"),
        ({"lines": [LINE | {"quantity": 0}]}, "quantity"),
        ({"lines": [LINE | {"price": 1}]}, "price"),
        ({"lines": [LINE], "reserve": True}, "order_no"),
        ({"lines": [LINE | {"line_no": 1}, LINE | {"line_no": 1}]}, "line_no"),
        ({"lines": [LINE] * 501}, "lines"),
        ({"order_no": "SO-1", "placed_at": "2026-01-05T09:00:00+08:00"}, "receiver"),
    ],
)
async def test_what_is_wrong_with_a_question_is_named(shop: Stage, question: dict[str, Any], what: str) -> None:
    assert what in (await check(shop, 400, **question))["error"]


async def test_an_order_that_cannot_be_promised_is_refused_with_what_could_be(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 3})
    assert (await push(shop, "SO1", ("SKU-1", 2))).status_code == 200
    answer = await push(shop, "SO2", ("SKU-1", 1), ("SKU-1", 1))
    assert answer.status_code == 409
    said = answer.json()
    assert said["ok"] is False and "line 2 wants 1 x SKU-1, 0 can be promised" in said["error"]
    assert [line["can"] for line in said["lines"]] == [1, 0], "two lines of one SKU are one want"
    assert [row.order_no for row in await shop.inbox()] == ["SO1"]
    assert await kept(shop) == {"SO1": 2}


async def test_what_was_stored_is_taken_again_whatever_the_stock_is_now(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 2})
    assert (await push(shop, "SO1")).status_code == 200
    await column(shop.house, "update stock_reservation set expires_at = now() returning 1")
    assert (await check(shop, lines=[LINE], order_no="SO2", reserve=True))["ok"] is True
    assert (await push(shop, "SO1")).status_code == 200, "the same message"
    assert (await push(shop, "SO1", event="E-other")).status_code == 200, "the same order"
    assert await kept(shop) == {"SO1": 2, "SO2": 2}


async def test_an_empty_ledger_refuses_nothing_unless_the_shop_says_so(shop: Stage) -> None:
    assert (await push(shop, "SO1")).status_code == 200
    configure(shop, unknown=False)
    answer = await push(shop, "SO2")
    assert (answer.status_code, answer.json()["lines"][0]["why"]) == (409, "unknown")


@pytest.mark.parametrize("intake", ["hold", "let_in"])
async def test_a_shop_that_wants_no_refusal_hears_none(shop: Stage, intake: str) -> None:
    await fill_shelf(shop.house, {"SKU-1": 1})
    configure(shop, intake=intake)
    assert (await push(shop, "SO1")).status_code == 200
    assert len(await shop.inbox()) == 1


async def test_several_warehouses_together_promise_where_orders_may_be_split(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 1})
    await fill_shelf(shop.house, {"SKU-1": 1}, "CK002")
    assert (await check(shop, lines=[LINE]))["ok"] is False
    configure(shop, split=True)
    assert (await check(shop, lines=[LINE], order_no="SO-1", reserve=True))["ok"] is True
    assert len(await column(shop.house, "select warehouse from stock_reservation")) == 2


async def test_of_buyers_at_once_so_many_get_pieces_as_there_are(shop: Stage) -> None:
    """Half of them reserve first, half push at once: through both doors together nothing is promised twice."""
    await fill_shelf(shop.house, {"SKU-1": 20})

    async def ask(number: int) -> bool:
        said = await check(shop, lines=[{"sku": "SKU-1", "quantity": 1}], order_no=f"A{number}", reserve=True)
        return bool(said["ok"])

    async def order(number: int) -> bool:
        return (await push(shop, f"B{number}", ("SKU-1", 1))).status_code == 200

    won = await asyncio.gather(*(one(number) for number in range(30) for one in (ask, order)))
    assert sum(won) == 20
    assert await column(shop.house, "select sum(quantity) from stock_reservation") == [20]
    assert len(await shop.inbox()) == sum(won[1::2])


async def test_a_rush_of_reservations_is_a_handful_of_transactions(shop: Stage) -> None:
    """Some ask twice at once. Each desk serves who waits together: one by one they would lock the row 100 times."""
    await fill_shelf(shop.house, {"SKU-1": 30})
    desk = Desk(shop.house, reserve_together)
    baskets = [Basket(f"SO-{number % 80}", [Piece(1, "SKU-1", 1)]) for number in range(100)]
    with statements(shop.house.engine) as heard:
        found = await asyncio.gather(*(desk.ask(basket, timedelta(minutes=5)) for basket in baskets))
    assert len({one.answer.order_no for one in found if one.answer.ok}) == 30
    assert await column(shop.house, "select sum(quantity) from stock_reservation") == [30]
    assert sum("for update" in statement for statement, _ in heard) == 2


async def test_questions_at_once_are_one_query_and_take_nothing_from_each_other(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 3})
    await check(shop, lines=[LINE], order_no="SO-1", reserve=True)
    desk = Desk(shop.house, look_together)
    baskets = [Basket(number, [Piece(1, "SKU-1", pieces)]) for number, pieces in (("", 1), ("", 2), ("SO-1", 3))]
    with statements(shop.house.engine) as heard:
        found = await asyncio.gather(*(desk.ask(basket, timedelta(0)) for basket in baskets))
    assert [one.answer.ok for one in found] == [True, False, True], "one is free, two are kept for SO-1"
    assert sum("from stock_level" in statement for statement, _ in heard) == 1


async def test_a_database_that_does_not_answer_is_no_promise(shop: Stage) -> None:
    await fill_shelf(shop.house, {"SKU-1": 5})
    async with shop.house.transaction() as tx:
        await lock_levels(tx, ["SKU-1"])
        said = await check(shop, 503, lines=[LINE], order_no="SO-1", reserve=True)
        assert "ask again" in said["error"]
        assert (await check(shop, lines=[LINE]))["ok"] is True, "a question waits for nobody"
    assert await kept(shop) == {}
