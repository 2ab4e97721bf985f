"""The rerun form: which orders it takes, what it says of each, and what it leaves alone."""

from datetime import timedelta

import pytest

from ballast.domain.words import HoldReason, State, Step
from flows.cancel_orders import cancel_orders
from flows.lock_stock import lock_stock
from flows.rerun_orders import rerun_orders
from tests.flows.stage import Ran, Stage, artifact, run, task_runs

SCARCE = "SKU-054"


async def short_orders(stage: Stage, count: int) -> list[str]:
    """Orders on hold for want of stock, which has come since."""
    await stage.put_on_shelf({SCARCE: 1})
    orders = [await stage.paid([(SCARCE, 2)]) for _ in range(count)]
    await run(lock_stock)
    await stage.put_on_shelf({SCARCE: 100})
    return orders


async def said(ran: Ran) -> dict[str, str]:
    """Order number -> what happened, as the artifact shows it."""
    return {row["order"].split("]")[0].strip("["): row["what happened"] for row in await artifact(ran)}


async def test_by_number_with_one_task_run_per_order(stage: Stage) -> None:
    first, second, other = await short_orders(stage, 3)
    ran = await run(rerun_orders, order_numbers=[first, f" {second} ", first], by="li", note="restocked")
    assert ran.name == "rerun-orders 2 released"
    assert await task_runs(ran, at_least=2) == sorted([f"rerun {first}", f"rerun {second}"])
    assert (await said(ran))[first] == "released from STOCK_SHORT; lock_stock: locked; now STOCK_LOCKED"
    assert [await stage.state(no) for no in (first, second, other)] == [
        State.STOCK_LOCKED,
        State.STOCK_LOCKED,
        State.ON_HOLD,
    ]


async def test_by_reason_takes_only_that_reason(stage: Stage) -> None:
    short, *_ = await short_orders(stage, 1)
    wrong = await stage.placed()
    await stage.world.act(wrong, "pay", amount=1)
    await stage.read()
    await stage.check_payments()
    ran = await run(rerun_orders, hold_reason=HoldReason.STOCK_SHORT)
    assert set(await said(ran)) == {short}
    assert await stage.state(wrong) is State.ON_HOLD


async def test_by_time_takes_what_was_held_within_it(stage: Stage) -> None:
    [early] = await short_orders(stage, 1)
    stage.later(timedelta(hours=2))
    between = stage.house.clock.now() - timedelta(hours=1)
    [late] = await short_orders(stage, 1)
    assert set(await said(await run(rerun_orders, held_since=between, dry_run=True))) == {late}
    assert set(await said(await run(rerun_orders, held_until=between, dry_run=True))) == {early}
    assert set(await said(await run(rerun_orders, held_since=between - timedelta(days=1), dry_run=True))) == {
        early,
        late,
    }


async def test_a_dry_run_says_what_it_would_do_and_changes_nothing(stage: Stage) -> None:
    [order_no] = await short_orders(stage, 1)
    before, history = await stage.order(order_no), await stage.history(order_no)
    ran = await run(rerun_orders, order_numbers=[order_no], dry_run=True)
    assert await said(ran) == {order_no: "would be released from STOCK_SHORT"}
    assert await stage.order(order_no) == before
    assert await stage.history(order_no) == history
    assert [row.released_at for row in await stage.rows("select released_at from hold")] == [None]


async def test_what_cannot_be_rerun_says_so_while_the_others_go_on(stage: Stage) -> None:
    done, closed, [held] = await stage.signed(), await stage.placed(), await short_orders(stage, 1)
    waiting = await stage.handed_over()
    await cancel_orders((closed,))
    untouched = [closed, done, waiting]
    before = [(await stage.order(order_no), await stage.history(order_no)) for order_no in untouched]
    ran = await run(rerun_orders, order_numbers=["NO-SUCH-ORDER", *untouched, held])
    assert ran.green
    answers = await said(ran)
    assert answers["NO-SUCH-ORDER"] == "unknown order"
    assert answers[done] == "signed: nothing to rerun"
    assert answers[closed] == "closed: nothing to rerun"
    assert answers[waiting].startswith("not on hold: stock locked, ship_out looks at it at ")
    assert answers[held].startswith("released from STOCK_SHORT")
    assert [(await stage.order(order_no), await stage.history(order_no)) for order_no in untouched] == before
    words = set(ran.name.removeprefix("rerun-orders ").split(", "))
    assert words == {"1 unknown order", "1 signed", "1 closed", "1 not on hold", "1 released"}


async def test_an_order_that_failed_and_waits_for_its_next_attempt_is_tried_at_once(stage: Stage) -> None:
    order_no = await stage.locked()
    await stage.world.faults(system="qimen", timeout_after_effect=1.0, hang_seconds=0.0)
    stage.patience(back_off=timedelta(hours=1), back_off_most=timedelta(hours=1))
    assert await stage.work(Step.SHIP_OUT) == {"again later": 1}
    await stage.world.calm()
    [answer] = (await said(await run(rerun_orders, order_numbers=[order_no]))).values()
    assert answer.startswith("failed at ship_out and waits for its next attempt, pulled forward; ship_out: handed over")
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 1


async def test_a_person_who_overrides_a_cause_is_not_asked_again_about_it(stage: Stage) -> None:
    order_no = await stage.outbound()
    await stage.world.act(order_no, "scan", state_ex="404")
    await stage.read()
    assert (await stage.order(order_no)).hold_reason == HoldReason.COURIER_REFUSED
    await run(rerun_orders, order_numbers=[order_no], note="customer was called")
    assert await stage.state(order_no) is State.OUTBOUND
    await stage.world.act(order_no, "scan", state_ex="404")
    await stage.read()
    assert await stage.state(order_no) is State.OUTBOUND


async def test_a_system_that_is_down_leaves_the_order_released_and_due(stage: Stage) -> None:
    [order_no] = await short_orders(stage, 1)
    await stage.world.faults(system="kingdee", error_rate=1.0)
    ran = await run(rerun_orders, order_numbers=[order_no])
    assert "orders keep their place" in (await said(ran))[order_no]
    row = await stage.order(order_no)
    assert (row.state, row.due_step, row.attempts, row.lease_owner) == ("PENDING_PAYMENT", "lock_stock", 0, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hold_reason": "NO_SUCH_REASON"},
        {"held_since": "yesterday"},
        {"note": "x" * 501},
        {"by": ""},
        {"dry_run": "perhaps"},
    ],
)
async def test_the_form_is_typed(stage: Stage, wrong: dict[str, str]) -> None:
    ran = await rerun_orders(**wrong, return_state=True)
    assert ran.is_failed() and "invalid parameters" in str(ran.message)


async def test_an_empty_form_says_so_and_reruns_nothing(stage: Stage) -> None:
    [order_no] = await short_orders(stage, 1)
    ran = await run(rerun_orders, order_numbers=[" "])
    assert ran.state.is_failed() and "say which orders" in str(ran.state.message)
    assert await stage.state(order_no) is State.ON_HOLD


async def test_an_order_that_is_held_again_is_not_called_released(stage: Stage) -> None:
    [order_no] = await short_orders(stage, 1)
    await stage.put_on_shelf({SCARCE: 0})
    ran = await run(rerun_orders, order_numbers=[order_no])
    assert ran.name == "rerun-orders 1 held again"
    assert (await said(ran))[order_no].endswith("now ON_HOLD (STOCK_SHORT)")
