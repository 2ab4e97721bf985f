"""The demo as a new user starts it, with a shorter patience: the world's own truth is the judge."""

import json
import os
import subprocess
import sys
from pathlib import Path

ORDERS = 200
FIGURES = {
    "orders", "signed", "closed", "on_hold", "other", "lost", "duplicate_effects", "oversold", "overrefunded",
    "disagreeing", "stuck", "seconds", "orders_per_second", "flow_runs", "task_runs",
}  # fmt: skip


def test_two_hundred_orders_come_to_rest_in_a_world_with_faults(tmp_path: Path) -> None:
    figures_file = tmp_path / "figures.json"
    words = ["demo", "--orders", str(ORDERS), "--faults", "mild", "--exit", "--json", str(figures_file)]
    home = {"BALLAST_HOME": str(tmp_path / "home"), "PREFECT_HOME": str(tmp_path / "prefect")}
    done = subprocess.run(
        [sys.executable, "-m", "ballast.cli", *words],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=400,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-3000:]
    figures = json.loads(figures_file.read_text())
    assert set(figures) == FIGURES
    for count in ("lost", "duplicate_effects", "oversold", "overrefunded", "disagreeing", "stuck"):
        assert figures[count] == 0, figures
    assert figures["orders"] == ORDERS and figures["other"] == 0
    assert figures["signed"] + figures["closed"] + figures["on_hold"] == ORDERS
    assert figures["signed"] > ORDERS * 0.9
    assert figures["flow_runs"] > 0 and figures["task_runs"] > 0
    assert "Traceback" not in said
