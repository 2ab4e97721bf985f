"""`rules/sla.yaml`: clocks, ladders, roles and people, checked whole before anything is watched by it."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from ballast.domain.people import Person
from ballast.domain.sla import (
    ENDS_AT,
    OF_RETURNS,
    RUNS_IN,
    Clock,
    Level,
    Limits,
    Moment,
    Pause,
    Policy,
    Role,
    Rung,
    Selection,
)
from ballast.domain.words import State
from ballast.domain.working_time import WorkingHours
from ballast.rules.entries import Entry, entries_of, read_bytes
from ballast.rules.workdays import is_workday, unknown_years

ALERT_LEVEL: Final = {Level.YELLOW: "warning", Level.RED: "urgent"}
"""What a breach of each level is as an alert. One without a ladder of its own climbs the one named like its level."""

ALERT_LEVELS: Final = ("info", "warning", "urgent")
ACCOUNT_OWNER: Final = "account_owner"
"""The ladder of what a customer's owner has to hear of; without it `warning` is climbed. The owner takes the place of
the first rung's roles; where a customer has no owner, they are told."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_CLOCK: Final = ("name", "since", "until"), (
    "label", "state", "yellow", "red", "pauses", "hours", "except", "ladders",
)  # fmt: skip
_SELECTS: Final = ("channel", "tier", "courier", "region")
T = TypeVar("T")


def read_policy(file: Path, now: datetime) -> Policy:
    """The policy in this file. Raises `RulesError` that names every mistake with file and line.

    `now`: years around it that the statutory calendar does not know are warnings of the policy.
    """
    return policy_of(read_bytes(file), file, now)


def policy_of(raw: bytes, file: Path, now: datetime) -> Policy:
    """The same of what a file says, or would say: `file` is what the mistakes call it."""
    top = entries_of(raw, file)
    fields = top.fields(needed=("clocks", "ladders", "roles", "people", "through"), known=("working_hours",))
    draft = _Draft(top)
    if "working_hours" in fields:
        draft.hours = _working_hours(fields["working_hours"])
    draft.people = {key: _person(entry) for key, entry in draft.named(fields.get("people"))}
    draft.roles = {key: _role(entry, draft.people) for key, entry in draft.named(fields.get("roles"))}
    draft.through = tuple(fields["through"].words()) if "through" in fields else ()
    draft.ladders = {key: _ladder(entry, draft) for key, entry in draft.named(fields.get("ladders"))}
    if "clocks" in fields:
        draft.clocks = [_clock(entry, draft) for entry in fields["clocks"].items()]
    _check_whole(draft, fields)
    top.findings.raise_if_any()
    return _finished(draft, raw, file, now)


@dataclass(slots=True)
class _Draft:
    """What was read so far."""

    top: Entry
    hours: WorkingHours | None = None
    people: dict[str, Person] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    through: tuple[str, ...] = ()
    ladders: dict[str, tuple[Rung, ...]] = field(default_factory=dict)
    rungs: dict[str, list[Entry]] = field(default_factory=dict)
    clocks: list[Clock | None] = field(default_factory=list)

    def named(self, entry: Entry | None) -> Iterable[tuple[str, Entry]]:
        for key, value in (entry.fields() if entry else {}).items():
            if not _NAME.fullmatch(key):
                value.problem(f"{key!r} is no name: small letters, digits, - and _, a letter first")
            yield key, value


def _working_hours(entry: Entry) -> WorkingHours | None:
    fields = entry.fields(needed=("from", "to"), known=("zone",))
    opens, closes = (_time_of_day(fields[key]) if key in fields else None for key in ("from", "to"))
    zone = fields["zone"].word() if "zone" in fields else "Asia/Shanghai"
    try:
        found = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        entry.problem(f"{zone!r} is no time zone; write one like Asia/Shanghai")
        return None
    if opens is None or closes is None:
        return None
    if closes <= opens:
        entry.problem("working hours end before they begin")
        return None
    return WorkingHours(opens, closes, found, is_workday)


def _time_of_day(entry: Entry) -> time | None:
    try:
        return datetime.strptime(entry.word(), "%H:%M").time()  # noqa: DTZ007  # a time of day has no date and no zone
    except ValueError:
        entry.problem('a time of day is written like "09:00", in quotes')
        return None


def _person(entry: Entry) -> Person:
    fields = entry.fields(needed=("name",), known=("dingtalk", "wecom", "feishu", "mail"))
    said = {key: value.word() for key, value in fields.items()}
    if (mobile := said.get("dingtalk", "")) and not re.fullmatch(r"\+?[0-9-]{5,20}", mobile):
        fields["dingtalk"].problem("dingtalk rings a mobile number")
    return Person(
        name=said.get("name", ""),
        mobile=mobile,
        wecom=said.get("wecom", ""),
        feishu=said.get("feishu", ""),
        email=said.get("mail", ""),
    )


