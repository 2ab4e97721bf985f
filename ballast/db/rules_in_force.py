"""Which rules are in force, for every chunk anew: one cheap statement; compiled when another version is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.db.rule_sets import undamaged
from ballast.domain.sourcing import SourcingSet
from ballast.rules.books import Kind, RuleSet
from ballast.rules.compiled import Compiled, Part, assemble, compile_rules, default_part, default_rules, read_stored
from ballast.rules.current import PolicyInForce

T = TypeVar("T")
SLA: Final = "sla"
TEXT: Final = "text"
"""The one sheet of an SLA policy: its YAML as people wrote it."""
MOST_TRIED: Final = 20
"""Versions that are tried, the newest first, when the newest cannot be used."""
LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Problem:
    """A version that should be in force and cannot be used. `instead`: the version that is, -1: none, nothing rules."""

    kind: str
    version: int
    text: str
    instead: int


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """All that `current` knows, swapped as one."""

    wanted: Mapping[str, int]  # kind -> the version that the database names
    parts: Mapping[Kind, Part]
    compiled: Compiled
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class RulesInForce:
    """The rules of one process. `policy` is handed the SLA policy that was published, when one was.

    `problems`: versions that cannot be used. The last good one stays in force instead of each: what is in memory, at
    the start of a process the next older one, finally the file under `rules/`, finally nothing.
    """

    policy: PolicyInForce | None = None
    _snapshot: _Snapshot | None = field(default=None, repr=False)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._snapshot.problems if self._snapshot is not None else ()

    @property
    def sourcing(self) -> SourcingSet:
        """The sourcing rows, as of the last chunk that asked what is in force; none before the first."""
        return self._snapshot.compiled.sourcing_set if self._snapshot is not None else SourcingSet()

    async def current(self, tx: AsyncConnection, now: datetime) -> Compiled:
        """What is in force at `now`, one whole. Raises nothing but what the database throws."""
        wanted = await versions_in_force(tx, now)
        before = self._snapshot
        if before is not None and before.wanted == wanted:
            return before.compiled
        if self.policy is not None:
            await _hand_over(tx, self.policy, wanted[SLA], now)
        fresh = await _snapshot_of(tx, wanted, before, now)
        self._snapshot = fresh  # a reader sees the old one or the new one, never parts of both
        return fresh.compiled


async def versions_in_force(tx: AsyncConnection, now: datetime) -> dict[str, int]:
    """Kind -> the version in force, 0 where none was published. Five looks into one small index."""
    found = await rows(
        tx,
        """
        select k.kind, v.version
        from (values ('price'), ('promotion'), ('risk'), ('sla'), ('sourcing')) k (kind)
        left join lateral (
          select r.version from rule_version r where r.kind = k.kind and r.effective_at <= :now
          order by r.effective_at desc, r.publication desc limit 1) v on true""",
        now=now,
    )
    return {row.kind: row.version or 0 for row in found}


async def usable_rules(tx: AsyncConnection, kind: Kind, at: datetime) -> RuleSet:
    """What is in force then, or instead of it, to be compared with. Never raises but what the database throws."""

    def use(sheets: Mapping[str, Any]) -> RuleSet:
        return read_stored(kind, sheets)

    rules, _, _ = await _newest_usable(tx, kind, at, use)
    return rules if rules is not None else default_rules(kind)


async def take_policy_in_force(
    tx: AsyncConnection, policy: PolicyInForce, now: datetime, *, at_once: bool = False
) -> None:
    """Have `policy` follow what was published, for who needs no other rules. One look into a small index, and as
    seldom as the file is looked at, unless `at_once`.
    """
    if not policy.asks() and not at_once:
        return
    found = await rows(
        tx,
        """select version from rule_version where kind = 'sla' and effective_at <= :now
        order by effective_at desc, publication desc limit 1""",
        now=now,
    )
    await _hand_over(tx, policy, int(found[0].version) if found else 0, now)


async def _hand_over(tx: AsyncConnection, policy: PolicyInForce, version: int, now: datetime) -> None:
    if policy.wanted == version:
        return
    if version == 0:
        policy.follow_file()
        return
    text, used, why = await _newest_usable(tx, SLA, now, lambda sheets: policy.read(str(sheets[TEXT])))
    policy.take(version, text, f"SLA policy version {version} cannot be used: {why}" if used != version else "")


async def _snapshot_of(
    tx: AsyncConnection, wanted: Mapping[str, int], before: _Snapshot | None, now: datetime
) -> _Snapshot:
    parts: dict[Kind, Part] = {}
    problems: list[Problem] = []
    for kind in Kind:
        if before is not None and before.wanted[kind] == wanted[kind]:
            parts[kind] = before.parts[kind]
            problems += [one for one in before.problems if one.kind == kind]
            continue
        had = before.parts[kind] if before is not None else None
        parts[kind], why = await _part(tx, kind, wanted[kind], had, now)
        if why:
            problems.append(Problem(kind, wanted[kind], why[:LONGEST], parts[kind].version))
    return _Snapshot(wanted, parts, assemble(parts), tuple(problems))


async def _part(tx: AsyncConnection, kind: Kind, version: int, had: Part | None, now: datetime) -> tuple[Part, str]:
    """The part of that version, or what is in force instead and why."""
    if version == 0:
        part, why = default_part(kind)
        return (had, why) if why and had is not None else (part, why)

    def use(sheets: Mapping[str, Any]) -> Mapping[str, Any]:
        return compile_rules(read_stored(kind, sheets))

    fields, used, why = await _newest_usable(tx, kind, now, use, most=1 if had is not None else MOST_TRIED)
    if fields is not None:
        return Part(used, fields), why
    if had is not None:
        return had, why
    part, broken = default_part(kind)
    return part, f"{why}; and the file under rules/: {broken}" if broken else why


async def _newest_usable(
    tx: AsyncConnection, kind: str, now: datetime, use: Callable[[Mapping[str, Any]], T], *, most: int = MOST_TRIED
) -> tuple[T | None, int, str]:
    """The newest published version that can be used, its number, and why the one that is in force cannot."""
    found = await rows(
        tx,
        """select version, cast(sheets as text) as sheets, digest from rule_version
        where kind = :kind and effective_at <= :now
        order by effective_at desc, publication desc limit :most""",
        kind=kind,
        now=now,
        most=most,
    )
    first = ""
    for row in found:
        try:
            return use(undamaged(row.sheets, row.digest)), row.version, first
        except Exception as problem:  # noqa: BLE001  # whatever a stored version has wrong: orders go on, it is told
            first = first or str(problem) or repr(problem)
    return None, 0, first
