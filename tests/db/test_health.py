"""The health of customers in the books: the same figures as by the formula, kept, and told once per crossing."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.cli.examining import customer_health
from ballast.db.engine import run
from ballast.db.health import Window, hardest_orders, history, look_at, thin_history, worst_customers
from ballast.domain.health import OrderPast, Part, Severity, health
from ballast.domain.money import Money
from ballast.domain.returns import ReturnReason
from ballast.domain.words import HoldReason
from ballast.ports import Alerts
from ballast.sending import climb
from ballast.settings import Settings
from ballast.wiring import House
from tasks import health as scoring
from tasks.health import MOST_ALERTS, see, window_days
from tasks.window import NoWindow
from tests.db.health_stage import CLOCKS, DAMAGED, HALF, ILL, LATE, WELL, an_order, fill, put
from tests.db.stage import column, table
from tests.times import NOON, SettableClock

LONG: Final = timedelta(hours=4)
HOLDS = st.tuples(
    st.sampled_from(HoldReason), st.sampled_from([timedelta(0), LONG - timedelta(seconds=1), LONG, 3 * LONG])
)
ORDERS = st.fixed_dictionaries(
    {
        "hours": st.integers(-1, 181 * 24),
        "total": st.one_of(st.integers(0, 10**4), st.integers(0, 10**11)),
        "currency": st.sampled_from(["CNY", "CNY", "CNY", "USD"]),
        "paid": st.sampled_from([True, True, True, True, False]),
        "breaches": st.lists(
            st.tuples(st.sampled_from([*CLOCKS, "unpaid"]), st.sampled_from(["yellow", "red"])), max_size=2
        ),
        "holds": st.lists(HOLDS, max_size=2),
        "returns": st.lists(
            st.tuples(st.sampled_from(ReturnReason), st.sampled_from(["外箱破损", "Wrong Item", "七天无理由", "..."])),
            max_size=2,
        ),
        "damaged": st.sampled_from([False, False, False, True]),
        "tickets": st.lists(
            st.tuples(st.booleans(), st.sampled_from(["complaint", "question"]), st.sampled_from(Severity)), max_size=2
        ),
    }
)  # fmt: skip


def placed_at(one: Mapping[str, Any], place: int) -> datetime:
    """No two orders of a customer in the same second: the last before a ticket is then one."""
    at: datetime = NOON - timedelta(hours=one["hours"], seconds=120 * place)
    return at


def in_books(one: Mapping[str, Any], place: int, customer_no: str) -> dict[str, Any]:
    """The order as `fill` wants it."""
    return {
        **one,
        "at": placed_at(one, place),
        "breaches": [{"clock": clock, "level": level} for clock, level in one["breaches"]],
        "holds": [{"reason": reason, "seconds": int(lasted.total_seconds())} for reason, lasted in one["holds"]],
        "returns": [{"reason": reason, "why": why} for reason, why in one["returns"]],
        "tickets": [
            {"ticket_no": f"{customer_no}:{place}:{number}", "named": named, "kind": kind, "severity": severity}
            for number, (named, kind, severity) in enumerate(one["tickets"])
        ],
    }


def pasts(orders: Sequence[Mapping[str, Any]]) -> list[OrderPast]:
    """The same orders for the formula. A ticket opens a minute after its order, so that is the last one before it; when
    that one counts for nothing, a ticket that names no order counts for the one before."""
    times = [placed_at(one, place) for place, one in enumerate(orders)]
    counting = [
        at for at, one in zip(times, orders, strict=True)
        if one["paid"] and timedelta(0) <= NOON - at < timedelta(days=180)
    ]  # fmt: skip
    complaints: dict[datetime, list[Severity]] = {at: [] for at in counting}
    for at, one in zip(times, orders, strict=True):
        opened_at = at + timedelta(minutes=1)
        for named, kind, severity in one["tickets"]:
            before = [at] if named else [other for other in counting if other <= opened_at]
            seen = opened_at <= NOON and (named or NOON - opened_at < timedelta(days=180))
            if kind == "complaint" and seen and (of := max(before, default=None)) in complaints:
                complaints[of].append(severity)  # type: ignore[index]  # it is in there
    return [
        OrderPast(
            placed_at=at,
            total=Money(one["total"], one["currency"]),
            breaches=tuple(level for clock, level in one["breaches"] if clock in CLOCKS and at <= NOON),
            holds=tuple(one["holds"]),
            returns=tuple(one["returns"]),
            complaints=tuple(complaints[at]),
            damaged=one["damaged"],
        )
        for at, one in zip(times, orders, strict=True)
        if at in complaints
    ]


@settings(max_examples=150)
@given(customers=st.lists(st.lists(ORDERS, max_size=8), min_size=1, max_size=3))
async def test_the_books_say_what_the_formula_says(a_house: House, customers: list[list[dict[str, Any]]]) -> None:
    named = {f"C-{number}": orders for number, orders in enumerate(customers, 1)}
    async with a_house.engine.connect() as tx:
        await fill(
            tx, {no: [in_books(one, place, no) for place, one in enumerate(orders)] for no, orders in named.items()}
        )
        found = {one.customer_no: one.health for one in await look_at(tx, HALF)}
        alone = {one.customer_no: one.health for one in await look_at(tx, HALF, ["C-1"])}
        await tx.rollback()
    by_hand = {no: health(pasts(orders), NOON) for no, orders in named.items()}
    assert found == {no: one for no, one in by_hand.items() if one.orders}
    assert alone == {no: one for no, one in found.items() if no == "C-1"}


# -- what is kept and told ---------------------------------------------------------------------------------------------


async def ail(house: House, customer_no: str, *, ails: bool) -> None:
    """Everything of this customer arrives broken; or it turns out that nothing did."""
    reason = "COURIER_DAMAGED" if ails else "CANCEL_ASKED"
    async with house.transaction() as tx:
        await run(
            tx,
            """
            with of as (select id, placed_at from sales_order where customer_no = :no),
            gone as (delete from hold h using of where h.order_id = of.id)
            insert into hold (order_id, reason, evidence, held_from, held_at, released_at, note)
            select id, :reason, '', 'SIGNED', placed_at, placed_at, '' from of""",
            no=customer_no, reason=reason,
        )  # fmt: skip


async def own(house: House, **owners: str) -> None:
    async with house.transaction() as tx:
        for customer_no, owner in owners.items():
            await run(tx, "update customer set owner = :owner where customer_no = :no", owner=owner, no=customer_no)


async def health_alerts(house: House) -> list[tuple[str, str, bool]]:
    """(customer, person, whether it is over) of every alert of this kind, in the order in which they rang."""
    found = await table(house, "select key, person, ended_at from alert where key like 'health:%' order by id")
    return [(row["key"].split(":")[1], row["person"], row["ended_at"] is not None) for row in found]


async def test_a_crossing_rings_once_and_again_after_it_was_well(a_house: House, clock: SettableClock) -> None:
    await put(a_house, {"C1": WELL, "C2": WELL})
    await own(a_house, C1="manager")
    first = await scoring.score_now(a_house)
    assert (first.scored.scored, first.scored.low, first.alerts) == (2, 0, 0)

    await ail(a_house, "C1", ails=True)
    clock.pass_by(hours=1)
    fell = await scoring.score_now(a_house)
    [one] = fell.scored.crossed
    assert (one.customer_no, one.was, one.health.score, fell.alerts) == ("C1", 100, 55, 1)
    assert [seen.customer_no for seen in fell.worst] == ["C1"]
    assert await health_alerts(a_house) == [("C1", "manager", False)]

    clock.pass_by(hours=1)
    again = await scoring.score_now(a_house)
    assert (again.scored.crossed, again.scored.changed, again.alerts) == ((), 0, 0), "it is low, and nothing is new"

    await ail(a_house, "C1", ails=False)
    clock.pass_by(hours=1)
    well = await scoring.score_now(a_house)
    assert [(seen.customer_no, seen.low_since) for seen in well.scored.crossed] == [("C1", None)]
    assert await health_alerts(a_house) == [("C1", "manager", True)]

    await ail(a_house, "C1", ails=True)
    clock.pass_by(hours=1)
    await scoring.score_now(a_house)
    assert await health_alerts(a_house) == [("C1", "manager", True), ("C1", "manager", False)]
    async with a_house.transaction() as tx:
        assert [past.health.score for past in await history(tx, "C1")] == [100, 55, 100, 55]
        assert [past.health.score for past in await history(tx, "C2")] == [100]


async def test_at_the_limit_it_does_not_ring_every_day(a_house: House, clock: SettableClock) -> None:
    """Between 60 and 65 a customer who fell is not well yet."""
    await put(a_house, {"C1": [an_order(**DAMAGED), *(an_order() for _ in range(6))]})  # 14.29 %: 43 points
    for total, score in ((10_000, 57), (12_000, 62), (9_800, 57), (20_000, 73)):
        async with a_house.transaction() as tx:
            await run(tx, "update sales_order set total = :total where id > 3", total=total)
        clock.pass_by(hours=1)
        await scoring.score_now(a_house)
        assert await column(a_house, "select score from customer_health order by scored_at desc limit 1") == [score]
        assert [over for _, _, over in await health_alerts(a_house)] == [score == 73]


async def test_who_stops_ordering_has_no_data_and_no_alert(a_house: House, clock: SettableClock) -> None:
    await put(a_house, {"C1": ILL})
    await scoring.score_now(a_house)
    clock.pass_by(days=200)
    gone = await scoring.score_now(a_house)
    assert (gone.scored.scored, gone.scored.no_data, gone.scored.changed) == (0, 0, 1)
    assert await health_alerts(a_house) == [("C1", "", True)]
    clock.pass_by(days=1)
    assert (await scoring.score_now(a_house)).scored.changed == 0
    async with a_house.transaction() as tx:
        assert [past.health.score for past in await history(tx, "C1")] == [10, None]
        assert await worst_customers(tx, most=5) == []


async def test_scoring_some_leaves_the_others_alone(a_house: House) -> None:
    await put(a_house, {"C1": ILL, "C2": ILL})
    found = await scoring.score_now(a_house, ["C2"])
    assert (found.scored.scored, found.alerts) == (1, 1)
    assert await column(a_house, "select customer_no from customer_health") == ["C2"]


async def test_the_owner_is_told_first_then_the_ladder(
    a_house: House, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an owner, and with one whom nobody knows any more, the first rung's role is told."""
    await put(a_house, {"C1": ILL, "C2": ILL, "C3": ILL})
    await own(a_house, C1="operations", C3="gone")
    await scoring.score_now(a_house)
    channels: dict[str, Alerts] = {"dingtalk": None}  # type: ignore[dict-item]  # nothing is sent through it
    await climb(a_house, channels)
    clock.pass_by(days=2)
    await climb(a_house, channels)
    told = await table(
        a_house,
        """
        select split_part(a.key, ':', 2) as customer, n.rung, n.people
        from alert_notice n join alert a on a.id = n.alert_id order by customer, n.rung""",
    )
    assert [(row["customer"], row["rung"], row["people"]) for row in told] == [
        ("C1", 0, ["operations"]), ("C1", 1, ["manager"]), ("C2", 0, ["manager"]), ("C2", 1, ["manager"]),
        ("C3", 0, ["manager"]), ("C3", 1, ["manager"]),
    ]  # fmt: skip


