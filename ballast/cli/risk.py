"""`ballast risk`: the risk rules, judged."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from ballast.cli import app

risk = App(name="risk", help="The risk rules: what they find, and whom they wrong. 风控规则")
app.command(risk)


@risk.command
def evaluate(
    *,
    orders: Annotated[int, Parameter(validator=Number(gte=100, lte=50_000))] = 5000,
    seed: Annotated[int, Parameter(validator=Number(gte=0, lte=2**53))] = 7,
    rules: Annotated[
        Path | None, Parameter(help="rules to judge: XLSX, JDM .json or YAML; default: rules/risk.yaml")
    ] = None,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
) -> int:
    """Judge the risk rules by simulated orders of which the truth is known: precision and recall. 评估风控规则

    Six weeks of honest and crooked orders go through the real intake into a database of its own, and are judged when
    they come in and again before they are shipped. Nothing of yours is read or changed.
    """
    from rich.console import Console

    from ballast.settings import settings
    from deployments.risk_trial.run import TrialPlan, run_trial

    return run_trial(TrialPlan(orders=orders, seed=seed, rules=rules, json=json), settings(), Console())
