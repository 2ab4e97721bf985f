"""Channel return out of the books, against a world that is told order by order and counted in plain Python."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from openpyxl import Workbook

from adapters.files.channel_costs import read_cost_mapping
from ballast.clock import SHANGHAI
from ballast.db.channels import channel_report, put_costs
from ballast.db.engine import dumps, rows, run
from ballast.domain.channels import Cost, Measure, Period, measure
from ballast.wiring import House
from tasks.channels import CostsImported, import_costs
from tests.times import NOON

FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))
AS_OF = datetime(2026, 3, 20, 4, tzinfo=UTC)


@dataclass
class Sale:
    """An order as it was: refunds and returns with the days after its payment; `double`: charged twice, given back."""

    id: int
    channel: str
    customer: str
    paid_at: datetime
    total: int
    refunds: list[tuple[int, int]] = field(default_factory=list)  # days after, amount
    returns: list[tuple[int, str]] = field(default_factory=list)  # days after, state
    double: bool = False

    @property
    def day(self) -> date:
        return self.paid_at.astimezone(SHANGHAI).date()


def draw_world(seed: int) -> list[Sale]:
    dice, world = random.Random(seed), []
    for number in range(1, 401):
        paid = datetime(2025, 12, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(120 * 24 * 60))
        sale = Sale(number, dice.choice(("douyin", "wechat", "pos")), f"C-{dice.randrange(60)}", paid,
                    dice.randrange(0, 50_000))  # fmt: skip
        if dice.random() < 0.3:
            sale.refunds.append((dice.randrange(1, 40), max(1, sale.total // 2)))
        if dice.random() < 0.2:
            sale.returns += [(dice.randrange(40), dice.choice(("requested", "approved", "rejected")))
                             for _ in range(dice.randrange(1, 3))]  # fmt: skip
        sale.double = dice.random() < 0.2
        world.append(sale)
    return world


async def tell(house: House, world: list[Sale]) -> None:
    """The world into the books, without the steps."""
    sales = [
        {"id": s.id, "channel": s.channel, "customer": s.customer, "paid_at": s.paid_at, "total": s.total}
        for s in world
    ]
    charges = [{"id": s.id, "no": f"P{s.id}", "state": "counted"} for s in world]
    charges += [{"id": s.id, "no": f"X{s.id}", "state": "surplus"} for s in world if s.double]
    backs = [
        {"no": f"R{s.id}-{days}", "id": s.id, "charge": f"p{s.id}", "amount": amount,
         "done": s.paid_at + timedelta(days=days)}
        for s in world for days, amount in s.refunds
    ]  # fmt: skip
    backs += [
        {"no": f"X{s.id}", "id": s.id, "charge": f"x{s.id}", "amount": 7, "done": s.paid_at} for s in world if s.double
    ]
    goods = [
        {"id": s.id, "asked": s.paid_at + timedelta(days=days), "state": state} for s in world
        for days, state in s.returns[:1]
    ]  # fmt: skip
    for sale in world:
        sale.returns = sale.returns[:1]
    for number, row in enumerate(goods):
        row["instead"] = None if number % 4 else f"SO-{10_000 + row['id']}"
    sales += [  # sent in exchange: nobody bought them
        {"id": 10_000 + s.id, "channel": s.channel, "customer": s.customer, "total": 0,
         "paid_at": s.paid_at + timedelta(days=s.returns[0][0], hours=1)}
        for s in world if any(row["id"] == s.id and row["instead"] for row in goods)
    ]  # fmt: skip
    async with house.transaction() as tx:
        await run(tx, """
            insert into sales_order (id, order_no, channel, state, version, attempts, progress, placed_at, paid_at,
              currency, total, freight, discount, customer_no, receiver, warehouse, recorded_at)
            select id, 'SO-' || id, channel, 'SIGNED', 0, 0, '', paid_at, paid_at, 'CNY', total, 0, 0, customer,
              '{}', '', paid_at
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, channel text, customer text,
              paid_at timestamptz, total bigint)""", rows=dumps(sales))  # fmt: skip
        await run(tx, """
            insert into payment (order_id, provider, transaction_id, method, amount, currency, merchant, state,
              paid_at, recorded_at)
            select id, 'wechatpay', no, '', 7, 'CNY', 'm', state, now(), now()
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, no text, state text)""",
            rows=dumps(charges))  # fmt: skip
        await run(tx, """
            insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, why, state,
              requested_at, done_at)
            select no, id, 'wechatpay', charge, amount, 'CNY', '', 'done', done, done
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(no text, id bigint, charge text, amount bigint,
              done timestamptz)""", rows=dumps(backs))  # fmt: skip
        await run(tx, """
            insert into return_case (order_id, return_no, why, asked_by, asked_at, state, counts, exchange_order_no)
            select id, 'RT-' || row_number() over (), '', 'li', asked, state, state <> 'rejected', instead
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, asked timestamptz, state text,
              instead text)""",
            rows=dumps(goods))  # fmt: skip


def count(world: list[Sale], period: Period, as_of: datetime, channel: str) -> dict[str, Any]:
    """The same figures, one order after the other."""
    of = [s for s in world if s.channel == channel and period.first <= s.day <= period.last and s.paid_at < as_of]
    firsts: dict[str, datetime] = {}
    orders: dict[str, list[date]] = defaultdict(list)
    for sale in sorted(world, key=lambda s: (s.paid_at, s.id)):
        if sale.channel == channel and sale.day <= period.last and sale.paid_at < as_of:
            firsts.setdefault(sale.customer, sale.paid_at)
            orders[sale.customer].append(sale.day)
    gaps = [(b - a).days for days in orders.values() for a, b in pairwise(days) if b >= period.first]
    new = {s.customer for s in of if firsts[s.customer].astimezone(SHANGHAI).date() >= period.first}
    return {
        "orders": len(of),
        "revenue": sum(s.total for s in of),
        "refunds": sum(a for s in of for days, a in s.refunds if s.paid_at + timedelta(days=days) < as_of),
        "returned": sum(
            any(s.paid_at + timedelta(days=days) < as_of and state != "rejected" for days, state in s.returns)
            for s in of
        ),
        "customers": len({s.customer for s in of}),
        "new": len(new),
        "median": median(gaps) if gaps else None,
        "ended": len(gaps),
        "waiting": len(orders),
        "estimate": survival(orders, period),
    }


def survival(orders: dict[str, list[date]], period: Period) -> int | None:
    """Day by day: of all who wait at an age, how many order again at it."""
    spans = []
    for days in orders.values():
        for at, back in zip(days, [*days[1:], None], strict=True):
            if back is None or back >= period.first:
                over = back or period.last
                spans.append((max(0, (period.first - at).days), (over - at).days, back is not None))
    left = of = 1
    for age in sorted({over for _, over, ended in spans if ended}):
        at_risk = sum(entered <= age <= over for entered, over, _ in spans)
        back_at = sum(over == age and ended for _, over, ended in spans)
        left, of = left * (at_risk - back_at), of * at_risk
        if 2 * left <= of:
            return age
    return None


async def test_every_figure_is_that_of_the_world(a_house: House) -> None:
    world = draw_world(7)
    await tell(a_house, world)
    async with a_house.transaction() as tx:
        found = await channel_report(tx, FEBRUARY, AS_OF)
    assert found.before_as_of == AS_OF - timedelta(days=31), "January as it stood when it was as old"
    assert {one.now.channel for one in found.channels} == {"douyin", "wechat", "pos"}
    for one in found.channels:
        for figures, period, as_of in ((one.now, FEBRUARY, AS_OF), (one.before, FEBRUARY.before, found.before_as_of)):
            told = {
                "orders": figures.orders, "revenue": figures.revenue, "refunds": figures.refunds,
                "returned": figures.returned, "customers": figures.customers, "new": figures.new_customers,
                "median": figures.repurchase.median, "ended": figures.repurchase.ended,
                "waiting": figures.repurchase.waiting, "estimate": figures.repurchase.estimate,
            }  # fmt: skip
            assert told == count(world, period, as_of, figures.channel)
    nets = [one.now.revenue - one.now.refunds for one in found.channels]
    assert nets == sorted(nets, reverse=True)


async def test_a_period_under_way_is_compared_with_as_much_of_the_one_before(a_house: House) -> None:
    day = timedelta(days=1)
    noon = datetime(2026, 2, 10, 4, tzinfo=UTC)
    world = [Sale(1, "pos", "A", noon - day, 100), Sale(2, "pos", "B", noon - timedelta(days=32), 100),
             Sale(3, "pos", "C", noon - timedelta(days=20), 100)]  # fmt: skip
    await tell(a_house, world)
    async with a_house.transaction() as tx:
        [one] = (await channel_report(tx, FEBRUARY, noon)).channels
    assert (one.now.orders, one.before.orders) == (1, 1), "the order of 21 January is later than 10 January"
    assert (one.now.repurchase.waiting, one.before.repurchase.waiting) == (3, 1)


async def test_costs_meet_the_orders_of_their_channel_and_currency(a_house: House) -> None:
    await tell(a_house, [Sale(1, "douyin", "A", datetime(2026, 2, 3, tzinfo=UTC), 10_000)])
    costs = [Cost("douyin", date(2026, 2, day), "ocean", 1000, "CNY") for day in (1, 2)]
    costs += [Cost("douyin", date(2026, 2, 2), "kol", 500, "CNY"), Cost("ks", date(2026, 2, 5), "ads", 900, "USD"),
              Cost("douyin", date(2026, 3, 1), "ocean", 77, "CNY")]  # fmt: skip
    async with a_house.transaction() as tx:
        await put_costs(tx, costs, by="li", now=NOON)
        await put_costs(tx, [Cost("douyin", date(2026, 2, 1), "ocean", 1500, "CNY")], by="wang", now=NOON)
        found = await channel_report(tx, FEBRUARY, AS_OF)
    by = {(one.now.channel, one.now.currency): one.now for one in found.channels}
    douyin, kuaishou = by["douyin", "CNY"], by["ks", "USD"]
    assert (douyin.cost, douyin.cost_days, measure(Measure.ROI, douyin)) == (3000, 2, 7000 / 3000)
    assert (kuaishou.cost, kuaishou.orders, measure(Measure.AVERAGE, kuaishou)) == (900, 0, None)


async def test_what_is_in_the_archive_is_said(a_house: House) -> None:
    async with a_house.transaction() as tx:
        await run(
            tx,
            """insert into archived_order (order_no, channel, customer_no, placed_at, closed_at, archived_at, document)
            values ('A', 'pos', 'C', :at, cast(:at as timestamptz) + interval '9 days', :at, '')""",
            at=datetime(2026, 1, 5, tzinfo=UTC),
        )
        found = await channel_report(tx, FEBRUARY, AS_OF)
        later = await channel_report(tx, Period(date(2027, 1, 1), date(2027, 1, 31)), AS_OF + timedelta(days=400))
    assert (found.archived, found.history_cut) == (1, True)
    assert (later.archived, later.history_cut) == (0, True), "its customers are missing all the same"


# -- the import of costs -----------------------------------------------------------------------------------------


async def take(house: House, file: Path, mapping: Path | None = None) -> CostsImported:
    meaning = read_cost_mapping(mapping) if mapping else None
    return await import_costs(house, file, meaning, rejects=file.with_suffix(".rejects.csv"), by="li")


async def booked(house: House) -> list[tuple[Any, ...]]:
    async with house.transaction() as tx:
        sql = "select channel, day, source, amount, currency from channel_cost order by channel, day, source"
        return [tuple(row) for row in await rows(tx, sql)]


async def test_a_file_of_costs_row_by_row(a_house: House, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(
        "渠道,日期,消耗,来源\ndouyin,2026-01-01,12.50,ocean\ndouyin,2026/1/2,3,\n"
        "douyin,2026-01-01,1,ocean\n,2026-01-01,1,x\ndouyin,1/2/2026,1,x\ndouyin,2999-01-01,1,x\n"
        "douyin,2026-01-03,1.005,x\ndouyin,2026-01-03,-1,x\npos,20260101,0,rent\ntoo,many,1,x,cells\n"
    )  # fmt: skip
    done = await take(a_house, file)
    assert (done.imported, done.rejected, done.unknown) == (3, 7, ["douyin", "pos"])
    first = date(2026, 1, 1)
    wanted = [("douyin", first, "ocean", 1250, "CNY"), ("douyin", date(2026, 1, 2), "file", 300, "CNY"),
              ("pos", first, "rent", 0, "CNY")]  # fmt: skip
    assert await booked(a_house) == wanted
    assert done.rejects is not None and len(done.rejects.read_text().splitlines()) == 8
    why = "\n".join(done.reasons)
    for word in ("line 2 has this channel", "is empty", "is no day", "has not come yet", "decimals", "negative"):
        assert word in why
    await take(a_house, file)
    assert await booked(a_house) == wanted, "a repeat replaces"


async def test_a_workbook_with_a_mapping(a_house: House, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Kanal", "Tag", "Fen"], ["抖音小店", date(2026, 1, 1), 1250], ["抖音小店", "2026-01-02", 7]):
        sheet.append(row)
    book.save(tmp_path / "costs.xlsx")
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "columns: {channel: Kanal, day: Tag, amount: Fen}\ndefaults: {source: ocean}\n"
        "channels: {抖音小店: douyin}\nmoney: {unit: cents}\n"
    )
    done = await take(a_house, tmp_path / "costs.xlsx", mapping)
    assert (done.imported, done.rejected) == (2, 0)
    assert [row[3] for row in await booked(a_house)] == [1250, 7]
