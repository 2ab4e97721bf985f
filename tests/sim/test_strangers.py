"""The labelled stream: the same every time, with the shares that it promises, in the shop's own format, bounded."""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import aiohttp
import phonenumbers
import pytest
from phonenumbers import geocoder

from sim.strangers.drafts import Kind
from sim.strangers.places import CITIES, OTHER_POINTS, POINTS
from sim.strangers.stream import make_stream
from tests.sim.conftest import Stage

POINT_WORDS = (*POINTS, *OTHER_POINTS)
HOUR = 3600.0


def kind(one: dict[str, Any]) -> str:
    return str(one["truth"]["kind"])


def placed(one: dict[str, Any]) -> float:
    return datetime.fromisoformat(one["order"]["placed_at"]).timestamp()


def of_kind(seed: int, wanted: Kind, orders: int = 5000) -> list[dict[str, Any]]:
    return [one for one in make_stream(seed, orders) if kind(one) == wanted]


def returned(one: dict[str, Any]) -> bool:
    return any(act["do"] == "return" for act in one["acts"])


def test_the_same_seed_tells_the_same_and_another_one_something_else() -> None:
    first = make_stream(11, 400)
    make_stream.cache_clear()
    assert make_stream(11, 400) == first
    others = make_stream(12, 400)
    assert {one["order"]["receiver"]["mobile"] for one in first}.isdisjoint(
        {one["order"]["receiver"]["mobile"] for one in others}
    )


@pytest.mark.parametrize(("seed", "orders"), [(1, 800), (2, 5000), (3, 5000)])
def test_as_many_as_asked_for_in_the_order_of_time_about_eight_percent_crooked(seed: int, orders: int) -> None:
    stream = make_stream(seed, orders)
    assert [one["k"] for one in stream] == list(range(1, orders + 1))
    assert len({one["order"]["order_no"] for one in stream}) == orders
    times = [one["order"]["placed_at"] for one in stream]
    assert times == sorted(times)
    counts = Counter(map(kind, stream))
    assert set(counts) == set(Kind)
    assert 0.06 < 1 - counts[Kind.HONEST] / orders < 0.12


def test_sums_agree_and_every_order_says_where_it_came_from() -> None:
    for one in make_stream(4, 800):
        order = one["order"]
        assert all(line["amount"] == line["quantity"] * line["unit_price"] for line in order["lines"])
        goods = sum(line["amount"] for line in order["lines"])
        assert order["total"] == goods + order["freight"] - order["discount"] > 0
        assert all(order["origin"][name] for name in ("ip", "device", "card"))
        assert one["truth"]["kind"] not in str(order), "the truth stands beside the order, not in it"


def test_acts_follow_each_other() -> None:
    for one in make_stream(4, 800):
        times = [placed(one), *(datetime.fromisoformat(act["at"]).timestamp() for act in one["acts"])]
        assert times == sorted(times)
        names = [act["do"] for act in one["acts"]]
        assert names in (["ship", "sign"], ["ship", "sign", "return"], ["ship", "refuse"])


def test_mobile_numbers_are_of_the_province_that_they_are_meant_to_be_of() -> None:
    for city in CITIES:
        for prefix in city.prefixes:
            number = phonenumbers.parse(f"{prefix}0001", "CN")
            found = geocoder.description_for_number(number, "zh")
            assert found.startswith(city.province[:2]), (city, prefix, found)


def test_dear_goods_go_to_pick_up_points_under_several_words() -> None:
    found = [one["order"] for seed in (1, 2, 3) for one in of_kind(seed, Kind.PICKUP)]
    assert all(any(word in order["receiver"]["address"] for word in POINT_WORDS) for order in found)
    over = sum(order["total"] > 500_000 for order in found) / len(found)
    assert 0.85 < over < 1, "nearly all, not all, are over 5,000 yuan"
    named = sum("代收点" in order["receiver"]["address"] for order in found) / len(found)
    assert 0.6 < named < 0.95, "one word does not find them all"


