"""Rules from file to force: checked against what they meet, compared, published, put back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.files.rule_books import read_rule_file
from ballast.clock import SHANGHAI
from ballast.db import rule_sets
from ballast.db.alerts import end_alerts
from ballast.db.rule_sets import Done, Draft, Version, Wanted, digest_of
from ballast.db.rules_in_force import SLA, TEXT, Problem, usable_rules
from ballast.db.status_map import PublicationRefused
from ballast.domain.findings import Finding, Level
from ballast.domain.rules.price_check import check_prices
from ballast.domain.rules.prices import PriceSet
from ballast.domain.rules.promotion_check import check_promotions
from ballast.domain.rules.promotions import PromotionSet
from ballast.domain.rules.risk import RiskSet
from ballast.domain.sourcing import SourcingSet
from ballast.domain.sourcing_check import check_sourcing
from ballast.rules.books import Kind, RuleSet, WrittenBook, default_book, read_book, sheets_of, written_of
from ballast.rules.compiled import PROMOTION_FACTS, Compiled, compile_rules
from ballast.rules.conditions import check_expression
from ballast.rules.entries import RulesError, read_bytes
from ballast.rules.risk_table import check_risk
from ballast.rules.sheet_plans import in_plan_order
from ballast.rules.sla import policy_of
from ballast.rules.written import at_cells
from ballast.wiring import House

_MADE_FROM: Final = re.compile(r"^# base version: (\d{1,9})\s*$", re.MULTILINE)
MADE_FROM: Final = "# base version: {}\n"
"""First line of an exported SLA policy: the version that it is made from."""
MOST_SAID: Final = 100


class RulesRefused(PublicationRefused):
    """The check found errors; every finding has its place. Nothing was published."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        lines = [str(one) for one in self.findings[:MOST_SAID]]
        super().__init__("\n".join([*lines, "nothing was published"]))


@dataclass(frozen=True, slots=True)
class Around:
    """What a check compares with: prices and promotions that are in force when the rules will be."""

    prices: PriceSet
    promotions: PromotionSet


@dataclass(frozen=True, slots=True)
class Policy:
    """An SLA policy as somebody wrote it."""

    file: str
    text: str
    base: int | None = None


Written = WrittenBook | Policy


@dataclass(frozen=True, slots=True)
class Understood:
    """`sheets`: what is stored of it; None when cells of it cannot be read."""

    findings: list[Finding]
    sheets: Mapping[str, Any] | None

    @property
    def errors(self) -> list[Finding]:
        return [one for one in self.findings if one.level is Level.ERROR]


# -- reading and checking ------------------------------------------------------------------------------------------


def read_written(kind: str, file: Path) -> Written:
    """A file of rules. Raises `FileError` or `RulesError` when it cannot be read at all."""
    if kind != SLA:
        return read_rule_file(file, Kind(kind))
    try:
        text = read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RulesError([f"{file}: not UTF-8; save it as UTF-8"]) from None
    made = _MADE_FROM.match(text)
    return Policy(str(file), _MADE_FROM.sub("", text, count=1).lstrip("\n"), int(made[1]) if made else None)


def written_again(kind: str, sheets: Mapping[str, Any], name: str) -> Written:
    """What is stored, to be checked as if it came from a file of this name."""
    return Policy(name, str(sheets.get(TEXT, ""))) if kind == SLA else written_of(Kind(kind), sheets, name)


def understand(written: Written, around: Around, now: datetime) -> Understood:
    """Everything that is wrong with it, and what would be stored."""
    if isinstance(written, Policy):
        findings = _check_policy(written, now)
        wrong = any(one.level is Level.ERROR for one in findings)
        return Understood(findings, None if wrong else {TEXT: written.text})
    rules, findings = read_book(written)
    if any(one.level is Level.ERROR for one in findings):
        return Understood(_errors_first([*findings, *at_cells(written, _refused_conditions(rules))]), None)
    return Understood(_errors_first([*findings, *at_cells(written, check_rules(rules, around))]), sheets_of(rules))


def check(written: Written, around: Around, now: datetime) -> list[Finding]:
    """Everything that is wrong with it, the errors first."""
    return understand(written, around, now).findings


def check_rules(rules: RuleSet, around: Around) -> list[Finding]:
    """What is wrong with rules that can be read, by themselves and with what is in force around them."""
    if isinstance(rules, PriceSet):
        found = [*check_prices(rules, SHANGHAI), *_promotions_then(rules, around)]
    elif isinstance(rules, PromotionSet):
        found = [*check_promotions(rules, around.prices, SHANGHAI), *_conditions(rules)]
    elif isinstance(rules, SourcingSet):
        found = check_sourcing(rules)
    else:
        found = check_risk(rules)
    if not any(one.level is Level.ERROR for one in found):
        try:
            compile_rules(rules)
        except RulesError as refused:
            found += [Finding(Level.ERROR, "expression", text) for text in refused.problems]
    return found


