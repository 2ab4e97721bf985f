"""Every figure of a report against orders that came their way by real moves, counted by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ballast.db.engine import dumps, run
from ballast.db.report import make_report
from ballast.db.three_numbers import read_accuracy
from ballast.domain.figures import percentile
from ballast.domain.report import Agreement, Duplicates, Report, Window
from ballast.domain.words import Event, HoldReason, State, System
from ballast.wiring import House
from tests.db.stage import (
    bring,
    captured,
    column,
    hold_by_hand,
    lock,
    make_order,
    opened_one,
    pay,
    place,
    refunded,
    release,
    said,
    scanned,
    shipped,
    statements,
    tell,
)
from tests.times import NOON, SettableClock

DAY = Window(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


async def make(house: House, window: Window = DAY, *, now: datetime | None = None) -> Report:
    async with house.transaction() as tx:
        return await make_report(tx, window, now or house.clock.now())


async def execute(house: House, sql: str, **values: Any) -> None:
    async with house.transaction() as tx:
        assert await run(tx, sql, **values)


async def test_of_nothing_nothing_is_said(a_house: House) -> None:
    found = await make(a_house)
    assert found.accuracy.overall.share is None and found.accuracy.healthy is None
    assert found.response.answered.mean is None and found.response.healthy is None
    assert found.interventions.per_order is None and found.interventions.untouched is None
    assert [one.count for one in found.lead_times] == [0] * 6
    assert not (found.states or found.holds or found.breaches or found.duplicates or found.channels)
    numbers = found.as_dict()["numbers"]
    assert numbers["status_accuracy"]["share"] is None and numbers["status_accuracy"]["low"] is None
    assert numbers["status_accuracy"]["healthy_bound"] == 0.998 and numbers["status_accuracy"]["reference"] == 0.9997


# -- interventions -----------------------------------------------------------------------------------------------


async def person_does(house: House, order_no: str, *, at: datetime, cause: str, by: str = "person:li") -> None:
    async with opened_one(house, order_no) as case:
        case.now = at
        case.take(Event.NOTED, cause=cause, actor=by, text="refund asked for")


async def test_interventions_are_what_people_did_to_the_orders_of_the_window(a_house: House) -> None:
    clock = a_house.clock
    assert isinstance(clock, SettableClock)
    await place(a_house, *(make_order(f"SO-{n}") for n in range(1, 5)), make_order("SO-5", channel="wechat"))
    await place(a_house, make_order("SO-OLD", placed_at=DAY.since - timedelta(seconds=1)))
    await hold_by_hand(a_house, HoldReason.COMPLAINT, "SO-1")
    clock.pass_by(minutes=5)
    await release(a_house, "SO-1")
    await person_does(a_house, "SO-1", at=clock.pass_by(minutes=5), cause="refund:R-1")
    await person_does(a_house, "SO-5", at=clock.pass_by(days=3), cause="refund:R-2", by="person:wang")  # after its end
    await person_does(a_house, "SO-OLD", at=clock.now(), cause="refund:R-3")
    await person_does(a_house, "SO-2", at=clock.now(), cause="x", by="personal-shopper")  # a system with such a name
    async with opened_one(a_house, "SO-3") as case:  # one deed that writes two rows
        case.take(Event.NOTED, cause="cancel:v1:li", actor="person:li")
        case.take(Event.NOTED, cause="cancel:v1:li:outrun", actor="person:li")
    await tell(a_house, said(System.PERSON, Event.NOTED, "done", order_no="SO-3"))  # an hour later, as a message
    found = (await make(a_house)).interventions
    assert (found.orders, found.touched) == (5, 3)
    assert found.actions == 5 and found.per_order == 1.0 and found.untouched == 0.4
    assert found.healthy is False
    assert dict(found.kinds) | {"": 0} == {"release": 1, "refund": 2, "cancel": 1, "person": 1, "": 0}
    channels = {one.channel: one for one in (await make(a_house)).channels}
    assert (channels["direct"].orders, channels["direct"].actions, channels["direct"].touched) == (4, 4, 2)
    assert (channels["wechat"].orders, channels["wechat"].actions, channels["wechat"].held) == (1, 1, 0)
    assert channels["direct"].held == 1


async def test_what_nobody_touched_is_healthy(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    found = (await make(a_house)).interventions
    assert (found.actions, found.per_order, found.untouched, found.healthy) == (0, 0.0, 1.0, True)


# -- response ----------------------------------------------------------------------------------------------------


async def ring(house: House, key: str, *, at: datetime, level: str = "warning", order_id: int | None = None) -> None:
    async with house.transaction() as tx:
        await run(
            tx,
            """
            insert into alert (key, level, title, text, order_id, raised_at)
            values (:key, :level, :key, '', :order_id, :at)""",
            key=key, level=level, order_id=order_id, at=at,
        )  # fmt: skip


async def answer(house: House, key: str, **columns: Any) -> None:
    sets = ", ".join(f"{name} = :{name}" for name in columns)
    await execute(house, f"update alert set {sets} where key = :key", key=key, **columns)


async def test_minutes_from_alert_to_a_person_acting(a_house: House, clock: SettableClock) -> None:
    ids = await place(a_house, make_order("SO-1"), make_order("SO-2"), make_order("SO-3"))

    def after(minutes: float) -> datetime:
        return NOON + timedelta(minutes=minutes)

    for key in ("acknowledged", "resolved", "alone", "alone, then looked at", "open", "closed by us"):
        await ring(a_house, key, at=NOON)
    await ring(a_house, "acted", at=NOON, level="urgent", order_id=ids["SO-1"])
    await ring(a_house, "acted, then acknowledged", at=NOON, order_id=ids["SO-2"])
    await ring(a_house, "acted before it rang", at=NOON, order_id=ids["SO-3"])
    await ring(a_house, "only to know", at=NOON, level="info")
    await ring(a_house, "of another day", at=DAY.until)
    await answer(a_house, "acknowledged", acknowledged_at=after(4), acknowledged_by="li")
    await answer(a_house, "resolved", resolved_at=after(10), resolved_by="person:li", ended_at=after(10))
    await answer(a_house, "alone", ended_at=after(3))
    await answer(
        a_house, "alone, then looked at", ended_at=after(3), acknowledged_at=after(90), acknowledged_by="person:li"
    )
    await answer(a_house, "closed by us", resolved_at=after(2), resolved_by="ballast", ended_at=after(2))
    await person_does(a_house, "SO-3", at=NOON - timedelta(minutes=1), cause="hold:v0")
    await person_does(a_house, "SO-1", at=after(20), cause="release:v3")
    await answer(a_house, "acted", ended_at=after(20) - timedelta(milliseconds=200))  # by the same deed
    await person_does(a_house, "SO-2", at=after(6), cause="release:v3")
    await answer(a_house, "acted, then acknowledged", acknowledged_at=after(30), acknowledged_by="li")

    clock.set(after(60))
    found = (await make(a_house)).response
    assert (found.answered.count, found.answered.mean, found.answered.p50) == (4, 10.0, 8.0)  # 4, 6, 10, 20 minutes
    assert found.answered.p95 == pytest.approx(18.5)
    assert found.ended_alone == 3
    assert (found.open, found.oldest_minutes) == (2, 60.0)  # "open", and the one that was acted on before it rang
    assert found.at_least == pytest.approx((4 + 10 + 20 + 6 + 2 * 60) / 6)
    assert found.healthy is False, "what waits for an hour does not become healthy by not being answered"
    clock.set(after(21))
    assert (await make(a_house)).response.healthy is True


# -- accuracy ----------------------------------------------------------------------------------------------------


async def reconciled(
    house: House, figures: Mapping[str, Any], *, ended_at: datetime | None, scope: str = "sample"
) -> None:
    await execute(
        house,
        """
        insert into reconciliation (scope, wanted, asked_by, began_at, ended_at, figures)
        values (:scope, 1000, 'schedule', :began_at, :ended_at, cast(:figures as jsonb))""",
        scope=scope, began_at=(ended_at or NOON) - timedelta(minutes=5), ended_at=ended_at, figures=dumps(figures),
    )  # fmt: skip


def counted(asked: int, agreeing: int) -> dict[str, Any]:
    return {"asked": asked, "agreeing": agreeing, "share": None, "low": None, "high": None}


async def test_accuracy_is_of_the_newest_reconciliation_that_ended_in_the_window(a_house: House) -> None:
    await reconciled(a_house, {"overall": counted(100, 50)}, ended_at=NOON - timedelta(hours=2))
    figures = {**counted(1000, 999), "systems": {"erp": counted(900, 900), "wms": counted(0, 0)}, "before": {}}
    await reconciled(a_house, figures, ended_at=NOON)
    await reconciled(a_house, {"overall": counted(10, 1)}, ended_at=DAY.until)  # of the next day
    await reconciled(a_house, {"overall": counted(10, 2)}, ended_at=None)  # it is still asking
    await reconciled(a_house, {"overall": counted(3, 0)}, ended_at=NOON + timedelta(hours=1), scope="orders")
    found = (await make(a_house)).accuracy
    assert found.overall == Agreement(1000, 999) and found.measured_at == NOON and found.healthy is True
    assert found.overall.interval.low == pytest.approx(0.99436, abs=1e-4)
    assert found.systems["erp"].share == 1.0 and found.systems["wms"].share is None
    async with a_house.transaction() as tx:
        assert (await read_accuracy(tx)).overall == Agreement(10, 1), "without a window: the newest of all"


@pytest.mark.parametrize(
    ("figures", "overall"),
    [
        ({"overall": counted(0, 0)}, None),  # everybody was silent: that is not agreeing
        ({}, None),
        ({"overall": None, "systems": None}, None),
        ({"overall": counted(4, 3), "systems": {"qimen": counted(4, 3)}, "seconds": 12}, 0.75),
    ],
)
async def test_what_was_not_asked_is_not_measured(
    a_house: House, figures: dict[str, Any], overall: float | None
) -> None:
    await reconciled(a_house, figures, ended_at=NOON)
    found = (await make(a_house)).accuracy
    assert found.overall.share == overall
    assert found.healthy is (None if overall is None else False)
    assert set(found.systems) == set(figures.get("systems") or {})


# -- lead times, holds, breaches, money --------------------------------------------------------------------------


async def test_lead_times_by_step_and_orders_that_are_not_there_yet(a_house: House, clock: SettableClock) -> None:
    for number, minutes in (("SO-1", 10), ("SO-2", 30)):  # placed ten minutes before noon
        clock.set(NOON + timedelta(minutes=minutes))
        await place(a_house, make_order(number))
        await pay(a_house, number, f"T-{number}")
        clock.pass_by(minutes=minutes)
        await lock(a_house, number)
        await tell(a_house, shipped({f"Y-{number}": {"SKU-1": 2}}, order_no=number, minutes=120))
        first = NOON + timedelta(minutes=180)
        news = scanned(f"Y-{number}", order_no=number, minutes=180, first_scan_at=first)
        assert await tell(a_house, news) == ["moved"]
    clock.set(NOON)
    await place(a_house, make_order("SO-3"))  # waits for its money
    await place(a_house, make_order("SO-4", placed_at=NOON - timedelta(minutes=5)))
    await pay(a_house, "SO-4", "T-4")
    await execute(a_house, "update sales_order set paid_at = placed_at - interval '1 minute' where order_no = 'SO-4'")
    found = {one.step: one for one in (await make(a_house)).lead_times}
    paid = found["placed_paid"]
    assert (paid.count, paid.p50, paid.waiting, paid.disorder) == (2, 30.0, 1, 1)  # 20 and 40 minutes
    assert paid.p95 == pytest.approx(39.0)
    assert (found["paid_locked"].count, found["paid_locked"].p50, found["paid_locked"].waiting) == (2, 20.0, 1)
    assert (found["locked_outbound"].p50, found["locked_outbound"].p95) == (80.0, pytest.approx(98.0))
    assert (found["outbound_scanned"].count, found["outbound_scanned"].p50) == (2, 60.0)
    assert (found["scanned_signed"].count, found["scanned_signed"].waiting) == (0, 2)
    assert (found["placed_signed"].count, found["placed_signed"].waiting) == (0, 4)


async def test_an_order_without_a_scan_that_was_signed_is_not_waited_for(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    await tell(a_house, scanned("Y-1", Event.PARCEL_SIGNED, "3", minutes=20))
    async with opened_one(a_house) as one:
        one.take(Event.SIGNED, cause="sign_off:SO-1", actor="ballast")
    report = await make(a_house)
    found = {one.step: one for one in report.lead_times}
    assert (found["outbound_scanned"].count, found["outbound_scanned"].waiting) == (0, 0)
    assert found["placed_signed"].count == 1 and report.states == {"SIGNED": 1}
    assert report.channels[0].p50 == found["placed_signed"].p50


async def test_holds_by_reason_and_how_they_ended(a_house: House, clock: SettableClock) -> None:
    await place(a_house, *(make_order(f"SO-{n}") for n in range(1, 5)))
    for number in range(1, 5):
        await pay(a_house, f"SO-{number}", f"T-{number}")
        await hold_by_hand(a_house, HoldReason.STOCK_SHORT, f"SO-{number}")
    clock.pass_by(minutes=10)
    await release(a_house, "SO-1")
    clock.pass_by(minutes=20)
    await release(a_house, "SO-2", by="ballast")
    async with opened_one(a_house, "SO-3") as case:
        case.take(
            Event.HELD, cause="hold:v9", actor="person:li", reason=HoldReason.BY_HAND, evidence="wait", text="wait"
        )
    by_reason = {one.reason: one for one in (await make(a_house)).holds}
    short = by_reason["STOCK_SHORT"]
    assert (short.count, short.open, short.by_person, short.by_itself, short.followed) == (4, 1, 1, 1, 1)
    assert short.median_minutes == 30.0
    assert (by_reason["BY_HAND"].count, by_reason["BY_HAND"].open, by_reason["BY_HAND"].median_minutes) == (1, 1, None)


async def test_breaches_by_clock_level_and_courier(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-1"), make_order("SO-2"))
    for order, level, courier, due, ended in (
        ("SO-1", "yellow", "YTO", NOON, NOON), ("SO-1", "red", "YTO", NOON, None), ("SO-2", "red", "YTO", NOON, NOON),
        ("SO-2", "red", "SF", NOON, None), ("SO-2", "red", "SF", DAY.until, None),
    ):  # fmt: skip
        await execute(
            a_house,
            """
            insert into sla_breach (order_id, clock, level, started_at, due_at, seen_at, ended_at, channel, courier)
            values (:id, 'transit', :level, cast(:due as timestamptz) - make_interval(mins => length(:courier)), :due,
              :due, :ended, 'direct', :courier)""",
            id=ids[order], level=level, courier=courier, due=due, ended=ended,
        )  # fmt: skip
    found = await make(a_house)
    assert [(one.level, one.courier, one.count, one.open) for one in found.breaches] == [
        ("red", "YTO", 2, 1), ("red", "SF", 1, 1), ("yellow", "YTO", 1, 0)
    ]  # fmt: skip
    assert found.channels[0].red == 2


async def test_duplicate_charges_in_several_currencies(a_house: House) -> None:
    await place(a_house, make_order("SO-1"), make_order("SO-2"))
    for number, second in (("SO-1", "T-1b"), ("SO-2", "T-2b")):
        await pay(a_house, number, f"T-{number}")
        await tell(a_house, captured(2000, second, number))
    await tell(a_house, refunded(500, "T-1b", "R-1", order_no="SO-1"))  # the rest of it is asked for by itself
    await execute(a_house, "update refund set transaction_id = upper(transaction_id) where transaction_id = 'T-1b'")
    await execute(a_house, "update refund set state = 'failed' where transaction_id = 'T-2b'")
    await execute(a_house, "update payment set currency = 'JPY' where transaction_id = 'T-2b'")
    assert (await make(a_house)).duplicates == [
        Duplicates("CNY", 1, 2000, refunded=500, under_way=1500, open=0),
        Duplicates("JPY", 1, 2000, refunded=0, under_way=0, open=2000),
    ]


async def test_a_window_holds_its_first_moment_and_not_its_last(a_house: House) -> None:
    await place(a_house, make_order("SO-1", placed_at=DAY.since), make_order("SO-2", placed_at=DAY.until))
    assert (await make(a_house)).interventions.orders == 1
    assert (
        await make(a_house, replace(DAY, since=DAY.until, until=DAY.until + timedelta(1)))
    ).interventions.orders == 1


async def test_the_number_of_statements_is_fixed(a_house: House) -> None:
    await make(a_house)
    with statements(a_house.engine) as few:
        await make(a_house)
    await place(a_house, *(make_order(f"SO-{n}", channel=f"shop-{n % 7}") for n in range(50)))
    with statements(a_house.engine) as many:
        assert (await make(a_house)).interventions.orders == 50
    assert len(few) == len(many) <= 10


@pytest.mark.parametrize(
    "values", [[7.0], [3.0, 1.0], [0.0, 0.1, 0.2, 5.0, 1000.0], [float(n * n % 97) for n in range(100)]]
)
async def test_percentiles_are_the_same_here_and_there(a_house: House, values: list[float]) -> None:
    shares = [0.0, 0.05, 0.5, 0.95, 0.99, 1.0]
    [there] = await column(
        a_house,
        """
        select percentile_cont(cast(:shares as float8[])) within group (order by v)
        from unnest(cast(:values as float8[])) v""",
        shares=shares, values=values,
    )  # fmt: skip
    assert there == pytest.approx([percentile(values, share) for share in shares])
