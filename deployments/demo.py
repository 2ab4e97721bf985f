"""The demo: a whole machine, a whole world, orders from payment to sign-off, and a verdict by the world's own truth."""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.engine import make_engine, rows
from ballast.domain.words import STATE_LABELS, State
from ballast.settings import Settings
from ballast.settings import settings as settings_of_process
from ballast.wiring import close_house
from deployments.demo_world import START, Credentials, World, as_env, world
from deployments.machine import Machine, machine
from deployments.processes import alone, free_port
from deployments.verdict import AT_REST, Verdict, judge

SPEED = 14_400.0
"""Business seconds per second: a day passes in six."""

PER_SECOND = 40.0
"""Orders placed per second."""

QUIET_LIMIT = 180.0
"""Seconds without any change after which the demo ends and says what is missing."""


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


@dataclass(slots=True)
class Seen:
    """What the database shows at one moment: orders per state, and what is still on its way."""

    counts: dict[State, int]
    unread: int
    unsent: int
    due: int
    last_signed_at: datetime | None

    def at_rest(self, orders: int) -> bool:
        resting = sum(self.counts[state] for state in AT_REST)
        return resting == orders and not (self.unread or self.unsent or self.due)


def run_demo(plan: DemoPlan, settings: Settings, console: Console) -> int:
    """Show the demo; 0 when nothing was lost, doubled, oversold or told wrongly."""
    home = settings.home / "demo"
    credentials, began = Credentials.make(), time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(alone(home))
        web_port = free_port()
        console.print("[bold]Ballast[/bold] starts: the outside world, PostgreSQL, Prefect, web, listener ...")
        hooks = f"http://127.0.0.1:{web_port}/hooks"
        outside = stack.enter_context(world(credentials, seed=plan.seed, speed=plan.speed, hooks=hooks, home=home))
        own = _settings(settings, home, web_port)
        house = stack.enter_context(machine(own, env=_env(own, outside, credentials), fresh=True, root=settings.home))
        console.print(
            f"up after {time.monotonic() - began:.0f} s · Prefect UI {house.prefect_url} · web {house.web_url}"
        )
        settings_of_process.cache_clear()
        asyncio.run(_first_stock())
        outside.post("faults", preset=plan.faults)
        started_at = datetime.now(UTC)
        outside.post("start", orders=plan.orders, per_second=plan.per_second)
        seen = asyncio.run(_watch(plan, house, outside, console, began))
        figures, verdict = _figures(plan, house, outside, seen, started_at)
        _show(figures, verdict, house, console)
        if plan.file is not None:
            plan.file.write_text(json.dumps(figures, indent=2) + "\n")
        if not plan.exit:
            _keep_serving(house, outside, console)
    return 0 if verdict.clean else 1


def _settings(settings: Settings, home: Path, web_port: int) -> Settings:
    return settings.model_copy(update={"home": home, "web_port": web_port, "database_url": None})


def _env(settings: Settings, outside: World, credentials: Credentials) -> dict[str, str]:
    """The settings of every process of the demo: this world's keys, this world's clock, and a demo's patience."""
    return as_env(credentials.ours(outside.url)) | {
        "BALLAST_HOME": str(settings.home),
        "BALLAST_CLOCK__START": START.isoformat(),
        "BALLAST_CLOCK__ANCHOR": str(outside.anchor),
        "BALLAST_CLOCK__SPEED": str(outside.speed),
        "BALLAST_CONSOLE_KEY": credentials.world["direct"]["secret"],
        "BALLAST_PATIENCE__RETURN_WINDOW": "P3650D",  # signed orders stay signed while we look
        "BALLAST_PATIENCE__UNPAID_CLOSE": "P3650D",
        "BALLAST_PATIENCE__UNPAID": "P15D",  # a day is six seconds: ask about lost news after a minute and a half
        "BALLAST_PATIENCE__WAREHOUSE_QUIET": "P15D",
        "BALLAST_PATIENCE__COURIER_QUIET": "P15D",
        "BALLAST_PATIENCE__EARLY_NEWS": "P15D",
    }


async def _first_stock() -> None:
    """The ledger starts with the ERP's figures, by the same flow that keeps it up to date."""
    from flows.sync_inventory import sync_inventory  # Prefect reads PREFECT_API_URL when it is imported

    try:
        await sync_inventory()
    finally:
        await close_house()