def _conditions(rules: PromotionSet) -> list[Finding]:
    return [
        Finding(Level.ERROR, "expression", f"{one.name}: {wrong}", one.place, "when")
        for one in rules.promotions
        if one.when and (wrong := check_expression(one.when, PROMOTION_FACTS))
    ]


def _refused_conditions(rules: RuleSet) -> list[Finding]:
    """What can be said of conditions while other cells cannot be read: people mend all of it at once."""
    if isinstance(rules, PromotionSet):
        return _conditions(rules)
    found = check_risk(rules) if isinstance(rules, RiskSet) else []
    return [one for one in found if one.column == "when" and one.level is Level.ERROR]


def _promotions_then(prices: PriceSet, around: Around) -> list[Finding]:
    """What is wrong with the promotions in force once these prices are: somebody else has to look after them."""
    now = {(one.kind, one.text) for one in check_promotions(around.promotions, around.prices)}
    return [
        Finding(
            Level.WARNING, one.kind, f"with these prices the promotions in force: {one.text}", one.place, one.column
        )
        for one in check_promotions(around.promotions, prices)
        if one.level is not Level.INFO and (one.kind, one.text) not in now
    ]


def _check_policy(written: Policy, now: datetime) -> list[Finding]:
    try:
        policy = policy_of(written.text.encode(), Path(written.file), now)
    except RulesError as wrong:
        found = [re.fullmatch(r"(.*?:\d+): (.*)", line, re.DOTALL) for line in wrong.problems]
        parts = [(one[1], one[2]) if one else ("", line) for one, line in zip(found, wrong.problems, strict=True)]
        return [Finding(Level.ERROR, "policy", text, place) for place, text in parts]
    return [Finding(Level.WARNING, "calendar", text) for text in policy.warnings]


def _errors_first(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: list(Level).index(one.level))


async def read_around(tx: AsyncConnection, at: datetime) -> Around:
    """Prices and promotions in force then."""
    prices, promotions = await usable_rules(tx, Kind.PRICE, at), await usable_rules(tx, Kind.PROMOTION, at)
    assert isinstance(prices, PriceSet)
    assert isinstance(promotions, PromotionSet)
    return Around(prices, promotions)


async def read_version(here: House, tx: AsyncConnection, kind: str, version: int) -> Mapping[str, Any]:
    """The sheets of a version, 0: of the file. Raises `PublicationRefused` or `RulesError`."""
    if version:
        sheets = await rule_sets.read_sheets(tx, kind, version)
        return sheets if kind == SLA else in_plan_order(Kind(kind), sheets)
    return default_sheets(here, kind)


def default_sheets(here: House, kind: str) -> Mapping[str, Any]:
    """What version 0 says. Raises `RulesError` when its file cannot be used."""
    if kind != SLA:
        return sheets_of(default_book(Kind(kind)))
    return {TEXT: read_bytes(here.sla.file).decode("utf-8-sig", errors="replace")}


def _default_digest(here: House, kind: str) -> str:
    try:
        return digest_of(default_sheets(here, kind))
    except RulesError:
        return ""  # whatever is published says something else


# -- into force ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Imported:
    """A version that was stored, and what its check found."""

    version: Version
    findings: list[Finding]


async def import_rules(here: House, kind: str, written: Written, *, by: str, note: str) -> Imported:
    """Store a file as a draft, or as checked. Raises `RulesRefused` when cells of it cannot be read."""
    async with here.transaction() as tx:
        return await _import(tx, kind, written, by=by, note=note, now=here.clock.now(), at=here.clock.now())


async def _import(
    tx: AsyncConnection, kind: str, written: Written, *, by: str, note: str, now: datetime, at: datetime
) -> Imported:
    understood = understand(written, await read_around(tx, at), now)
    if understood.sheets is None:
        raise RulesRefused(understood.findings)
    draft = Draft(kind=kind, sheets=understood.sheets, base=written.base, by=by, note=note)
    made = await rule_sets.import_draft(tx, draft, checked=not understood.errors, now=now)
    return Imported(made, understood.findings)


async def check_version(here: House, kind: str, version: int) -> list[Finding]:
    """Check a stored version with what is in force now; a draft without errors may be published from then on."""
    async with here.transaction() as tx:
        now = here.clock.now()
        findings = await _findings(here, tx, kind, version, now, now)
        if not any(one.level is Level.ERROR for one in findings):
            await rule_sets.mark_checked(tx, kind, version, now)
    return findings


async def _findings(
    here: House, tx: AsyncConnection, kind: str, version: int, at: datetime, now: datetime
) -> list[Finding]:
    stored = written_again(kind, await read_version(here, tx, kind, version), f"{kind} version {version}")
    return check(stored, await read_around(tx, at), now)


