"""A short chaos run as somebody starts it: everything is killed, and every order ends right all the same."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COUNTS = ("lost", "duplicate_effects", "oversold", "overrefunded", "disagreeing", "stuck")


def run(folder: Path, *words: str, timeout: float) -> dict[str, Any]:
    """The figures of one run that ended well."""
    figures = folder / "figures.json"
    home = {"BALLAST_HOME": str(folder / "home"), "PREFECT_HOME": str(folder / "prefect")}
    done = subprocess.run(
        [sys.executable, "-m", "ballast.cli", "chaos", *words, "--json", str(figures)],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-3000:]
    return dict(json.loads(figures.read_text()))


def check(figures: dict[str, Any], orders: int, kills: int) -> None:
    assert {name: figures[name] for name in COUNTS} == dict.fromkeys(COUNTS, 0)
    assert figures["orders"] == orders and figures["other"] == 0
    assert figures["signed_share"] >= 0.95
    assert sum(figures["holds"].values()) == figures["on_hold"]
    assert figures["kills"] >= kills and set(figures["killed"]) == {"serve-1", "serve-2", "web"}
    assert {one["mode"] for one in figures["database_restarts"]} == {"fast", "immediate"}
    assert figures["prefect_stopped_s"] > 0 and figures["outage"] and figures["missing"] == []
    assert figures["stock_differs"] == []


def test_a_short_run_ends_right(tmp_path: Path) -> None:
    check(run(tmp_path, "--orders", "60", "--minutes", "0.6", "--kills", "5", "--seed", "77", timeout=500), 60, 5)


@pytest.mark.slow
def test_a_thousand_orders_end_right(tmp_path: Path) -> None:
    check(run(tmp_path, "--orders", "1000", "--seed", "78", timeout=1700), 1000, 20)
