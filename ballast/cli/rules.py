"""Commands about rules that business people own: prices, promotions, risk, the status map, the SLA policy."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import App, Parameter

from ballast.cli import app

if TYPE_CHECKING:
    from ballast.db.rule_sets import Done, Version
    from ballast.domain.findings import Finding
    from ballast.wiring import House

rules = App(name="rules", help="Prices, promotions, risk, codes and time limits, version by version. 业务规则版本")
app.command(rules)

Kind: TypeAlias = Literal["price", "promotion", "risk", "sourcing", "status-map", "sla"]
Language: TypeAlias = Literal["zh", "en"]
By = Annotated[str, Parameter(help="the person who does it")]
Over = Annotated[int | None, Parameter(help="the version that it may replace, when it was made from another one")]
VersionNo = Annotated[int | None, Parameter(help="a version; 0 is the file that Ballast came with")]
At = Annotated[datetime | None, Parameter(help="when it comes into force, local time; without it now")]
NO_DRAFTS = "the status map has no drafts: `ballast rules publish status-map FILE` checks and publishes a file"


@rules.command(name="list")
def list_rules(kind: Kind | None = None, *, json: bool = False) -> int | None:
    """Every version: its state, by whom, when, why, and which is in force. 列出版本"""
    from ballast.cli import meanings
    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_rules import show_versions, version_row
    from ballast.db.rule_sets import KINDS, in_force, versions

    if kind == "status-map":
        return meanings.list_versions(json=json)
    kinds = KINDS if kind is None else (kind,)

    async def look(here: "House") -> "dict[str, tuple[Version, list[Version]]]":
        async with here.transaction() as tx:
            now = here.clock.now()
            return {one: (await in_force(tx, one, now), await versions(tx, one, now)) for one in kinds}

    found = with_house(look)
    if json:
        print_json([version_row(one, ruling) for ruling, each in found.values() for one in each])
        return None
    for name, (ruling, each) in found.items():
        show_versions(name, ruling, each)
    if kind is None:
        print("status-map: see `ballast rules list status-map`")
    return None


@rules.command
def show(kind: Kind, *, version: VersionNo = None, json: bool = False) -> int | None:
    """What a version says, row by row; without --version what is in force. 显示内容"""
    from ballast.cli import meanings
    from ballast.cli.opening import print_json
    from ballast.cli.showing_rules import show_sheets
    from ballast.db.status_map import PublicationRefused

    if kind == "status-map":
        if version is not None:
            raise PublicationRefused("of the status map only what is in force is shown: leave --version out")
        return meanings.list_codes(json=json)
    one, sheets = _stored(kind, version)
    if json:
        print_json({"kind": kind, "version": one.version, "state": str(one.state), "sheets": sheets})
    else:
        print(f"{kind} {one}")
        show_sheets(sheets)
    return None


@rules.command
def export(
    kind: Kind, file: Path, *, version: VersionNo = None, lang: Language | None = None, force: bool = False
) -> int:
    """Write a version as .xlsx, .json (JDM) or .yaml, to be edited; without --version what is in force. 导出

    --force writes over a file that is there.
    """
    from ballast.cli import meanings
    from ballast.db.status_map import PublicationRefused
    from ballast.settings import settings

    if kind == "status-map":
        if version not in (None, 0):
            raise PublicationRefused("of the status map only what is in force (or --version 0) is exported")
        return meanings.export(file, own=version == 0, force=force)
    if file.exists() and not force:
        print(f"{file} exists: name another file, or write over it with --force")
        return 2
    one, sheets = _stored(kind, version)
    _write(kind, file, sheets, one.version, chinese=(lang or settings().language) == "zh")
    print(f"{kind} {one} in {file}")
    return 0


@rules.command
def check(kind: Kind, file: Path | None = None, *, version: VersionNo = None, json: bool = False) -> int:
    """Everything that is wrong with a file, or a version, with sheet, row and column. Exit 1 on errors. 检查

    Without both: what is in force. A stored draft without errors may be published from then on.
    """
    from ballast.cli import meanings
    from ballast.cli.opening import with_house
    from ballast.cli.showing_rules import show_findings
    from ballast.db.rule_sets import in_force
    from tasks import rules as tasks

    if kind == "status-map":
        return meanings.check(file, json=json)
    _one_of(file, version, needed=False)
    written = tasks.read_written(kind, file) if file is not None else None

    async def look(here: "House") -> "list[Finding]":
        now = here.clock.now()
        async with here.transaction() as tx:
            if written is not None:
                return tasks.check(written, await tasks.read_around(tx, now), now)
            number = version if version is not None else (await in_force(tx, kind, now)).version
        return await tasks.check_version(here, kind, number)

    return show_findings(with_house(look), json=json)


@rules.command
def diff(
    kind: Kind,
    file: Path | None = None,
    *,
    version: VersionNo = None,
    against: Annotated[int | None, Parameter(help="compare with this version, not with what is in force")] = None,
    json: bool = False,
) -> int:
    """What is different, row by row, from what is in force. Changes nothing. Exit 1 when the file has errors. 比较"""
    from ballast.cli import meanings
    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_rules import change_row, show_changes
    from ballast.db.rule_sets import in_force
    from ballast.domain.rules.row_changes import RowChange, row_changes
    from tasks import rules as tasks

    _one_of(file, version, needed=True)
    if kind == "status-map":
        return meanings.diff(_file_of_codes(file), json=json)
    written = tasks.read_written(kind, file) if file is not None else None

    async def look(here: "House") -> "tuple[str, list[RowChange]]":
        async with here.transaction() as tx:
            now = here.clock.now()
            other = against if against is not None else (await in_force(tx, kind, now)).version
            before = await tasks.read_version(here, tx, kind, other)
            if written is None:
                assert version is not None
                return f"version {other}", row_changes(before, await tasks.read_version(here, tx, kind, version))
            understood = tasks.understand(written, await tasks.read_around(tx, now), now)
        if understood.sheets is None:
            raise tasks.RulesRefused(understood.findings)
        return f"version {other}", row_changes(before, understood.sheets)

    def say(of: "tuple[str, list[RowChange]]") -> int:
        if json:
            print_json([change_row(one) for one in of[1]])
        else:
            show_changes(kind, of[0], of[1])
        return 0

    return told(lambda: say(with_house(look)), json=json)


@rules.command(name="import")
def import_file(kind: Kind, file: Path, *, by: By, note: str = "", json: bool = False) -> int:
    """Store a file as a new version, not in force yet: checked, or a draft when the check found errors. 导入"""
    from ballast.cli.opening import with_house
    from ballast.cli.showing_rules import show_imported
    from ballast.db.status_map import PublicationRefused
    from tasks import rules as tasks

    if kind == "status-map":
        raise PublicationRefused(NO_DRAFTS)
    written = tasks.read_written(kind, file)

    async def put(here: "House") -> "tasks.Imported":
        return await tasks.import_rules(here, kind, written, by=by, note=note)

    return told(lambda: show_imported(with_house(put), json=json), json=json)


@rules.command
def publish(
    kind: Kind,
    what: Annotated[str, Parameter(name="VERSION_OR_FILE", help="a stored version, or a file to import and publish")],
    *,
    by: By,
    note: str,
    at: At = None,
    over: Over = None,
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Put a version, or a file, into force: checked once more, now or at a time. --dry-run changes nothing. 发布

    Refused (exit 1) when the check finds errors, (exit 2) when another version is in force than it was made from.
    """
    from ballast.cli import meanings
    from ballast.cli.opening import aware
    from ballast.db.rule_sets import Wanted
    from ballast.db.status_map import PublicationRefused
    from tasks import rules as tasks

    if kind == "status-map":
        if at is not None:
            raise PublicationRefused("the status map is published at once: leave --at out")
        return meanings.publish(_file_of_codes(Path(what)), by=by, note=note, over=over, dry_run=dry_run, json=json)
    wanted, number = Wanted(by=by, note=note, at=aware(at), over=over), number_of(what)
    written = tasks.read_written(kind, Path(what)) if number is None else None

    async def put(here: "House") -> "tuple[Done, list[Finding]]":
        if written is not None:
            return await tasks.publish_file(here, kind, written, wanted, dry_run=dry_run)
        assert number is not None
        return await tasks.publish_version(here, kind, number, wanted, dry_run=dry_run)

    return _published(put, dry_run=dry_run, json=json)


