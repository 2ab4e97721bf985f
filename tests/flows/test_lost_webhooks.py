"""A webhook that never came is found within the time that its flow states, and not before anybody could miss it."""

from datetime import timedelta
from typing import Any

import pytest
from prefect import Flow

from adapters.errors import NotUnderstood, Refused, UnknownCode
from adapters.payments.wechatpay.client import Wechatpay
from ballast.db.payments import claim_refunds
from ballast.domain.money import Money
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.ports import News, Refund
from ballast.settings import Patience
from flows.ask_refunds import ask_refunds
from flows.confirm_payment import confirm_payment
from flows.handle_returns import handle_returns
from flows.ship_out import ship_out
from flows.track_transit import track_transit
from tasks.policy import SystemDown
from tasks.refunds import ask_about_refunds
from tests.flows.stage import LINES, Stage, run
from tests.flows.test_returns import booked_returns

MINUTE = timedelta(minutes=1)


STATED = [
    (confirm_payment, "unpaid", timedelta(minutes=30), "half an hour"),
    (ship_out, "warehouse_quiet", timedelta(hours=12), "twelve hours"),
    (track_transit, "courier_quiet", timedelta(days=1), "a day"),
    (handle_returns, "warehouse_quiet", timedelta(hours=12), "twelve hours"),
    (ask_refunds, "refund_quiet", timedelta(hours=6), "six hours"),
]


@pytest.mark.parametrize(("flow", "setting", "default", "words"), STATED)
def test_a_flow_states_its_bound(flow: Flow[..., Any], setting: str, default: timedelta, words: str) -> None:
    stated = " ".join((flow.description or "").split())
    assert f"BALLAST_PATIENCE__{setting.upper()} ({words} of business time)" in stated
    assert getattr(Patience(), setting) == default


async def lose(stage: Stage, system: str) -> None:
    await stage.world.faults(system=system, webhook_lost=1.0)


async def test_a_lost_payment_notice_is_found_in_time(stage: Stage) -> None:
    order_no = await stage.placed()
    await lose(stage, "wechatpay")
    await stage.world.act(order_no, "pay")
    stage.later(stage.house.settings.patience.unpaid - MINUTE)
    assert (await run(confirm_payment)).name == "confirm-payment nothing due"
    stage.later(2 * MINUTE)
    assert (await run(confirm_payment)).name == "confirm-payment 1 confirmed"


