"""A person stops orders and lets them go on: what the form says of each, and that no step goes on with them."""

from typing import Any

import pytest

from ballast.domain.words import HoldReason, State, Step
from flows.cancel_orders import cancel_orders
from flows.hold_orders import hold_orders
from flows.rerun_orders import rerun_orders
from tests.flows.stage import Stage, artifact, run


async def hold(stage: Stage, *numbers: str, why: str = "the customer called", **more: Any) -> dict[str, str]:
    said: dict[str, str] = await hold_orders(numbers, why, "li", **more)
    return said


@pytest.mark.parametrize(
    ("way", "step"),
    [
        ("placed", Step.CONFIRM_PAYMENT),
        ("paid", Step.LOCK_STOCK),
        ("locked", Step.SHIP_OUT),
        ("outbound", Step.TRACK_TRANSIT),
    ],
)
async def test_no_step_goes_on_until_it_is_rerun(stage: Stage, way: str, step: Step) -> None:
    order_no = await getattr(stage, way)()
    before = await stage.order(order_no)
    assert (await hold(stage, order_no))[order_no] == f"held; it was {before.state}"
    row = await stage.order(order_no)
    assert (row.state, row.held_from, row.hold_reason, row.due_at) == (
        State.ON_HOLD,
        before.state,
        HoldReason.BY_HAND,
        None,
    )
    [held] = await stage.rows("select evidence from hold")
    assert held.evidence == "the customer called"
    assert f"{order_no} on hold: BY_HAND" in [alert.title for alert in await stage.alerts()]
    assert await stage.work(step) == {}

    said: dict[str, str] = await rerun_orders([order_no], by="wang")

    assert said[order_no].startswith(f"released from BY_HAND; {step}: ")
    [released] = await stage.rows("select released_by from hold")
    assert released.released_by == "person:wang"


async def test_every_number_is_answered_and_the_others_go_on(stage: Stage) -> None:
    closed, signed = await stage.placed(), await stage.signed()
    stopped = await stage.paid()
    await hold_orders([stopped], why="recall", by="wang")
    await cancel_orders((closed,))
    free = await stage.paid()
    untouched = [closed, signed, stopped]
    before = [(await stage.order(order_no), await stage.history(order_no)) for order_no in untouched]

    ran = await run(hold_orders, order_numbers=(f"NOPE, {closed}", signed, stopped, free), why="recall", by="li")

    said = {row["order"].split("]")[0].strip("["): row["what happened"] for row in await artifact(ran)}
    assert said == {
        "NOPE": "unknown order",
        closed: "closed: nothing to hold",
        signed: "signed: nothing to hold",
        stopped: "on hold already: BY_HAND",
        free: "held; it was PENDING_PAYMENT",
    }
    assert ran.green
    assert [(await stage.order(order_no), await stage.history(order_no)) for order_no in untouched] == before


async def test_the_same_person_may_stop_it_again_for_the_same_reason(stage: Stage) -> None:
    """A release overrides what was found, not what somebody decides afterwards."""
    order_no = await stage.handed_over()
    for _ in range(2):
        said = await hold(stage, order_no)
        assert said[order_no].endswith("the warehouse has it and goes on: stop it there, or cancel the order")
        assert await stage.state(order_no) is State.ON_HOLD
        await rerun_orders([order_no], by="li")
        assert await stage.state(order_no) is State.STOCK_LOCKED


async def test_a_hold_that_could_end_by_itself_gives_way_and_is_overridden_by_nobody(stage: Stage) -> None:
    """Otherwise the release from the second hold would accept the money that the first one was about."""
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay", amount=1)
    await stage.read()
    assert await stage.work(Step.CONFIRM_PAYMENT) == {"held": 1}
    said = await hold(stage, order_no)
    assert said[order_no] == "held; it was on hold for PAYMENT_MISMATCH, which could have ended by itself"

    await rerun_orders([order_no], by="li", note="he called back")

    row = await stage.order(order_no)
    assert (row.state, row.hold_reason, row.paid_at) == (State.ON_HOLD, HoldReason.PAYMENT_MISMATCH, None)


async def test_news_of_a_held_order_is_kept(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await hold(stage, order_no)
    await stage.ship(order_no)
    await stage.read()
    row = await stage.order(order_no)
    assert (row.state, row.held_from) == (State.ON_HOLD, State.OUTBOUND)
    await rerun_orders([order_no])
    assert await stage.state(order_no) is State.OUTBOUND


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(stage: Stage) -> None:
    order_no = await stage.paid()
    before = await stage.order(order_no)
    assert await hold(stage, order_no, dry_run=True) == {order_no: "would be held; it was PENDING_PAYMENT"}
    assert await stage.order(order_no) == before
    assert await stage.rows("select 1 from hold") == []


async def test_an_empty_form_says_so(stage: Stage) -> None:
    assert not (await run(hold_orders)).green
