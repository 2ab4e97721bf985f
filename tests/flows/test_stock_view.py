"""The stock view as people see it: red rows when something began, one alert per crossing, a red run without the ERP."""

from datetime import timedelta

from flows.sync_inventory import sync_inventory
from tests.db.test_promises import limit
from tests.flows.stage import Stage, artifact, run
from tests.flows.test_stock import erp_has


async def test_what_fell_below_its_line_is_shown_and_rings_once(stage: Stage) -> None:
    sku = "SKU-058"  # nobody else sells it: the world keeps what the tests before have shipped
    await erp_has(stage, sku, 100)
    await run(sync_inventory)
    await limit(stage.house, sku, "CK001", safety_line=50)
    await erp_has(stage, sku, 40)

    ran = await run(sync_inventory, sweep=True)
    assert "1 fell below their line" in ran.name
    [row] = [row for row in await artifact(ran) if row["SKU"] == sku and row["warehouse"] == "CK001"]
    assert (row[""], row["to promise"], row["safety line"], row["drift"]) == ("🔴", "40", "50", "0")

    again = await run(sync_inventory, sweep=True)
    assert await artifact(again) == [] and "fell below" not in again.name
    found = await stage.rows("select title from alert where key like 'stock-below_line:%'")
    assert [alert.title for alert in found] == [f"{sku} in CK001: below its safety line 低于安全库存线"]


async def test_without_the_erp_the_run_is_red_and_the_figures_stay(stage: Stage) -> None:
    await run(sync_inventory)
    before = await stage.rows("select sku, warehouse, on_hand from stock_level order by 1, 2")
    await stage.world.faults(system="kingdee", error_rate=1.0)
    ran = await run(sync_inventory, sweep=True)
    await stage.world.calm()
    assert ran.state.is_failed() and "kingdee" in str(ran.state.message)
    assert await stage.rows("select sku, warehouse, on_hand from stock_level order by 1, 2") == before
    pulls = await stage.rows("select whole, asked_at from stock_pull where system = 'kingdee' order by id")
    assert [pull.whole for pull in pulls] == [True, False]
    assert pulls[1].asked_at - pulls[0].asked_at < timedelta(hours=1)
