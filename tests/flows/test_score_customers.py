"""Scoring customers as a run: its name, its table, the alert that the owner gets, and a look that keeps nothing."""

from ballast.db.engine import run as execute
from flows.score_customers import score_customers
from tests.flows.stage import Stage, artifact, run


async def test_a_run_names_who_fell_and_a_look_keeps_nothing(stage: Stage) -> None:
    for _ in range(3):
        await stage.signed()
    async with stage.house.transaction() as tx:
        await execute(tx, "update sales_order set customer_no = 'K-1'")
        await execute(tx, "update order_origin set customer_no = 'K-1'")
        await execute(
            tx,
            """insert into customer (customer_no, name, first_order_at, owner)
            select 'K-1', '大客户', min(placed_at), 'manager' from sales_order""",
        )
        await execute(
            tx,
            """insert into hold (order_id, reason, evidence, held_from, held_at, released_at, note)
            select id, 'COURIER_DAMAGED', '', 'IN_TRANSIT', placed_at, placed_at, '' from sales_order""",
        )
    seen = await run(score_customers, customers=["K-1"], days=30)
    assert seen.green and seen.name == "score-customers 1 looked at, 30 days"
    assert await stage.rows("select * from customer_health") == []

    ran = await run(score_customers)
    assert ran.green and ran.name == "score-customers 1 scored, 1 below 60, 1 fell"
    [row] = await artifact(ran)
    assert row["customer"] == "K-1 大客户" and row["health"] == "55" and row["what it lost"] == "damaged on the way -45"
    assert row["owner"] == "manager" and row["today"] == "fell below 60"
    assert [one.person for one in await stage.rows("select * from alert where key like 'health:%'")] == ["manager"]

    wrong = await run(score_customers, days=3650)
    assert not wrong.green and "3650 days are no window" in str(wrong.state.message)

    shown = await stage.command("customer", "health", "K-1", code=1)
    assert "damaged on the way" in shown and "100.00 %" in shown and "account of manager" in shown
    worst = await stage.command("customer", "health", "--worst", "5", code=1)
    assert "K-1" in worst
