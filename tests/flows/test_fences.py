"""Two at the same order: whoever comes late writes nothing, and what was done outside is found and not done again."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

import tasks.erp
import tasks.wms
from adapters.errors import Refused
from ballast.db.outbox import Outgoing, claim_messages
from ballast.domain.words import HoldReason, State, Step, System
from flows.send_outbox import SENDERS
from tasks.calling_off import cancel_order
from tasks.chunks import Tally
from tasks.holding import hold_order
from tasks.rerun import WORK, rerun_order
from tests.flows.races import LEASE_IS_OVER, Stall, begin, claimed, in_line
from tests.flows.stage import Stage
from tests.flows.test_holds import provider_says

CALLS = {Step.LOCK_STOCK: ("erp", "reserve", "paid"), Step.SHIP_OUT: ("wms", "create", "locked")}
"""Step -> role and method of its effect, and how an order gets to it."""
EFFECTS = {Step.LOCK_STOCK: "erp.reserve", Step.SHIP_OUT: "wms.create"}
NO = Refused(System.QIMEN, "the number is taken")

steps = pytest.mark.parametrize("step", CALLS)


async def stalled(stage: Stage, step: Step, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Stall, asyncio.Task[Tally]]:
    """An order at whose step somebody works: the effect is made, the answer is on its way."""
    role, method, way = CALLS[step]
    order_no = await getattr(stage, way)()
    stall = Stall(monkeypatch, getattr(stage.house, role), method)
    slow = await begin(stage, step)
    await stall.wait()
    return order_no, stall, slow


async def assert_done_once(stage: Stage, order_no: str, step: Step) -> None:
    truth = await stage.world.truth(order_no)
    assert truth["erp"]["sale_order"]["saves"] == 1
    assert truth["wms"]["creates"] == (1 if step is Step.SHIP_OUT else 0)
    assert await stage.world.duplicates() == {}
    assert (await stage.history(order_no)).count("STOCK_LOCKED") == 1
    assert await stage.state(order_no) is State.STOCK_LOCKED
    assert sorted(row.quantity for row in await stage.rows("select quantity from stock_lock where state = 'held'")) == [
        1,
        2,
    ]
    assert sum(row.locked for row in await stage.rows("select locked from stock_level")) == 3
    assert {row.state for row in await stage.rows("select state from effect")} == {"done"}


@steps
@pytest.mark.parametrize("answer", [None, NO], ids=["done", "refused"])
async def test_a_lease_that_ran_out_leaves_the_order_to_the_next(
    stage: Stage, step: Step, answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no, stall, slow = await stalled(stage, step, monkeypatch)
    stage.later(LEASE_IS_OVER)
    quick = await stage.work(step)
    assert sum(quick.values()) == 1
    before = await stage.order(order_no)

    stall.answer = answer
    stall.go.set()

    assert await slow == {}, "the late one has nothing to say"
    assert await stage.order(order_no) == before
    await assert_done_once(stage, order_no, step)


async def test_pieces_are_not_locked_for_an_order_that_was_closed_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one has read the order and not yet touched the shelf when its lease runs out."""
    order_no = await stage.paid()
    stall = Stall(monkeypatch, tasks.erp, "open_chunk")
    slow = await begin(stage, Step.LOCK_STOCK)
    await stall.wait()
    stage.later(LEASE_IS_OVER)
    assert "now CLOSED" in await cancel_order.fn(order_no, "拍错了", "li", False)
    stall.go.set()
    await slow
    assert await stage.rows("select 1 from stock_lock where state <> 'released'") == []
    assert (await stage.world.truth(order_no))["erp"]["sale_order"] is None


DOORS = {Step.LOCK_STOCK: tasks.erp, Step.SHIP_OUT: tasks.wms}
"""Step -> the module whose `carry_out` makes its effect."""


async def assert_never_sent(stage: Stage, order_no: str, step: Step) -> None:
    truth = await stage.world.truth(order_no)
    made = truth["erp"]["sale_order"] if step is Step.LOCK_STOCK else truth["wms"]["creates"]
    assert not made
    assert await stage.rows("select 1 from effect where kind = :kind", kind=EFFECTS[step]) == []


