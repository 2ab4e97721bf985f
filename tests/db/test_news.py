"""What news does: facts merge, late and old news moves nothing, holds come and end for their reasons only."""

from datetime import timedelta

import pytest

from ballast.db import news
from ballast.domain.life_cycle import ASKED_ANEW, Standing
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.wiring import House
from tests.db.stage import (
    bring,
    column,
    hold_by_hand,
    make_order,
    opened_one,
    place,
    read_case,
    refunded,
    release,
    said,
    scanned,
    shipped,
    table,
    tell,
)
from tests.times import NOON, SettableClock

THREE = (("SKU-1", 2), ("SKU-2", 1))


async def test_late_news_is_recorded_and_moves_nothing(a_house: House) -> None:
    before = await bring(a_house, State.SIGNED)
    late = [
        shipped({"Y-1": {"SKU-1": 2}}, minutes=300),
        scanned("Y-1", minutes=301),
        said(System.WECHATPAY, Event.PAYMENT_ENDED, "CLOSED", minutes=302),
        said(System.QIMEN, Event.WAREHOUSE_CANCELLED, "CANCELED", minutes=303, field="process"),
        scanned("Y-1", Event.HELD, "4", minutes=304, reason=HoldReason.COURIER_PROBLEM),
    ]
    assert await tell(a_house, *late) == ["noted"] * 5
    after = await read_case(a_house)
    assert (after.standing, after.due) == (before.standing, before.due)
    history = await table(a_house, "select event, moved from order_event order by id desc limit 5")
    assert [row["moved"] for row in history] == [False] * 5
    assert await column(a_house, "select count(*) from hold") == [0]


async def test_news_from_ahead_changes_nothing_at_all(a_house: House) -> None:
    before = await bring(a_house, State.STOCK_LOCKED)
    assert await tell(a_house, scanned("Y-1")) == ["early"]
    assert (await read_case(a_house)).version == before.version
    assert await column(a_house, "select count(*) from external_status where system = 'kdniao'") == [0]


@pytest.mark.parametrize("field", ["status", "another field"])
async def test_older_courier_news_never_moves(a_house: House, field: str) -> None:
    """A trouble from before the last scan is over, in whatever field the courier puts it."""
    before = await bring(a_house, State.IN_TRANSIT)
    older = scanned("Y-1", Event.HELD, "4", minutes=5, reason=HoldReason.COURIER_PROBLEM, field=field)
    assert await tell(a_house, older) == ["noted"]
    after = await read_case(a_house)
    assert after.standing == before.standing
    assert (after.parcels["Y-1"].said, after.parcels["Y-1"].said_at) == ("2", NOON + timedelta(minutes=10))


TROUBLE = (
    ("LACK", "itemlack.report", HoldReason.WAREHOUSE_SHORT),
    ("EXCEPTION", "processStatus", HoldReason.WAREHOUSE_EXCEPTION),
)


@pytest.mark.parametrize(("word", "field", "reason"), TROUBLE)
async def test_a_warehouses_trouble_from_before_its_confirm_is_over(
    a_house: House, word: str, field: str, reason: HoldReason
) -> None:
    """Told in its order it would have held the order until the confirm: told late, it holds nothing."""
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, shipped({"Y-1": {"SKU-1": 2}}, minutes=20))
    assert await tell(a_house, said(System.QIMEN, Event.HELD, word, minutes=10, field=field, reason=reason)) == [
        "noted"
    ]
    case = await read_case(a_house)
    assert (case.standing.state, case.due and case.due[0]) == (State.OUTBOUND, Step.TRACK_TRANSIT)
    later = said(System.QIMEN, Event.HELD, word, minutes=30, field=field, reason=reason)
    assert await tell(a_house, later) == ["moved"], "what it says after it shipped is news"


