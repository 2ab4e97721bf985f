"""`rules/sla.yaml`: what is refused says file and line; what is changed is taken on, unless it has a mistake."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ballast.domain.sla import Level, Moment, Pause, Policy
from ballast.domain.words import State
from ballast.rules.current import LOOK_EVERY, PolicyInForce, find_rules
from ballast.rules.entries import LARGEST, RulesError
from ballast.rules.sla import read_policy

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OURS = Path(__file__).parents[2] / "rules" / "sla.yaml"
GOOD = """\
through: [dingtalk]
working_hours: {from: "09:00", to: "18:00"}
clocks:
  - name: in_transit
    state: IN_TRANSIT
    since: first_scan
    until: signed
    pauses: [wish]
    yellow: 48h
    red: 72h
    except:
      - courier: [SF]
        yellow: 1d12h
ladders:
  info: [{after: 0m, to: ops}]
  warning:
    - {after: 0m, to: ops}
    - {after: 15m, to: [ops, boss], through: [wecom]}
  urgent: [{after: 0m, to: boss}]
roles:
  ops: {roster: [zhang, li], turn: 1w, begins: 2026-01-05}
  boss: wang
people:
  zhang: {name: Zhang, dingtalk: "13800000001"}
  li: {name: Li}
  wang: {name: Wang, mail: wang@example.com}
