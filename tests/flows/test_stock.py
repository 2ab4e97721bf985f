"""The stock as people see it: short orders go on by themselves, damage is shown, mended, and told once."""

import asyncio
import json

from ballast.db.claims import claim
from ballast.db.engine import rows
from ballast.domain.words import Event, HoldReason, State, Step
from flows.check_stock import check_stock
from flows.lock_stock import lock_stock
from flows.sync_inventory import sync_inventory
from tasks.erp import reserve_stock
from tasks.stock import compare, mend, note_booked, would_mend
from tests.db.stage import opened_one, somebody_waits
from tests.flows.stage import SHELF, Stage, artifact, run


async def erp_has(stage: Stage, sku: str, pieces: int) -> None:
    """In one warehouse, and nothing in the other."""
    await stage.world.post("stock", {"sku": sku, "quantity": pieces, "warehouse": "WH01"})
    await stage.world.post("stock", {"sku": sku, "quantity": 0, "warehouse": "WH02"})


async def short(stage: Stage, sku: str, pieces: int) -> str:
    """An order on hold because this is not there; its number."""
    order_no = await stage.paid([(sku, pieces)])
    await stage.work(Step.LOCK_STOCK)
    assert (await stage.order(order_no)).hold_reason == HoldReason.STOCK_SHORT
    return order_no


async def test_short_orders_go_on_by_themselves_when_the_erp_has_the_goods(stage: Stage) -> None:
    """Released when the cause ends, not held again at once, not rung again."""
    await erp_has(stage, "SKU-040", 0)
    await run(sync_inventory)
    first, second, large = [await short(stage, "SKU-040", pieces) for pieces in (2, 2, 9)]
    rung = len(await stage.alerts())

    await erp_has(stage, "SKU-040", 3)
    ran = await run(sync_inventory)

    assert "1 short orders go on" in ran.name
    row = await stage.order(first)
    assert (row.state, row.due_step, row.hold_reason) == (State.PENDING_PAYMENT, Step.LOCK_STOCK, None)
    assert (await run(lock_stock)).name == "lock-stock 1 locked"
    assert await stage.state(first) is State.STOCK_LOCKED
    assert [await stage.state(one) for one in (second, large)] == [State.ON_HOLD] * 2

    assert "short orders" not in (await run(sync_inventory)).name
    await erp_has(stage, "SKU-040", 20)
    assert "2 short orders go on" in (await run(sync_inventory)).name
    assert await stage.work(Step.LOCK_STOCK) == {"locked": 2}
    assert len(await stage.alerts()) == rung
    released = await stage.rows("select distinct released_by from hold")
    assert [row.released_by for row in released] == ["ballast"]


async def test_what_a_cancelled_order_gives_back_goes_to_the_next(stage: Stage) -> None:
    await erp_has(stage, "SKU-041", 2)
    await run(sync_inventory)
    holder = await stage.locked([("SKU-041", 2)])
    waits = await short(stage, "SKU-041", 2)
    async with opened_one(stage.house, holder) as case:
        case.take(Event.CANCEL_ASKED, cause="cancel", actor="person:li", evidence="li")
    await stage.work(Step.CALL_OFF)
    assert await stage.state(holder) is State.CLOSED

    await run(sync_inventory)

    assert await stage.work(Step.LOCK_STOCK) == {"locked": 1}
    assert await stage.state(waits) is State.STOCK_LOCKED


async def test_what_the_erp_refused_is_asked_again_only_when_its_figures_rise(stage: Stage) -> None:
    await erp_has(stage, "SKU-042", 0)
    await stage.put_on_shelf({"SKU-042": 5})
    order_no = await short(stage, "SKU-042", 2)
    rung, holds = len(await stage.alerts()), "select 1 from hold"
    for _ in range(2):
        await run(sync_inventory)
        assert await stage.work(Step.LOCK_STOCK) == {}
    assert (len(await stage.alerts()), len(await stage.rows(holds))) == (rung, 1)
    await erp_has(stage, "SKU-042", 4)
    await run(sync_inventory)
    assert await stage.work(Step.LOCK_STOCK) == {"locked": 1}
    assert await stage.state(order_no) is State.STOCK_LOCKED


async def test_an_order_that_closes_while_its_pieces_are_being_locked_keeps_none(stage: Stage) -> None:
    """Its step lost the lease meanwhile: locking for it all the same would keep pieces that nobody gives back."""
    order_no, house = await stage.paid(), stage.house
    async with house.transaction() as tx:
        chunk = await claim(tx, Step.LOCK_STOCK, owner="slow", most=5, now=house.clock.now(), until=house.lease())

    async def close() -> None:
        async with opened_one(house, order_no) as case:
            case.take(Event.CANCELLED, cause="called off", actor="ballast")

    async with house.transaction() as tx:
        await rows(tx, "select 1 from stock_level for update")
        locking = asyncio.create_task(reserve_stock.fn(chunk))
        await somebody_waits(tx)
        closing = asyncio.create_task(close())
        while not closing.done() and len(await rows(tx, "select 1 from pg_locks where not granted")) < 2:
            await asyncio.sleep(0.01)
    await asyncio.gather(locking, closing)
    assert await stage.state(order_no) is State.CLOSED
    assert await stage.rows("select 1 from stock_lock where state = 'held'") == []
    assert {row.locked for row in await stage.rows("select locked from stock_level")} == {0}


