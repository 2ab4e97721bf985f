"""Reconciling: who agrees, who was not asked, what is mended through the normal doors, and what rings once."""

from datetime import timedelta
from typing import Any

import pytest

from ballast.domain.words import HoldReason, State, Step
from flows.reconcile import reconcile
from tests.flows.stage import LINES, Ran, Stage, artifact, run


async def figures(stage: Stage) -> dict[str, Any]:
    """Of the last run."""
    found = await stage.rows("select figures from reconciliation order by id desc limit 1")
    return dict(found[0].figures)


async def checks(stage: Stage, order_no: str) -> dict[str, Any]:
    """System -> (verdict, what was done) of the last run."""
    found = await stage.rows(
        "select c.* from order_check c join sales_order o on o.id = c.order_id where o.order_no = :no "
        "and c.reconciliation_id = (select max(id) from reconciliation)",
        no=order_no,
    )
    return {row.system: (row.verdict, row.mended) for row in found}


async def look(stage: Stage, *numbers: str, **parameters: Any) -> Ran:
    return await run(reconcile, order_numbers=numbers, linger=0.0, **parameters)


ALL = {"erp", "wms", "courier", "shop", "payment"}


async def test_orders_all_along_the_way_agree(stage: Stage) -> None:
    await stage.placed()
    await stage.paid()
    await stage.locked()
    await stage.handed_over()
    await stage.outbound()
    signed = await stage.signed()
    ran = await run(reconcile, linger=0.0)
    assert ran.green and ran.name == "reconcile 6 orders, 100 %, 0 mended"
    found = await figures(stage)
    assert (found["asked"], found["agreeing"], found["share"], found["drifted"]) == (6, 6, 1.0, 0)
    assert 0.6 < found["low"] < found["high"] == 1.0
    assert found["seed"] is not None
    assert {system: verdict for system, (verdict, _) in (await checks(stage, signed)).items()} == dict.fromkeys(
        ALL, "agrees"
    )
