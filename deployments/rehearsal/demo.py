"""The demo: a whole machine, a whole world, orders from payment to sign-off, and a verdict by the world's own truth."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from ballast.db.engine import make_engine
from ballast.domain.words import State
from ballast.settings import Settings
from deployments.rehearsal.accuracy import accuracy_figures
from deployments.rehearsal.stage import UNTOWARD, Stage, rehearsal
from deployments.rehearsal.told import who_was_told
from deployments.rehearsal.verdict import Verdict, judge
from deployments.rehearsal.watching import (
    Quiet,
    Seen,
    bars,
    count_runs,
    look,
    return_figures,
    show_figures,
    speed_figures,
    state_figures,
    what_is_shown,
)

SPEED = 14_400.0
"""Business seconds per second: a day passes in six."""

PER_SECOND = 40.0
"""Orders placed per second."""

QUIET_LIMIT = 180.0
"""Seconds without any change after which the demo ends and says what is missing."""

PATIENCE = {  # a day is six seconds: ask about lost news after a minute and a half
    "unpaid": "P15D",
    "warehouse_quiet": "P15D",
    "courier_quiet": "P15D",
    "early_news": "P15D",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """What to show. `faults`: none, mild or storm."""

    orders: int = 500
    seed: int = 1
    faults: str = "none"
    speed: float = SPEED
    per_second: float = PER_SECOND
    exit: bool = False
    file: Path | None = None


def run_demo(plan: DemoPlan, settings: Settings, console: Console) -> int:
    """Show the demo; 0 when nothing was lost, doubled, oversold or told wrongly, and in the end every system agrees."""
    home = settings.home / "demo"
    with rehearsal(
        settings, console, home=home, orders=plan.orders, seed=plan.seed, speed=plan.speed, patience=PATIENCE
    ) as stage:
        stage.outside.post("faults", preset=plan.faults)
        started_at = datetime.now(UTC)
        stage.outside.post("start", orders=plan.orders, per_second=plan.per_second, **UNTOWARD, keep_stock=True)
        figures, verdict, calls = asyncio.run(_watch(plan, stage, started_at))
        show_figures(figures, verdict, console)
        console.print(
            f"Prefect UI: {stage.house.prefect_url}/runs · deployments: {stage.house.prefect_url}/deployments"
        )
        if plan.file is not None:
            plan.file.write_text(json.dumps({**figures, "calls": calls}, indent=2) + "\n")
        if not plan.exit:
            _keep_serving(stage)
    told = not (figures["alerts_lost"] or figures["alerts_twice"])
    return 0 if verdict.clean and told and figures["accuracy_after"] == 1 else 1


async def _watch(plan: DemoPlan, stage: Stage, started_at: datetime) -> tuple[dict[str, Any], Verdict, dict[str, int]]:
    """Live bars until every order has come to rest; then the figures, and the calls that the orders took."""
    engine, quiet, first_signed = make_engine(stage.house.database_url, pool=1), Quiet(), False
    try:
        with bars(plan.orders, stage.console) as show:
            while True:
                _revive(stage)
                async with engine.connect() as tx:
                    seen = await look(tx)
                progress = stage.outside.get("progress")
                show(seen)
                if seen.counts[State.SIGNED] and not first_signed:
                    first_signed = True
                    stage.console.print(f"first order signed {time.monotonic() - stage.began:.0f} s after the command")
                resting = progress["at_rest"] >= plan.orders and not progress["webhooks_pending"]
                if (resting and seen.at_rest(plan.orders)) or quiet.seconds(seen, progress) > QUIET_LIMIT:
                    break
                await asyncio.sleep(1)
        calls = stage.outside.get("progress")["calls"]
        shown = await what_is_shown(engine)
        verdict = judge(shown, stage.outside.truth(), stage.outside.get("effects"))
        accuracy = await accuracy_figures(stage, plan.orders, engine)
        told = await who_was_told(engine, stage.outside)
        verdict.duplicate_effects = sum(stage.outside.get("effects")["duplicates"].values())  # mending makes none
    finally:
        await engine.dispose()
    watched = {**return_figures(shown, stage.outside), **accuracy, "alerts": told.alerts, **told.counts}
    figures = _figures(plan, stage, seen, verdict, watched, started_at)
    return figures, verdict, calls


def _figures(
    plan: DemoPlan, stage: Stage, seen: Seen, verdict: Verdict, watched: Mapping[str, Any], started_at: datetime
) -> dict[str, Any]:
    return {
        **state_figures(plan.orders, seen),
        **verdict.counts,
        **watched,
        **speed_figures(plan.orders, seen, stage.outside),
        "flow_runs": count_runs(stage.house, "flow_runs", started_at),
        "task_runs": count_runs(stage.house, "task_runs", started_at),
    }


def _revive(stage: Stage) -> None:
    stage.outside.running.check()
    for what in stage.house.revive():
        stage.console.print(what)


def _keep_serving(stage: Stage) -> None:
    stage.console.print(
        "Everything keeps running; Ctrl-C ends it. Try: [bold]ballast holds[/bold] and "
        "[bold]ballast order show NO[/bold] in another terminal"
    )
    try:
        while True:
            _revive(stage)
            time.sleep(1)
    except KeyboardInterrupt:
        stage.console.print("stopping")
