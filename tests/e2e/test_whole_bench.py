"""The whole bench's floor in a world that waits: its own checks find nothing, and every order left its rows."""

from pathlib import Path

from ballast.db.embedded import embedded_server
from bench.cost import Meter
from bench.stage import Stage
from bench.whole.contest import WARM_UP, contest

ORDERS = 12


def test_the_floor_carries_every_order_to_its_end(tmp_path: Path) -> None:
    with embedded_server(tmp_path / "pg") as postgres:
        env = {"BALLAST_DATABASE_URL": postgres.url("ballast"), "BALLAST_HOME": str(tmp_path)}
        on = Stage(folder=tmp_path, answers_url="", env=env, meter=Meter({}))
        found = contest(on, "floor", ORDERS)
    assert found.complaints == ()
    everybody = ORDERS + WARM_UP
    assert found.rows["sales_order"] == found.rows["payment"] == everybody
    assert found.rows["effect"] == found.rows["outbox"] + 2 * everybody  # reserved and handed over by steps
    assert found.orders_per_second > 0
    assert {"floor", "world"} <= found.costs.keys()