async def publish_version(
    here: House, kind: str, version: int, wanted: Wanted, *, dry_run: bool = False
) -> tuple[Done, list[Finding]]:
    """Put a stored version into force, checked once more with what is in force then; what the check warned of.

    Raises `RulesRefused` with all findings when there is an error among them. `dry_run`: nothing stays.
    """
    async with here.transaction() as tx:
        trial = await tx.begin_nested()
        done = await _publish(here, tx, kind, version, wanted)
        await (trial.rollback() if dry_run else trial.commit())
    return done


async def publish_file(
    here: House, kind: str, written: Written, wanted: Wanted, *, dry_run: bool = False
) -> tuple[Done, list[Finding]]:
    """Import, check and publish in one go, or nothing of it."""
    async with here.transaction() as tx:
        trial, now = await tx.begin_nested(), here.clock.now()
        made = await _import(tx, kind, written, by=wanted.by, note=wanted.note, now=now, at=wanted.at or now)
        if any(one.level is Level.ERROR for one in made.findings):
            raise RulesRefused(made.findings)
        done, _ = await _publish(here, tx, kind, made.version.version, wanted)
        await (trial.rollback() if dry_run else trial.commit())
    return done, made.findings


async def roll_back(
    here: House, kind: str, version: int, *, by: str, note: str, dry_run: bool = False
) -> tuple[Done, list[Finding]]:
    """Publish what an earlier version said as a new version; 0: what the file says."""
    async with here.transaction() as tx:
        trial, now = await tx.begin_nested(), here.clock.now()
        await rule_sets.one_at_a_time(tx)
        earlier, before = await rule_sets.find_version(tx, kind, version), await rule_sets.in_force(tx, kind, now)
        if version and earlier.publication is None:
            raise PublicationRefused(f"{kind} {earlier} was never published: there is nothing to go back to")
        sheets = await read_version(here, tx, kind, version)
        wanted = Wanted(by=by, note=note or f"back to version {version}", over=before.version)
        draft = Draft(kind=kind, sheets=sheets, base=before.version, by=by, note=wanted.note)
        made = await rule_sets.import_draft(tx, draft, checked=True, now=now)
        done = await _publish(here, tx, kind, made.version, wanted)
        await (trial.rollback() if dry_run else trial.commit())
    return done


async def _publish(
    here: House, tx: AsyncConnection, kind: str, version: int, wanted: Wanted
) -> tuple[Done, list[Finding]]:
    await rule_sets.one_at_a_time(tx)
    now = here.clock.now()
    findings = await _findings(here, tx, kind, version, wanted.at or now, now)
    if any(one.level is Level.ERROR for one in findings):
        raise RulesRefused(findings)
    done = await rule_sets.publish(tx, kind, version, wanted, default_digest=_default_digest(here, kind), now=now)
    over = [key_of(kind, one) for one in range(max(-1, done.version.version - 50), done.version.version)]
    await end_alerts(tx, now, keys=over)
    return done, findings


async def discard(here: House, kind: str, version: int) -> Version:
    """Put away a draft, or withdraw a scheduled version. Returns it as it was."""
    async with here.transaction() as tx:
        return await rule_sets.discard(tx, kind, version, here.clock.now())


# -- when a version cannot be used ---------------------------------------------------------------------------------


def key_of(kind: str, version: int) -> str:
    """The key of the alert that a version cannot be used."""
    return f"rules:{kind}:v{version}"


def rule_alerts(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """For `raise_alerts`: what cannot be used, what is in force instead, and what to do. Each rings once."""
    return [
        {
            "key": key_of(one.kind, one.version),
            "level": "urgent",
            "title": f"{one.kind} rules version {one.version} cannot be used 规则版本无法使用",
            "text": f"{one.text}\nIn force instead: {_instead(one)}. Orders go on. {_advice(one)}",
        }
        for one in problems
    ]


def trouble_alerts(rules: Compiled) -> list[dict[str, Any]]:
    """For `raise_alerts`: conditions that could not be computed for an order. Such a rule does not hold."""
    troubles = [(Kind.RISK, rules.risk.troubles), (Kind.PROMOTION, rules.promotion_conditions.troubles)]
    return [
        {
            "key": f"rules:{kind}:v{rules.versions[kind]}:{name}",
            "level": "warning",
            "title": f"{kind} rule {name} could not be computed 规则无法计算",
            "text": f"{why}. The rule counts as not met, orders go on. Mend its condition and publish it.",
        }
        for kind, each in troubles
        for name, why in each.items()
    ]


def _instead(one: Problem) -> str:
    if one.instead < 0:
        return "no rules of this kind at all"
    return "the file that Ballast came with" if one.instead == 0 else f"version {one.instead}"


def _advice(one: Problem) -> str:
    if one.version == 0:
        return f"Mend rules/{one.kind}.yaml (`ballast rules check {one.kind} rules/{one.kind}.yaml`) and restart."
    return (
        f"`ballast rules check {one.kind} --version {one.version}` says what is wrong; publish a mended file, or go "
        f"back with `ballast rules rollback {one.kind} {max(one.instead, 0)} --by NAME`."
    )
