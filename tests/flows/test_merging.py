"""Open orders of one customer and address that become one, the simulated systems over HTTP: one parcel, every cent."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ballast.db.ledger import money_of
from ballast.db.return_requests import request
from ballast.db.returning import Wanted
from ballast.domain.editing import NotChanged, Refusal
from ballast.domain.returns import ReturnReason
from ballast.domain.words import State, Step
from flows.edit_orders import edit_orders
from tasks.calling_off import cancel_order
from tasks.merging import merge_orders
from tests.flows.stage import Stage, artifact, run
from tests.flows.test_editing import nothing_broken
from tests.flows.test_sourcing import A, B, deliveries, leave, locks, ship_out

SAME: Any = {
    "customer": {"no": "C-merge", "name": "张三", "openid": "o-merge"},
    "receiver": {
        "name": "张三", "mobile": "13912345678", "province": "浙江省", "city": "杭州市", "district": "西湖区",
        "address": "文三路 1 号",
    },
}  # fmt: skip


async def orders(stage: Stage, *lines: Sequence[tuple[str, int]], until: Step = Step.SHIP_OUT) -> list[str]:
    """Paid orders of one customer, as far as this step takes them."""
    numbers = [await stage.placed(some, **SAME) for some in lines]
    for number in numbers:
        await stage.world.act(number, "pay")
    await stage.read()
    for step in (Step.CONFIRM_PAYMENT, Step.LOCK_STOCK, Step.SHIP_OUT):
        await stage.work(step)
        if step is until:
            break
    return numbers


async def merged(stage: Stage, numbers: Sequence[str]) -> None:
    """Until the ERP has let go of what was merged and the order that carries it is with its warehouse."""
    await ship_out(stage)
    await stage.send()
    await ship_out(stage)
    assert [await stage.state(number) for number in numbers] == [State.STOCK_LOCKED] + [State.CLOSED] * (
        len(numbers) - 1
    )


async def test_two_orders_that_warehouses_have_leave_in_one_parcel_and_every_cent_is_there(stage: Stage) -> None:
    one, two = await orders(stage, ((A, 2),), ((A, 1), (B, 3)))
    before = [await stage.order(number) for number in (one, two)]
    said = await merge_orders(stage.house, [one, two], by="li")
    assert said.startswith(f"change asked for: one order, {one}, of {one}, {two}; to be stopped first: {one} ")
    await merged(stage, [one, two])
    assert await deliveries(stage) == [
        ("1", "CK001", "taken_back"), ("2", "CK001", "with_warehouse"), ("1", "CK001", "taken_back"),
    ]  # fmt: skip
    assert await locks(stage) == {(A, "CK001"): 3, (B, "CK001"): 3}
    await nothing_broken(stage)
    leader = await stage.order(one)
    assert leader.total == sum(order.total for order in before)
    lines = await stage.rows("select line_no, sku, quantity from order_line where order_id = :id", id=leader.id)
    assert [tuple(row) for row in lines] == [(1, A, 2), (2, A, 1), (3, B, 3)]
    erp = [(await stage.world.truth(number))["erp"]["sale_order"] for number in (one, two)]
    assert erp[0]["reserved"] == {A: 3, B: 3} and erp[1]["reserved"] == {}
    await leave(stage, f"{one}.2", {A: 3, B: 3})
    assert await stage.state(one) is State.OUTBOUND
    await stage.send()
    await stage.hear_the_shop()
    truths = [await stage.world.truth(number) for number in (one, two)]
    [waybill] = [parcel["waybill"] for parcel in truths[0]["parcels"]]
    shown = [truth["shop"]["tracking"] for truth in truths]
    assert shown == [[waybill], [waybill]], "the shop shows one parcel for both"
    assert truths[0]["wms"]["shipped"] == {A: 3, B: 3} and truths[1]["wms"]["shipped"] == {}
    assert await stage.world.duplicates() == {}
    shown = [json.loads(await stage.command("order", "show", number, "--json")) for number in (one, two)]
    assert [(page["merged_into"], page["carries"]) for page in shown] == [(None, [two]), (one, [])]
    assert f"merged into {one}" in await stage.command("order", "show", two)
    async with stage.house.transaction() as tx:
        accounts = {row.facts.order_no: row for row in await money_of(tx, [one, two], stage.house.clock.now())}
    assert [accounts[number].account.due for number in (one, two)] == [leader.total, 0]
    assert [row.findings for row in accounts.values()] == [(), ()]


async def test_what_is_said_of_a_merged_order_later_is_its_leaders(stage: Stage) -> None:
    one, two = await orders(stage, ((A, 1),), ((B, 2),))
    await merge_orders(stage.house, [one, two], by="li")
    await merged(stage, [one, two])
    await stage.world.act(two, "pay", twice=True)  # the customer's second click
    await stage.read()
    await stage.send()
    [surplus] = await stage.rows("select o.order_no, p.state from payment p join sales_order o on o.id = p.order_id "
                                 "where p.state = 'surplus'")  # fmt: skip
    assert surplus.order_no == one
    said = await cancel_order.fn(two, "changed my mind", "li", False)
    assert f"`ballast order edit {one} --remove LINE`" in said
    await leave(stage, f"{one}.2", {A: 1, B: 2})
    await stage.send()
    await stage.world.act(one, "sign")
    await stage.read()
    await stage.work(Step.SIGN_OFF)
    async with stage.house.transaction() as tx:
        wanted = Wanted(lines=((1, 1),), reason=ReturnReason.QUALITY, by="li")
        done = await request(tx, two, wanted, now=stage.house.clock.now(), waits=stage.house.waits)
    assert done.return_no == f"RT-{one}-1"
    [line] = await stage.rows("select line_no, sku, quantity from return_line")
    assert tuple(line) == (2, B, 1)
    with pytest.raises(NotChanged, match=f"{two} was merged into {one}"):
        await merge_orders(stage.house, [two, one], by="li")


async def test_a_warehouse_that_does_not_let_go_of_one_ends_it_for_both(stage: Stage) -> None:
    one, two = await orders(stage, ((A, 1),), ((B, 2),))
    await stage.world.act(two, "report", status="PACKAGE")
    await stage.read()
    await merge_orders(stage.house, [one, two], by="li")
    await ship_out(stage)
    stage.later(stage.house.settings.patience.lease)
    await ship_out(stage)
    rows = await stage.rows("select state, answer from order_edit order by id")
    assert [row.state for row in rows] == ["refused", "refused"]
    assert rows[1].answer.startswith(f"not merged: {two} CK001 cannot be stopped")
    assert rows[0].answer == f"not merged: {two} is not to be merged any more"
    assert await stage.rows("select 1 from order_merge") == []
    await nothing_broken(stage)
    await leave(stage, f"{one}.2", {A: 1})
    await leave(stage, two, {B: 2})
    assert [await stage.state(number) for number in (one, two)] == [State.OUTBOUND] * 2
    assert await stage.world.duplicates() == {}


async def test_money_that_goes_back_meanwhile_has_to_arrive_first(stage: Stage) -> None:
    one, two = await orders(stage, ((A, 1),), ((B, 2),))
    await merge_orders(stage.house, [one, two], by="li")
    refund = """insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, why, state,
      requested_at) select 'R-1', p.order_id, p.provider, p.transaction_id, 1, 'CNY', '', 'requested', p.paid_at
      from payment p join sales_order o on o.id = p.order_id where o.order_no = :no returning 1"""
    await stage.rows(refund, no=two)
    await ship_out(stage)
    assert await stage.state(two) is State.STOCK_LOCKED
    await stage.rows("update refund set state = 'done', done_at = requested_at returning 1")
    stage.later(stage.house.settings.patience.lease)
    await merged(stage, [one, two])


async def test_before_a_warehouse_knows_of_them_none_is_asked(stage: Stage) -> None:
    one, two, three = await orders(stage, ((A, 1),), ((B, 2),), ((A, 2),), until=Step.LOCK_STOCK)
    found = await stage.command("order", "mergeable")
    assert f"ballast order merge {one} {two} {three}" in found
    await stage.command("order", "merge", one, two, three, "--by", "li")
    await merged(stage, [one, two, three])
    assert await stage.rows("select 1 from effect where kind = 'wms.cancel'") == []
    await leave(stage, f"{one}.2", {A: 3, B: 2})
    assert await stage.state(one) is State.OUTBOUND
    assert "no open orders" in await stage.command("order", "mergeable")


async def test_the_form_merges_and_says_why_not(stage: Stage) -> None:
    one, two = await orders(stage, ((A, 1),), ((B, 2),), until=Step.LOCK_STOCK)
    other = await stage.locked(((A, 1),))
    ran = await run(edit_orders, order_number=one, merge=[other], by="li")
    [row] = await artifact(ran)
    assert ran.green and row["what happened"] == f"not merged: {other} and {one} are not of one customer"
    ran = await run(edit_orders, order_number=one, merge=[two], by="li")
    [row] = await artifact(ran)
    assert ran.green and "one order" in row["what happened"]


async def test_of_what_is_in_the_way_nothing_is_changed(stage: Stage) -> None:
    one, two = await orders(stage, ((A, 1),), ((B, 2),))
    unpaid = await stage.placed(((A, 1),), **SAME)
    for others, refusal in (([unpaid], Refusal.NOT_THERE), ([two, two], Refusal.NOTHING), ([], Refusal.NOTHING),
                            (["SO-none"], Refusal.UNKNOWN_ORDER)):  # fmt: skip
        with pytest.raises(NotChanged) as no:
            await merge_orders(stage.house, [one, *others], by="li")
        assert no.value.refusal is refusal
    await leave(stage, two, {B: 2})
    with pytest.raises(NotChanged, match="has left the warehouse"):
        await merge_orders(stage.house, [one, two], by="li")
    assert await stage.rows("select 1 from order_edit") == []
