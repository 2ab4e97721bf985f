"""The ledger: every cent of every order is somewhere, a day's sums are those of its orders, archived ones too."""

from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.db.archive import recall
from ballast.db.engine import rows, run
from ballast.db.ledger import OrderMoney, money_of, moved, standing, sums
from ballast.db.refund_requests import RefundRefused, Wanted, made_by_hand, request
from ballast.domain.ledger import Finding
from ballast.domain.life_cycle import NoSuchMove, TooEarly
from ballast.domain.report import Window
from ballast.domain.words import Event, HoldReason, State, System
from ballast.wiring import House
from tasks.pruning import Ages, prune
from tests.db.stage import bring, captured, lock, make_order, opened_one, pay, place, refunded, said, shipped, tell
from tests.db.test_refunds import through
from tests.times import NOON, SettableClock

ALWAYS = Window(NOON - timedelta(days=9999), NOON + timedelta(days=9999))


async def one(house: House, order_no: str = "SO-1") -> OrderMoney:
    async with house.transaction() as tx:
        [found] = await money_of(tx, [order_no], house.clock.now())
    return found


async def figures(house: House, order_no: str = "SO-1") -> dict[str, Any]:
    """What is not nothing, and the findings."""
    found = await one(house, order_no)
    assert found.account.adds_up
    kept = {name: getattr(found.account, name) for name in found.account.__slots__}
    return {name: value for name, value in kept.items() if value} | {"findings": [*found.findings]}


