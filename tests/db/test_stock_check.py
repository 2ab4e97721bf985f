"""The detector finds each kind of damage; the compensator mends what is ours, once, however often it is asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ballast.db import effects, stock
from ballast.db.stock_check import Correction, find_damage, mend_figures, mend_locks, note_bills
from ballast.domain.stock import Want
from ballast.domain.stock_check import MENDED, RULE_LABELS, Finding, Rule
from ballast.domain.words import State
from ballast.ports import StockFigure
from ballast.wiring import House
from tests.db.stage import TWO, bring, column, fill_shelf, make_order, shipped, somebody_waits, table, tell
from tests.times import NOON, SettableClock

SKU, SHELF = "SKU-1", "CK001"
THEIRS = StockFigure(sku=SKU, warehouse=SHELF, on_hand=9, available=5, locked=4)
"""What the ERP says: nothing is booked yet, both orders have their reservation."""


@pytest.fixture
async def sound(a_house: House) -> House:
    """Nine pieces; `stays` is stock-locked with two, `goes` left with two, and its bill is on its way to the ERP."""
    await fill_shelf(a_house, {SKU: 9})
    for number in ("stays", "goes"):
        case = await bring(a_house, State.STOCK_LOCKED, order=make_order(number, warehouse=SHELF))
        async with a_house.transaction() as tx:
            await stock.lock_stock(tx, [Want.of(case.id, TWO)], NOON)
        await done(a_house, "erp.reserve", number)
    await tell(a_house, shipped({"Y-1": dict(TWO)}, order_no="goes"))
    return a_house


async def done(house: House, kind: str, order_no: str) -> None:
    """This effect was made."""
    [order_id] = await column(house, "select id from sales_order where order_no = :no", no=order_no)
    async with house.transaction() as tx:
        await effects.begin(tx, kind, [(f"{kind}:{order_no}", order_id, "")], NOON)
        await effects.finish(tx, [effects.Result(key=f"{kind}:{order_no}", state="done", receipt={})], NOON)


async def look(house: House, *figures: StockFigure) -> list[Finding]:
    async with house.transaction() as tx:
        return await find_damage(tx, figures or None, asked_at=house.clock.now())


async def mend(house: House, *figures: StockFigure) -> list[Correction]:
    """Everything that is ours to mend, from one look."""
    found, now = await look(house, *figures), house.clock.now()
    async with house.transaction() as tx:
        made = await mend_locks(tx, found, now)
    async with house.transaction() as tx:
        made += await note_bills(tx, found, now)
    async with house.transaction() as tx:
        return made + await mend_figures(tx, found, figures, asked_at=now)


async def hurt(house: House, *damage: str) -> None:
    for sql in damage:
        await table(house, f"{sql} returning 1")


async def ledger(house: House) -> tuple[int, int]:
    async with house.transaction() as tx:
        return (await stock.levels(tx))[SKU, SHELF]


def brief(findings: Sequence[Finding]) -> list[tuple[str, int, int, str]]:
    return [(f.rule.value, f.found, f.expected, f.order_no) for f in findings]


async def test_sound_books_have_nothing_to_find_and_nothing_to_mend(sound: House) -> None:
    assert await look(sound, THEIRS) == []
    assert await mend(sound, THEIRS) == []
    assert await column(sound, "select count(*) from stock_correction") == [0]


STAYS, GOES = (f"(select id from sales_order where order_no = '{number}')" for number in ("stays", "goes"))
CLOSE = "update sales_order set state = 'CLOSED', due_step = null, due_at = null where order_no = 'stays'"
HOLD = "update sales_order set state = 'ON_HOLD', held_from = 'PENDING_PAYMENT', hold_reason = '{}' where id = " + STAYS
DAMAGE: dict[str, tuple[list[str], list[tuple[str, int, int, str]]]] = {
    "counted too high": (["update stock_level set locked = 5"], [("LOCKED_SUM", 5, 2, "")]),
    "counted too low": (["update stock_level set locked = 0"], [("LOCKED_SUM", 0, 2, "")]),
    "level lost": (
        ["delete from stock_level"],
        [("LOCKED_SUM", 0, 2, "")],
    ),
    "closed and holds": ([CLOSE], [("LOCK_LEFT_OVER", 2, 0, "stays")]),
    "short and holds": ([HOLD.format("STOCK_SHORT")], [("LOCK_LEFT_OVER", 2, 0, "stays")]),
    "refused and holds": ([HOLD.format("ERP_REFUSED")], [("LOCK_LEFT_OVER", 2, 0, "stays")]),
    "outbound and holds": (
        [
            f"update stock_lock set state = 'held' where order_id = {GOES}",
            "update stock_level set locked = 4, on_hand = 9",
        ],
        [("LOCK_LEFT_OVER", 2, 0, "goes")],
    ),
    "holds nothing": (
        [f"delete from stock_lock where order_id = {STAYS}", "update stock_level set locked = 0"],
        [("LOCK_MISSING", 0, 2, "stays")],
    ),
    "holds too few": (
        [f"update stock_lock set quantity = 1 where order_id = {STAYS}", "update stock_level set locked = 1"],
        [("LOCK_MISSING", 1, 2, "stays")],
    ),
    "shipped and never left": (
        [f"update stock_lock set state = 'shipped' where order_id = {STAYS}", "update stock_level set locked = 0"],
        [("LOCK_MISSING", 0, 2, "stays"), ("SHIPPED_NOT_LEFT", 2, 0, "stays")],
    ),
    "left without a lock": (
        [f"delete from stock_lock where order_id = {GOES}"],
        [("LEFT_UNLOCKED", 0, 2, "goes")],
    ),
    "left and no bill is under way": (
        ["delete from outbox where key = 'erp.outbound:goes'"],
        [("NEVER_BOOKED", 2, 0, "goes")],
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_each_kind_of_damage_is_found_with_both_figures(sound: House, kind: str) -> None:
    damage, expected = DAMAGE[kind]
    await hurt(sound, *damage)
    found = await look(sound)
    assert brief(found) == expected
    assert {one.place for one in found} == {(SKU, SHELF)}
    assert [bool(one.order_id) for one in found] == [bool(one.order_no) for one in found]


ERP_SAYS = {
    "more there": (replace(THEIRS, on_hand=12, available=8), ("ON_HAND", 7, 10)),
    "less there": (replace(THEIRS, on_hand=5, available=1), ("ON_HAND", 7, 3)),
    "less than left": (replace(THEIRS, on_hand=1, available=0), ("ON_HAND", 7, 0)),
    "reserves less": (replace(THEIRS, available=8, locked=1), ("ERP_RESERVES_LESS", 1, 2)),
    "another warehouse": (replace(THEIRS, warehouse="CK009"), ("NOT_IN_ERP", 7, 0)),
}


@pytest.mark.parametrize("kind", ERP_SAYS)
async def test_the_erps_figures_are_compared(sound: House, kind: str) -> None:
    figure, (rule, found, expected) = ERP_SAYS[kind]
    assert (rule, found, expected, "") in brief(await look(sound, figure))
    assert await look(sound) == [], "and nothing is said of them when it did not answer"


async def test_a_figure_that_is_older_than_the_ledgers_own_is_not_compared(sound: House, clock: SettableClock) -> None:
    asked_at = clock.now()
    clock.pass_by(minutes=1)
    await fill_shelf(sound, {SKU: 20})
    async with sound.transaction() as tx:
        assert await find_damage(tx, [THEIRS], asked_at=asked_at) == []


async def test_an_erp_may_reserve_more_than_we_know_of(sound: House) -> None:
    assert await look(sound, replace(THEIRS, available=0, locked=9)) == []


@pytest.mark.parametrize("only", [{"available": 9}, {"locked": 0}], ids=["as locked", "as not available"])
async def test_an_erp_says_what_is_reserved_in_one_field_or_the_other(sound: House, only: dict[str, int]) -> None:
    assert await look(sound, replace(THEIRS, **only)) == []


async def test_what_is_being_called_off_needs_no_reservation_any_more(sound: House) -> None:
    await hurt(
        sound,
        "update sales_order set state = 'ON_HOLD', held_from = 'STOCK_LOCKED', hold_reason = 'CANCEL_ASKED' "
        "where order_no = 'stays'",
    )
    assert await look(sound, replace(THEIRS, available=9, locked=0)) == []


@pytest.mark.parametrize("kind", DAMAGE)
async def test_mending_twice_mends_once_and_leaves_what_is_a_persons(sound: House, kind: str) -> None:
    damage, expected = DAMAGE[kind]
    await hurt(sound, *damage)
    ours = [one for one in expected if Rule(one[0]) in MENDED]

    made = await mend(sound)

    assert [(one.rule.value, one.was, one.became) for one in made] == [one[:3] for one in ours]
    written = await table(sound, "select rule, sku, warehouse, was, became from stock_correction")
    assert [tuple(row.values()) for row in written] == [(rule, SKU, SHELF, f, e) for rule, f, e, _ in ours]
    assert await mend(sound) == []
    assert brief(await look(sound)) == [one for one in expected if Rule(one[0]) not in MENDED]


async def test_an_outbound_order_that_still_holds_takes_its_pieces_off_the_shelf(sound: House) -> None:
    await hurt(sound, *DAMAGE["outbound and holds"][0])
    await mend(sound)
    assert await ledger(sound) == (7, 2)
    assert await column(sound, "select state from stock_lock order by order_id") == ["held", "shipped"]


async def test_a_left_over_lock_at_a_level_that_is_counted_wrong_is_mended_in_one_go(sound: House) -> None:
    """Taking two off a count of nought would be refused by the database."""
    await hurt(sound, CLOSE, "update stock_level set locked = 0")
    assert [one.rule for one in await mend(sound)] == [Rule.LOCKED_SUM, Rule.LOCK_LEFT_OVER]
    assert await ledger(sound) == (7, 0)
    assert await mend(sound) == []


async def test_the_erps_bill_is_noted_as_of_its_audit(sound: House, clock: SettableClock) -> None:
    """So that a figure which was asked for after it counts as one that knows of it."""
    await done(sound, "erp.outbound", "goes")
    clock.pass_by(minutes=5)
    figure = replace(THEIRS, on_hand=7, available=5, locked=2)
    assert brief(await look(sound)) == [("BILL_NOT_NOTED", 2, 0, "goes")]
    await mend(sound)
    assert await look(sound, figure) == []
    assert await mend(sound) == []


async def test_the_erps_figure_is_taken_once(sound: House, clock: SettableClock) -> None:
    clock.pass_by(minutes=5)
    figure = replace(THEIRS, on_hand=12, available=8)
    assert [(one.was, one.became) for one in await mend(sound, figure)] == [(7, 10)]
    assert await mend(sound, figure) == []
    assert await ledger(sound) == (10, 2)


async def test_findings_that_are_stale_mend_nothing(sound: House) -> None:
    """What they say is read anew under the locks: only the place to look at comes from them."""
    order_ids = await column(sound, "select id from sales_order")
    stale = [
        Finding(Rule.LOCKED_SUM, SKU, SHELF, 9, 0),
        *(Finding(rule, SKU, SHELF, 2, 0, "", i) for i in order_ids for rule in MENDED),
    ]
    async with sound.transaction() as tx:
        assert await mend_locks(tx, stale, NOON) == []
        assert await note_bills(tx, stale, NOON) == []
    assert await ledger(sound) == (7, 2)


async def test_two_compensators_at_once_mend_each_unit_once(sound: House) -> None:
    await hurt(sound, CLOSE, "update stock_level set locked = 4")
    found = await look(sound)

    async def one_more() -> list[Correction]:
        async with sound.transaction() as tx:
            return await mend_locks(tx, found, NOON)

    async with sound.transaction() as first:
        made = await mend_locks(first, found, NOON)
        second = asyncio.create_task(one_more())
        await somebody_waits(first)
    assert [one.rule for one in made] == [Rule.LOCKED_SUM, Rule.LOCK_LEFT_OVER]
    assert await second == []
    assert await ledger(sound) == (7, 0)
    assert await column(sound, "select count(*) from stock_correction") == [2]


async def test_a_compensator_and_the_orders_own_end_meet(sound: House) -> None:
    """The order closes while its lock is being ended: the pieces come back once."""
    await hurt(sound, CLOSE)
    found = await look(sound)
    [order_id] = await column(sound, "select id from sales_order where order_no = 'stays'")

    async def mending() -> list[Correction]:
        async with sound.transaction() as tx:
            return await mend_locks(tx, found, NOON)

    async with sound.transaction() as first:
        await stock.end_locks(first, [order_id], NOON)
        second = asyncio.create_task(mending())
        await somebody_waits(first)
    assert await second == []
    assert await ledger(sound) == (7, 0)


def test_every_rule_has_words_for_people() -> None:
    assert set(RULE_LABELS) == set(Rule)
    assert all(label.advice_en and not label.advice_zh.isascii() for label in RULE_LABELS.values())
