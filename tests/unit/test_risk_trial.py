"""Figures of a trial, and rules that are refused before anything is started."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.files.errors import FileError
from ballast.domain.rules.risk import Action, RiskRule, Verdict
from ballast.rules.entries import RulesError
from ballast.settings import Settings
from deployments.risk_trial import run
from deployments.risk_trial.figures import sum_up
from deployments.risk_trial.playing import Judged, Stage, in_company
from deployments.risk_trial.telling import Told

AT = datetime(2026, 1, 5, tzinfo=UTC)


def told(number: int, kind: str = "honest", seconds: float = 0.0) -> Told:
    at = AT + timedelta(seconds=seconds)
    return Told(f"ST-{number}", {}, at, at + timedelta(hours=6), None, kind, f"scene of {kind}")


def verdict(*names: str, action: Action = Action.HOLD) -> Verdict:
    return Verdict(fired=tuple(RiskRule(name=name, when="true") for name in names), action=action)


def judge(*said: tuple[Stage, Verdict]) -> Judged:
    judged = Judged()
    for stage, one in said:
        judged.hear(stage, one)
    return judged


def test_counts_by_hand() -> None:
    stream = [told(1, "bot"), told(2, "bot"), told(3, "cards"), told(4), told(5)]
    quiet = verdict(action=Action.SCORE)
    judged = {
        "ST-1": judge((Stage.INTAKE, verdict("a")), (Stage.SHIPPING, verdict("a"))),
        "ST-2": judge((Stage.INTAKE, quiet), (Stage.SHIPPING, verdict("a", "b"))),
        "ST-3": judge((Stage.INTAKE, verdict("b", action=Action.SCORE)), (Stage.SHIPPING, quiet)),
        "ST-4": judge((Stage.INTAKE, quiet), (Stage.SHIPPING, verdict("a", action=Action.REVIEW))),
        "ST-5": judge((Stage.INTAKE, quiet), (Stage.SHIPPING, quiet)),
    }
    figures = sum_up(stream, judged, ["a", "b", "c"])
    a, b, c = figures.rules
    assert (a.pattern, a.score.found, a.score.right, a.score.wrong) == ("bot", 3, 2, 1)
    assert (a.score.precision, a.score.recall) == (2 / 3, 1.0)
    assert (b.pattern, b.score.found, b.score.recall) == ("cards", 2, 1.0), "all of one kind, half of another"
    assert (c.pattern, c.score.found, c.score.precision, c.score.recall) == ("", 0, None, None)
    early = figures.stages[Stage.INTAKE]
    assert (early.found, early.right, early.recall) == (1, 1, 1 / 3)
    assert (figures.overall.found, figures.overall.precision, figures.overall.recall) == (3, 2 / 3, 2 / 3)
    assert figures.missed == {"cards": 1} and figures.wronged == {"scene of honest": 1}


def test_points_alone_stop_nobody() -> None:
    assert judge((Stage.INTAKE, verdict("a", action=Action.SCORE))).stopped is None


@pytest.mark.parametrize(
    ("seconds", "sizes"), [((0, 60, 61), [2, 1]), ((0,), [1]), ((), []), ((0, 59, 61, 120, 122), [2, 2, 1])]
)
def test_company_is_counted_from_its_first(seconds: Sequence[float], sizes: list[int]) -> None:
    stream = [told(n, seconds=at) for n, at in enumerate(seconds)]
    assert [len(company) for company in in_company(stream)] == sizes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: risk\nrules:\n  - {name: a, when: 'amuont > 5', action: hold}\noptions: []\n", "did you mean amount"),
        (
            "kind: risk\nrules:\n  - {name: a, when: 'amount >', action: hold}\noptions: []\n",
            "cannot be read|fit together",
        ),
        ("kind: risk\nrules:\n  - {name: a, when: 'amount > 5', action: stop}\noptions: []\n", "stop"),
        ("kind: price\nprices: []\noptions: []\n", "price"),
    ],
)
def test_rules_with_a_mistake_are_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    monkeypatch.setattr(run, "ground", lambda _: pytest.fail("it was started"))
    file = tmp_path / "risk.yaml"
    file.write_text(text, encoding="utf-8")
    config = Settings(_env_file=None, home=tmp_path)
    with pytest.raises((RulesError, FileError), match=says):
        run.run_trial(run.TrialPlan(rules=file), config, run.Console(quiet=True))


def test_figures_that_cannot_be_written_are_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ground", lambda _: pytest.fail("it was started"))
    plan = run.TrialPlan(json=tmp_path)
    with pytest.raises(FileError, match="cannot be written"):
        run.run_trial(plan, Settings(_env_file=None, home=tmp_path), run.Console(quiet=True))
