"""Returns in a whole house: asked for by the shop, answered, announced, confirmed, booked, paid back, exchanged."""

from typing import Any

from ballast.domain.words import State, Step
from flows.answer_returns import answer_returns
from flows.handle_returns import handle_returns
from tests.flows.stage import SHELF, Stage, run


async def handle(stage: Stage) -> str:
    """The run's name."""
    return (await run(handle_returns)).name


async def state(stage: Stage, number: str) -> str:
    return str((await stage.rows("select state from return_case where return_no = :no", no=number))[0].state)


async def at_the_warehouse(stage: Stage) -> dict[str, Any]:
    """Return number -> what the warehouse keeps of it."""
    return {one["return_no"]: one for one in (await stage.world.get("returns"))["returns"]}


async def on_hand(stage: Stage) -> int:
    """Of the first article, in our ledger."""
    return int((await stage.rows("select on_hand from stock_level where sku = :sku", sku=SHELF[0]))[0].on_hand)


async def booked_returns(stage: Stage) -> int:
    """How many return bills the ERP took on, of all tests that share its world."""
    return int((await stage.world.get("effects"))["counts"].get("erp_return", 0))


async def refunded(stage: Stage, order_no: str) -> None:
    """The provider's money arrives, and its notice."""
    await stage.world.act(order_no, "refunded")
    await stage.hear_the_shop()


async def send_in_a_storm(stage: Stage) -> None:
    """Half of all calls have their effect and no answer."""
    await stage.world.faults(system="*", timeout_after_effect=0.5, hang_seconds=0.0)
    await stage.send()
    await stage.world.calm()
    await stage.send()


async def test_from_the_shop_s_wish_to_the_end(stage: Stage) -> None:
    """With time-outs after effects: nothing is announced, booked or paid back twice."""
    order_no, booked = await stage.signed(), await booked_returns(stage)
    number, before = f"RT-{order_no}-1", await on_hand(stage)
    wish = {"lines": [{"line_no": 1, "quantity": 1}], "reason": "quality"}
    await stage.world.post(f"orders/{order_no}/ask-return", wish)
    await stage.read()
    assert await state(stage, number) == "requested"
    assert await handle(stage) == "handle-returns 1 waiting for goods"

    await send_in_a_storm(stage)
    assert await state(stage, number) == "waiting_for_goods"
    assert (await at_the_warehouse(stage))[number]["lines"] == [{"sku": SHELF[0], "plan": 1, "actual": 0}]

    await stage.world.post(f"returns/{number}/confirm", {"items": [{"sku": SHELF[0], "good": 1}]})
    await stage.read()
    assert (await state(stage, number), await on_hand(stage)) == ("inspected", before + 1)
    assert await handle(stage) == "handle-returns 1 refund asked for"
    await send_in_a_storm(stage)
    await refunded(stage, order_no)
    await handle(stage)
    assert await state(stage, number) == "closed"
    truth = await stage.world.truth(order_no)
    assert [one["amount"] for one in truth["refunds"]] == [(await line_price(stage, order_no))]
    assert await stage.state(order_no) is State.SIGNED
    assert await booked_returns(stage) == booked + 1
    assert await stage.world.duplicates() == {}
    assert await stage.rows("select 1 from return_line where told_at is null") == []
    shown = await stage.command("order", "show", order_no, "--json")
    assert "the warehouse waits for the goods" in shown and number in await stage.command("returns", "show", number)


async def line_price(stage: Stage, order_no: str) -> int:
    """Of one piece of the first line, by the rule `faulty` with its freight."""
    row = (
        await stage.rows(
            "select l.unit_price, o.freight from order_line l join sales_order o on o.id = l.order_id "
            "where o.order_no = :no and l.line_no = 1",
            no=order_no,
        )
    )[0]
    return int(row.unit_price + row.freight)


async def test_a_refused_parcel_comes_back_and_an_exchange_goes_out(stage: Stage) -> None:
    order_no = await stage.outbound()
    await stage.world.act(order_no, "scan", state_ex="2")
    await stage.world.act(order_no, "scan", state_ex="404")
    await stage.read()
    await handle(stage)
    await stage.send()
    back = (await at_the_warehouse(stage))[f"RT-{order_no}-1"]
    assert back["lines"] == [{"sku": SHELF[0], "plan": 2, "actual": 0}, {"sku": SHELF[1], "plan": 1, "actual": 0}]

    other = await stage.signed()
    await stage.command(
        "returns", "request", other, "--line", "2:1", "--exchange", f"{SHELF[2]}:1", "--why", "too small"
    )
    await handle(stage)
    number = f"RT-{other}-1"
    assert await state(stage, number) == "requested"
    assert await answer_returns((number, "RT-NO-1"), note="gladly") == {
        number: f"accepted; {number} of {other}",
        "RT-NO-1": "not answered: NO: unknown order; compare the number with the shop's",
    }
    await handle(stage)
    await stage.send()
    await stage.world.post(f"returns/{number}/confirm")
    await stage.read()
    await handle(stage)
    new = f"{other}-HH1"
    assert await stage.state(new) is State.PENDING_PAYMENT
    for step in (Step.CONFIRM_PAYMENT, Step.LOCK_STOCK, Step.SHIP_OUT):
        await stage.work(step)
    assert await stage.state(new) is State.STOCK_LOCKED
    sent = (await stage.world.truth(new))["wms"]
    assert (sent["creates"], sent["order_type"]) == (1, "HHCK")
    assert (await stage.world.truth(other))["wms"]["order_type"] == "JYCK"
    assert await stage.world.duplicates() == {}
