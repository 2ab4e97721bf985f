"""Codes that people added count when a system is asked, not only when it calls."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from ballast.domain.words import HoldReason, State, Step
from tests.flows.stage import Stage


@dataclass(frozen=True, slots=True)
class Riddle:
    """A code that is in no map: which step asks for it, how the world says it, and what people say that it means."""

    system: str
    step: Step
    act: str
    said: dict[str, str]
    field: str
    code: str
    event: str
    quiet: timedelta


COURIER = Riddle(
    "kdniao", Step.TRACK_TRANSIT, "scan", {"state_ex": "998"}, "StateEx", "998", "scanned", timedelta(hours=25)
)
WAREHOUSE = Riddle(
    "qimen", Step.SHIP_OUT, "report", {"status": "WRAPPED"}, "status", "WRAPPED", "warehouse-progress",
    timedelta(hours=13),
)  # fmt: skip
PAYMENT = Riddle("wechatpay", Step.CONFIRM_PAYMENT, "", {}, "trade_state", "NOTPAY", "noted", timedelta(minutes=31))
"""The world says it of every order that nobody paid; the test takes it out of our map."""


async def quiet_order(stage: Stage, riddle: Riddle) -> str:
    """An order of which only a question brings news."""
    order_no = await (stage.outbound() if riddle is COURIER else stage.handed_over())
    await stage.world.faults(system=riddle.system, webhook_lost=1.0)
    return order_no


async def ask(stage: Stage, riddle: Riddle) -> dict[str, int]:
    stage.later(riddle.quiet)
    return await stage.work(riddle.step)


async def last_said(stage: Stage, riddle: Riddle) -> list[str]:
    """What the system said of its orders, as far as we understood it."""
    sql = "select said from external_status where system = :system"
    return [row.said for row in await stage.rows(sql, system=riddle.system)]


@pytest.mark.parametrize("riddle", [COURIER, WAREHOUSE], ids=["courier", "warehouse"])
async def test_an_unknown_code_in_an_answer_is_told_once_and_acts_once_it_is_mapped(
    stage: Stage, riddle: Riddle
) -> None:
    orders = [await quiet_order(stage, riddle) for _ in range(2)]
    before = [await stage.order(order_no) for order_no in orders]
    for order_no in orders:
        await stage.world.act(order_no, riddle.act, **riddle.said)

    assert await ask(stage, riddle) == {"unknown code": 2}
    assert await ask(stage, riddle) == {"unknown code": 2}

    key = f"code:{riddle.system}:{riddle.field}:{riddle.code}"
    assert [alert.key for alert in await stage.alerts()] == [key]
    for order_no, then in zip(orders, before, strict=True):
        now = await stage.order(order_no)
        assert (now.state, now.progress, now.attempts, now.lease_owner) == (then.state, then.progress, 0, None)
    assert await last_said(stage, riddle) == []

    said = await stage.command("parked", "map", riddle.system, riddle.field, riddle.code, riddle.event)
    assert "0 parked message(s)" in said, "nothing was parked: nobody called"
    assert await ask(stage, riddle) == {"caught up": 2}
    assert await last_said(stage, riddle) == [riddle.code] * 2
    assert await ask(stage, riddle) == {"nothing new": 2}
    assert len(await stage.alerts()) == 1


async def test_a_code_that_gets_another_meaning_has_it_from_the_next_question_on(stage: Stage) -> None:
    first = await quiet_order(stage, COURIER)
    await stage.world.act(first, "scan", state_ex="998")
    await stage.command("parked", "map", "kdniao", "StateEx", "998", "held", "--reason", "courier-damaged")
    assert await ask(stage, COURIER) == {"caught up": 1}
    row = await stage.order(first)
    assert (row.state, row.hold_reason) == (State.ON_HOLD, HoldReason.COURIER_DAMAGED)

    await stage.command("parked", "map", "kdniao", "StateEx", "998", "scanned")
    second = await quiet_order(stage, COURIER)
    await stage.world.act(second, "scan", state_ex="998")
    assert await ask(stage, COURIER) == {"caught up": 1}
    assert (await stage.state(first), await stage.state(second)) == (State.ON_HOLD, State.IN_TRANSIT)


async def test_an_unknown_code_of_the_payment_provider_is_told_once_and_closes_nothing(stage: Stage) -> None:
    client: Any = stage.house.payment
    client.codes = {key: meaning for key, meaning in client.codes.items() if key != (PAYMENT.field, PAYMENT.code)}
    orders = [await stage.placed() for _ in range(2)]

    assert await ask(stage, PAYMENT) == {"unknown code": 2}
    assert await stage.work(Step.CONFIRM_PAYMENT) == {}, "asked again after the usual time, not at once"
    stage.later(timedelta(days=2))
    assert await ask(stage, PAYMENT) == {"unknown code": 2}

    assert [alert.key for alert in await stage.alerts()] == ["code:wechatpay:trade_state:NOTPAY"]
    for order_no in orders:
        row = await stage.order(order_no)
        assert (row.state, row.attempts, row.lease_owner, row.due_step) == ("PENDING_PAYMENT", 0, None, PAYMENT.step)
    await stage.command("parked", "map", PAYMENT.system, PAYMENT.field, PAYMENT.code, PAYMENT.event)
    assert await ask(stage, PAYMENT) == {"closed unpaid": 2}
