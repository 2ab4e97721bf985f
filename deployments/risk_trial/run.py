"""One trial: rules are read, a stream is pulled and played, the figures are shown."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import text

from adapters.files.errors import FileError
from adapters.files.rule_books import read_rule_file
from ballast.clock import SetClock
from ballast.db.engine import make_engine
from ballast.domain.findings import Finding, Level
from ballast.domain.rules.risk import RiskSet
from ballast.rules.books import Kind, default_book, read_book
from ballast.rules.entries import RulesError
from ballast.rules.risk_table import RiskTable, check_risk
from ballast.settings import Settings
from ballast.wiring import House
from deployments.machine import database
from deployments.processes import alone
from deployments.rehearsal.world import Credentials, World, world
from deployments.risk_trial.figures import Figures, Score, sum_up
from deployments.risk_trial.playing import Judged, Stage, Trial
from deployments.risk_trial.telling import Told, pull_stream

NO_ENVIRONMENT: Final = "BALLAST_RISK_TRIAL_READS_NO_SETTING_"
"""Nobody's database and nobody's systems are touched, whatever the environment says."""

HEADS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("rule", "mostly finds", "fired", "right", "wrong", "precision", "recall of it"),
    "zh": ("规则", "主要命中", "命中", "正确", "误报", "精确率", "该类召回率"),
}
ROWS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {Stage.INTAKE: "stopped at intake", Stage.SHIPPING: "stopped by shipping"},
    "zh": {Stage.INTAKE: "接单时拦截", Stage.SHIPPING: "发货前累计拦截"},
}
LINES: Final[Mapping[str, tuple[str, str, str]]] = {
    "en": ("orders", "crooked ones that were missed", "honest ones that were stopped"),
    "zh": ("订单", "漏掉的异常单", "误拦的正常单"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """What to judge, and by what. `rules` None: the rules that Ballast comes with, `rules/risk.yaml`."""

    orders: int = 5000
    seed: int = 7
    rules: Path | None = None
    json: Path | None = None


def run_trial(plan: TrialPlan, settings: Settings, console: Console) -> int:
    """Judge the rules; always 0. Raises `RulesError`, `FileError` and `StartFailed`, all before anything is played."""
    began = time.monotonic()
    if plan.json is not None:
        _check_place(plan.json)
    risk = read_risk(plan.rules)
    table = RiskTable(risk)
    with ground(settings) as (outside, config):
        stream = [one for page in pull_stream(outside, plan.seed, plan.orders) for one in page]
        judged = asyncio.run(play(config, table, stream, console))
    figures = sum_up(stream, judged, [rule.name for rule in risk.rules if rule.on])
    show(figures, settings.language, console)
    for name, trouble in sorted(table.troubles.items()):
        console.print(f"[yellow]{name}: {trouble}[/yellow]")
    seconds = round(time.monotonic() - began, 1)
    console.print(f"seed {plan.seed}, {seconds} s")
    if plan.json is not None:
        told = {"seed": plan.seed, "seconds": seconds, **figures.as_dict()}
        plan.json.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _check_place(file: Path) -> None:
    """Before a minute of work, and not after it."""
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise FileError(f"{file}: the figures cannot be written there")


def read_risk(file: Path | None) -> RiskSet:
    """The rules of a file, or the default ones. Raises `RulesError` that names every mistake."""
    findings: list[Finding] = []
    if file is None:
        risk = default_book(Kind.RISK)
    else:
        risk, findings = read_book(read_rule_file(file, Kind.RISK))
    assert isinstance(risk, RiskSet)  # it was asked for
    findings = [*findings, *check_risk(risk)]
    if errors := [str(each) for each in findings if each.level is Level.ERROR]:
        raise RulesError(errors)
    return risk


@contextmanager
def ground(settings: Settings) -> Iterator[tuple[World, Settings]]:
    """The world's process and an empty database, in a folder of their own."""
    home, credentials = settings.home / "risk-trial", Credentials.make()
    with ExitStack() as stack:
        stack.enter_context(alone(home))
        own = Settings(_env_file=None, _env_prefix=NO_ENVIRONMENT, home=home)
        begins_at = datetime(2026, 1, 1, tzinfo=UTC)
        outside = stack.enter_context(
            world(credentials, seed=1, speed=0.0, hooks="http://127.0.0.1:9/hooks", home=home, stands_at=begins_at)
        )
        books = stack.enter_context(database(own, fresh=True)).ours
        yield outside, own.model_copy(update={"database_url": SecretStr(books)})


async def play(config: Settings, table: RiskTable, stream: list[Told], console: Console) -> dict[str, Judged]:
    """Every order taken in, and judged twice."""
    with _bar(console, 2 * len(stream)) as progress:
        async with our_house(config, stream[0].placed_at) as (house, clock):
            return await Trial(house, clock, table, lambda: progress.advance(progress.task_ids[0])).play(stream)


@asynccontextmanager
async def our_house(config: Settings, at: datetime) -> AsyncIterator[tuple[House, SetClock]]:
    """A house without systems, on a clock that is set."""
    assert config.database_url is not None  # ground has one
    clock = SetClock(at)
    house = House(config, clock, make_engine(config.database_url.get_secret_value()))
    try:
        async with house.engine.connect() as connection:  # thrown away at the end: nothing waits for the disk
            await connection.execute(text("alter database ballast set synchronous_commit = off"))
            await connection.commit()
        await house.engine.dispose()
        yield house, clock
    finally:
        await house.close()


def _bar(console: Console, steps: int) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task("judgements", total=steps)
    return progress


def show(figures: Figures, language: str, console: Console) -> None:
    """One table, and what went wrong below it."""
    heads = HEADS[language]
    table = Table()
    for head in heads[:2]:
        table.add_column(head, overflow="fold")
    for head in heads[2:]:
        table.add_column(head, justify="right")
    for rule in figures.rules:
        table.add_row(rule.name, rule.pattern, *_cells(rule.score))
    table.add_section()
    for stage, score in figures.stages.items():
        table.add_row(ROWS[language][stage], "", *_cells(score))
    console.print(table)
    for head, counts in zip(LINES[language], (figures.kinds, figures.missed, figures.wronged), strict=True):
        console.print(f"{head}: " + (", ".join(f"{name} {count}" for name, count in counts.items()) or "-"))


def _cells(score: Score) -> list[str]:
    shares: list[Any] = [score.precision, score.recall]
    return [str(score.found), str(score.right), str(score.wrong), *("-" if s is None else f"{s:.1%}" for s in shares)]