async def test_many_who_fall_at_once_do_not_drown_their_owner(a_house: House) -> None:
    await put(a_house, {f"C{number:02}": [{**one, "total": number} for one in ILL] for number in range(1, 24)})
    found = await scoring.score_now(a_house)
    assert (found.scored.low, found.alerts) == (23, MOST_ALERTS + 1)
    [others] = await table(a_house, "select title, text from alert where key like 'health-others:%'")
    assert others["title"].startswith("3 more customers") and others["text"].startswith("C03, C02, C01;")


async def test_one_customer_with_what_is_behind_it(a_house: House) -> None:
    await put(a_house, {"C1": [an_order(1, yuan=500, **LATE), an_order(2, yuan=50, **LATE), an_order(3, **DAMAGED)]})
    async with a_house.transaction() as tx:
        seen = await see(a_house, tx, "C1", 0)
        nobody = await see(a_house, tx, "C9", 0)
        await run(
            tx,
            """insert into ticket (source, ticket_no, customer_no, kind, severity, opened_at, recorded_at)
            values ('crm', 'T1', 'C1', 'complaint', 'low', :at, :at)""",
            at=NOON - timedelta(days=1.5),
        )  # it names no order: the one of two days ago was the last
        hardest = await hardest_orders(tx, Window(now=NOON, days=180, clocks=CLOCKS), "C1", most=3)
    assert nobody is None and seen is not None
    assert seen.customer.health.score == 10 and seen.as_dict()["parts"]["late"]["lost"] == 45
    assert [(one.order_no, one.hurts, one.evidence) for one in hardest] == [
        ("SO-1", {Part.LATE: 100}, {Part.LATE: ("in_transit red",)}),
        ("SO-3", {Part.DAMAGED: 100}, {Part.DAMAGED: ("COURIER_DAMAGED",)}),
        ("SO-2", {Part.LATE: 100, Part.COMPLAINTS: 30},
         {Part.LATE: ("in_transit red",), Part.COMPLAINTS: ("crm T1",)}),
    ]  # fmt: skip


