"""`ballast demo`, `ballast chaos` and `ballast up`: everything on one machine."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ballast.cli import app


@app.command
def demo(
    *,
    orders: int = 500,
    seed: int = 1,
    faults: Literal["none", "mild", "storm"] = "none",
    exit: Annotated[bool, Parameter(help="end by itself once every order has come to rest")] = False,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
    rate: Annotated[float, Parameter(help="orders placed per second")] = 40.0,
    speed: Annotated[float, Parameter(help="business seconds per second")] = 14_400.0,
) -> int:
    """Show everything at work: simulated shops, ERP, warehouse and couriers, and the real Ballast between them.

    Exit code 1 when the outside world's own truth shows an order lost, done twice, oversold or told wrongly, an alert
    that nobody was shown or a robot showed twice, or a system that differs after mending.
    """
    from rich.console import Console

    from ballast.settings import settings
    from deployments.rehearsal.demo import DemoPlan, run_demo

    plan = DemoPlan(orders=orders, seed=seed, faults=faults, speed=speed, per_second=rate, exit=exit, file=json)
    return run_demo(plan, settings(), Console())


@app.command
def chaos(
    *,
    orders: Annotated[int, Parameter(validator=Number(gte=1))] = 1000,
    seed: int = 1,
    minutes: Annotated[float, Parameter(validator=Number(gte=0.5))] = 5.0,
    kills: Annotated[int, Parameter(help="processes to kill at least", validator=Number(gte=3))] = 20,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
) -> int:
    """Prove it: a stormy world, processes killed at random, PostgreSQL restarted twice, Prefect stopped for a minute.

    Disturbances go on for the given minutes; the run ends by itself once every order has come to rest. Exit code 1 when
    anything was lost, stuck, done twice, oversold, refunded too much or told wrongly, or when a disturbance is missing.
    """
    from rich.console import Console

    from ballast.settings import settings
    from deployments.rehearsal.chaos import ChaosPlan, run_chaos

    plan = ChaosPlan(orders=orders, seed=seed, minutes=minutes, kills=kills, file=json)
    return run_chaos(plan, settings(), Console())


@app.command
def up() -> None:
    """Run all services of one machine until Ctrl-C: database (unless configured), Prefect, webhooks, listener."""
    import time

    from rich.console import Console

    from ballast.settings import settings
    from ballast.wiring import hooks
    from deployments.machine import machine
    from deployments.processes import alone

    console, config = Console(), settings()
    with alone(config.home), machine(config) as running:
        console.print(f"Prefect UI  {running.prefect_url}\nwebhooks    {running.web_url}/hooks/SOURCE")
        console.print("configured  " + (", ".join(hooks(config)) or "no system yet: see README.md, «Your own systems»"))
        console.print("Ctrl-C stops everything; `ballast doctor` in another terminal checks it.")
        while True:
            for what in running.revive():
                console.print(what)
            time.sleep(1)