def _role(entry: Entry, people: Mapping[str, Person]) -> Role:
    """`zhang`, `[zhang, li]`, or {roster: [zhang, li], turn: 1w, begins: 2026-01-05}."""
    if _is_mapping(entry):
        fields = entry.fields(needed=("roster", "turn", "begins"))
        names = fields["roster"].words() if "roster" in fields else []
        turn = fields["turn"].duration() if "turn" in fields else None
        begins = _date(fields["begins"]) if "begins" in fields else None
        if turn is not None and turn < timedelta(hours=1):
            fields["turn"].problem("a turn lasts an hour at least")
            turn = None
        role = Role(people=tuple(names), turn=turn, begins=begins)
    else:
        role = Role(people=tuple(entry.words() if not _is_empty(entry) else ()))
    if not role.people:
        entry.problem("a role without a person: nobody would be told")
    for name in role.people:
        if name not in people:
            entry.problem(f"{name!r} is not among the people")
    return role


def _is_mapping(entry: Entry) -> bool:
    return isinstance(entry.node, yaml.MappingNode)


def _is_empty(entry: Entry) -> bool:
    return not entry.node.value


def _date(entry: Entry) -> datetime | None:
    """A day or a time; without zone it is China Standard Time."""
    try:
        at = datetime.fromisoformat(entry.word())
    except ValueError:
        entry.problem("a day is written like 2026-01-05")
        return None
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo("Asia/Shanghai"))).astimezone(UTC)


def _ladder(entry: Entry, draft: _Draft) -> tuple[Rung, ...]:
    rungs: list[Rung] = []
    for item in entry.items():
        fields = item.fields(needed=("after", "to"), known=("through",))
        after = fields["after"].duration() if "after" in fields else None
        to = tuple(fields["to"].words()) if "to" in fields else ()
        through = tuple(fields["through"].words()) if "through" in fields else draft.through
        for role in to:
            if role not in draft.roles:
                item.problem(f"{role!r} is not among the roles")
        if after is None:
            continue
        if rungs and after <= rungs[-1].after:
            item.problem("this rung is never reached in its turn: it has to come later than the one before")
        rungs.append(Rung(after=after, to=to, through=through))
    if not rungs:
        entry.problem("a ladder without a rung: nobody would be told")
    return tuple(rungs)


def _clock(entry: Entry, draft: _Draft) -> Clock | None:
    fields = entry.fields(needed=_CLOCK[0], known=_CLOCK[1])
    since = _choice(fields.get("since"), Moment)
    until = _choice(fields.get("until"), Moment)
    state = _choice(fields.get("state"), State)
    name = fields["name"].word() if "name" in fields else ""
    if not _NAME.fullmatch(name):
        entry.problem(f"{name!r} is no name for a clock: small letters, digits, - and _, a letter first")
    if since is None or until is None or not _can_run(entry, state, since, until):
        return None
    working = _hours(fields.get("hours"), draft)
    rows = _limits(entry, fields)
    ladders = _ladders_of(fields.get("ladders"), draft)
    _check_rungs(entry, rows, ladders, draft, working=working)
    return Clock(
        name=name,
        label=fields["label"].word() if "label" in fields else name,
        state=state,
        since=since,
        until=until,
        limits=rows,
        pauses=frozenset(filter(None, (_choice(each, Pause) for each in _items(fields.get("pauses"))))),
        working_hours=working,
        ladders=ladders,
    )


def _items(entry: Entry | None) -> list[Entry]:
    return entry.items() if entry else []


def _choice(entry: Entry | None, words: Any) -> Any:
    """The word of a vocabulary, or None and a problem that lists the vocabulary."""
    if entry is None:
        return None
    word = entry.word()
    try:
        return words(word)
    except ValueError:
        entry.problem(f"unknown {words.__name__.lower()} {word!r}; known are {', '.join(words)}")
        return None


def _can_run(entry: Entry, state: State | None, since: Moment, until: Moment) -> bool:
    """A clock that never runs would be a promise that nobody watches."""
    if until not in ENDS_AT.get(since, ()):
        ends = ", ".join(ENDS_AT.get(since, ())) or "nothing"
        entry.problem(f"a clock from {since} cannot end at {until}; it can end at {ends}")
        return False
    if since in OF_RETURNS:
        if state is not None:
            entry.problem("a return runs in any state: leave `state` out")
        return state is None
    if state is None:
        entry.problem("'state' is missing, or is none of ours")
        return False
    if since not in RUNS_IN.get(state, ()):
        starts = ", ".join(RUNS_IN.get(state, ())) or "nothing"
        entry.problem(f"never runs: in {state} a clock can start with {starts}")
        return False
    return True


