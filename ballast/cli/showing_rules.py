"""How versions of rules, what is wrong with them and what is different are shown in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from ballast.cli.opening import print_json
from ballast.clock import to_local
from ballast.db.rule_sets import Done, State, Version
from ballast.domain.findings import Finding, Level
from ballast.domain.rules.row_changes import RowChange
from tasks.rules import Imported

MOST_SHOWN = 40
"""Findings of one level, and changes, that the terminal shows; --json has all."""

_STATES = {
    State.DRAFT: "draft 草稿",
    State.CHECKED: "checked 已检查",
    State.PUBLISHED: "published 已发布",
    State.RETIRED: "retired 已退役",
}


def version_row(one: Version, ruling: Version) -> dict[str, Any]:
    """One version for scripts."""
    names = ("kind", "version", "state", "base", "note", "made_by", "made_at", "published_by", "published_at",
             "effective_at", "retired_at")  # fmt: skip
    return {**{name: getattr(one, name) for name in names}, "in_force": one.version == ruling.version}


def show_versions(kind: str, ruling: Version, found: Sequence[Version]) -> None:
    """One line each, the newest first."""
    print(f"{kind}: in force is {ruling}")
    for one in found:
        state = _STATES[one.state]
        waits = one.state is State.PUBLISHED and one.version != ruling.version
        if waits and one.effective_at is not None:
            state = f"scheduled 定时 for {to_local(one.effective_at)}"
        who, when = (one.published_by, one.published_at) if one.published_at else (one.made_by, one.made_at)
        made = f"  from version {one.base}" if one.base is not None else ""
        mark = "*" if one.version == ruling.version else " "
        print(f"{mark}{one.version:>4}  {state}  {who}  {to_local(when) if when else ''}{made}  {one.note}".rstrip())


def show_sheets(sheets: Mapping[str, Any]) -> None:
    """Every row with what stands in it."""
    for sheet, rows in sheets.items():
        if isinstance(rows, str):
            print(rows, end="" if rows.endswith("\n") else "\n")
            continue
        print(f"{sheet}: {len(rows)} row(s)")
        for row in rows:
            print("  " + "  ".join(f"{column}={value}" for column, value in row.items()))


def show_findings(findings: Sequence[Finding], *, json: bool) -> int:
    """All of them, the errors first; 1 when there is one among them."""
    errors = [one for one in findings if one.level is Level.ERROR]
    if json:
        print_json([finding_row(one) for one in findings])
        return 1 if errors else 0
    for level in Level:
        found = [one for one in findings if one.level is level]
        for one in found[:MOST_SHOWN]:
            print(one)
        if len(found) > MOST_SHOWN:
            print(f"... and {len(found) - MOST_SHOWN} {level}(s) more: --json lists all")
    warnings = sum(one.level is Level.WARNING for one in findings)
    print(f"{len(errors)} error(s), {warnings} warning(s)")
    return 1 if errors else 0


def finding_row(one: Finding) -> dict[str, str]:
    """One finding for scripts."""
    return {name: str(getattr(one, name)) for name in ("level", "kind", "place", "column", "text")}


def change_row(one: RowChange) -> dict[str, Any]:
    """One change for scripts."""
    cells = [{"column": column, "before": old, "after": new} for column, old, new in one.cells]
    return {"kind": str(one.kind), "sheet": one.sheet, "row": one.row, "cells": cells}


def show_changes(kind: str, against: str, changes: Sequence[RowChange]) -> None:
    for one in changes[:MOST_SHOWN]:
        print(one)
    if len(changes) > MOST_SHOWN:
        print(f"... and {len(changes) - MOST_SHOWN} more: --json lists all")
    print(f"{len(changes)} row(s) differ from {kind} {against}" if changes else f"the same as {kind} {against}")


def show_imported(done: Imported, *, json: bool) -> int:
    """The version, its state, and what comes next; 1 for a draft."""
    one = done.version
    draft = one.state is State.DRAFT
    if json:
        found = [finding_row(each) for each in done.findings]
        print_json({"kind": one.kind, "version": one.version, "state": str(one.state), "findings": found})
        return 1 if draft else 0
    show_findings(done.findings, json=False)
    print(f"stored as {one.kind} version {one.version}, {_STATES[one.state]}; it is not in force")
    if draft:
        print(
            f"next: mend the file and import it again; `ballast rules discard {one.kind} {one.version}` puts this away"
        )
    else:
        print(f"next: ballast rules diff {one.kind} --version {one.version}")
        print(f"      ballast rules publish {one.kind} {one.version} --by NAME --note WHY")
    return 1 if draft else 0


def show_published(done: Done, findings: Sequence[Finding], *, dry_run: bool, json: bool) -> int:
    one = done.version
    if json:
        print_json(
            {"kind": one.kind, "version": one.version, "effective_at": one.effective_at, "dry_run": dry_run,
             "replaced": done.replaced.version, "withdrawn": [each.version for each in done.withdrawn],
             "to_come": [each.version for each in done.to_come], "findings": [finding_row(each) for each in findings]}
        )  # fmt: skip
        return 0
    for finding in findings[:MOST_SHOWN]:
        print(finding)
    assert one.effective_at is not None
    done_it = "would be published" if dry_run else "published"
    later = one.effective_at != one.published_at
    comes, is_in = ("would come", "would be in") if dry_run else ("comes", "is in")
    when = f"{comes} into force at {to_local(one.effective_at)}" if later else f"{is_in} force now"
    print(f"{done_it} as {one.kind} version {one.version}: it {when}, in place of {done.replaced}")
    for each in done.withdrawn:
        print(f"  withdrawn: {each}")
    for each in done.to_come:
        print(f"  still to come: {each}")
    return 0