def test_bots_share_an_address_and_nothing_else() -> None:
    runs = defaultdict(list)
    for one in of_kind(1, Kind.BOT):
        runs[one["order"]["origin"]["ip"]].append(one)
    sizes = [len(run) for run in runs.values()]
    assert min(sizes) >= 4 and max(sizes) <= 12 and sum(size >= 5 for size in sizes) > len(sizes) / 2
    for run in runs.values():
        assert placed(run[-1]) - placed(run[0]) <= HOUR
        assert len({one["order"]["receiver"]["mobile"] for one in run}) == len(run)


def test_a_series_of_returns_begins_after_the_first_few() -> None:
    for seed in (1, 2):
        habits = defaultdict(list)
        for one in make_stream(seed, 5000):
            if one["truth"]["scene"] == "serial_return":
                habits[one["order"]["receiver"]["mobile"]].append(one)
        for orders in habits.values():
            first = next((n for n, one in enumerate(orders) if kind(one) == Kind.SERIAL_RETURN), len(orders))
            assert first >= 2 and all(kind(one) == Kind.HONEST for one in orders[:first])
        shares = [sum(map(returned, orders)) / len(orders) for orders in habits.values()]
        assert sum(shares) / len(shares) > 0.55


def test_card_testers_have_several_cards_on_one_device() -> None:
    cards = defaultdict(set)
    for seed in (1, 2, 3):
        for one in of_kind(seed, Kind.CARDS):
            cards[one["order"]["origin"]["device"]].add(one["order"]["origin"]["card"])
    assert sum(len(found) >= 3 for found in cards.values()) > 0.8 * len(cards)


def test_honest_people_look_like_crooks_at_times() -> None:
    """Each of these is what some rule would stop."""
    streams = [one for seed in (1, 2, 3) for one in make_stream(seed, 5000) if kind(one) == Kind.HONEST]
    at_points = [one for one in streams if any(w in one["order"]["receiver"]["address"] for w in POINT_WORDS)]
    assert len(at_points) > 0.1 * len(streams)
    dear = sum(one["order"]["total"] > 500_000 for one in at_points)
    assert 3 <= dear < 0.02 * len(at_points)
    far = sum(is_far(one["order"]["receiver"]) for one in streams) / len(streams)
    assert 0.1 <= far <= 0.18
    busy: Counter[tuple[str, int]] = Counter(
        (one["order"]["origin"]["ip"], int(placed(one) // HOUR)) for one in streams if one["truth"]["scene"] == "office"
    )
    assert max(busy.values()) in (3, 4, 5)


def is_far(receiver: dict[str, str]) -> bool:
    of_number = {prefix: city.province for city in CITIES for prefix in city.prefixes}
    return of_number[receiver["mobile"][:7]] != receiver["province"]


async def test_pages_of_the_stream(stage: Stage) -> None:
    first = await stage.call.ask("stream?seed=5&orders=1500")
    assert len(first["orders"]) == 1000 and first["next"] == 1000
    second = await stage.call.ask("stream?seed=5&orders=1500&after=1000")
    assert len(second["orders"]) == 500 and second["next"] is None
    assert [*first["orders"], *second["orders"]] == list(make_stream(5, 1500))
    assert (await stage.call.ask("stream?seed=5&orders=1500&after=20&limit=7"))["next"] == 27
    assert (await stage.call.ask("stream?seed=5&orders=1500&after=1500"))["orders"] == []
    assert (await stage.call.ask("progress"))["placed"] == 0, "these orders are told, and never placed"


@pytest.mark.parametrize(
    "query",
    [
        "", "seed=1", "orders=500", "seed=1&orders=99", "seed=1&orders=50001", "seed=-1&orders=500",
        "seed=x&orders=500", "seed=9007199254740993&orders=500", "seed=1&orders=500&after=-1",
        "seed=1&orders=500&limit=1001", "seed=1&orders=500&limit=0",
    ],
)  # fmt: skip
async def test_what_is_out_of_bounds_is_refused(stage: Stage, query: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{stage.call.base}/world/stream?{query}") as answer,
    ):
        assert answer.status == 400 and (await answer.json())["error"]
