"""Commands about limits of stock: lines, reserves, what is taken off, how old a figure may be, as a file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ballast.cli.stock import stock

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from adapters.files.rows import Problem
    from adapters.files.stock_limits import LimitFile
    from ballast.domain.stock_limits import Limit
    from ballast.wiring import House

MOST_SHOWN = 40

limits = App(name="limits", help="Safety lines, reserves, ages of figures, as a file. 安全库存设置")
stock.command(limits)


@limits.command
def export(file: Path, *, force: bool = False) -> int:
    """Write every limit as .csv or .xlsx, to be edited and imported. --force writes over a file that is there. 导出"""
    from adapters.files.stock_limits import write_limits
    from ballast.cli.opening import with_house
    from ballast.db.stock_limits import read_limits
    from ballast.settings import settings

    if file.exists() and not force:
        print(f"{file} exists: name another file, or write over it with --force")
        return 2

    async def look(here: "House") -> "list[Limit]":
        async with here.transaction() as tx:
            return await read_limits(tx)

    found = with_house(look)
    write_limits(file, found, chinese=settings().language == "zh")
    print(f"{len(found)} rows in {file}")
    return 0


@limits.command(name="import")
def import_file(
    file: Path,
    *,
    by: Annotated[str, Parameter(help="the person who does it")],
    replace: Annotated[bool, Parameter(help="limits that are not in the file are taken back")] = False,
    partly: Annotated[bool, Parameter(help="take the good rows although others are refused")] = False,
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Take a file of limits: all of it, or nothing. A row that says nothing takes the limit back. 导入

    Exit 1 when rows are refused: they are listed with the reason, and nothing is taken without --partly.
    """
    from adapters.files.stock_limits import read_limits
    from ballast.cli.opening import with_house
    from ballast.db.stock_limits import write_limits

    read = read_limits(file)

    async def put(here: "House") -> "tuple[int, list[Problem]]":
        async with here.transaction() as tx:
            good = await _check(tx, read)
            if dry_run or (read.problems and not partly):
                return 0, read.problems
            changed = await write_limits(tx, good, by=by, now=here.clock.now(), replace=replace and not read.problems)
            return changed, read.problems

    changed, problems = with_house(put)
    return _tell(changed, problems, len(read.rows), dry_run=dry_run, json=json)


async def _check(tx: "AsyncConnection", read: "LimitFile") -> "list[Limit]":
    """The rows about goods and warehouses that the ERP lists; the others join the problems."""
    from adapters.files.rows import Problem
    from ballast.db.stock_limits import known_codes

    skus, warehouses = await known_codes(tx, {limit.sku for limit, _ in read.rows})
    good: list[Limit] = []
    for limit, row in read.rows:
        if limit.sku and limit.sku not in skus:
            reason = f"the ERP lists no SKU {limit.sku}"
            read.problems.append(Problem(row=row, column="sku", reason=reason))
        elif limit.warehouse and limit.warehouse not in warehouses:
            reason = f"the ERP lists no warehouse {limit.warehouse}"
            read.problems.append(Problem(row=row, column="warehouse", reason=reason))
        else:
            good.append(limit)
    return good


def _tell(changed: int, problems: "Sequence[Problem]", rows: int, *, dry_run: bool, json: bool) -> int:
    from ballast.cli.opening import print_json

    if json:
        refused = [{"line": one.row.line, "column": one.column, "reason": one.reason} for one in problems]
        print_json({"changed": changed, "refused": refused, "dry_run": dry_run})
        return 1 if problems else 0
    for line in _refusals(problems):
        print(line)
    if dry_run:
        print(f"{rows} rows read, {len(problems)} refused; nothing was changed")
    elif problems and not changed:
        print(f"{len(problems)} rows are refused: nothing was taken. Mend them, or take the others with --partly")
    else:
        print(f"{changed} limits changed, {len(problems)} rows refused")
    return 1 if problems else 0


def _refusals(problems: "Sequence[Problem]") -> Iterator[str]:
    for one in problems[:MOST_SHOWN]:
        column = f", column {one.column}" if one.column else ""
        yield f"{one.row.file} line {one.row.line}{column}: {one.reason}"
    if len(problems) > MOST_SHOWN:
        yield f"and {len(problems) - MOST_SHOWN} more: --json has all"