@pytest.mark.parametrize(("word", "field", "reason"), TROUBLE)
async def test_a_warehouses_trouble_waits_for_the_order_to_be_there(
    a_house: House, word: str, field: str, reason: HoldReason
) -> None:
    await place(a_house, make_order())
    trouble = said(System.QIMEN, Event.HELD, word, minutes=10, field=field, reason=reason)
    assert await tell(a_house, trouble) == ["early"]
    assert (await read_case(a_house)).standing.state is State.PENDING_PAYMENT


@pytest.mark.parametrize("state", [None, State.OUTBOUND])
async def test_a_complaint_counts_whenever_it_was_made(a_house: House, state: State | None) -> None:
    """No confirm of a warehouse answers a customer."""
    if state is None:
        await place(a_house, make_order())
    else:
        await bring(a_house, State.STOCK_LOCKED)
        await tell(a_house, shipped({"Y-1": {"SKU-1": 2}}, minutes=20))
    told = said(System.WECHAT, Event.HELD, "true", minutes=10, field="in_complaint", reason=HoldReason.COMPLAINT)
    assert await tell(a_house, told) == ["moved"]
    assert (await read_case(a_house)).standing.reason is HoldReason.COMPLAINT


async def test_the_newest_word_of_a_system_stands_whatever_order_it_came_in(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    words = [said(System.QIMEN, Event.WAREHOUSE_PROGRESS, word, minutes=m) for m, word in ((3, "PACK"), (1, "PICK"))]
    await tell(a_house, *words)  # in one transaction
    assert await column(a_house, "select said from external_status where system = 'qimen'") == ["PACK"]
    await tell(a_house, said(System.QIMEN, Event.WAREHOUSE_PROGRESS, "PRINT", minutes=2))  # and in another
    assert await column(a_house, "select said from external_status where system = 'qimen'") == ["PACK"]
    assert (await read_case(a_house)).progress == "PACK"


async def test_partly_shipped_waits_for_the_rest_and_waybills_merge(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED, order=make_order(lines=THREE))
    assert await tell(a_house, shipped({"A": {"SKU-1": 2}}, final=False)) == ["moved"]
    half = await read_case(a_house)
    assert half.standing.state is State.STOCK_LOCKED
    assert [line.shipped for line in half.lines] == [2, 0]
    await tell(a_house, shipped({"B": {"SKU-2": 1}}, minutes=5))
    whole = await read_case(a_house)
    assert whole.standing.state is State.OUTBOUND
    assert {waybill: parcel.items for waybill, parcel in whole.parcels.items()} == {
        "A": {"SKU-1": 2},
        "B": {"SKU-2": 1},
    }
    subscribed = await column(a_house, "select key from outbox where kind = 'courier.subscribe' order by key")
    assert subscribed == ["courier.subscribe:SO-1:A", "courier.subscribe:SO-1:B"]


async def test_a_repeated_confirm_does_not_count_its_pieces_twice(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED, order=make_order(lines=(("SKU-1", 4),)))
    await tell(a_house, shipped({"A": {"SKU-1": 2}}, final=False))
    await tell(a_house, shipped({"A": {"SKU-1": 2}}, final=False, minutes=1))
    case = await read_case(a_house)
    assert (case.standing.state, [line.shipped for line in case.lines]) == (State.STOCK_LOCKED, [2])


async def test_the_word_shipped_alone_ships_nothing_that_is_missing(a_house: House) -> None:
    """The state follows from the pieces, not from the word."""
    await bring(a_house, State.STOCK_LOCKED, order=make_order(lines=THREE))
    await tell(a_house, shipped({"A": {"SKU-1": 2}}))
    case = await read_case(a_house)
    assert case.standing.reason is HoldReason.SHIPPED_SHORT
    assert case.place is State.STOCK_LOCKED
    assert "SKU-2" in (await column(a_house, "select text from order_event order by id desc limit 1"))[0]


async def test_two_lines_of_one_sku_share_the_pieces_that_left(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED, order=make_order(lines=(("SKU-1", 2), ("SKU-1", 3))))
    await tell(a_house, shipped({"A": {"SKU-1": 3}}, final=False))
    assert [line.shipped for line in (await read_case(a_house)).lines] == [2, 1]
    await tell(a_house, shipped({"B": {"SKU-1": 2}}, minutes=1))
    assert (await read_case(a_house)).standing.state is State.OUTBOUND


async def test_a_warehouse_that_lists_no_pieces_shipped_everything(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED, order=make_order(lines=THREE))
    await tell(a_house, shipped({"A": {}}))
    case = await read_case(a_house)
    assert (case.standing.state, case.all_shipped) == (State.OUTBOUND, True)


async def test_signed_only_when_the_last_parcel_is(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, shipped({"A": {"SKU-1": 1}, "B": {"SKU-1": 1}}))
    await tell(a_house, scanned("A", Event.PARCEL_SIGNED, "3", minutes=60))
    one = await read_case(a_house)
    assert (one.standing.state, one.all_signed) == (State.IN_TRANSIT, False)
    assert one.due is not None
    assert one.due[0] is Step.TRACK_TRANSIT
    await tell(a_house, scanned("B", Event.PARCEL_SIGNED, "3", minutes=90))
    both = await read_case(a_house)
    assert (both.all_signed, both.due) == (True, (Step.SIGN_OFF, NOON))


async def test_the_first_scan_is_the_earliest_one_told(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    await tell(a_house, scanned("Y-1", minutes=30, first_scan_at=NOON + timedelta(minutes=30)))
    await tell(a_house, scanned("Y-1", code="201", minutes=40, first_scan_at=NOON + timedelta(minutes=20)))
    await tell(a_house, scanned("Y-1", code="202", minutes=50, first_scan_at=NOON + timedelta(minutes=35)))
    case = await read_case(a_house)
    assert case.milestones["picked_up_at"] == NOON + timedelta(minutes=20)
    assert case.parcels["Y-1"].picked_up_at == NOON + timedelta(minutes=20)


async def test_news_of_a_strange_waybill_is_noted(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    assert await tell(a_house, scanned("ELSEWHERE", Event.PARCEL_SIGNED, "3")) == ["noted"]
    assert (await read_case(a_house)).standing.state is State.OUTBOUND


async def test_an_order_goes_on_behind_its_hold(a_house: House) -> None:
    """Held while the warehouse ships: it is outbound when it is released, and its shop was told."""
    await bring(a_house, State.STOCK_LOCKED)
    await hold_by_hand(a_house, HoldReason.COMPLAINT)
    assert await tell(a_house, shipped({"Y-1": {"SKU-1": 2}})) == ["moved"]
    held = await read_case(a_house)
    assert (held.standing.state, held.standing.held_from) == (State.ON_HOLD, State.OUTBOUND)
    assert held.standing.reason is HoldReason.COMPLAINT
    assert "shop.shipped:SO-1" in await column(a_house, "select key from outbox")
    await release(a_house)
    free = await read_case(a_house)
    assert (free.standing.state, free.due and free.due[0]) == (State.OUTBOUND, Step.TRACK_TRANSIT)


async def test_better_news_ends_the_hold_that_it_can_end(a_house: House) -> None:
    await bring(a_house, State.IN_TRANSIT)
    await tell(a_house, scanned("Y-1", Event.HELD, "4", minutes=20, reason=HoldReason.COURIER_PROBLEM))
    held = await read_case(a_house)
    assert (held.standing.reason, held.due and held.due[0]) == (HoldReason.COURIER_PROBLEM, Step.TRACK_TRANSIT)
    await tell(a_house, scanned("Y-1", minutes=30))
    assert (await read_case(a_house)).standing.state is State.IN_TRANSIT
    (row,) = await table(a_house, "select released_by, released_at, evidence from hold")
    assert (row["released_by"], row["released_at"], row["evidence"]) == ("kdniao", NOON, "kdniao 4 Y-1")


async def test_better_news_does_not_end_a_hold_for_another_reason(a_house: House) -> None:
    await bring(a_house, State.IN_TRANSIT)
    await tell(a_house, scanned("Y-1", Event.HELD, "4", minutes=20, reason=HoldReason.COURIER_DAMAGED))
    await tell(a_house, scanned("Y-1", minutes=30))
    assert (await read_case(a_house)).standing.state is State.ON_HOLD


async def test_what_a_person_overrode_is_not_held_again(a_house: House) -> None:
    await bring(a_house, State.IN_TRANSIT)

    async def trouble(minutes: int, code: str = "4") -> None:
        await tell(a_house, scanned("Y-1", Event.HELD, code, minutes=minutes, reason=HoldReason.COURIER_DAMAGED))

    await trouble(20)
    await release(a_house)
    await trouble(30)
    assert (await read_case(a_house)).standing.state is State.IN_TRANSIT
    assert await column(a_house, "select moved from order_event order by id desc limit 1") == [False]
    await trouble(40, code="406")  # other evidence is another cause
    assert (await read_case(a_house)).standing.state is State.ON_HOLD


async def test_what_another_system_refused_holds_again_however_often_it_was_released(a_house: House) -> None:
    """Nothing can go on without it, so a release means: ask anew."""
    await place(a_house, make_order())
    for reason in sorted(ASKED_ANEW):
        for _ in range(2):
            await hold_by_hand(a_house, reason, evidence="SKU-1 2 short")
            assert (await read_case(a_house)).standing.reason is reason
            await release(a_house)


async def test_a_hold_that_ended_by_itself_was_overridden_by_nobody(a_house: House) -> None:
    await bring(a_house, State.IN_TRANSIT)
    for minutes in (20, 40):
        await tell(a_house, scanned("Y-1", Event.HELD, "4", minutes=minutes, reason=HoldReason.COURIER_PROBLEM))
        assert (await read_case(a_house)).standing.state is State.ON_HOLD
        await tell(a_house, scanned("Y-1", minutes=minutes + 10))
    assert await column(a_house, "select count(*) from hold where released_at is not null") == [2]


async def test_held_and_released_in_one_transaction_is_one_ended_row(a_house: House) -> None:
    await bring(a_house, State.IN_TRANSIT)
    trouble = scanned("Y-1", Event.HELD, "4", minutes=20, reason=HoldReason.COURIER_PROBLEM)
    await tell(a_house, trouble, scanned("Y-1", minutes=30))
    assert (await read_case(a_house)).standing.state is State.IN_TRANSIT
    assert await column(a_house, "select released_by from hold") == ["kdniao"]


async def test_one_hold_at_a_time_and_the_first_cause_stands(a_house: House) -> None:
    await bring(a_house, State.IN_TRANSIT)
    await hold_by_hand(a_house, HoldReason.COMPLAINT)
    await hold_by_hand(a_house, HoldReason.BY_HAND)
    assert await column(a_house, "select reason from hold") == ["COMPLAINT"]
    assert (await read_case(a_house)).standing.reason is HoldReason.COMPLAINT


async def test_a_refund_on_the_way_waits_for_a_person(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    await tell(a_house, refunded(minutes=5))
    assert (await read_case(a_house)).standing.reason is HoldReason.REFUNDED_ON_THE_WAY


async def test_shipped_short_goes_on_once_a_person_let_it(a_house: House) -> None:
    """The missing pieces were refunded: what left is all that leaves, and the parcel is followed to its end."""
    await bring(a_house, State.STOCK_LOCKED, order=make_order(lines=THREE))
    await tell(a_house, shipped({"A": {"SKU-1": 2}}))
    await release(a_house)
    assert (await read_case(a_house)).standing.state is State.OUTBOUND
    assert await tell(a_house, scanned("A", Event.PARCEL_SIGNED, "3", minutes=60)) == ["moved"]


async def test_quiet_orders_are_asked_about_again(a_house: House, clock: SettableClock) -> None:
    await bring(a_house, State.OUTBOUND)
    clock.pass_by(hours=3)
    await tell(a_house, scanned("Y-1", minutes=180))
    assert (await read_case(a_house)).due == (Step.TRACK_TRANSIT, clock.now() + timedelta(hours=24))


async def test_the_shop_may_sign_for_the_customer(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    await tell(a_house, said(System.WECHAT, Event.RECEIPT_CONFIRMED, "CONFIRMED", minutes=99))
    case = await read_case(a_house)
    assert (case.standing.state, case.milestones["signed_at"]) == (State.SIGNED, NOON + timedelta(minutes=99))


async def test_a_cancelled_order_is_due_nowhere(a_house: House) -> None:
    await place(a_house, make_order())
    async with opened_one(a_house) as case:
        case.take(Event.CANCELLED, cause="cancel", actor="person:li")
    assert (await read_case(a_house)).due is None


async def test_an_answer_that_repeats_the_last_word_is_no_news(a_house: House) -> None:
    """Some systems answer without a time of their own: asking twice must not write history twice."""
    await bring(a_house, State.IN_TRANSIT)
    again = scanned("Y-1", minutes=500)
    assert news.says_the_same(await read_case(a_house), again)
    assert not news.says_the_same(await read_case(a_house), scanned("Y-1", code="202", minutes=501))
    assert not news.says_the_same(await read_case(a_house), shipped({"Y-1": {"SKU-1": 2}}, minutes=502))


@pytest.mark.parametrize("first", ["rest", "part"])
async def test_confirms_in_any_order_end_in_the_same_place(a_house: House, first: str) -> None:
    """The last confirm alone looks like a short delivery, until the one that it overtook is here."""
    await bring(a_house, State.STOCK_LOCKED)
    part, rest = shipped({"A": {"SKU-1": 1}}, final=False), shipped({"B": {"SKU-1": 1}}, minutes=1)
    await tell(a_house, *([rest, part] if first == "rest" else [part, rest]))
    case = await read_case(a_house)
    assert (case.standing, sorted(case.parcels)) == (Standing(State.OUTBOUND), ["A", "B"])
    assert case.milestones["outbound_at"] == NOON + timedelta(minutes=1), "when the last piece left"


async def test_a_scan_of_a_parcel_that_is_still_to_be_told_waits_for_it(a_house: House) -> None:
    """Another parcel of the order is known already."""
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, shipped({"A": {"SKU-1": 1}}, final=False))
    trouble = scanned("B", Event.HELD, "4", reason=HoldReason.COURIER_PROBLEM)
    assert await tell(a_house, trouble) == ["early"]
    await tell(a_house, shipped({"B": {"SKU-1": 1}}, minutes=1))
    assert await tell(a_house, trouble) == ["moved"]


@pytest.mark.parametrize("state", [State.SIGNED, State.CLOSED])
async def test_a_scan_of_what_is_over_never_waits(a_house: House, state: State) -> None:
    if state is State.CLOSED:
        await place(a_house, make_order())
        async with opened_one(a_house) as case:
            case.take(Event.CANCELLED, cause="cancel", actor="ballast")
    else:
        await bring(a_house, state)
    assert await tell(a_house, scanned("STRANGE")) == ["noted"]


async def test_an_older_scan_still_says_when_the_parcel_was_picked_up(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    await tell(a_house, scanned("Y-1", minutes=60))
    early = NOON + timedelta(minutes=5)
    assert await tell(a_house, scanned("Y-1", minutes=30, first_scan_at=early)) == ["noted"]
    case = await read_case(a_house)
    assert (case.milestones["picked_up_at"], case.parcels["Y-1"].picked_up_at) == (early, early)


async def test_a_confirm_that_names_one_parcel_again_keeps_the_other(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED, order=make_order(lines=(("SKU-1", 3),)))
    await tell(a_house, shipped({"A": {"SKU-1": 1}}, final=False), shipped({"B": {"SKU-1": 1}}, final=False, minutes=1))
    await tell(a_house, shipped({"A": {"SKU-1": 1}}, final=False, minutes=2))
    case = await read_case(a_house)
    assert (sorted(case.parcels), case.lines[0].shipped) == (["A", "B"], 2)
