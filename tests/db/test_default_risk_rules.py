"""The risk rules that Ballast comes with: the three that everybody knows fire on their plain cases, and not below."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ballast.db.origins import read_facts
from ballast.domain.findings import Finding
from ballast.domain.rules.facts import FACTS, Kind
from ballast.domain.rules.risk import Action, RiskSet, Verdict
from ballast.ports import Order, Origin
from ballast.rules import books
from ballast.rules.risk_table import RiskTable, check_risk
from ballast.wiring import House
from tests.db.stage import RECEIVER, make_order, place
from tests.db.test_origins import suffer
from tests.times import NOON

NOTHING: dict[Kind, object] = {Kind.NUMBER: 0, Kind.TEXT: "", Kind.YES_NO: False, Kind.TEXTS: []}


def default_rules() -> RiskSet:
    found = books.default_book(books.Kind.RISK)
    assert isinstance(found, RiskSet)
    return found


@pytest.fixture(scope="module")
def rules() -> RiskTable:
    return RiskTable(default_rules())


def names(verdict: Verdict) -> set[str]:
    return {rule.name for rule in verdict.fired}


async def judge(house: House, rules: RiskTable, ids: Sequence[int]) -> list[Verdict]:
    """As the gates do: facts of the real books, all in one go."""
    async with house.transaction() as tx:
        found = await read_facts(tx, ids, rules.windows, rules.reads)
    assert not rules.troubles
    return [rules.judge(found[id_]) for id_ in ids]


def test_nothing_is_wrong_with_them(rules: RiskTable) -> None:
    nothing: list[Finding] = []
    assert check_risk(default_rules()) == nothing and not rules.troubles


# -- a pick-up point and over 5,000 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "amount", "fired"),
    [
        ("浙江省杭州市西湖区文三路 1 号快递代收点", 5200, {"pickup-point-dear"}),
        ("代收点", 5000.01, {"pickup-point-dear"}),
        ("浙江省杭州市西湖区文三路 1 号快递代收点", 5000, set()),
        ("浙江省杭州市西湖区文三路 1 号", 5200, set()),
        ("浙江省杭州市西湖区文三路 1 号菜鸟驿站", 5200, {"pickup-other-words"}),
        ("浙江省杭州市西湖区文三路 1 号代收 点", 5200, {"pickup-other-words"}),
        ("浙江省杭州市西湖区文三路 1 号自提点", 5000, set()),
    ],
)  # fmt: skip
def test_dear_goods_to_a_pick_up_point(rules: RiskTable, address: str, amount: float, fired: set[str]) -> None:
    known = {name: NOTHING[fact.kind] for name, fact in FACTS.items()} | {"customer_age_days": 30}
    windows = {window.name: 0 for window in rules.windows}
    verdict = rules.judge(known | windows | {"address": address, "amount": amount})
    assert names(verdict) == fired
    assert verdict.action is (Action.HOLD if fired else Action.SCORE)


@pytest.mark.parametrize(
    ("amount", "days", "fired"),
    [(5000, 1, {"pickup-just-below"}), (4000, 1, set()), (4500, 2, set()), (5200, 1, {"pickup-point-dear"})],
)
def test_new_customers_just_below(rules: RiskTable, amount: int, days: int, fired: set[str]) -> None:
    facts = {name: NOTHING[fact.kind] for name, fact in FACTS.items()} | {window.name: 0 for window in rules.windows}
    assert names(rules.judge(facts | {"address": "代收点", "amount": amount, "customer_age_days": days})) == fired


# -- five orders of one IP within an hour --------------------------------------------------------------------------

IP = Origin(ip="203.0.113.9")


def from_ip(number: int, minutes: int, **changes: Any) -> Order:
    """Of a customer of their own, with a number of their own."""
    receiver = replace(RECEIVER, mobile=f"139123456{number:02}")
    placed_at = NOON + timedelta(minutes=minutes)
    return make_order(f"SO-{number:02}", placed_at=placed_at, receiver=receiver, origin=IP, **changes)


@pytest.mark.parametrize("before", [0, 1])
async def test_five_new_customers_of_one_ip_within_an_hour(a_house: House, rules: RiskTable, before: int) -> None:
    """Also when somebody ordered from there the day before."""
    await place(a_house, *(from_ip(90 + days, -1440 * days) for days in range(1, before + 1)))
    ids = await place(a_house, *(from_ip(number, 15 * number) for number in range(5)))
    verdicts = await judge(a_house, rules, [*ids.values()])
    assert [names(verdict) for verdict in verdicts] == [{"one-ip-many-orders", "one-ip-new-customers"}] * 5
    assert {verdict.action for verdict in verdicts} == {Action.HOLD}


@pytest.mark.parametrize(("orders", "devices", "held"), [(5, 5, False), (6, 6, True), (5, 2, True)])
async def test_five_with_a_device_each_are_not_held_six_are(
    a_house: House, rules: RiskTable, orders: int, devices: int, held: bool
) -> None:
    """A dormitory, as often as not."""
    placed = [
        replace(from_ip(number, 5 * number), origin=replace(IP, device=f"d{number % devices}"))
        for number in range(orders)
    ]
    ids = await place(a_house, *placed)
    verdicts = await judge(a_house, rules, [*ids.values()])
    assert {verdict.action for verdict in verdicts} == {Action.HOLD if held else Action.SCORE}
    assert all("one-ip-many-orders" in names(verdict) for verdict in verdicts)


async def test_a_sixth_order_does_not_slip_by(a_house: House, rules: RiskTable) -> None:
    """It comes in when the five before it are in the books."""
    await place(a_house, from_ip(90, -1440), *(from_ip(number, 5 * number) for number in range(5)))
    ids = await place(a_house, from_ip(5, 25))
    (verdict,) = await judge(a_house, rules, [*ids.values()])
    assert "one-ip-many-orders" in names(verdict) and verdict.action is Action.HOLD


@pytest.mark.parametrize("minutes", [[0, 15, 30, 45], [0, 15, 30, 45, 61], [0, 30, 60, 90, 120]])
async def test_fewer_or_slower_ones_are_let_go(a_house: House, rules: RiskTable, minutes: list[int]) -> None:
    ids = await place(a_house, *(from_ip(number, at) for number, at in enumerate(minutes)))
    assert [verdict.fired for verdict in await judge(a_house, rules, [*ids.values()])] == [()] * len(minutes)


async def test_an_office_gives_points_and_is_not_held(a_house: House, rules: RiskTable) -> None:
    """Known customers, each with a number of their own. Where several orders are for one number, it is none."""
    at_work = [from_ip(10 + number, -1440 * (3 + number), customer_no=f"C-{number}") for number in range(5)]
    await place(a_house, *at_work)
    lunch = [from_ip(number, 10 * number, customer_no=f"C-{number}") for number in range(5)]
    ids = await place(a_house, *lunch)
    verdicts = await judge(a_house, rules, [*ids.values()])
    assert [names(verdict) for verdict in verdicts] == [{"one-ip-many-orders"}] * 5
    assert {verdict.action for verdict in verdicts} == {Action.SCORE}
    more = [
        replace(from_ip(number, 10 * number - 1440, customer_no="C-1"), receiver=RECEIVER) for number in range(20, 25)
    ]
    ids = await place(a_house, *more)
    assert {verdict.action for verdict in await judge(a_house, rules, [*ids.values()])} == {Action.HOLD}


# -- a phone that sends back over 40 % of 30 days ------------------------------------------------------------------


async def past_of_a_phone(house: House, rules: RiskTable, returned: int, of: int, *, apart: int, ago: int) -> Verdict:
    """The verdict on an order at noon, after others to the same number: `apart` days, the last one `ago` days before.

    Those that came back are the earliest.
    """
    days = [ago + apart * place for place in reversed(range(of))]
    orders = [make_order(f"SO-{n:02}", placed_at=NOON - timedelta(days=day)) for n, day in enumerate(days)]
    ids = await place(house, *orders)
    for number, id_ in enumerate([*ids.values()][:returned]):
        await suffer(house, number, id_, "accepted")
    ids = await place(house, make_order("SO-99", placed_at=NOON))
    (verdict,) = await judge(house, rules, [*ids.values()])
    return verdict


@pytest.mark.parametrize(
    ("returned", "of", "fires"),
    [(3, 5, True), (2, 4, True), (3, 7, True), (2, 5, False), (4, 10, False), (2, 3, False), (1, 4, False)],
)
async def test_a_phone_that_sends_back_over_40_percent(
    a_house: House, rules: RiskTable, returned: int, of: int, fires: bool
) -> None:
    verdict = await past_of_a_phone(a_house, rules, returned, of, apart=2, ago=8)
    assert names(verdict) == ({"phone-returns"} if fires else set())
    assert verdict.score == (50 if fires else 0)


async def test_what_was_longer_ago_than_30_days_does_not_count(a_house: House, rules: RiskTable) -> None:
    verdict = await past_of_a_phone(a_house, rules, 5, 5, apart=1, ago=31)
    assert names(verdict) == set()


@pytest.mark.parametrize(
    ("returned", "of", "ago", "held"),
    [
        (3, 5, 1, {"phone-returns-quick"}),
        (3, 4, 1, {"phone-returns-quick"}),
        (2, 4, 1, set()),
        (3, 5, 8, set()),
        (5, 10, 8, {"phone-returns-many"}),
        (4, 9, 8, set()),
    ],
)
async def test_a_habit_is_held_and_chance_is_not(
    a_house: House, rules: RiskTable, returned: int, of: int, ago: int, held: set[str]
) -> None:
    verdict = await past_of_a_phone(a_house, rules, returned, of, apart=2, ago=ago)
    assert names(verdict) == {"phone-returns"} | held
    assert verdict.action is (Action.HOLD if held else Action.SCORE)


@pytest.mark.parametrize(("returned", "of", "held"), [(4, 10, True), (3, 9, False), (4, 14, False)])
async def test_parcels_on_their_way_do_not_hide_a_habit(
    a_house: House, rules: RiskTable, returned: int, of: int, held: bool
) -> None:
    verdict = await past_of_a_phone(a_house, rules, returned, of, apart=2, ago=1)
    assert names(verdict) == ({"phone-returns-on-the-way"} if held else set())


@pytest.mark.parametrize(
    ("returned", "of", "apart", "held"), [(3, 12, 1, True), (3, 8, 1, True), (3, 13, 1, False), (3, 12, 2, False)]
)
async def test_who_orders_every_day_is_not_hidden_by_what_is_on_its_way(
    a_house: House, rules: RiskTable, returned: int, of: int, apart: int, held: bool
) -> None:
    verdict = await past_of_a_phone(a_house, rules, returned, of, apart=apart, ago=1)
    assert names(verdict) == ({"phone-returns-every-day"} if held else set())


async def test_two_signs_that_only_count_hold_together(a_house: House, rules: RiskTable) -> None:
    """A dear first order, for a number that sends much back."""
    await past_of_a_phone(a_house, rules, 2, 3, apart=2, ago=8)  # and one more, at noon
    at_home = replace(RECEIVER, province="江苏", city="苏州")
    dear = make_order("SO-50", lines=(("SKU-1", 501),), placed_at=NOON, receiver=at_home)
    ids = await place(a_house, dear)
    (verdict,) = await judge(a_house, rules, [*ids.values()])
    assert names(verdict) == {"phone-returns", "first-order-dear"} and verdict.action is Action.HOLD
    assert {rule.action for rule in verdict.fired} == {Action.SCORE}