async def test_a_number_in_a_customers_words_is_shown_to_nobody(a_house: House) -> None:
    back = {"reason": "quality", "why": "broken, call 139 1234 5678 or 13912345678, order 20260105, 2 of 3"}
    await put(a_house, {"C1": [an_order(1, returns=[back])]})
    async with a_house.transaction() as tx:
        [one] = await hardest_orders(tx, Window(now=NOON, days=180, clocks=CLOCKS), "C1", most=3)
    assert one.evidence == {Part.RETURNS: ("quality broken, call ＊＊＊ or ＊＊＊, order 20260105, 2 of 3",)}


async def test_old_history_is_thinned_out_to_weeks(a_house: House, clock: SettableClock) -> None:
    await put(a_house, {"C1": WELL})
    async with a_house.transaction() as tx:
        await run(
            tx,
            """
            insert into customer_health (customer_no, scored_at, days, orders, value)
            select 'C1', cast(:now as timestamptz) - n * interval '1 day', 180, 1, 1 from generate_series(0, 111) n""",
            now=NOON,
        )  # noon on a Wednesday; 91 days before it is a Wednesday, too
        await thin_history(tx, NOON)
    edge = NOON - timedelta(days=90)
    assert await column(a_house, "select count(*) from customer_health where scored_at >= :at", at=edge) == [91]
    old = await column(a_house, "select scored_at from customer_health where scored_at < :at", at=edge)
    assert [at.isoweekday() for at in sorted(old)] == [7, 7, 7], "the last of each week that is over by then"


