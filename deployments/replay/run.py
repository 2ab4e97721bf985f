"""`ballast replay`: a history is read, played, and reported."""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.files.errors import FileError
from adapters.files.mapping import read_history_mapping
from ballast.clock import to_local
from ballast.collector import spare_collector
from ballast.domain.sla import Policy
from ballast.rules.current import find_rules
from ballast.rules.sla import read_policy
from ballast.settings import Settings
from ballast.wiring import House
from deployments.replay import report as reading
from deployments.replay.accounts import Recorded, read_accounts, read_on_hand
from deployments.replay.acts import Act, Agenda, acts_of
from deployments.replay.history import History, read_history
from deployments.replay.playing import Played, Player
from deployments.replay.report import Report
from deployments.replay.showing import show_report
from deployments.replay.stage import Ground, Outside, ground, our_side
from flows.sync_inventory import sync_inventory
from tasks.plainly import plainly
from tasks.stock import compare


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """What to play. `began`: time.monotonic() of the command. `policy` None: the one of the settings."""

    file: Path
    mapping: Path
    policy: Path | None = None
    compare: Path | None = None
    zone: str | None = None
    rejects: Path | None = None
    json: Path | None = None
    began: float


@dataclass(frozen=True, slots=True)
class Judge:
    """A policy and the name of its file."""

    name: str
    file: Path
    policy: Policy


def run_replay(plan: ReplayPlan, settings: Settings, console: Console) -> int:
    """Play and report; 1 when rows of the file were refused.

    Raises `MappingError`, `FileError`, `RulesError` and `StartFailed`, all before anything was played.
    """
    if plan.json is not None:
        _check_place(plan.json)
    mapping = read_history_mapping(plan.mapping, plan.zone)
    judge = _judge(plan.policy or settings.sla_policy)
    other = _judge(plan.compare) if plan.compare is not None else None
    history = read_history(plan.file, mapping, plan.rejects or plan.file.with_suffix(".rejects.csv"))
    acts = [act for past in history.orders for act in acts_of(past)]
    spare_collector()
    console.print(f"[bold]{history.file}[/bold]: {len(history.orders)} orders, {len(acts)} recorded acts")
    stage = _Stage(history, acts, mapping.times.zone or "UTC", judge, other)
    loop = uvicorn.Config("web.app:make_app", log_config=None).get_loop_factory()  # uvloop where there is one
    with (
        ground(settings, judge.file, stage.begins_at) as at,
        _bar(console, len(acts)) as progress,
        asyncio.Runner(loop_factory=loop) as runner,
    ):
        report = runner.run(stage.play(at, progress))
    report = replace(report, seconds=time.monotonic() - plan.began)
    show_report(report, settings.language, console)
    if plan.json is not None:
        plan.json.write_text(json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if history.rejected_rows else 0


def _check_place(file: Path) -> None:
    """Before minutes of work, and not after them."""
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise FileError(f"{file}: the figures cannot be written there")


def _judge(file: Path) -> Judge:
    found = find_rules(file)
    return Judge(str(file), found, read_policy(found, datetime.now(UTC)))


@dataclass(frozen=True, slots=True)
class _Stage:
    """What is played, and by what it is judged."""

    history: History
    acts: list[Act]
    zone: str
    judge: Judge
    other: Judge | None

    @property
    def begins_at(self) -> datetime:
        return min(act.due for act in self.acts)

    async def play(self, at: Ground, progress: Callable[[int, datetime], None]) -> Report:
        async with our_side(at, self.begins_at) as (house, clock, outside):
            pieces = self._pieces()
            await outside.stock(pieces)
            with plainly():
                await sync_inventory.fn()  # the shelf as the ERP has it
                async with house.transaction() as tx:
                    granted = await read_on_hand(tx, pieces)
                played = await Player(house, clock, outside, Agenda(self.acts), progress).play()
            ended_at = clock.now()
            clock.set(ended_at + timedelta(seconds=1))  # the ERP's figures know what was booked at the last moment
            return await self._report(house, outside, played, granted, ended_at)

    def _pieces(self) -> dict[str, int]:
        """Twice what was ever ordered: what a seller did not have, the record does not say."""
        pieces: Counter[str] = Counter()
        for past in self.history.orders:
            for line in past.order.lines:
                pieces[line.sku] += 2 * line.quantity
        return dict(pieces)

    async def _report(self, house: House, outside: Outside, played: Played, granted: int, ended_at: datetime) -> Report:
        policy = self.judge.policy
        stock = await compare(house)
        async with house.transaction() as tx:
            report = Report(
                history=self.history,
                zone=self.zone,
                counts=await reading.read_counts(tx, self.history),
                states=await reading.read_states(tx),
                holds=await reading.read_holds(tx),
                lead_times=await reading.read_lead_times(tx),
                hours=await reading.read_hours(tx, self.zone),
                requests=await outside.requests(),
                played=played,
                began_at=self.begins_at,
                ended_at=ended_at,
                policy=self.judge.name,
                breaches=await reading.read_breaches(tx, policy),
                by_courier=await reading.read_breaches_by_courier(tx, policy),
                accounts=await read_accounts(
                    tx, Recorded(self.history.orders, self.acts), played, granted, stock.findings
                ),
            )
            if self.other is None:
                return report
            seen = await reading.judge_again(tx, self.other.policy, ended_at)
        return replace(report, other_policy=self.other.name, other_breaches=seen)


class _bar:
    """A live bar: acts played, and where in the recorded time the replay is."""

    def __init__(self, console: Console, acts: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[at]}"),
            TimeElapsedColumn(), console=console, transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("playing", total=acts, at="")

    def __enter__(self) -> Callable[[int, datetime], None]:
        self._progress.start()
        return lambda done, at: self._progress.update(self._task, completed=done, at=to_local(at)[:10])

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
