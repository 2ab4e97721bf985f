"""`ballast replay`: a recorded history, played through the real thing."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ballast.cli import app


@app.command
def replay(
    file: Path,
    *,
    map: Annotated[Path, Parameter(help="the YAML file that names your columns and status words, as for import")],
    policy: Annotated[Path | None, Parameter(help="the SLA policy that watches; default: rules/sla.yaml")] = None,
    compare: Annotated[Path | None, Parameter(help="another policy, judged on the same history")] = None,
    zone: Annotated[str | None, Parameter(help="of times without one, such as America/Sao_Paulo")] = None,
    rejects: Annotated[Path | None, Parameter(help="where refused rows go; default: FILE.rejects.csv")] = None,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
) -> int:
    """Play a recorded history through the real flows, database and simulators: years in minutes. 回放历史订单

    Everything happens in a folder and a database of its own; nothing of yours is read but the files named here, and
    nobody outside is told. Exit 1 when rows were refused.
    """
    import time

    began = time.monotonic()
    from rich.console import Console

    from ballast.settings import settings
    from deployments.replay.run import ReplayPlan, run_replay

    plan = ReplayPlan(
        file=file, mapping=map, policy=policy, compare=compare, zone=zone, rejects=rejects, json=json, began=began
    )
    return run_replay(plan, settings(), Console())
