"""A whole machine in a simulated world: what the demo and the chaos run have in common."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ballast.db.rule_sets import Wanted
from ballast.rules.books import Kind
from ballast.settings import Settings
from ballast.settings import settings as settings_of_process
from ballast.wiring import close_house, house
from deployments.machine import Machine, machine
from deployments.processes import alone, free_port
from deployments.rehearsal.world import START, Credentials, World, as_env, world

POLICY = Path(__file__).parent / "sla.yaml"
"""How long everything may take there."""

SOURCING = Path(__file__).parent / "sourcing.yaml"
"""Which warehouse ships what there."""

UNTOWARD = {"returns": 0.05, "refuses": 0.03}
"""The parts of the customers that ask for a return, and of the orders that a warehouse refuses or lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is running. `began`: time.monotonic() of the command."""

    house: Machine
    outside: World
    console: Console
    began: float


@contextmanager
def rehearsal(
    settings: Settings,
    console: Console,
    *,
    home: Path,
    orders: int,
    seed: int,
    speed: float,
    patience: Mapping[str, str],
    serves: int = 1,
) -> Iterator[Stage]:
    """Start world and machine, with the ERP's figures in the ledger; nobody has ordered yet.

    `orders`: how many the shelves are filled for. `speed`: business seconds per second. `patience`: settings of that
    name, as ISO 8601 durations of business time.
    """
    credentials, began = Credentials.make(), time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(alone(home))
        web_port = free_port()
        console.print("[bold]Ballast[/bold] starts: the outside world, PostgreSQL, Prefect, web, listener ...")
        hooks = f"http://127.0.0.1:{web_port}/hooks"
        outside = stack.enter_context(world(credentials, seed=seed, speed=speed, hooks=hooks, home=home))
        own = settings.model_copy(
            update={
                "home": home, "web_port": web_port, "database_url": None,
                "prefect_hook_url": "", "prefect_hook_key": None,  # nobody else's door, whatever `.env` says
            }
        )  # fmt: skip
        env = _env(own, outside, credentials, patience)
        house = stack.enter_context(machine(own, env=env, fresh=True, root=settings.home, serves=serves))
        console.print(
            f"up after {time.monotonic() - began:.0f} s · Prefect UI {house.prefect_url} · web {house.web_url}"
        )
        settings_of_process.cache_clear()
        outside.post("start", orders=0, stock_for=orders, spread=True)
        asyncio.run(_first_stock())
        yield Stage(house=house, outside=outside, console=console, began=began)


def _env(settings: Settings, outside: World, credentials: Credentials, patience: Mapping[str, str]) -> dict[str, str]:
    """The settings of every process: this world's keys, this world's clock, and the patience asked for."""
    return (
        as_env(credentials.ours(outside.url))
        | {
            "BALLAST_HOME": str(settings.home),
            "BALLAST_CLOCK__START": START.isoformat(),
            "BALLAST_CLOCK__ANCHOR": str(outside.anchor),
            "BALLAST_CLOCK__SPEED": str(outside.speed),
            "BALLAST_SLA_POLICY": str(POLICY),
            "BALLAST_CONSOLE_KEY": credentials.world["direct"]["secret"],
            "BALLAST_PATIENCE__RETURN_WINDOW": "P3650D",  # signed orders stay signed while we look
            "BALLAST_PATIENCE__UNPAID_CLOSE": "P3650D",
            "BALLAST_DOOR__INTAKE": "hold",  # the simulated shop has sold it already and hears no refusal
        }
        | {f"BALLAST_PATIENCE__{name.upper()}": value for name, value in patience.items()}
    )


async def _first_stock() -> None:
    """The ledger starts with the ERP's figures, by the same flow that keeps it up to date; and the sourcing rows."""
    from flows.sync_inventory import sync_inventory  # Prefect reads PREFECT_API_URL when it is imported
    from tasks.rules import publish_file, read_written

    try:
        await sync_inventory()
        written = read_written(Kind.SOURCING, SOURCING)
        await publish_file(await house(), Kind.SOURCING, written, Wanted(by="rehearsal", note="two warehouses", over=0))
    finally:
        await close_house()
