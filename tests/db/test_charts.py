"""What charts show, against the list that it is counted from."""

from collections import Counter
from datetime import date, datetime, timedelta

import pytest

from ballast.clock import SHANGHAI
from ballast.db.charts import BINS, KEPT, note_stock, read_holds, read_lead_times, read_levels
from ballast.db.engine import dumps, rows, run
from ballast.domain.channels import Period
from ballast.domain.figures import percentile
from ballast.wiring import House
from tests.times import SettableClock

JANUARY = Period(date(2026, 1, 1), date(2026, 1, 31))
FIRST = datetime(2026, 1, 1, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)


async def put_orders(house: House, orders: list[dict[str, object]]) -> None:
    async with house.transaction() as tx:
        await run(tx, """
            insert into sales_order (id, order_no, channel, state, version, attempts, progress, placed_at, paid_at,
              outbound_at, signed_at, currency, total, freight, discount, customer_no, receiver, warehouse, recorded_at)
            select id, 'SO-' || id, channel, 'SIGNED', 0, 0, '', placed, placed, outbound, signed, 'CNY', 1, 0, 0, 'C',
              '{}', '', placed
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, channel text, placed timestamptz,
              outbound timestamptz, signed timestamptz)""", rows=dumps(orders))  # fmt: skip


async def test_lead_times_are_those_of_the_orders(a_house: House) -> None:
    took = {"pos": [2.0, 4.0, 1.0], "douyin": [float(hours) for hours in range(1, 101)]}
    orders: list[dict[str, object]] = [
        {"channel": channel, "placed": FIRST, "outbound": FIRST + each * HOUR, "signed": None}
        for channel, hours in took.items()
        for each in hours
    ]
    orders += [
        {"channel": "pos", "placed": FIRST, "outbound": FIRST - HOUR, "signed": FIRST + HOUR},  # as a system told it
        {"channel": "pos", "placed": FIRST - timedelta(seconds=1), "outbound": FIRST, "signed": FIRST},
        {"channel": "pos", "placed": FIRST + timedelta(days=31), "outbound": FIRST, "signed": FIRST},
    ]
    await put_orders(a_house, [{**one, "id": number} for number, one in enumerate(orders, 1)])
    async with a_house.transaction() as tx:
        found = await read_lead_times(tx, JANUARY)
    assert found.channels == ["douyin", "pos"], "the largest first"
    most = (percentile(took["douyin"], 0.98) or 0) * 3600
    assert found.ends["paid_outbound"] == pytest.approx(most * BINS / (BINS - 1))
    assert found.ways["paid_outbound"]["douyin"].counts[-1] == sum(each * 3600 > most for each in took["douyin"]) == 2
    for channel, hours in took.items():
        one = found.ways["paid_outbound"][channel]
        assert one.marks == tuple((percentile(hours, share) or 0) * 3600 for share in (0.5, 0.9, 0.95))
        width = found.ends["paid_outbound"] / BINS
        bins = Counter(min(BINS - 1, int(each * 3600 / width)) for each in hours)
        assert list(one.counts) == [bins[place] for place in range(BINS)]
    assert sum(found.ways["placed_signed"]["pos"].counts) == 1 and "douyin" not in found.ways["placed_signed"]


async def test_of_nothing_there_are_no_times(a_house: House) -> None:
    async with a_house.transaction() as tx:
        found = await read_lead_times(tx, JANUARY)
        assert (found.channels, found.ways) == ([], {}) and await read_holds(tx, JANUARY) == []


async def test_holds_by_day_in_china_and_reason(a_house: House) -> None:
    await put_orders(a_house, [{"id": number, "channel": "pos", "placed": FIRST} for number in (1, 2, 3)])
    async with a_house.transaction() as tx:
        await run(tx, """
            insert into hold (order_id, reason, evidence, held_from, held_at, released_at, note) values
              (1, 'STOCK_SHORT', '', '', '2026-01-05T15:59:59Z', '2026-01-06T00:00:00Z', ''),
              (2, 'STOCK_SHORT', '', '', '2026-01-05T16:00:00Z', null, ''),
              (3, 'COMPLAINT', '', '', '2026-01-31T16:00:00Z', null, '')""")  # fmt: skip
        found = await read_holds(tx, JANUARY)
    assert sorted((one.day.day, one.reason, one.count, one.open) for one in found) == [
        (5, "STOCK_SHORT", 1, 0),
        (6, "STOCK_SHORT", 1, 1),
    ]


async def test_levels_of_the_day_are_noted_once_and_those_nearest_to_their_line_are_shown(a_house: House) -> None:
    clock = a_house.clock
    assert isinstance(clock, SettableClock)
    today = clock.now().astimezone(SHANGHAI).date()
    async with a_house.transaction() as tx:
        for sku, on_hand, line in (("A", 100, 10), ("B", 5, 10), ("C", 50, None), ("D", 11, 10)):
            await run(tx, """insert into stock_level (sku, warehouse, on_hand, locked, short, figure_at)
                values (:sku, 'CK001', :on_hand, 1, 0, :now)""", sku=sku, on_hand=on_hand, now=clock.now())  # fmt: skip
            await run(tx, """insert into stock_limit (sku, warehouse, safety_line, changed_by, changed_at)
                values (:sku, '', :line, 'li', :now)""", sku=sku, line=line, now=clock.now())  # fmt: skip
        assert await note_stock(tx, clock.now()) == 3
        await run(tx, "update stock_level set on_hand = 8 where sku = 'B'")
        assert await note_stock(tx, clock.now()) == 3
        await run(tx, "update stock_level set on_hand = 7 where sku = 'B'")
        clock.pass_by(days=1)
        await note_stock(tx, clock.now())
        period = Period(today, today + timedelta(days=1))
        shown = await read_levels(tx, period, most=2)
        assert [[(one.sku, one.on_hand, one.to_promise, one.safety_line) for one in days] for days in shown] == [
            [("B", 8, 7, 10), ("B", 7, 6, 10)],
            [("D", 11, 10, 10), ("D", 11, 10, 10)],
        ]
        named = await read_levels(tx, period, skus=["A"], most=2)
        assert [one.sku for days in named for one in days] == ["A", "A"]
        clock.pass_by(days=KEPT.days)
        await note_stock(tx, clock.now())
        assert (await rows(tx, "select count(distinct day) from stock_daily"))[0][0] == 2, "the oldest day is gone"