async def _watch(plan: DemoPlan, house: Machine, outside: World, console: Console, began: float) -> Seen:
    """Live bars until every order has come to rest."""
    engine = make_engine(house.database_url, pool=1)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=40), MofNCompleteColumn(), TimeElapsedColumn())
    first_signed, last_change, before = False, time.monotonic(), ""
    try:
        with Progress(*columns, console=console, refresh_per_second=2) as progress:
            bars = {
                state: progress.add_task(f"{STATE_LABELS[state].zh} {STATE_LABELS[state].en}", total=plan.orders)
                for state in State
            }
            while True:
                house.check()
                seen, told = await _look(engine), outside.get("progress")
                counts = seen.counts
                for state, bar in bars.items():
                    progress.update(bar, completed=counts[state])
                if counts[State.SIGNED] and not first_signed:
                    first_signed = True
                    console.print(f"first order signed {time.monotonic() - began:.0f} s after the command")
                now = f"{counts}{seen.unread}{seen.unsent}{told['requests']}"
                last_change = last_change if now == before else time.monotonic()
                before = now
                resting = told["at_rest"] >= plan.orders and not told["webhooks_pending"]
                if (resting and seen.at_rest(plan.orders)) or time.monotonic() - last_change > QUIET_LIMIT:
                    return seen
                await asyncio.sleep(1)
    finally:
        await engine.dispose()


async def _look(engine: AsyncEngine) -> Seen:
    async with engine.connect() as tx:
        states = {row[0]: row[1] for row in await rows(tx, "select state, count(*) from sales_order group by state")}
        found = await rows(
            tx,
            """
            select (select count(*) from inbox where state = 'new') as unread,
                   (select count(*) from outbox where due_at is not null) as unsent,
                   (select count(*) from sales_order where due_step in ('confirm_payment', 'lock_stock', 'sign_off')
                      and lease_owner is not null) as due,
                   (select max(recorded_at) from order_event where to_state = 'SIGNED' and moved) as last_signed_at""",
        )
    now = found[0]
    return Seen({state: states.get(state, 0) for state in State}, now.unread, now.unsent, now.due, now.last_signed_at)


async def _states(house: Machine) -> dict[str, str]:
    """What Ballast shows of every order."""
    engine = make_engine(house.database_url, pool=1)
    try:
        async with engine.connect() as tx:
            return {row.order_no: row.state for row in await rows(tx, "select order_no, state from sales_order")}
    finally:
        await engine.dispose()


def _figures(
    plan: DemoPlan, house: Machine, outside: World, seen: Seen, started_at: datetime
) -> tuple[dict[str, Any], Verdict]:
    verdict = judge(asyncio.run(_states(house)), outside.truth(), outside.get("effects"))
    first_payment = outside.get("progress")["first_payment_at_real"]
    last_signed = outside.machine_seconds(seen.last_signed_at) if seen.last_signed_at else None
    seconds = last_signed - first_payment if last_signed and first_payment else 0.0
    count = seen.counts
    rest = count[State.SIGNED] + count[State.CLOSED] + count[State.ON_HOLD]
    figures = {
        "orders": plan.orders,
        "signed": count[State.SIGNED],
        "closed": count[State.CLOSED],
        "on_hold": count[State.ON_HOLD],
        "other": plan.orders - rest,
        "lost": len(verdict.lost),
        "duplicate_effects": verdict.duplicate_effects,
        "oversold": verdict.oversold,
        "disagreeing": len(verdict.disagreeing),
        "seconds": round(seconds, 1),
        "orders_per_second": round(plan.orders / seconds, 1) if seconds else 0.0,
        "flow_runs": _count_runs(house, "flow_runs", started_at),
        "task_runs": _count_runs(house, "task_runs", started_at),
    }
    return figures, verdict


def _count_runs(house: Machine, kind: str, since: datetime) -> int:
    started: dict[str, Any] = {"start_time": {"after_": since.isoformat()}}
    if kind == "flow_runs":  # runs that are only planned have an expected start, too
        started["state"] = {"type": {"not_any_": ["SCHEDULED", "PENDING"]}}
    body = {kind: started}
    reply = httpx.post(f"{house.prefect_url}/api/{kind}/count", json=body, timeout=30, trust_env=False)
    return int(reply.raise_for_status().json())


def _show(figures: Mapping[str, Any], verdict: Verdict, house: Machine, console: Console) -> None:
    table = Table(title="Every order, checked against the truth of the outside world")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        bad = name in ("lost", "duplicate_effects", "oversold", "disagreeing") and value
        table.add_row(name, f"[red]{value}[/red]" if bad else str(value))
    console.print(table)
    for order_no, differences in list(verdict.disagreeing.items())[:10]:
        console.print(f"[red]{order_no}[/red]: {'; '.join(differences)}")
    for order_no in verdict.lost[:10]:
        console.print(f"[red]{order_no}[/red]: not at rest")
    console.print(f"Prefect UI: {house.prefect_url}/runs · deployments: {house.prefect_url}/deployments")


def _keep_serving(house: Machine, outside: World, console: Console) -> None:
    console.print(
        "Everything keeps running; Ctrl-C ends it. Try: [bold]ballast holds[/bold] and "
        "[bold]ballast order show NO[/bold] in another terminal"
    )
    try:
        while True:
            house.check()
            outside.running.check()
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("stopping")