"""


def read(tmp_path: Path, text: str, now: datetime = NOW) -> Policy:
    file = tmp_path / "sla.yaml"
    file.write_text(text, encoding="utf-8")
    return read_policy(file, now)


def refused(tmp_path: Path, text: str) -> list[str]:
    """What is wrong, each without the folder: `sla.yaml:9: ...`."""
    with pytest.raises(RulesError) as wrong:
        read(tmp_path, text)
    return [line.removeprefix(f"{tmp_path}/") for line in wrong.value.problems]


def test_what_a_file_says(tmp_path: Path) -> None:
    policy = read(tmp_path, GOOD)
    [clock] = policy.clocks
    assert (clock.state, clock.since, clock.until) == (State.IN_TRANSIT, Moment.FIRST_SCAN, Moment.SIGNED)
    assert clock.pauses == {Pause.WISH}
    assert [(sorted(row.only.courier), row.yellow, row.red) for row in clock.limits] == [
        (["SF"], timedelta(hours=36), None),
        ([], timedelta(hours=48), timedelta(hours=72)),
    ]
    assert clock.ladders == {Level.YELLOW: "warning", Level.RED: "urgent"}
    assert [(rung.after, rung.to, rung.through) for rung in policy.ladders["warning"]] == [
        (timedelta(0), ("ops",), ("dingtalk",)),
        (timedelta(minutes=15), ("ops", "boss"), ("wecom",)),
    ]
    assert policy.people["zhang"].mobile == "13800000001"
    assert "13800000001" not in repr(policy)


def test_the_file_that_ballast_comes_with_is_good() -> None:
    assert {clock.name for clock in read_policy(OURS, NOW).clocks} == {
        "unpaid", "paid_not_locked", "locked_not_outbound", "outbound_not_scanned", "in_transit", "held_unacknowledged",
        "return_unanswered", "goods_not_back",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("was", "becomes", "line", "says"),  # the number of the line that has to be mended
    [
        ("state: IN_TRANSIT", "state: ON_THE_ROAD", 5, "unknown state 'ON_THE_ROAD'"),
        ("since: first_scan", "since: label_printed", 6, "unknown moment 'label_printed'"),
        ("since: first_scan", "since: placed", 4, "never runs: in IN_TRANSIT"),
        ("until: signed", "until: paid", 4, "a clock from first_scan cannot end at paid"),
        ("    state: IN_TRANSIT\n", "", 4, "'state' is missing"),
        ("yellow: 48h", "yellow: -48h", 9, "'-48h' is negative"),
        ("yellow: 48h", "yellow: 2 days", 9, "'2 days' is no duration"),
        ("yellow: 48h", "yellow: 99999d", 9, "longer than ten years"),
        ("yellow: 48h", "yellow: 80h", 10, "red comes before yellow"),
        ("yellow: 48h", "yellow: 72h", 10, "red comes before yellow"),
        ("    yellow: 48h\n    red: 72h\n", "", 4, "needs a threshold"),
        ("courier: [SF]", "color: [SF]", 12, "unknown key 'color'"),
        ("      - courier: [SF]\n        yellow: 1d12h\n", "      - {courier: SF, yellow: 1h}\n"
         "      - {courier: SF, region: 海南, yellow: 2h}\n", 13, "is never reached"),
        ("      - courier: [SF]\n        yellow", "      - yellow", 12, "says for which orders it is not"),
        ("pauses: [wish]", "pauses: [tea]", 8, "unknown pause 'tea'"),
        ("pauses: [wish]", "hours: office", 8, "hours are `all` or `working`"),
        ("red: 72h", "reddish: 72h", 10, "unknown key 'reddish'"),
        ("    red: 72h\n", "    red: 72h\n    red: 73h\n", 11, "'red' stands twice"),
        ("{after: 15m, to: [ops, boss]", "{after: 0m, to: [ops, boss]", 18, "never reached in its turn"),
        ("{after: 15m, to: [ops, boss]", "{after: 24h, to: [ops, boss]", 4, "rung 2 of ladder 'warning' is un"),
        ("to: [ops, boss]", "to: [ops, chief]", 18, "'chief' is not among the roles"),
        ("  boss: wang", "  boss: []", 22, "a role without a person"),
        ("  boss: wang", "  boss: wong", 22, "'wong' is not among the people"),
        ("turn: 1w", "turn: 1m", 21, "a turn lasts an hour"),
        ("begins: 2026-01-05", "begins: monday", 21, "a day is written like"),
        ("urgent: [{after: 0m, to: boss}]", "loud: [{after: 0m, to: boss}]", 14, "the ladder 'urgent' is missing"),
        ("  urgent:", "  spare: [{after: 0m, to: boss}]\n  urgent:", 19, "no alert climbs the ladder 'spare'"),
        ("urgent: [{after: 0m, to: boss}]", "urgent: []", 19, "a ladder without a rung"),
        ("li: {name: Li}", "li: {}", 25, "'name' is missing"),
        ("through: [dingtalk]", "through: []", 1, "names no channel"),
        ('to: "18:00"', 'to: "08:00"', 2, "working hours end before they begin"),
        ('to: "18:00"', "to: evening", 2, "a time of day is written like"),
        ('to: "18:00"', 'to: "18:00", zone: Mars/Base', 2, "is no time zone"),
        ("clocks:\n  - name: in_transit", "clocks:\n  - nome: in_transit", 4, "'name' is missing"),
        ("roles:\n", "rules:\n", 20, "unknown key 'rules'"),
    ],
)  # fmt: skip
def test_a_mistake_has_a_line(tmp_path: Path, was: str, becomes: str, line: int, says: str) -> None:
    assert GOOD.count(was) == 1, "the case changes one place"
    problems = refused(tmp_path, GOOD.replace(was, becomes))
    assert any(one.startswith(f"sla.yaml:{line}: ") and says in one for one in problems), problems


def test_all_mistakes_are_told_in_one_go(tmp_path: Path) -> None:
    both = GOOD.replace("yellow: 48h", "yellow: -1h").replace("boss: wang", "boss: []")
    assert len(refused(tmp_path, both)) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("clocks: [", "expected"),
        ("just words", "expected keys and values"),
        ("a: &a [1]\nb: *a\n", "references (*a) are not used here"),
        ("clocks: [" + "[" * 3000, "nested too deeply"),
        ("#" * (LARGEST + 1), "larger than"),
    ],
)
def test_what_is_no_policy_at_all(tmp_path: Path, text: str, says: str) -> None:
    assert any(says in one for one in refused(tmp_path, text))


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="No such file"):
        read_policy(tmp_path / "none.yaml", NOW)
    (tmp_path / "gbk.yaml").write_bytes("through: 钉钉".encode("gbk"))
    with pytest.raises(RulesError, match="save it as UTF-8"):
        read_policy(tmp_path / "gbk.yaml", NOW)


def test_a_year_that_the_calendar_does_not_know_is_a_warning(tmp_path: Path) -> None:
    working = GOOD.replace("pauses: [wish]", "hours: working")
    assert read(tmp_path, working, datetime(2026, 6, 1, tzinfo=UTC)).warnings == ()
    for at, year in ((datetime(2026, 12, 1, tzinfo=UTC), "2027"), (datetime(2041, 6, 1, tzinfo=UTC), "2041")):
        [warning] = read(tmp_path, working, at).warnings
        assert year in warning and "Monday to Friday" in warning
    assert read(tmp_path, GOOD, datetime(2041, 6, 1, tzinfo=UTC)).warnings == (), "nothing counts working days"


def test_a_change_is_taken_on_and_a_mistake_leaves_the_old_policy_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: at[0])
    file = tmp_path / "sla.yaml"

    def write(text: str) -> None:
        file.write_text(text)
        os.utime(file, ns=(int(at[0]), int(at[0])))
        at[0] += LOOK_EVERY + 1

    write(GOOD)
    force = PolicyInForce(file, lambda: NOW)
    first = force.current().version
    write(GOOD.replace("48h", "40h"))
    second = force.current()
    assert second.version != first and second.clocks[0].limits[-1].yellow == timedelta(hours=40)
    write(GOOD.replace("48h", "90h"))
    assert force.current() is second
    assert force.problem is not None and "red comes before yellow" in str(force.problem)
    file.unlink()
    at[0] += LOOK_EVERY + 1
    assert force.current() is second and "No such file" in str(force.problem)
    write(GOOD)
    assert force.current().version == first and force.problem is None


def test_a_process_does_not_start_with_a_policy_that_is_not_usable(tmp_path: Path) -> None:
    with pytest.raises(RulesError):
        PolicyInForce(tmp_path / "none.yaml", lambda: NOW).current()


def test_a_relative_name_is_looked_for_here_and_where_ballast_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_rules(Path("rules/sla.yaml")) == OURS
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "sla.yaml").write_text(GOOD)
    assert find_rules(Path("rules/sla.yaml")) == Path("rules/sla.yaml")