def _hours(entry: Entry | None, draft: _Draft) -> bool:
    word = entry.word() if entry else "all"
    if word not in ("all", "working"):
        assert entry is not None
        entry.problem(f"hours are `all` or `working`, not {word!r}")
    if word == "working" and draft.hours is None:
        assert entry is not None
        entry.problem("`hours: working` needs `working_hours` at the top of the file")
    return word == "working"


def _limits(entry: Entry, fields: Mapping[str, Entry]) -> tuple[Limits, ...]:
    rows: list[Limits] = []
    for item in _items(fields.get("except")):
        cells = item.fields(known=(*_SELECTS, "yellow", "red"))
        only = Selection(**{key: frozenset(cells[key].words()) for key in _SELECTS if key in cells})
        if only == Selection():
            item.problem(f"says for which orders it is not: give one of {', '.join(_SELECTS)}")
        if any(row.only.covers(only) for row in rows):
            item.problem("is never reached: a row before it takes all of its orders")
        rows.append(_thresholds(item, cells, only))
    return (*rows, _thresholds(entry, fields, Selection()))


def _thresholds(entry: Entry, fields: Mapping[str, Entry], only: Selection) -> Limits:
    yellow, red = (fields[key].duration() if key in fields else None for key in ("yellow", "red"))
    if "yellow" not in fields and "red" not in fields:
        entry.problem("needs a threshold: yellow, red or both")
    if yellow is not None and red is not None and red <= yellow:
        fields["red"].problem("red comes before yellow: red has to be later")
    return Limits(only=only, yellow=yellow, red=red)


def _ladders_of(entry: Entry | None, draft: _Draft) -> dict[Level, str]:
    chosen: dict[Level, str] = dict(ALERT_LEVEL)
    for key, value in (entry.fields(known=tuple(Level)) if entry else {}).items():
        chosen[Level(key)] = value.word()
        if chosen[Level(key)] not in draft.ladders:
            value.problem(f"{chosen[Level(key)]!r} is not among the ladders")
    return chosen


def _check_rungs(
    entry: Entry, rows: Sequence[Limits], ladders: Mapping[Level, str], draft: _Draft, *, working: bool
) -> None:
    """A rung of the yellow ladder that would be told after red has taken over is told to nobody."""
    rungs = draft.ladders.get(ladders[Level.YELLOW], ())
    for row in rows:
        if row.yellow is None or row.red is None or row.red <= row.yellow or working:
            continue
        if late := [rung for rung in rungs if rung.after >= row.red - row.yellow]:
            entry.problem(
                f"rung {rungs.index(late[0]) + 1} of ladder {ladders[Level.YELLOW]!r} is unreachable: it comes "
                f"{late[0].after} after yellow, and red takes over {row.red - row.yellow} after yellow"
            )
            return


def _check_whole(draft: _Draft, fields: Mapping[str, Entry]) -> None:
    clocks = [clock for clock in draft.clocks if clock is not None]
    names = [clock.name for clock in clocks]
    for name in {name for name in names if names.count(name) > 1}:
        fields["clocks"].problem(f"two clocks are named {name!r}")
    used = {*ALERT_LEVELS, ACCOUNT_OWNER, *(ladder for clock in clocks for ladder in clock.ladders.values())}
    for name, entry in draft.named(fields.get("ladders")):
        if name not in used:
            entry.problem(f"no alert climbs the ladder {name!r}: a clock has to name it")
    if "ladders" in fields:
        for name in ALERT_LEVELS:
            if name not in draft.ladders:
                fields["ladders"].problem(f"the ladder {name!r} is missing: alerts of that level climb it")
    if "through" in fields and not draft.through:
        fields["through"].problem("names no channel")


def _finished(draft: _Draft, raw: bytes, file: Path, now: datetime) -> Policy:
    policy = Policy(
        version=hashlib.sha256(raw).hexdigest()[:16],
        clocks=tuple(clock for clock in draft.clocks if clock is not None),
        ladders=draft.ladders,
        roles=draft.roles,
        people=draft.people,
        hours=draft.hours,
    )
    if not any(clock.working_hours for clock in policy.clocks):
        return policy
    unknown = unknown_years(now)
    said = f"{file}: the statutory calendar does not know {', '.join(map(str, unknown))}: Monday to Friday count there"
    return replace(policy, warnings=(said,)) if unknown else policy