@rules.command
def rollback(kind: Kind, version: int, *, by: By, note: str = "", dry_run: bool = False, json: bool = False) -> int:
    """Publish what an earlier version said as a new version; 0 is the file that Ballast came with. 退回"""
    from ballast.cli import meanings
    from tasks import rules as tasks

    if kind == "status-map":
        return meanings.rollback(version, by=by, note=note, dry_run=dry_run, json=json)

    async def put(here: "House") -> "tuple[Done, list[Finding]]":
        return await tasks.roll_back(here, kind, version, by=by, note=note, dry_run=dry_run)

    return _published(put, dry_run=dry_run, json=json)


@rules.command
def discard(kind: Kind, version: int) -> int:
    """Put away a draft, or withdraw a scheduled version before its time. 丢弃草稿"""
    from ballast.cli.opening import with_house
    from ballast.db.status_map import PublicationRefused
    from tasks import rules as tasks

    if kind == "status-map":
        raise PublicationRefused(NO_DRAFTS)

    async def put(here: "House") -> "Version":
        return await tasks.discard(here, kind, version)

    was = with_house(put)
    print(f"{kind} {was}: {'withdrawn' if was.publication is not None else 'discarded'}")
    return 0


def _published(put: "Callable[[House], Awaitable[tuple[Done, list[Finding]]]]", *, dry_run: bool, json: bool) -> int:
    from ballast.cli.opening import with_house
    from ballast.cli.showing_rules import show_published

    return told(lambda: show_published(*with_house(put), dry_run=dry_run, json=json), json=json)


