"""Answering in words: what was named, what came of each, and what may not be typed."""

from typing import Any

import pytest

from ballast.db.alerts import end_alerts, raise_alerts
from ballast.db.answering import UNKNOWN, Unanswerable, answer, clean, number_of
from ballast.db.answers import find_alert
from ballast.wiring import House
from tests.db.stage import make_order, place, table


async def alerts(house: House, *keys: str, order_id: int | None = None) -> None:
    async with house.transaction() as tx:
        rows = [{"key": key, "level": "warning", "title": key, "text": "", "order_id": order_id} for key in keys]
        await raise_alerts(tx, rows, house.clock.now())


async def say(house: House, *numbers: str, **how: Any) -> dict[str, str]:
    values = {"by": "li", "resolve": False, "now": house.clock.now(), **how}
    orders = values.pop("orders", ())
    async with house.transaction() as tx:
        return {one.named: one.said for one in await answer(tx, numbers, orders, **values)}


async def test_pasted_lists_are_taken_apart_and_each_is_answered_once(a_house: House) -> None:
    await alerts(a_house, "a", "b", "c")
    said = await say(a_house, "#1, 2;2\n", "3")
    assert said == {"#1": "acknowledged", "#2": "acknowledged", "#3": "acknowledged"}
    found = await table(a_house, "select acknowledged_by, acknowledged_at, ended_at from alert")
    assert found == [{"acknowledged_by": "li", "acknowledged_at": a_house.clock.now(), "ended_at": None}] * 3


async def test_what_cannot_be_answered_says_why_and_changes_nothing(a_house: House) -> None:
    await alerts(a_house, "a", "b")
    await say(a_house, "1", by="wang")
    async with a_house.transaction() as tx:
        await end_alerts(tx, a_house.clock.now(), keys=["b"])
    before = await table(a_house, "select * from alert order by id")
    said = await say(a_house, "1", "2", "77", "x7", "-1", "99999999999999999999999", "9223372036854775808", "٣")
    assert said["#1"].startswith("acknowledged already: by wang, ")
    assert said["#2"].startswith("over already: ")
    assert {name for name, what in said.items() if what == UNKNOWN} == {
        "77", "x7", "-1", "99999999999999999999999", "9223372036854775808", "٣",
    }  # fmt: skip
    assert await table(a_house, "select * from alert order by id") == before


async def test_resolving_ends_it_and_a_second_time_says_by_whom(a_house: House) -> None:
    await alerts(a_house, "a")
    assert await say(a_house, "1", resolve=True, note="called\nthe courier") == {"#1": "resolved"}
    said = await say(a_house, "1", resolve=True, by="wang")
    assert said["#1"].startswith("resolved already: by li, ")
    async with a_house.transaction() as tx:
        seen = await find_alert(tx, 1)
    assert seen is not None and (seen.acknowledged_by, seen.resolved_by, seen.note) == (
        "li",
        "li",
        "called the courier",
    )


async def test_an_order_s_open_alerts_are_answered_together(a_house: House) -> None:
    await place(a_house, make_order("SO1"))
    [order] = await table(a_house, "select id from sales_order")
    await alerts(a_house, "a", "b", order_id=order["id"])
    await alerts(a_house, "c")
    assert await say(a_house, orders=["SO1, SO2"]) == {
        "#1": "acknowledged",
        "#2": "acknowledged",
        "SO2": "no open alert of this order",
    }
    assert await say(a_house, "1", orders=["SO1"], resolve=True) == {"#1": "resolved", "#2": "resolved"}


async def test_a_dry_run_changes_nothing(a_house: House) -> None:
    await alerts(a_house, "a")
    before = await table(a_house, "select * from alert")
    assert await say(a_house, "1", "9", dry_run=True) == {"#1": "would be acknowledged", "9": UNKNOWN}
    assert await say(a_house, "1", resolve=True, dry_run=True) == {"#1": "would be resolved"}
    assert await table(a_house, "select * from alert") == before


@pytest.mark.parametrize(
    ("numbers", "how"),
    [((), {}), ((" ", ","), {}), (("1",), {"by": " "}), (("1",), {"by": "\x00\n"}), (("1",), {"by": "x" * 61}),
     (("1",), {"note": "x" * 501})],
)  # fmt: skip
async def test_who_and_what_have_to_be_said(a_house: House, numbers: tuple[str, ...], how: dict[str, Any]) -> None:
    await alerts(a_house, "a")
    with pytest.raises(Unanswerable, match="nothing was changed"):
        await say(a_house, *numbers, **how)
    assert await table(a_house, "select acknowledged_by from alert") == [{"acknowledged_by": None}]


def test_what_is_typed_is_cleaned() -> None:
    assert clean("  李\x00敏\u202e <b>\n", 60) == "李 敏  <b>"
    assert number_of("#12") == 12 and number_of("12") == 12 and number_of("##12") is None and number_of("") is None
