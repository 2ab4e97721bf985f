"""What orders have in common: facts of the risk rules against the plainest count, and that nothing scans the table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.archive import Place, archive_chunk, recall
from ballast.db.engine import rows, run
from ballast.db.origins import asked_of, facts_sql, new_facts_sql, read_facts, read_new_facts, spans_of, subjects_of
from ballast.domain.money import Money
from ballast.domain.rules.facts import FACTS, Kind, kind_of
from ballast.domain.rules.windows import Figure, Subject, Window
from ballast.domain.words import State
from ballast.ports import Line, Order, Origin
from ballast.wiring import House
from tests.conftest import _EMPTY
from tests.db.stage import RECEIVER, bring, column, fill_shelf, make_order, place, statements, table
from tests.times import NOON, SettableClock

NAMES = (
    "ip_orders_1h", "ip_orders_24h", "ip_cards_1d", "ip_earlier_2d", "ip_returns_2d", "ip_return_rate_2d",
    "device_orders_1h", "device_cards_7d", "device_return_rate_1d",
    "phone_orders_30d", "phone_earlier_30d", "phone_returns_30d", "phone_return_rate_30d", "phone_cards_7d",
    "customer_orders_2h", "customer_cards_7d", "customer_returns_7d", "customer_return_rate_7d",
    "card_orders_72h", "card_earlier_90d", "card_return_rate_90d",
)  # fmt: skip
WINDOWS = tuple(window for name in NAMES if (window := Window.parse(name)))


@dataclass(frozen=True)
class Past:
    """One order of a made-up history; a small world, so that much meets."""

    minutes: int
    ip: str | None
    device: str | None
    card: str | None
    phone: int
    customer: int
    fate: str

    def order(self, number: int) -> Order:
        return make_order(
            f"SO-{number:03}",
            placed_at=NOON - timedelta(minutes=self.minutes),
            customer_no=f"C-{self.customer}",
            receiver=replace(RECEIVER, mobile=("+86 " if self.minutes % 2 else "") + f"1390000000{self.phone}"),
            origin=Origin(ip=self.ip, device=self.device, card=self.card),
        )

    def subject(self, subject: Subject) -> str | None:
        return {
            Subject.IP: self.ip, Subject.DEVICE: self.device, Subject.CARD: self.card,
            Subject.PHONE: str(self.phone), Subject.CUSTOMER: str(self.customer),
        }[subject]  # fmt: skip

    @property
    def returned(self) -> bool:
        return self.fate in ("accepted", "requested", "refused_parcel", "returned_parcel", "refunded_after")


pasts = st.builds(
    Past,
    # multiples of an hour meet the ends of windows exactly
    minutes=st.one_of(st.integers(0, 50).map(lambda n: n * 60), st.integers(0, 60 * 24 * 40)),
    ip=st.sampled_from([None, "203.0.113.1", "203.0.113.2"]),
    device=st.sampled_from([None, "d1", "d2"]),
    card=st.sampled_from([None, "k1", "k2", "k3", "k4"]),
    phone=st.integers(0, 2),
    customer=st.integers(0, 2),
    fate=st.sampled_from(
        ["kept", "kept", "accepted", "requested", "denied", "refused_parcel", "returned_parcel", "refunded_after",
         "refunded_before", "refund_failed"]
    ),
)  # fmt: skip


def count(window: Window, one: Past, all_: Sequence[Past]) -> float:
    """The definition, word for word, and slow."""
    mine, span = one.subject(window.subject), window.span / timedelta(minutes=1)
    if mine is None:
        return 0
    others = [other for other in all_ if other is not one and other.subject(window.subject) == mine]
    if window.figure in (Figure.ORDERS, Figure.CARDS):
        # a window begins at some order: earlier ones have more minutes
        starts = [o.minutes for o in [*others, one] if one.minutes <= o.minutes <= one.minutes + span]
        inside = [[o for o in [*others, one] if start - span <= o.minutes <= start] for start in starts]
        if window.figure is Figure.ORDERS:
            return max(len(them) for them in inside)
        return max(len({o.card for o in them if o.card}) for them in inside)
    before = [o for o in others if one.minutes <= o.minutes <= one.minutes + span]
    returned = sum(o.returned for o in before)
    if window.figure is Figure.EARLIER:
        return len(before)
    if window.figure is Figure.RETURNS:
        return returned
    return round(returned / len(before), 6) if before else 0


async def suffer(house: House, number: int, id_: int, fate: str) -> None:
    """What became of an order, as the books would have it."""
    now = house.clock.now()
    case = """insert into return_case (order_id, return_no, why, asked_by, asked_at, state, counts)
      values (:id, 'RT-' || :no || '-1', '', 'li', :now, :state, :counts)"""
    refund = """insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, why, state,
      requested_at) values ('R-' || :no, :id, 'wechatpay', 'T', 5, 'CNY', '', :state, :now)"""
    out = "update sales_order set outbound_at = :now where id = :id"
    async with house.transaction() as tx:
        match fate:
            case "accepted" | "requested" | "denied":
                state = {"denied": "rejected", "accepted": "approved"}.get(fate, fate)
                await run(tx, case, id=id_, no=str(id_), now=now, state=state, counts=fate != "denied")
            case "refused_parcel":
                sql = """insert into hold (order_id, reason, evidence, held_from, held_at, note)
                  values (:id, 'COURIER_REFUSED', '', 'SIGNED', :now, '')"""
                await run(tx, sql, id=id_, now=now)
            case "returned_parcel":
                sql = """insert into parcel (order_id, waybill, carrier, items, shipped_at, said, trouble,
                  trouble_evidence) values (:id, 'Y', 'YTO', '{}', :now, '', 'COURIER_RETURNED', '')"""
                await run(tx, sql, id=id_, now=now)
            case "refunded_after" | "refunded_before" | "refund_failed":
                if fate != "refunded_before":
                    await run(tx, out, id=id_, now=now)
                state = "failed" if fate == "refund_failed" else "done"
                await run(tx, refund, id=id_, now=now, no=str(number), state=state)


@settings(max_examples=60)
@given(history=st.lists(pasts, min_size=1, max_size=14))
async def test_windows_are_what_their_definition_says(a_house: House, history: list[Past]) -> None:
    async with a_house.engine.begin() as tx:
        await tx.execute(text(_EMPTY))
    ids = await place(a_house, *(past.order(number) for number, past in enumerate(history)))
    for number, past in enumerate(history):
        await suffer(a_house, number, ids[f"SO-{number:03}"], past.fate)
    async with a_house.transaction() as tx:
        found = await read_facts(tx, [*ids.values()], WINDOWS)
    for number, past in enumerate(history):
        facts = found[ids[f"SO-{number:03}"]]
        assert {window.name: facts[window.name] for window in WINDOWS} == {
            window.name: count(window, past, history) for window in WINDOWS
        }
        earlier = [  # two of the same moment are one after the other: only one of them is the first
            other
            for place, other in enumerate(history)
            if other.customer == past.customer and (-other.minutes, place) < (-past.minutes, number)
        ]
        assert (facts["customer_orders"], facts["first_order"]) == (len(earlier), not earlier)


def _window(name: str) -> Window:
    window = Window.parse(name)
    assert window is not None
    return window


async def test_a_burst_shows_its_first_orders_when_they_are_looked_at_again(a_house: House) -> None:
    burst = [
        make_order(f"SO-{n}", placed_at=NOON + timedelta(minutes=n), origin=Origin(ip="203.0.113.9")) for n in range(5)
    ]
    ids = await place(a_house, *burst[:1])
    windows = [_window("ip_orders_1h")]
    async with a_house.transaction() as tx:
        assert (await read_facts(tx, [ids["SO-0"]], windows))[ids["SO-0"]]["ip_orders_1h"] == 1
    ids |= await place(a_house, *burst[1:])
    async with a_house.transaction() as tx:
        found = await read_facts(tx, [*ids.values()], windows)
    assert [facts["ip_orders_1h"] for facts in found.values()] == [5] * 5


async def test_figures_are_exact_up_to_a_hundred_and_never_less_beyond(a_house: House) -> None:
    for many, expected in ((100, {100}), (150, range(101, 151))):
        async with a_house.engine.begin() as tx:
            await tx.execute(text(_EMPTY))
        ids = await place(
            a_house,
            *(
                make_order(f"SO-{n:03}", placed_at=NOON + timedelta(seconds=n), origin=Origin(ip="::1"))
                for n in range(many)
            ),
        )
        async with a_house.transaction() as tx:
            found = await read_facts(tx, [*ids.values()], [_window("ip_orders_1h")])
        assert all(facts["ip_orders_1h"] in expected for facts in found.values())


async def test_every_fact_of_the_table_is_there_and_of_its_kind(a_house: House) -> None:
    lines = (
        Line(line_no=1, sku="A", name="A", quantity=2, unit_price=300_000, amount=500_000),
        Line(line_no=2, sku="B", name="B", quantity=1, unit_price=100_000, amount=100_000),
    )
    full = replace(
        make_order("SO-2"), placed_at=NOON, lines=lines, total=Money(560_000), discount=Money(40_000),
        customer_no="C-1", customer_tier="vip",
        receiver=replace(RECEIVER, mobile="13800000001", address="文三路 1 号代收点"),
        origin=Origin(ip="2001:db8::1", device="d", card="tok_1"), coupons=("NEW30", "X"),
    )  # fmt: skip
    first = make_order("SO-1", placed_at=NOON - timedelta(days=3, hours=1), customer_no="C-1")
    ids = await place(a_house, first)
    ids |= await place(a_house, full)
    async with a_house.transaction() as tx:
        found = await read_facts(tx, [*ids.values()])
    assert found[ids["SO-2"]] == {
        "amount": 5600.0, "currency": "CNY", "quantity": 3, "lines": 2, "discount_rate": 0.2,
        "address": "浙江杭州西湖文三路 1 号代收点", "province": "浙江", "city": "杭州", "channel": "direct",
        "tier": "vip", "customer": "C-1", "first_order": False, "customer_age_days": 3, "customer_orders": 1,
        "phone_province": "北京", "region_differs": True, "ip": "2001:db8::1", "device": "d", "card": "tok_1",
        "coupons": ["NEW30", "X"], "hour": 12, "weekday": 3,
    }  # fmt: skip
    plain = found[ids["SO-1"]]
    assert (plain["first_order"], plain["ip"], plain["coupons"], plain["region_differs"]) == (True, "", [], True)
    kinds = {Kind.NUMBER: (int, float), Kind.TEXT: str, Kind.YES_NO: bool, Kind.TEXTS: list}
    for facts in found.values():
        assert facts.keys() == FACTS.keys()
        for name, value in facts.items():
            kind = kind_of(name)
            assert kind and isinstance(value, kinds[kind]) and (kind is Kind.YES_NO) == isinstance(value, bool)  # type: ignore[arg-type]


async def test_an_order_without_a_row_of_its_own_stands_alone(a_house: House) -> None:
    """It was taken in by the version before, after the tables were brought to the newest shape."""
    ids = await place(a_house, make_order("SO-1"), make_order("SO-2", customer_no="C-SO-1"))
    async with a_house.transaction() as tx:
        await run(tx, "delete from order_origin where order_id = :id", id=ids["SO-1"])
        found = await read_facts(tx, [*ids.values()], WINDOWS, names=["hour"])
    assert {found[ids["SO-1"]][window.name] for window in WINDOWS} == {0}
    assert "hour" in found[ids["SO-1"]] and "phone_province" not in found[ids["SO-1"]]  # as it was asked


async def test_a_chunk_is_one_statement_whatever_is_asked(a_house: House) -> None:
    ids = await place(a_house, *(make_order(f"SO-{n}") for n in range(30)))
    async with a_house.transaction() as tx:
        with statements(a_house.engine) as heard:
            await read_facts(tx, [*ids.values()], WINDOWS)
        with statements(a_house.engine) as heard_of_new:
            orders = {id_: make_order(order_no) for order_no, id_ in ids.items()}
            await read_new_facts(tx, orders, WINDOWS, FACTS)
    assert (len(heard), len(heard_of_new)) == (1, 1)


async def fill(tx: AsyncConnection, many: int) -> list[int]:
    """Orders over 90 days, most of them alone, some in crowds; the newest 400 ids."""
    await run(
        tx,
        """
        insert into sales_order (order_no, channel, state, version, attempts, progress, placed_at, currency, total,
          freight, discount, customer_no, receiver, warehouse, recorded_at)
        select 'SO-' || n, 'direct', 'CLOSED', 0, 0, '', cast(:now as timestamptz) - n * interval '1 minute', 'CNY',
          1000, 0, 0, 'C-' || n % 20000, '{"mobile": "13900000000", "province": "浙江"}', '', :now
        from generate_series(1, cast(:many as int)) n""",
        now=NOON,
        many=many,
    )
    await run(
        tx,
        """
        insert into order_line (order_id, line_no, sku, name, quantity, unit_price, amount, shipped)
        select id, 1, 'S', 'S', 1, 1000, 1000, 0 from sales_order""",
    )
    await run(
        tx,
        """
        insert into order_origin (order_id, placed_at, customer_no, mobile, ip, device, card)
        select id, placed_at, customer_no, '139' || id % 20000, '10.0.' || id % 3000, 'd' || id % 40000,
          'k' || id % 30000
        from sales_order""",
    )
    await run(
        tx,
        """
        insert into return_case (order_id, return_no, why, asked_by, asked_at, state)
        select id, 'RT-' || id || '-1', '', 'li', :now, 'approved' from sales_order where id % 20 = 0""",
        now=NOON,
    )
    await run(tx, "analyze")
    return [row.id for row in await rows(tx, "select id from sales_order order by placed_at desc limit 400")]


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in _nodes(part))]


async def test_windows_are_looked_up_and_no_large_table_is_scanned(a_house: House) -> None:
    by_subject = subjects_of(WINDOWS)
    async with a_house.engine.connect() as tx:
        ids = await fill(tx, 50_000)
        new = {row.order_id: _at_hand(row) for row in await rows(tx, _ORIGINS, ids=ids)}
        plans = [
            await rows(tx, f"explain (analyze, format json) {sql}", **asked)
            for sql, asked in (
                (facts_sql(by_subject), {"ids": ids, **spans_of(by_subject)}),
                (new_facts_sql(by_subject), asked_of(new, by_subject)),
            )
        ]
        await tx.rollback()  # the statistics, too: no other test should plan by them
        await tx.execute(text("truncate sales_order cascade"))
        await tx.commit()
    large = {"sales_order", "order_origin", "order_line", "return_case"}
    for ((plan,),) in plans:
        scans = [node for node in _nodes(plan[0]["Plan"]) if node.get("Relation Name") in large]
        assert {node["Index Name"] for node in scans if node["Relation Name"] == "order_origin"} >= {
            "origin_ip", "origin_device", "origin_mobile", "origin_customer_no", "origin_card",
        }  # fmt: skip
        assert [node["Node Type"] for node in scans if "Index" not in node["Node Type"]] == []


_ORIGINS = "select * from order_origin where order_id = any(cast(:ids as bigint[]))"


def _at_hand(row: Any) -> Order:
    origin = Origin(ip=row.ip, device=row.device, card=row.card)
    to = replace(RECEIVER, mobile=row.mobile)
    return make_order("SO", placed_at=row.placed_at, customer_no=row.customer_no, receiver=to, origin=origin)


async def test_what_was_told_is_kept_as_it_came_and_written_in_one_statement(a_house: House) -> None:
    told = Origin(ip="203.0.113.7", device="d-1", card="tok_1")
    with statements(a_house.engine) as heard:
        await place(
            a_house, make_order("SO-1", origin=told, coupons=("A", "B")), make_order("SO-2"), make_order("SO-3")
        )
    assert sum("insert into order_origin" in sql for sql, _ in heard) == 1
    assert await table(
        a_house,
        """select order_no, mobile, ip, device, card, coupons, g.placed_at = o.placed_at as same
        from order_origin g join sales_order o on o.id = g.order_id order by order_no limit 2""",
    ) == [
        {"order_no": "SO-1", "mobile": "13912345678", "ip": "203.0.113.7", "device": "d-1", "card": "tok_1",
         "coupons": ["A", "B"], "same": True},
        {"order_no": "SO-2", "mobile": "13912345678", "ip": None, "device": None, "card": None, "coupons": [],
         "same": True},
    ]  # fmt: skip
    await place(a_house, make_order("SO-1", origin=Origin(ip="::1")))
    assert await column(a_house, "select ip from order_origin where ip is not null") == ["203.0.113.7"]


async def test_it_goes_to_the_archive_with_its_order_and_comes_back(a_house: House, clock: SettableClock) -> None:
    await fill_shelf(a_house, {"SKU-1": 100})
    await bring(a_house, State.CLOSED, order=make_order(origin=Origin(ip="::1", card="k"), coupons=("A",)))
    before = await table(a_house, "select * from order_origin")
    now = clock.pass_by(days=800)
    async with a_house.transaction() as tx:
        await run(tx, "update sales_order set sla_due_at = null")
        await run(tx, "update outbox set done_at = :now, due_at = null", now=now)
        await run(tx, "update inbox set state = 'done'")
        await run(tx, "update alert set ended_at = :now, climbs_at = null", now=now)
    async with a_house.transaction() as tx:
        assert (await archive_chunk(tx, before=now, after=Place(), now=now)).archived == ("SO-1",)
    assert await table(a_house, "select * from order_origin") == []
    later = await place(a_house, make_order("SO-9", customer_no="C-SO-1", placed_at=now))
    async with a_house.transaction() as tx:
        facts = (await read_facts(tx, [later["SO-9"]]))[later["SO-9"]]
    assert (facts["first_order"], facts["customer_orders"]) == (False, 1)
    async with a_house.transaction() as tx:
        await recall(tx, "SO-1")
    assert await table(a_house, "select * from order_origin where card = 'k'") == before
