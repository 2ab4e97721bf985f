"""Commands about the status map: what the codes of other systems mean to us, as a file that people edit."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ballast.cli import app
from ballast.domain.words import System

if TYPE_CHECKING:
    from adapters.files.status_map import MapFile
    from ballast.domain.findings import Finding
    from ballast.domain.status_check import Checked
    from tasks.status_map import Preview, Published

MOST_SHOWN = 40
"""Findings of one level that the terminal shows; --json has all."""

status_map = App(name="status-map", help="What each code of each system means: the data dictionary. 状态码字典")
app.command(status_map)

OwnOnly = Annotated[bool, Parameter(help="the adapters' own tables only, without what people added")]


@status_map.command
def export(file: Path, *, own: OwnOnly = False, force: bool = False) -> int:
    """Write the whole dictionary as .yaml, .csv or .xlsx, to be edited and published. --force writes over a file."""
    from adapters.dictionary import own_entries
    from adapters.files.status_map_out import Shown, write_map
    from ballast.cli.opening import with_house
    from ballast.db.status_map import Current, Version, current
    from ballast.settings import settings
    from ballast.wiring import House
    from tasks.status_map import in_force

    if file.exists() and not force:
        print(f"{file} exists: name another file, or write over it with --force")
        return 2

    async def look(here: House) -> Current:
        async with here.transaction() as tx:
            return await current(tx)

    now = Current(Version(0)) if own else with_house(look)
    entries = in_force(now)
    shown = Shown([entries[key] for key in sorted(entries)], own_entries(), now.version.version,
                  chinese=settings().language == "zh")  # fmt: skip
    write_map(file, shown)
    print(f"{len(entries)} rows of {now.version} in {file}")
    return 0


@status_map.command
def check(file: Path | None = None, *, json: bool = False) -> int:
    """Find what is wrong with a file, or without one with what is in force, and which codes are not in it.

    Exit 1 when something is an error: a file with errors cannot be published.
    """
    from ballast.cli.opening import print_json, with_house
    from ballast.db.status_map import current
    from ballast.domain.status_check import Checked
    from ballast.wiring import House
    from tasks.status_map import check_books, check_file, check_in_force, check_version

    written = _read(file) if file is not None else None

    async def look(here: House) -> Checked:
        async with here.transaction() as tx:
            now = await current(tx)
            checked = check_file(written, now) if written is not None else check_in_force(now)
            checked.findings += check_version(written, now) if written is not None else []
            checked.findings += await check_books(here, tx, checked.entries)
        return checked

    checked = with_house(look)
    if json:
        print_json([_finding(one) for one in checked.findings])
    else:
        _show_findings(checked)
    return 1 if checked.errors else 0


@status_map.command
def diff(file: Path, *, json: bool = False) -> int:
    """What publishing a file would do: rows, parked messages, orders. Changes nothing. Exit 1 when it has errors."""
    from ballast.cli.opening import print_json, with_house
    from ballast.db.status_map import current
    from ballast.wiring import House
    from tasks.status_map import check_file, check_version, in_force, preview

    written = _read(file)
    checked = check_file(written)
    if checked.errors:
        return _refuse(checked, json=json)

    async def look(here: House) -> "tuple[Preview, list[Finding]]":
        async with here.transaction() as tx:
            now = await current(tx)
            findings = check_file(written, now).findings + check_version(written, now)
            return await preview(here, tx, in_force(now), checked.entries), findings

    seen, findings = with_house(look)
    if json:
        print_json({**seen.as_dict(), "findings": [_finding(one) for one in findings]})
    else:
        for finding in findings:
            print(finding)
        _show_preview(seen)
    return 0


@status_map.command
def publish(
    file: Path,
    *,
    by: str,
    note: str,
    over: Annotated[int | None, Parameter(help="the version in force, when the file was made from another one")] = None,
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Put a file into force as a new version, and read the messages that were parked. --dry-run: the same as diff.

    Refused (exit 1) when the file has errors, (exit 2) when a newer version is in force than it was made from.
    """
    from ballast.cli.opening import with_house
    from ballast.db.status_map import PublicationRefused
    from ballast.wiring import House
    from tasks.status_map import Published, check_file, publish_map

    if dry_run:
        return diff(file, json=json)
    written = _read(file)
    checked = check_file(written)
    if checked.errors:
        return _refuse(checked, json=json)
    base = over if over is not None else written.version
    if base is None:
        raise PublicationRefused(
            f"{file.name} does not say which version it was made from (map_version): export again, or say with --over "
            "which version it may replace"
        )

    async def put(here: House) -> Published:
        return await publish_map(here, checked.entries, base=base, note=note, by=by)

    return _say_published(with_house(put), json=json)


@status_map.command
def rollback(version: int, *, by: str, note: str = "", dry_run: bool = False, json: bool = False) -> int:
    """Publish what an earlier version said as a new version; 0 is the adapters' own tables."""
    from adapters.dictionary import own_entries
    from ballast.cli.opening import print_json, with_house
    from ballast.db.status_map import added_in, current
    from ballast.domain.status_map import overlaid
    from ballast.wiring import House
    from tasks.status_map import Preview, Published, in_force, preview, roll_back

    async def look(here: House) -> Preview:
        async with here.transaction() as tx:
            wanted = overlaid(own_entries(), await added_in(tx, version))
            return await preview(here, tx, in_force(await current(tx)), wanted)

    async def put(here: House) -> Published:
        return await roll_back(here, version, note=note, by=by)

    if not dry_run:
        return _say_published(with_house(put), json=json)
    seen = with_house(look)
    if json:
        print_json(seen.as_dict())
    else:
        _show_preview(seen)
    return 0