def told(work: Callable[[], int], *, json: bool) -> int:
    """A refusal by the check: all findings, and exit 1."""
    from ballast.cli.showing_rules import show_findings
    from tasks.rules import RulesRefused

    try:
        return work()
    except RulesRefused as refused:
        show_findings(refused.findings, json=json)
        if not json:
            print("nothing was published 未发布任何内容")
        return 1


def _stored(kind: str, version: int | None) -> "tuple[Version, Mapping[str, Any]]":
    """A version with what it says; without a number the one in force."""
    from ballast.cli.opening import with_house
    from ballast.db.rule_sets import find_version, in_force
    from tasks.rules import read_version

    async def look(here: "House") -> "tuple[Version, Mapping[str, Any]]":
        async with here.transaction() as tx:
            if version is None:
                one = await in_force(tx, kind, here.clock.now())
            else:
                one = await find_version(tx, kind, version)
            return one, await read_version(here, tx, kind, one.version)

    return with_house(look)


def _write(kind: str, file: Path, sheets: Mapping[str, Any], version: int, *, chinese: bool) -> None:
    from adapters.files.errors import FileError
    from adapters.files.rule_books import write_rule_file
    from ballast.db.rules_in_force import TEXT
    from ballast.rules import books
    from tasks.rules import MADE_FROM

    if kind != "sla":
        write_rule_file(file, books.Kind(kind), sheets, version=version, chinese=chinese)
        return
    if file.suffix.lower() not in (".yaml", ".yml"):
        raise FileError(f"{file.name}: the SLA policy is one text, it is written as .yaml")
    file.write_text(MADE_FROM.format(version) + sheets[TEXT], encoding="utf-8")


def number_of(what: str) -> int | None:
    """None: it is the name of a file."""
    return int(what) if what.isascii() and what.isdecimal() and len(what) < 10 else None


def _one_of(file: Path | None, version: int | None, *, needed: bool) -> None:
    from ballast.db.status_map import PublicationRefused

    if (file is not None and version is not None) or (needed and file is None and version is None):
        raise PublicationRefused("name a file, or a version with --version")


def _file_of_codes(file: Path | None) -> Path:
    from ballast.db.status_map import PublicationRefused

    if file is None or (number_of(str(file)) is not None and not file.exists()):
        raise PublicationRefused("of the status map name a file; earlier versions come back with `rollback`")
    return file