async def test_an_ordinary_order_is_paid_and_agrees(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    assert await figures(a_house) == {"due": 2000, "captured": 2000, "earned": 2000, "findings": []}


async def test_a_second_charge_is_seen_until_it_is_back(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, captured(2000, "T-2", minutes=1))
    assert await figures(a_house) == {
        "due": 2000, "captured": 4000, "earned": 2000, "on_its_way": 2000, "findings": [Finding.DUPLICATE_GOES_BACK],
    }  # fmt: skip
    await tell(a_house, refunded(2000, "T-2", "RF-T-2", code="ABNORMAL"))
    assert (await figures(a_house))["findings"] == [Finding.DUPLICATE_CAPTURE, Finding.REFUND_FAILED]
    assert (await figures(a_house))["surplus"] == 2000
    await tell(a_house, refunded(2000, "T-2", "BY-HAND"))
    found = await figures(a_house)
    assert (found["refunded"], found["findings"]) == (2000, [Finding.DUPLICATE_WENT_BACK])


async def test_goods_without_money_are_a_missing_capture(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    async with a_house.transaction() as tx:
        await run(tx, "delete from payment")
    assert await figures(a_house) == {"due": 2000, "open": 2000, "findings": [Finding.MISSING_CAPTURE]}
    later = Window(NOON + timedelta(days=9), NOON + timedelta(days=10))
    async with a_house.transaction() as tx:
        assert [row async for page in moved(tx, later, NOON) for row in page] == []
        seen = [row.findings async for page in standing(tx, later, NOON) for row in page]
        assert seen == [(Finding.MISSING_CAPTURE,)], "whenever it was placed: it is not over"
        await run(tx, "update order_event set cause = 'import:PAYMENT_CONFIRMED' where event = 'PAYMENT_CONFIRMED'")
    assert (await figures(a_house))["findings"] == [], "a file said that it was paid, and had no charges"


async def test_called_off_with_its_money_here(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    async with opened_one(a_house) as case:
        case.take(Event.CANCEL_ASKED, cause="c", actor="person:li")
        case.take(Event.CANCELLED, cause="d", actor="ballast")
    assert await figures(a_house) == {"captured": 2000, "surplus": 2000, "findings": [Finding.CLOSED_WITH_MONEY]}


async def test_money_of_an_order_that_was_closed_unpaid(a_house: House) -> None:
    await place(a_house, make_order())
    await tell(a_house, said(System.WECHATPAY, Event.PAYMENT_ENDED, "CLOSED"))
    await tell(a_house, through("alipay", 2000, "A-1"))
    assert await figures(a_house) == {
        "captured": 2000, "on_its_way": 2000,
        "findings": [Finding.REFUND_BY_HAND, Finding.DUPLICATE_GOES_BACK],
    }  # fmt: skip


async def test_a_part_given_back_is_a_credit_and_the_rest_is_earned(a_house: House, clock: SettableClock) -> None:
    await bring(a_house, State.SIGNED)
    async with a_house.transaction() as tx:
        await request(
            tx, Wanted(order_no="SO-1", amount="3.00", why="w", by="li"), now=clock.now(), waits=a_house.waits
        )
    expected = {"due": 2000, "captured": 2000, "earned": 1700, "credited": 300, "on_its_way": 300}
    assert await figures(a_house) == {**expected, "findings": []}
    clock.pass_by(hours=80)
    assert (await figures(a_house))["findings"] == [Finding.REFUND_LATE]


async def test_less_that_a_person_accepted_and_nobody_yet(a_house: House) -> None:
    await place(a_house, make_order(), make_order("SO-2"))
    await tell(a_house, captured(1500, "T-1"))
    assert (await figures(a_house))["findings"] == [Finding.PAYMENT_DIFFERS]
    await pay(a_house, "SO-2", "T-2")
    async with a_house.transaction() as tx:
        await run(tx, "update payment set amount = 1500 where transaction_id = 'T-2'")
    assert await figures(a_house, "SO-2") == {
        "due": 2000, "captured": 1500, "earned": 1500, "open": 500, "findings": [Finding.UNDERPAID],
    }  # fmt: skip


async def test_what_went_back_of_a_charge_that_nobody_knows(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    await tell(a_house, refunded(700, "T-7", "R-7"), refunded(2500, "T-1", "R-1", of=2000))
    found = await figures(a_house)
    assert (found["unbooked"], found["refunded"], found["credited"]) == (1200, 3200, 2000)
    assert found["findings"][0] is Finding.REFUND_UNBOOKED


async def test_another_currency_has_a_row_of_its_own(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    async with a_house.transaction() as tx:
        await run(
            tx,
            """insert into payment (order_id, provider, transaction_id, amount, currency, merchant, method, state,
            paid_at, recorded_at) select id, 'p', 'U', 300, 'USD', '', '', 'captured', now(), now() from sales_order""",
        )
        found = await money_of(tx, ["SO-1"], a_house.clock.now())
    assert [(row.facts.currency, row.account.captured, row.account.due) for row in found] == [
        ("CNY", 2000, 2000), ("USD", 300, 0),
    ]  # fmt: skip
    assert found[1].findings == (Finding.CURRENCY,)


HISTORY = st.lists(
    st.tuples(
        st.sampled_from(
            ["charge", "back", "loose", "ask", "by hand", "lock", "ship", "cancel", "hold", "close", "days"]
        ),
        st.integers(1, 4000),
        st.integers(1, 3),
    ),
    max_size=12,
)
_number = count(1)


async def _live(house: House, clock: SettableClock, order_no: str, what: str, amount: int, which: int) -> None:
    """One thing happens to an order, through the doors that the steps use. What is refused has not happened."""
    transaction = f"{order_no}-T{which}"
    match what:
        case "charge":
            await tell(house, captured(2000 if amount % 2 else amount, transaction, order_no, which))
        case "back":
            code = ("SUCCESS", "ABNORMAL", "PROCESSING")[amount % 3]
            number = f"RF-{transaction}" if amount % 2 else f"R-{order_no}-{amount}"
            await tell(house, refunded(amount, transaction, number, order_no=order_no, code=code, minutes=amount))
        case "loose":
            await tell(house, refunded(amount, f"X-{transaction}", f"X-{order_no}-{amount}", order_no=order_no))
        case "ask" | "by hand":
            await _by_a_person(house, order_no, what, amount, transaction)
        case "lock":
            await pay(house, order_no, f"{order_no}-P{next(_number)}")
            await lock(house, order_no)
        case "ship":
            await tell(house, shipped({f"Y-{order_no}": {"SKU-1": 2}}, order_no=order_no))
        case "cancel" | "hold" | "close":
            event = {"cancel": Event.CANCELLED, "hold": Event.HELD, "close": Event.RETURN_WINDOW_ENDED}[what]
            async with opened_one(house, order_no) as case:
                reason = HoldReason.BY_HAND if what == "hold" else None
                case.take(event, cause=f"{what}{amount}", actor="ballast", reason=reason, evidence="e")
        case _:
            clock.pass_by(hours=amount % 80)


async def _by_a_person(house: House, order_no: str, what: str, amount: int, transaction: str) -> None:
    now, waits = house.clock.now(), house.waits
    try:
        async with house.transaction() as tx:
            if what == "ask":
                major = f"{amount // 100}.{amount % 100:02d}"
                wanted = Wanted(order_no=order_no, amount=major, transaction=transaction, why="w", by="li", again=True)
                await request(tx, wanted, now=now, waits=waits)
            else:
                await run(tx, "update refund set state = 'by_hand' where state = 'asked'")
                for row in await rows(tx, "select refund_no from refund where state = 'by_hand' limit 1"):
                    await made_by_hand(tx, row.refund_no, by="li", now=now, waits=waits)
    except RefundRefused:
        pass


async def _ledger(house: House) -> tuple[list[OrderMoney], dict[str, tuple[int, int, int]], list[OrderMoney]]:
    """Every order that ever moved; the sums of all time and of every day, which have to be the same; what stands."""
    now = house.clock.now()
    async with house.transaction() as tx:
        found = [row async for page in moved(tx, ALWAYS, now) for row in page]
        whole = _by_currency(await sums(tx, ALWAYS))
        days = [Window(NOON + timedelta(days=n), NOON + timedelta(days=n + 1)) for n in range(-3, 45)]
        assert _by_currency([one for day in days for one in await sums(tx, day)]) == whole
        open_ones = [row async for page in standing(tx, ALWAYS, now) for row in page]
    return found, whole, open_ones


def _by_currency(found: Any) -> dict[str, tuple[int, int, int]]:
    totals: dict[str, tuple[int, int, int]] = {}
    for one in found:
        due, captured_, refunded_ = totals.get(one.currency, (0, 0, 0))
        totals[one.currency] = (due + one.due, captured_ + one.captured, refunded_ + one.refunded)
    return totals


@settings(max_examples=60)
@given(histories=st.lists(HISTORY, min_size=1, max_size=3))
async def test_every_cent_is_somewhere(
    a_house: House, clock: SettableClock, histories: list[list[tuple[str, int, int]]]
) -> None:
    begin = f"S{next(_number)}"
    async with a_house.transaction() as tx:
        for name in ("archived_money", "archived_order", "payment", "refund"):
            await run(tx, f"delete from {name}")  # a table of ours
        await run(tx, "update sales_order set placed_at = '1900-01-01'")
    clock.set(NOON)
    mine = [f"{begin}-{number}" for number in range(len(histories))]
    await place(a_house, *(make_order(number) for number in mine))
    for number, history in zip(mine, histories, strict=True):
        for what in history:
            try:
                await _live(a_house, clock, number, *what)
            except (TooEarly, NoSuchMove):
                continue
    found, whole, _ = await _ledger(a_house)
    found = [row for row in found if row.facts.order_no in mine]
    assert {row.facts.order_no for row in found} == {*mine}
    for row in found:
        pots = (row.facts.paying, row.facts.second, row.facts.loose)
        assert row.account.adds_up, row
        assert all(getattr(part, name) >= 0 for part in (*pots, row.account) for name in part.__slots__), row
        moved_ = (row.moved_due, row.moved_captured, row.moved_refunded)
        assert moved_ == (row.account.due, row.account.captured, row.account.refunded), row
    assert whole == {
        "CNY": tuple(
            map(
                sum,
                zip(
                    *(  # type: ignore[comparison-overlap]
                        (row.account.due, row.account.captured, row.account.refunded) for row in found
                    ),
                    strict=True,
                ),
            )
        )
    }


async def test_the_archive_takes_no_money_away(a_house: House, clock: SettableClock) -> None:
    """Put away, brought back, put away and forgotten: the same sums, the same account."""
    await bring(a_house, State.SIGNED)
    await tell(a_house, captured(2000, "T-2", minutes=1))
    await tell(a_house, refunded(2000, "T-2", "RF-T-2"), refunded(300, "T-1", "R-2"))
    async with opened_one(a_house) as case:
        case.take(Event.RETURN_WINDOW_ENDED, cause="c", actor="ballast")
    async with a_house.transaction() as tx:
        for table in ("update outbox set due_at = null, done_at = now()", "update sales_order set sla_due_at = null"):
            await run(tx, table)
        await run(tx, "update alert set climbs_at = null, ended_at = now()")
    clock.set(NOON + timedelta(days=800))
    before = await one(a_house), (await _ledger(a_house))[1]
    assert before[0].account.captured == 4000 and before[0].account.credited == 300
    assert (await prune(a_house, Ages(archive=timedelta(days=400)))).archived == 1
    away = await one(a_house)
    assert away.order_id is None and (away.account, away.findings) == (before[0].account, before[0].findings)
    assert (await _ledger(a_house))[1] == before[1]
    async with a_house.transaction() as tx:
        await recall(tx, "SO-1")
    assert (await one(a_house), (await _ledger(a_house))[1]) == before
    await prune(a_house, Ages(archive=timedelta(days=400), forget=timedelta(days=400)))
    assert (await _ledger(a_house))[1] == before[1], "the books of a year do not change because a person is forgotten"