@status_map.command(name="versions")
def list_versions(*, json: bool = False) -> None:
    """Every publication: version, by whom, when, why."""
    from ballast.cli.opening import print_json, with_house
    from ballast.clock import to_local
    from ballast.db.status_map import Version, versions
    from ballast.wiring import House

    async def look(here: House) -> list[Version]:
        async with here.transaction() as tx:
            return await versions(tx)

    found = with_house(look)
    if json:
        print_json([{"version": v.version, "by": v.by, "at": v.at, "note": v.note, "rows": v.rows} for v in found])
    elif not found:
        print("nothing was published yet: the adapters' own tables are in force (version 0)")
    else:
        for one in found:
            at = to_local(one.at) if one.at else ""
            print(f"{one.version:>4}  {at}  {one.by}  {one.rows} row(s) beyond the adapters' own  {one.note}")


@status_map.command(name="list")
def list_codes(*, system: System | None = None, json: bool = False) -> None:
    """What is in force: every code, what it means, where that leads, and who says so."""
    from adapters.dictionary import own_entries
    from adapters.files.status_map_out import Shown
    from ballast.cli.opening import print_json, with_house
    from ballast.db.status_map import Current, current
    from ballast.wiring import House
    from tasks.status_map import in_force

    async def look(here: House) -> Current:
        async with here.transaction() as tx:
            return await current(tx)

    now = with_house(look)
    entries = in_force(now)
    wanted = [entries[key] for key in sorted(entries) if system is None or key[0] is system]
    rows = list(Shown(wanted, own_entries(), now.version.version).rows())
    if json:
        print_json({"version": now.version.version, "codes": rows})
        return
    print(f"{now.version}")
    for row in rows:
        means = f"{row['event']} {row['reason']}".strip()
        origin = "" if row["origin"] == "adapter" else f"  [{row['origin']}]"
        print(f"{row['system']} {row['field']} {row['code']}: {means} -> {row['state'] or '-'}  {row['note']}{origin}")


def _read(file: Path) -> "MapFile":
    from adapters.files.status_map import read_map

    return read_map(file)


def _finding(one: "Finding") -> dict[str, str]:
    return {name: str(getattr(one, name)) for name in ("level", "kind", "place", "column", "text")}


def _refuse(checked: "Checked", *, json: bool) -> int:
    """A file with errors: all of them, and exit 1."""
    from ballast.cli.opening import print_json

    if json:
        print_json({"findings": [_finding(one) for one in checked.findings]})
    else:
        _show_findings(checked)
    return 1


def _show_findings(checked: "Checked") -> None:
    """The errors first; of the codes that were never heard only how many there are."""
    from ballast.domain.findings import Level

    for level in (Level.ERROR, Level.WARNING):
        found = [one for one in checked.findings if one.level is level]
        for one in found[:MOST_SHOWN]:
            print(one)
        if len(found) > MOST_SHOWN:
            print(f"... and {len(found) - MOST_SHOWN} {level}(s) more: --json lists all")
    unseen = sum(one.level is Level.INFO for one in checked.findings)
    if unseen:
        print(
            f"info: {unseen} of {len(checked.entries)} codes are no order's last word and not parked: --json lists them"
        )
    warnings = sum(one.level is Level.WARNING for one in checked.findings)
    print(f"{len(checked.entries)} rows, {len(checked.errors)} error(s), {warnings} warning(s)")


def _show_preview(seen: "Preview") -> None:
    from tasks.status_map import MOST_ORDERS

    for change in seen.changes:
        print(f"{change.kind}  {change}{_said(seen.said_by(change))}")
    if not seen.changes:
        print("nothing changes")
        return
    print(f"{seen.last_words} order(s) whose last word would mean something else; nothing is done to them")
    print(f"{seen.readable} of {seen.parked} parked message(s) would be readable, {seen.waiting} of them wait")
    if seen.looked_at < seen.parked:
        print(f"  only the oldest {seen.looked_at} of them were looked at")
    for why, count in seen.still.most_common(5):
        print(f"  still parked: {count} x {why}")
    for order in seen.orders[:MOST_ORDERS]:
        print(f"  {order.order_no}: {order.now} -> {order.then}  ({order.messages} message(s))")
    if len(seen.orders) > MOST_ORDERS:
        print(f"  ... and {len(seen.orders) - MOST_ORDERS} orders more")


def _said(orders: int) -> str:
    return f"  ({orders} order(s) said it last)" if orders else ""


def _say_published(done: "Published", *, json: bool) -> int:
    from ballast.cli.opening import print_json

    if json:
        kinds: dict[str, int] = {}
        for change in done.changes:
            kinds[change.kind] = kinds.get(change.kind, 0) + 1
        print_json({"version": done.version.version, "changes": kinds, "replayed": done.replayed})
        return 0
    _say_changes([str(f"{change.kind}  {change}") for change in done.changes])
    print(f"published as version {done.version.version}; {done.replayed} parked message(s) will be read again")
    return 0


def _say_changes(lines: Sequence[str]) -> None:
    for line in lines[:MOST_SHOWN]:
        print(line)
    if len(lines) > MOST_SHOWN:
        print(f"... and {len(lines) - MOST_SHOWN} more")