async def test_the_check_shows_the_damage_mends_it_and_then_finds_nothing(stage: Stage) -> None:
    await run(sync_inventory)
    order_no = await stage.locked()
    assert (await run(check_stock)).name == "check-stock nothing due"
    await _hurt(stage, order_no)

    seen = await run(check_stock, mend=False)
    assert seen.green and seen.name == "check-stock 2 to look at"
    assert {row["rule"].split()[0] for row in await artifact(seen)} == {"LOCKED_SUM", "LOCK_MISSING"}
    mended = await run(check_stock)

    assert set(mended.name.removeprefix("check-stock ").split(", ")) == {"1 mended", "1 to look at"}
    [wrong, missing] = await artifact(mended)
    assert (wrong["rule"], wrong["found"], wrong["should be"]) == ("LOCKED_SUM", "7", "2")
    assert missing["rule"].startswith("LOCK_MISSING") and f"/orders/{order_no}?key=" in missing["order"]
    assert (await run(check_stock)).name == "check-stock 1 to look at"
    titles = [alert.title for alert in await stage.alerts()]
    assert titles == [
        f"{order_no}: an order holds other pieces than it needs",
        "1 figure(s) of the stock ledger were mended",
    ]
    assert len(await stage.rows("select 1 from stock_correction")) == 1


async def test_an_erp_that_does_not_answer_is_said_and_the_rest_is_compared(stage: Stage) -> None:
    await run(sync_inventory)
    await _hurt(stage, await stage.locked())
    await stage.world.faults(system="kingdee", error_rate=1.0)
    ran = await run(check_stock)
    assert not ran.green
    assert "the ERP's figures were not: kingdee" in str(ran.state.message)
    assert len(await stage.rows("select 1 from stock_correction")) == 1, "what needs no ERP is mended all the same"
    assert "were not: kingdee" in (await compare(stage.house)).compared


async def test_a_dry_run_says_the_same_and_changes_nothing(stage: Stage) -> None:
    await run(sync_inventory)
    await _hurt(stage, await stage.locked())
    would = await would_mend(stage.house)
    assert await stage.rows("select 1 from stock_correction") == []
    did = await mend(stage.house)
    assert [(c.rule, c.was, c.became) for c in would.corrections] == [
        (c.rule, c.was, c.became) for c in did.corrections
    ]
    assert list(would.findings) == list(did.findings)


async def test_the_whole_damage_of_an_order_is_mended_in_one_go(stage: Stage) -> None:
    """Outbound and booked, while its lock says that it still holds: ended, noted, and the ERP's figure fits."""
    await run(sync_inventory)
    await stage.outbound()
    await stage.rows("update stock_lock set state = 'held', told_at = null returning 1")
    await stage.rows(
        "update stock_level v set locked = k.quantity, on_hand = on_hand + k.quantity from stock_lock k "
        "where (k.sku, k.warehouse) = (v.sku, v.warehouse) returning 1"
    )
    did = await mend(stage.house)
    assert {c.rule.value for c in did.corrections} == {"LOCK_LEFT_OVER", "BILL_NOT_NOTED"}
    assert list(did.findings) == []
    assert (await mend(stage.house)).corrections == []


async def test_the_commands_say_it_in_words_and_in_json(stage: Stage) -> None:
    """A process without settings of the ERP: it says what it could not compare."""
    await run(sync_inventory)
    order_no = await stage.locked()
    await _hurt(stage, order_no)
    said = json.loads(await stage.command("stock", "check", "--json", code=1))
    assert said["compared"].startswith("ledger, locks and orders were compared; the ERP's figures were not: ")
    assert {one["rule"] for one in said["findings"]} == {"LOCKED_SUM", "LOCK_MISSING"}
    assert "would be mended" in await stage.command("stock", "mend", "--dry-run", code=1)
    assert "were mended" in await stage.command("stock", "mend", code=1)
    assert "were mended" not in await stage.command("stock", "mend", code=1)
    assert "unknown order" in await stage.command("stock", "booked", "NO-SUCH", code=1)


async def test_what_a_person_booked_in_the_erp_is_noted_once(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    await stage.rows("delete from outbox where kind = 'erp.outbound' returning 1")
    assert {one.rule.value for one in (await compare(stage.house)).findings} >= {"NEVER_BOOKED"}
    assert await note_booked(stage.house, [order_no, "NO-SUCH"], "li") == {
        order_no: "2 SKU(s) noted as booked", "NO-SUCH": "unknown order",
    }  # fmt: skip
    assert await note_booked(stage.house, [order_no], "li") == {order_no: "nothing of it waits for the ERP"}
    assert "NEVER_BOOKED" not in {one.rule.value for one in (await compare(stage.house)).findings}


async def _hurt(stage: Stage, order_no: str) -> None:
    """The count of one SKU is wrong, and the lock of the other is gone."""
    await stage.rows("update stock_level set locked = 7 where sku = :sku and locked = 2 returning 1", sku=SHELF[0])
    await stage.rows("delete from stock_lock where sku = :sku returning 1", sku=SHELF[1])
    await stage.rows("update stock_level set locked = 0 where sku = :sku returning 1", sku=SHELF[1])
