"""Orders that are changed while a warehouse has them, the simulated ERP and warehouse over HTTP."""

import pytest

from ballast.db.stock_check import find_damage
from ballast.domain.editing import Change, NotChanged
from ballast.domain.words import State, Step
from ballast.ports import Order, Receipt
from flows.edit_orders import edit_orders
from tasks.editing import edit_order
from tests.flows.stage import Stage, artifact, run
from tests.flows.test_sourcing import A, B, deliveries, leave, locks, nothing_twice, rows_in_force, shelf, ship_out

ELSEWHERE = Change(receiver={"city": "宁波", "address": "中山路 2 号"})


async def nothing_broken(stage: Stage) -> None:
    """The ledger agrees with itself: every lock is some order's, of as many pieces as it binds."""
    async with stage.house.transaction() as tx:
        assert await find_damage(tx, None, asked_at=stage.house.clock.now()) == []


async def test_a_new_address_goes_out_with_a_new_delivery(stage: Stage) -> None:
    order_no = await stage.handed_over(((A, 2),))
    said = await edit_order(stage.house, order_no, ELSEWHERE, by="li")
    assert "to be stopped first" in said
    await ship_out(stage)
    assert await deliveries(stage) == [("1", "CK001", "taken_back"), ("2", "CK001", "with_warehouse")]
    truth = await stage.world.truth(order_no)
    assert truth["wms"]["addresses"] == {f"{order_no}.2": "中山路 2 号"}
    await leave(stage, f"{order_no}.2", {A: 2})
    assert await stage.state(order_no) is State.OUTBOUND
    await stage.send()
    await nothing_twice(stage, order_no)
    [row] = await stage.rows("select state, answer from order_edit")
    assert (row.state, row.answer) == ("done", "changed by li: city, address")


async def test_a_warehouse_that_does_not_let_go_ships_to_the_old_address(stage: Stage) -> None:
    order_no = await stage.handed_over(((A, 2),))
    before = (await stage.order(order_no)).receiver
    await stage.world.act(order_no, "report", status="PACKAGE")
    await stage.read()
    await edit_order(stage.house, order_no, ELSEWHERE, by="li")
    await ship_out(stage)
    [row] = await stage.rows("select state, answer from order_edit")
    assert row.state == "refused" and f"`ballast returns request {order_no}`" in row.answer
    assert (await stage.order(order_no)).receiver == before
    assert [alert.level for alert in await stage.alerts()] == ["info"]
    await leave(stage, order_no, {A: 2})
    assert await stage.state(order_no) is State.OUTBOUND
    await stage.send()
    await nothing_twice(stage, order_no)
    with pytest.raises(NotChanged, match="has left the warehouse"):
        await edit_order(stage.house, order_no, ELSEWHERE, by="li")


async def test_fewer_pieces_agree_with_erp_locks_and_money(stage: Stage) -> None:
    order_no = await stage.handed_over(((A, 3), (B, 2)))
    before = await stage.order(order_no)
    await edit_order(stage.house, order_no, Change(quantities={1: 1, 2: 0}), by="li")
    await ship_out(stage)
    assert await deliveries(stage) == [("1", "CK001", "taken_back"), ("2", "CK001", "with_warehouse")]
    assert await locks(stage) == {(A, "CK001"): 1}
    await nothing_broken(stage)
    after = await stage.order(order_no)
    await stage.send()
    truth = await stage.world.truth(order_no)
    assert truth["erp"]["sale_order"]["reserved"] == {A: 1}
    [refund] = await stage.rows("select amount from refund")
    assert refund.amount == before.total - after.total > 0
    await leave(stage, f"{order_no}.2", {A: 1})
    assert await stage.state(order_no) is State.OUTBOUND
    await stage.send()
    await stage.hear_the_shop()
    truth = await stage.world.truth(order_no)
    assert truth["wms"]["shipped"] == {A: 1}
    assert [(bill["status"], bill["quantities"]) for bill in truth["erp"]["outstock"]] == [("C", {A: 1})]
    assert await stage.world.duplicates() == {}
    assert await stage.rows("select sku from stock_level where locked <> 0") == []
    await nothing_broken(stage)


async def test_before_it_is_handed_over_no_warehouse_is_asked(stage: Stage) -> None:
    order_no = await stage.locked(((A, 2),))
    said = await stage.command("order", "edit", order_no, "--address", "中山路 2 号", "--by", "li")
    assert said.strip() == f"{order_no}: changed by li: address"
    await stage.work(Step.SHIP_OUT)
    assert await deliveries(stage) == []
    assert (await stage.world.truth(order_no))["wms"]["addresses"] == {order_no: "中山路 2 号"}
    await leave(stage, order_no, {A: 2})
    assert await stage.state(order_no) is State.OUTBOUND
    refused = await stage.command("order", "edit", order_no, "--line", "1:1", code=2)
    assert f"`ballast returns request {order_no} --line 1:1`" in refused


async def test_a_change_that_meets_the_handing_over_stops_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order_no = await stage.locked(((A, 2),))
    create, said = stage.house.wms.create, list[str]()

    async def slowly(order: Order, *, look_first: bool = False) -> Receipt:
        receipt = await create(order, look_first=look_first)
        if not said:
            said.append(await edit_order(stage.house, order_no, ELSEWHERE, by="li"))
        return receipt

    monkeypatch.setattr(stage.house.wms, "create", slowly)
    await ship_out(stage)
    assert "to be stopped first" in said[0]
    assert await deliveries(stage) == [("1", "CK001", "taken_back"), ("2", "CK001", "with_warehouse")]
    assert (await stage.world.truth(order_no))["wms"]["addresses"] == {f"{order_no}.2": "中山路 2 号"}


async def test_the_form_says_what_comes_of_it(stage: Stage) -> None:
    order_no = await stage.paid(((A, 2),))
    ran = await run(edit_orders, order_number=order_no, pieces={"1": 1}, by="li")
    [row] = await artifact(ran)
    assert ran.green and "line 1: 2 -> 1 pieces" in row["what happened"]
    ran = await run(edit_orders, order_number=order_no, pieces={"1": 1}, by="li")
    [row] = await artifact(ran)
    assert ran.green and row["what happened"] == f"not changed: {order_no} is so already"


async def test_of_two_warehouses_one_refuses_and_the_order_goes_on_as_it_is(stage: Stage) -> None:
    await rows_in_force(stage, split=True)
    await shelf(stage, {(A, "CK001"): 1, (A, "CK002"): 5, (B, "CK001"): 5, (B, "CK002"): 0})
    order_no = await stage.locked(((A, 2), (B, 1)))
    await ship_out(stage)
    await stage.world.act(f"{order_no}.2", "report", status="PACKAGE")
    await edit_order(stage.house, order_no, Change(quantities={1: 1}), by="li")
    await ship_out(stage)
    assert [row.state for row in await stage.rows("select state from order_edit")] == ["refused"]
    assert await deliveries(stage) == [
        ("1", "CK001", "taken_back"), ("2", "CK002", "with_warehouse"), ("3", "CK001", "with_warehouse"),
    ]  # fmt: skip
    await nothing_broken(stage)
    await leave(stage, f"{order_no}.2", {A: 1})
    await leave(stage, f"{order_no}.3", {A: 1, B: 1})
    assert await stage.state(order_no) is State.OUTBOUND
    await stage.send()
    await nothing_twice(stage, order_no)