async def test_two_who_score_at_once_ring_once(a_house: House) -> None:
    await put(a_house, {"C1": ILL})
    first, second = await asyncio.gather(scoring.score_now(a_house), scoring.score_now(a_house))
    assert sorted([first.alerts, second.alerts]) == [0, 1]
    assert sorted([first.scored.changed, second.scored.changed]) == [0, 1]


async def test_orders_that_were_put_away_early_are_told(a_house: House) -> None:
    async with a_house.transaction() as tx:
        for days in (10, 200):
            await run(
                tx,
                """
                insert into archived_order (order_no, channel, customer_no, placed_at, closed_at, archived_at, document)
                values (:no, 'x', 'C1', :at, :at, :at, '')""",
                no=f"A{days}", at=NOON - timedelta(days=days),
            )  # fmt: skip
    assert (await scoring.score_now(a_house)).archived == 1


async def test_the_doctor_names_owners_whom_nobody_knows(a_house: House) -> None:
    await put(a_house, {"C1": [], "C2": [], "C3": []})
    await own(a_house, C1="manager")
    well = await customer_health(a_house)
    assert well.ok and well.text == "customer health looks 180 days back"
    await own(a_house, C2="gone", C3="gone")
    ill = await customer_health(a_house)
    assert not ill.ok and ill.text.endswith("owners whom the SLA policy does not know: gone (2)")


def test_a_window_is_no_longer_than_the_books_are(a_house: House) -> None:
    assert window_days(a_house) == 180 and window_days(a_house, 400) == 400
    for days in (401, -1):
        with pytest.raises(NoWindow, match="BALLAST_RETENTION is 400 days"):
            window_days(a_house, days)
    short = House(Settings(_env_file=None, retention=timedelta(days=60)), a_house.clock, a_house.engine)
    assert window_days(short) == 60