@steps
@pytest.mark.parametrize("stop", ["closed", "held"])
async def test_what_was_stopped_since_it_was_claimed_is_not_sent(
    stage: Stage, step: Step, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one has read the order and not yet called anybody."""
    order_no = await getattr(stage, CALLS[step][2])()
    stall = Stall(monkeypatch, DOORS[step], "carry_out", before=True)
    slow = await begin(stage, step)
    await stall.wait()
    if stop == "closed":
        stage.later(LEASE_IS_OVER)
        assert "now CLOSED" in await cancel_order.fn(order_no, "拍错了", "li", False)
    else:
        assert (await hold_order.fn(order_no, "the customer called", "li", False)).startswith("held")
    before = await stage.order(order_no)
    stall.go.set()
    assert await slow == {}
    assert await stage.order(order_no) == before
    await assert_never_sent(stage, order_no, step)


@steps
async def test_a_lease_is_renewed_as_long_as_its_calls_last(
    stage: Stage, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow system is no dead worker: nobody else takes the order, and it moves when the answer comes."""
    stage.patience(lease=timedelta(seconds=1.2))
    order_no, stall, slow = await stalled(stage, step, monkeypatch)
    await asyncio.sleep(2.5)
    assert await stage.work(step) == {}
    stall.go.set()
    assert sum((await slow).values()) == 1
    await assert_done_once(stage, order_no, step)
    assert (await stage.order(order_no)).lease_owner is None


async def test_the_lease_of_a_message_is_renewed_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    stage.patience(lease=timedelta(seconds=1.2))
    stall = Stall(monkeypatch, stage.house.storefront, "tell_shipped")
    slow = asyncio.create_task(stage.send())
    await stall.wait()
    await asyncio.sleep(2.5)
    assert await stage.send() == {}
    stall.go.set()
    assert (await slow)["sent"] == 3
    assert await stage.world.duplicates() == {}


@steps
async def test_the_lease_begins_anew_with_the_call(stage: Stage, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was over and nobody had noticed: who cancels now waits for the call that is under way."""
    role, method, way = CALLS[step]
    order_no = await getattr(stage, way)()
    first, second = Stall(monkeypatch, DOORS[step], "carry_out", before=True), None
    slow = await begin(stage, step)
    await first.wait()
    stage.later(LEASE_IS_OVER)
    second = Stall(monkeypatch, getattr(stage.house, role), method, before=True)
    first.go.set()
    await second.wait()
    assert "within about a minute" in await cancel_order.fn(order_no, "拍错了", "li", False)
    second.go.set()
    assert await slow == {}
    stage.later(LEASE_IS_OVER)
    assert await stage.work(Step.CALL_OFF) == {"called off": 1}
    await assert_nothing_is_left(stage, order_no)
    assert [one.key for one in await stage.alerts() if one.key.startswith("too-late")] == []


async def assert_nothing_is_left(stage: Stage, order_no: str) -> None:
    """Of an order that was cancelled: neither goods on their way nor pieces reserved for it."""
    truth = await stage.world.truth(order_no)
    sale = truth["erp"]["sale_order"]
    assert sale is None or sale["cancelled"]
    assert truth["wms"]["status"] in (None, "CANCELED")
    assert await stage.rows("select 1 from stock_lock where state <> 'released'") == []


@steps
async def test_what_arrives_there_after_the_cancellation_rings(
    stage: Stage, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that took longer than its lease: the other system knew nothing of the order when it was to be stopped."""
    role, method, way = CALLS[step]
    order_no = await getattr(stage, way)()
    stall = Stall(monkeypatch, getattr(stage.house, role), method, before=True)
    slow = await begin(stage, step)
    await stall.wait()
    stage.later(LEASE_IS_OVER)
    assert "now CLOSED" in await cancel_order.fn(order_no, "拍错了", "li", False)
    stall.go.set()
    assert await slow == {}
    assert await stage.state(order_no) is State.CLOSED
    [alert] = [one for one in await stage.alerts() if one.level == "urgent"]
    assert alert.key == f"too-late:{EFFECTS[step]}:{order_no}"


# -- messages ----------------------------------------------------------------------------------------------------

MESSAGES = {
    "erp.outbound": ("erp", "post_outbound"),
    "shop.shipped": ("storefront", "tell_shipped"),
    "courier.subscribe": ("courier", "subscribe"),
}
kinds = pytest.mark.parametrize("kind", MESSAGES)


async def claimed_message(stage: Stage, kind: str) -> tuple[str, Sequence[Outgoing]]:
    """An order that left, and its message of a kind in the hands of `the slow one`."""
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    async with stage.house.transaction() as tx:
        now, until = stage.house.clock.now(), stage.house.lease()
        found = await claim_messages(tx, owner="the slow one", most=50, now=now, until=until)
    return order_no, [message for message in found if message.kind == kind]


async def assert_told_once(stage: Stage, order_no: str) -> None:
    assert await stage.world.duplicates() == {}
    assert await stage.state(order_no) is State.OUTBOUND
    assert await stage.rows("select 1 from hold") == []
    found = await stage.rows("select kind, attempts, note from outbox where done_at is not null")
    assert sorted((row.kind, row.attempts, row.note) for row in found) == [(kind, 1, "") for kind in sorted(MESSAGES)]


@kinds
@pytest.mark.parametrize("answer", [None, NO], ids=["done", "refused"])
async def test_a_message_whose_lease_ran_out_is_told_once(
    stage: Stage, kind: str, answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no, batch = await claimed_message(stage, kind)
    role, method = MESSAGES[kind]
    stall = Stall(monkeypatch, getattr(stage.house, role), method)
    slow = asyncio.create_task(SENDERS[kind].fn("the slow one", batch))  # type: ignore[attr-defined]  # a Prefect task
    await stall.wait()
    stage.later(LEASE_IS_OVER)
    await stage.send()
    stall.answer = answer
    stall.go.set()
    assert await slow == {}
    await assert_told_once(stage, order_no)
    assert [row.state for row in await stage.rows("select state from effect where kind = :kind", kind=kind)] == ["done"]


@kinds
async def test_who_comes_late_with_a_message_does_not_send_it(stage: Stage, kind: str) -> None:
    order_no, batch = await claimed_message(stage, kind)
    stage.later(LEASE_IS_OVER)
    await stage.send()
    assert await SENDERS[kind].fn("the slow one", batch) == {}  # type: ignore[attr-defined]  # a Prefect task
    assert [row.attempts for row in await stage.rows("select attempts from effect where kind = :k", k=kind)] == [1]
    await assert_told_once(stage, order_no)


# -- people ------------------------------------------------------------------------------------------------------


async def rerun(order_no: str) -> str:
    return str(await rerun_order.fn(order_no, "li", "", False))


@steps
async def test_a_rerun_while_the_step_runs_leaves_it_alone(
    stage: Stage, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no, stall, slow = await stalled(stage, step, monkeypatch)
    before = await stage.order(order_no)
    assert await rerun(order_no) == "a run is working on it at this moment"
    assert await stage.order(order_no) == before
    stall.go.set()
    assert sum((await slow).values()) == 1
    await assert_done_once(stage, order_no, step)


@steps
async def test_held_and_rerun_while_the_first_answer_is_on_its_way(
    stage: Stage, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no, stall, slow = await stalled(stage, step, monkeypatch)
    said = await hold_order.fn(order_no, "wait for the customer", "li", False)
    assert said.startswith("held; ") and "a step is at work on it" in said
    assert (await rerun(order_no)).startswith("released from BY_HAND; ")
    before = await stage.order(order_no)
    stall.go.set()
    assert await slow == {}
    assert await stage.order(order_no) == before
    await assert_done_once(stage, order_no, step)


@pytest.mark.parametrize("system", ["wms", "erp"])
async def test_a_rerun_while_the_order_is_called_off_leaves_it_alone(
    stage: Stage, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let go now, it would be on its way in our books, and stopped where it is known."""
    order_no = await stage.handed_over()
    stall = Stall(monkeypatch, getattr(stage.house, system), "cancel")
    slow = asyncio.create_task(cancel_order.fn(order_no, "拍错了", "li", False))
    await stall.wait()
    before = await stage.order(order_no)
    assert await rerun(order_no) == "a run is calling it off at this moment"
    assert await stage.order(order_no) == before
    stall.go.set()
    assert "now CLOSED" in await slow
    await assert_nothing_is_left(stage, order_no)
    assert await stage.world.duplicates() == {}


@pytest.mark.parametrize("first", ["cancel", "rerun"])
async def test_a_cancellation_and_a_rerun_at_the_same_instant(stage: Stage, first: str) -> None:
    """Let go by the one or called off by the other, in our books as outside: never half of each."""
    order_no = await stage.locked()
    assert (await hold_order.fn(order_no, "the customer called", "li", False)).startswith("held")

    async def cancel() -> str:
        return str(await cancel_order.fn(order_no, "拍错了", "wang", False))

    both = [lambda: rerun(order_no), cancel]
    async with in_line(stage, order_no, *(both if first == "rerun" else both[::-1])):
        stage.later(LEASE_IS_OVER)
        await stage.work(Step.CALL_OFF)
        await stage.work(Step.SHIP_OUT)
    truth = await stage.world.truth(order_no)
    if await stage.state(order_no) is State.CLOSED:
        await assert_nothing_is_left(stage, order_no)
    else:
        assert await stage.state(order_no) is State.STOCK_LOCKED
        assert (truth["erp"]["sale_order"]["cancelled"], truth["wms"]["status"]) == (False, "NEW")
    assert await stage.world.duplicates() == {}


async def test_a_refunded_order_is_not_called_off_before_its_step_has_ended(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sale order is on its way to the ERP: voided before it is there, it would stay behind with its reservation."""
    order_no = await stage.paid()
    stall = Stall(monkeypatch, stage.house.erp, "reserve", before=True)
    slow = await begin(stage, Step.LOCK_STOCK)
    await stall.wait()
    await provider_says(stage, order_no, "SUCCESS")
    before = await stage.order(order_no)
    assert (await rerun(order_no)).startswith("being called off: a step was at work on it, call_off looks at it at ")
    assert await stage.order(order_no) == before
    stall.go.set()
    assert await slow == {}
    stage.later(LEASE_IS_OVER)
    assert await stage.work(Step.CALL_OFF) == {"called off": 1}
    sale = (await stage.world.truth(order_no))["erp"]["sale_order"]
    assert (sale["cancelled"], sale["reserved"]) == (True, {})


async def test_reruns_at_once_release_and_do_the_step_once(stage: Stage) -> None:
    await stage.put_on_shelf({"SKU-001": 0})
    order_no = await stage.paid()
    assert await stage.work(Step.LOCK_STOCK) == {"held": 1}
    await stage.put_on_shelf({"SKU-001": 1000})

    said = await asyncio.gather(*(rerun(order_no) for _ in range(5)))

    assert sorted(one.startswith("released from STOCK_SHORT") for one in said) == [False] * 4 + [True]
    assert (await stage.history(order_no)).count("RELEASED") == 1
    assert [row.attempts for row in await stage.rows("select attempts from effect")] == [1]
    await assert_done_once(stage, order_no, Step.LOCK_STOCK)


@pytest.mark.parametrize("first", ["cancel", "confirm"])
async def test_a_cancellation_and_the_confirm_at_the_same_instant(stage: Stage, first: str) -> None:
    """Whoever gets there first: the goods have left, so it is a return; nothing goes back, nothing is closed."""
    order_no = await stage.handed_over()
    await stage.ship(order_no)

    async def cancel() -> str:
        return str(await cancel_order.fn(order_no, "拍错了", "li", False))

    both = [cancel, stage.read] if first == "cancel" else [stage.read, cancel]
    async with in_line(stage, order_no, *both):
        stage.later(LEASE_IS_OVER)
        await stage.work(Step.CALL_OFF)
    assert await stage.state(order_no) is State.OUTBOUND
    assert len(await stage.rows("select 1 from return_case")) == 1
    assert await stage.rows("select 1 from outbox where kind = 'payment.refund'") == []
    assert {row.state for row in await stage.rows("select state from stock_lock")} == {"shipped"}
    await stage.send()
    truth = await stage.world.truth(order_no)
    assert (truth["refunds"], truth["wms"]["status"]) == ([], "DELIVERED")
    assert [bill["quantities"] for bill in truth["erp"]["outstock"]] == [truth["wms"]["shipped"]]


@pytest.mark.parametrize("first", ["hold", "confirm"])
async def test_a_hold_and_the_warehouse_s_confirm_at_the_same_instant(stage: Stage, first: str) -> None:
    order_no = await stage.handed_over()
    await stage.ship(order_no)

    async def hold() -> str:
        return str(await hold_order.fn(order_no, "the customer called", "li", False))

    async with in_line(stage, order_no, *([hold, stage.read] if first == "hold" else [stage.read, hold])):
        row = await stage.order(order_no)
    assert (row.state, row.held_from, row.hold_reason) == (State.ON_HOLD, State.OUTBOUND, HoldReason.BY_HAND)
    assert (await rerun(order_no)).startswith("released from BY_HAND")
    assert await stage.state(order_no) is State.OUTBOUND
    assert {row.state for row in await stage.rows("select state from stock_lock")} == {"shipped"}
    assert len(await stage.rows("select 1 from parcel")) == 1
    await stage.send()
    assert await stage.world.duplicates() == {}


@pytest.mark.parametrize("first", ["hold", "confirm"])
async def test_a_hold_and_the_payment_s_confirmation_at_the_same_instant(stage: Stage, first: str) -> None:
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay")
    await stage.read()

    async def hold() -> str:
        return str(await hold_order.fn(order_no, "the customer called", "li", False))

    chunk = await claimed(stage, Step.CONFIRM_PAYMENT)

    async def confirm() -> Tally:
        return await WORK[Step.CONFIRM_PAYMENT](chunk)

    async with in_line(stage, order_no, *([hold, confirm] if first == "hold" else [confirm, hold])):
        row = await stage.order(order_no)
    assert (row.state, row.held_from, row.hold_reason) == (State.ON_HOLD, "PENDING_PAYMENT", HoldReason.BY_HAND)
    assert (row.paid_at is None) == (first == "hold"), "the late one is refused"
    await stage.work(Step.LOCK_STOCK)
    assert await stage.state(order_no) is State.ON_HOLD
    assert (await rerun(order_no)).startswith("released from BY_HAND")
    await stage.work(Step.LOCK_STOCK)
    await assert_done_once(stage, order_no, Step.LOCK_STOCK)
    assert [charge.state for charge in await stage.rows("select state from payment")] == ["counted"]