async def test_a_lost_confirm_of_the_warehouse_is_found_in_time(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await lose(stage, "qimen")
    await stage.ship(order_no)
    stage.later(stage.house.settings.patience.warehouse_quiet - MINUTE)
    assert (await run(ship_out)).name == "ship-out nothing due"
    stage.later(2 * MINUTE)
    assert (await run(ship_out)).name == "ship-out 1 caught up"
    assert await stage.state(order_no) is State.OUTBOUND


@pytest.mark.parametrize(("scan", "state"), [("204", State.IN_TRANSIT), ("404", State.ON_HOLD)])
async def test_a_lost_push_of_the_courier_is_found_in_time(stage: Stage, scan: str, state: State) -> None:
    order_no = await stage.outbound()
    await lose(stage, "kdniao")
    await stage.world.act(order_no, "scan", state_ex=scan)
    stage.later(stage.house.settings.patience.courier_quiet - MINUTE)
    assert (await run(track_transit)).name == "track-transit nothing due"
    stage.later(2 * MINUTE)
    assert (await run(track_transit)).name == "track-transit 1 caught up"
    assert await stage.state(order_no) is state


async def test_a_lost_confirm_of_a_return_is_found_in_time(stage: Stage) -> None:
    """And the return ends with one restock and one refund."""
    order_no, booked = await stage.signed(), await booked_returns(stage)
    number = f"RT-{order_no}-1"
    await stage.command("returns", "request", order_no, "--line", "1:1", "--reason", "quality")
    await run(handle_returns)
    await stage.send()
    await lose(stage, "qimen")
    await stage.world.post(f"returns/{number}/confirm")
    await stage.world.calm()
    stage.later(stage.house.settings.patience.warehouse_quiet - MINUTE)
    assert (await run(handle_returns)).name == "handle-returns nothing due"
    stage.later(2 * MINUTE)
    assert (await run(handle_returns)).name == "handle-returns 1 refund asked for"
    await stage.send()
    await stage.world.act(order_no, "refunded")
    await stage.hear_the_shop()
    await run(handle_returns)
    assert [row.state for row in await stage.rows("select state from return_case")] == ["closed"]
    told = await stage.world.truth(order_no)
    assert len(told["refunds"]) == 1 and told["returns"][0]["good"] == {LINES[0][0]: 1}
    assert await booked_returns(stage) == booked + 1


async def test_a_return_order_that_was_never_made_is_announced_until_it_is(stage: Stage) -> None:
    """The second yes is none either: it is asked again after the quiet time, not after all that was waited for."""
    order_no = await stage.signed()
    await stage.command("returns", "request", order_no, "--line", "1:1", "--reason", "quality")
    await run(handle_returns)
    await stage.world.faults(system="qimen", success_without_effect=1.0)
    await stage.send()
    assert [row.state for row in await stage.rows("select state from return_case")] == ["waiting_for_goods"]
    stage.later(8 * stage.house.settings.patience.warehouse_quiet)
    assert (await run(handle_returns)).name == "handle-returns 1 announced once more"
    await stage.send()
    await stage.world.calm()
    stage.later(4 * stage.house.settings.patience.warehouse_quiet + MINUTE)
    assert (await run(handle_returns)).name == "handle-returns 1 announced once more"
    await stage.send()
    assert [one["return_no"] for one in (await stage.world.truth(order_no))["returns"]] == [f"RT-{order_no}-1"]


# -- an order in two parcels

PARCELS = [{"items": {sku: pieces}} for sku, pieces in LINES]


async def first_parcel(stage: Stage, *, lost: bool) -> str:
    """An order of which one parcel left, and the number of its waybill."""
    order_no = await stage.handed_over()
    if lost:
        await lose(stage, "qimen")
    await stage.world.act(order_no, "ship", packages=PARCELS[:1])
    await stage.world.calm()
    await stage.read()
    await stage.send()
    assert await stage.state(order_no) is State.STOCK_LOCKED
    return order_no


async def rest_is_lost(stage: Stage, order_no: str) -> None:
    await lose(stage, "qimen")
    await stage.world.act(order_no, "ship", packages=PARCELS[1:])


async def waybills(stage: Stage) -> list[str]:
    return [row.waybill for row in await stage.rows("select waybill from parcel order by items->>'SKU-001'")]


async def test_a_lost_confirm_of_one_parcel_is_found_in_time(stage: Stage) -> None:
    order_no = await first_parcel(stage, lost=True)
    stage.later(stage.house.settings.patience.warehouse_quiet - MINUTE)
    assert (await run(ship_out)).name == "ship-out nothing due"
    stage.later(2 * MINUTE)
    assert (await run(ship_out)).name == "ship-out 1 caught up"
    assert len(await waybills(stage)) == 1 and await stage.state(order_no) is State.STOCK_LOCKED


@pytest.mark.parametrize("first_is_lost", [False, True])
async def test_a_lost_confirm_of_the_rest_is_found_in_time(stage: Stage, first_is_lost: bool) -> None:
    order_no = await first_parcel(stage, lost=first_is_lost)
    await rest_is_lost(stage, order_no)
    stage.later(stage.house.settings.patience.warehouse_quiet + MINUTE)
    assert (await run(ship_out)).name == "ship-out 1 caught up"
    assert await stage.state(order_no) is State.OUTBOUND
    assert len(await waybills(stage)) == 2


async def test_a_first_confirm_that_was_lost_is_found_although_the_last_one_came(stage: Stage) -> None:
    order_no = await first_parcel(stage, lost=True)
    await stage.world.act(order_no, "ship", packages=PARCELS[1:])
    await stage.read()
    assert (await stage.order(order_no)).hold_reason == HoldReason.SHIPPED_SHORT
    stage.later(stage.house.settings.patience.warehouse_quiet + MINUTE)
    assert (await run(ship_out)).name == "ship-out 1 caught up"
    assert await stage.state(order_no) is State.OUTBOUND


async def test_trouble_with_one_parcel_does_not_hide_that_the_confirm_of_the_rest_was_lost(stage: Stage) -> None:
    """The better scan has to wait for the rest: so the warehouse is asked about it while the order is held."""
    order_no = await first_parcel(stage, lost=False)
    await stage.world.act(order_no, "scan", state_ex="416")
    await stage.read()
    assert (await stage.order(order_no)).hold_reason == HoldReason.COURIER_PROBLEM
    await rest_is_lost(stage, order_no)
    await stage.world.act(order_no, "scan", state_ex="419", waybill=(await waybills(stage))[0])
    assert await stage.read() == {"early": 1}
    stage.later(stage.house.settings.patience.warehouse_quiet + MINUTE)
    assert (await run(ship_out)).name == "ship-out 1 caught up"
    await stage.read()
    assert await stage.state(order_no) is State.IN_TRANSIT


async def test_a_lost_signature_of_one_parcel_is_found_in_time(stage: Stage) -> None:
    order_no = await first_parcel(stage, lost=False)
    await stage.world.act(order_no, "ship", packages=PARCELS[1:])
    await stage.read()
    await stage.send()
    first, second = await waybills(stage)
    await stage.world.act(order_no, "scan", state_ex="301", waybill=first)
    await stage.read()
    await lose(stage, "kdniao")
    await stage.world.act(order_no, "scan", state_ex="301", waybill=second)
    stage.later(stage.house.settings.patience.courier_quiet - MINUTE)
    assert (await run(track_transit)).name == "track-transit nothing due"
    stage.later(2 * MINUTE)
    assert (await run(track_transit)).name == "track-transit 1 caught up"
    assert await stage.work(Step.SIGN_OFF) == {"signed": 1}


# -- a subscription cannot be read back


async def not_followed(stage: Stage) -> str:
    """An order that left; the courier said yes to its subscription, and that was all."""
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    await stage.world.faults(system="kdniao", success_without_effect=1.0)
    await stage.send()
    await stage.world.calm()
    await stage.hear_the_shop()
    assert not await followed(stage, order_no)
    return order_no


async def followed(stage: Stage, order_no: str) -> bool:
    [parcel] = (await stage.world.truth(order_no))["parcels"]
    return bool(parcel["subscribed"])


async def subscriptions(stage: Stage) -> int:
    """How often it was tried."""
    [row] = await stage.rows(
        "select sum(attempts) as tried from effect where kind in ('courier.subscribe', 'parcel.follow')"
    )
    return int(row.tried)


@pytest.mark.parametrize("scan", [None, "204", "301"])
async def test_a_quiet_parcel_is_subscribed_once_more(stage: Stage, scan: str | None) -> None:
    order_no = await not_followed(stage)
    if scan:
        await stage.world.act(order_no, "scan", state_ex=scan)
    stage.later(stage.house.settings.patience.courier_quiet + MINUTE)
    await stage.work(Step.TRACK_TRANSIT)
    assert await stage.send() == {"sent": 1}
    assert await followed(stage, order_no) and await subscriptions(stage) == 2
    assert await stage.work(Step.TRACK_TRANSIT) == await stage.send() == {}, "once per poll"
    stage.later(stage.house.settings.patience.courier_quiet + MINUTE)
    asked = await stage.work(Step.TRACK_TRANSIT)
    assert await stage.send() == ({"sent": 1} if asked else {}), "and again at the next, while it has not arrived"
    assert await stage.world.duplicates() == {}


@pytest.mark.parametrize("under_way", [False, True])
async def test_a_parcel_of_which_the_courier_never_spoke_is_subscribed_when_the_customer_has_it(
    stage: Stage, under_way: bool
) -> None:
    order_no = await not_followed(stage)
    if under_way:  # the empty yes is not written down yet
        await stage.rows(
            "update outbox set done_at = null, lease_owner = 'busy', due_at = now() + interval '1 hour' "
            "where kind = 'courier.subscribe' returning 1"
        )
    await stage.world.act(order_no, "sign")
    await stage.world.act(order_no, "receive")
    await stage.hear_the_shop()
    assert await stage.state(order_no) is State.SIGNED
    await stage.send()
    assert await followed(stage, order_no)
    await stage.hear_the_shop()
    [parcel] = await stage.rows("select signed_at from parcel")
    assert parcel.signed_at is not None, "the courier's own time of it"


async def test_a_parcel_that_was_heard_of_is_subscribed_once(stage: Stage) -> None:
    await stage.signed()
    assert await stage.send() == {}
    assert await subscriptions(stage) == 1


# -- refunds


async def refund_requested(stage: Stage) -> str:
    """A second charge is on its way back, and no notice will come of it."""
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay", twice=True)
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    await lose(stage, "wechatpay")
    await stage.send()
    await stage.world.act(order_no, "refunded")
    return order_no


async def refund_of(stage: Stage) -> tuple[str, bool]:
    """(state, whether it is due to be asked about some time) of the one refund in the books."""
    [row] = await stage.rows("select state, due_at from refund")
    return row.state, row.due_at is not None


def answer_with(monkeypatch: pytest.MonkeyPatch, stage: Stage, event: Event | None, said: str = "") -> None:
    """What the provider says of any refund from now on; None: it knows none."""

    async def ask_refund(_: Wechatpay, order_no: str, refund_no: str) -> tuple[News, ...]:
        if event is None:
            return ()
        [row] = await stage.rows("select * from payment where state = 'surplus'")
        whole = Money(row.amount)
        refund = Refund(refund_no=refund_no, transaction_id=row.transaction_id, amount=whole, captured=whole)
        reason = HoldReason.REFUND_FAILED if event is Event.HELD else None
        return (
            News(
                system=System.WECHATPAY,
                order_no=order_no,
                happened_at=stage.house.clock.now(),
                field="refund_status",
                said=said,
                event=event,
                reason=reason,
                refund=refund,
            ),
        )

    monkeypatch.setattr(Wechatpay, "ask_refund", ask_refund)


async def test_a_lost_notice_of_a_refund_is_found_in_time(stage: Stage) -> None:
    order_no = await refund_requested(stage)
    stage.later(stage.house.settings.patience.refund_quiet - MINUTE)
    assert (await run(ask_refunds)).name == "ask-refunds nothing due"
    assert await refund_of(stage) == ("requested", True)
    stage.later(2 * MINUTE)
    assert (await run(ask_refunds)).name == "ask-refunds 1 done"
    assert await refund_of(stage) == ("done", False)
    assert (await run(ask_refunds)).name == "ask-refunds nothing due"
    assert len((await stage.world.truth(order_no))["refunds"]) == 1


async def test_a_notice_that_came_leaves_nothing_to_ask(stage: Stage) -> None:
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay", twice=True)
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    await stage.send()
    await stage.world.act(order_no, "refunded")
    await stage.world.post("settle")
    await stage.read()
    assert await refund_of(stage) == ("done", False)


async def test_a_refund_under_way_is_asked_about_again_later(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order_no = await refund_requested(stage)
    before = await stage.history(order_no)
    answer_with(monkeypatch, stage, Event.NOTED, "PROCESSING")
    for _ in range(2):
        stage.later(stage.house.settings.patience.refund_quiet + MINUTE)
        assert (await run(ask_refunds)).name == "ask-refunds 1 under way"
        assert (await run(ask_refunds)).name == "ask-refunds nothing due"
    assert await refund_of(stage) == ("requested", True)
    assert await stage.history(order_no) == before, "no news, no history"


async def test_a_refund_that_failed_in_silence_rings(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order_no = await refund_requested(stage)
    answer_with(monkeypatch, stage, Event.HELD, "ABNORMAL")
    stage.later(stage.house.settings.patience.refund_quiet + MINUTE)
    assert (await run(ask_refunds)).name == "ask-refunds 1 failed"
    assert await refund_of(stage) == ("failed", False)
    assert f"{order_no}: a refund did not reach the customer" in [alert.title for alert in await stage.alerts()]


async def test_a_refund_that_the_provider_does_not_know_is_asked_for_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no = await refund_requested(stage)
    answer_with(monkeypatch, stage, None)
    stage.later(stage.house.settings.patience.refund_quiet + MINUTE)
    assert (await run(ask_refunds)).name == "ask-refunds 1 not known, asked for again"
    assert await stage.send() == {"sent": 1}
    assert len((await stage.world.truth(order_no))["refunds"]) == 1, "under the same number"
    assert await stage.world.duplicates() == {}
    assert await refund_of(stage) == ("requested", True)


async def test_a_provider_that_is_down_is_asked_again_when_the_claim_ends(stage: Stage) -> None:
    await refund_requested(stage)
    stage.later(stage.house.settings.patience.refund_quiet + MINUTE)
    now, until = stage.house.clock.now(), stage.house.lease()
    async with stage.house.transaction() as tx:
        batch = await claim_refunds(tx, most=10, now=now, until=until)
        assert await claim_refunds(tx, most=10, now=now, until=until) == [], "claimed"
    await stage.world.faults(system="wechatpay", error_rate=1.0)
    with pytest.raises(SystemDown, match="1 refunds could not be asked about"):
        await ask_about_refunds.fn(batch)
    [row] = await stage.rows("select due_at from refund")
    assert row.due_at == until


@pytest.mark.parametrize(
    "problem",
    [
        Refused(System.WECHATPAY, "no right to ask", code="NO_AUTH"),
        NotUnderstood(System.WECHATPAY, "no amount"),
        UnknownCode(System.WECHATPAY, "refund_status", "HALF"),
    ],
    ids=["refused", "not understood", "unknown code"],
)
async def test_an_answer_that_a_person_has_to_mend_rings_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    await refund_requested(stage)
    before = len(await stage.alerts())

    async def ask_refund(_: Wechatpay, __: str, ___: str) -> tuple[News, ...]:
        raise problem

    monkeypatch.setattr(Wechatpay, "ask_refund", ask_refund)
    for _ in range(2):
        stage.later(stage.house.settings.patience.refund_quiet + MINUTE)
        assert (await run(ask_refunds)).name == "ask-refunds 1 not answered"
        assert (await run(ask_refunds)).name == "ask-refunds nothing due", "not before the usual time"
    assert len(await stage.alerts()) == before + 1
