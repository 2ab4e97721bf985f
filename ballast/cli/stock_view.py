"""Commands about what can be promised: show it, what is wrong with it, limits, warehouses."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ballast.cli.stock import stock

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from ballast.db.promises import Promise
    from ballast.db.stock_view import Count
    from ballast.wiring import House

MOST_SHOWN = 200
"""Rows in the terminal; --json and --xlsx have all."""
PAGE = 1000
NO_DATA = "no data"

warehouses = App(name="warehouses", help="Names and regions of warehouses. 仓库与区域")
stock.command(warehouses)


@stock.command
def show(
    *skus: str,
    region: str = "",
    warehouse: str = "",
    below: Annotated[bool, Parameter(help="only what is below its safety line")] = False,
    json: bool = False,
    xlsx: Annotated[Path | None, Parameter(help="write it into this workbook")] = None,
) -> int:
    """What can be promised of these SKUs, or of all, per warehouse, and how old that is. 查看库存

    Exit 1 when a SKU has no figure, or with --below when there is something.
    """
    from ballast.cli.opening import print_json, with_house

    most = None if json or xlsx else MOST_SHOWN
    found = with_house(lambda here: _read(here, skus, region, warehouse, below=below, most=most))
    if xlsx is not None:
        from adapters.files.xlsx_table import write_table

        write_table(
            xlsx, "stock", list(found[0] if found else ()), ([_text(cell) for cell in row.values()] for row in found)
        )
        print(f"{len(found)} rows in {xlsx}")
    elif json:
        print_json(found)
    else:
        _print_table(found)
    missing = sorted(set(skus) - {row["sku"] for row in found})
    if missing and not json:
        print(f"{NO_DATA} of {', '.join(missing)}")
    return 1 if missing or (below and found) else 0


async def _read(
    here: "House", skus: Sequence[str], region: str, warehouse: str, *, below: bool, most: int | None
) -> list[dict[str, Any]]:
    from ballast.db.promises import read_promises
    from ballast.db.stock_view import read_counts, warehouses_of

    found: list[dict[str, Any]] = []
    async with here.transaction() as tx:
        now = here.clock.now()
        codes = {warehouse} if warehouse else None
        if region:
            there = set(await warehouses_of(tx, region))
            codes = there if codes is None else codes & there
        async for page in _pages(tx, skus, codes, below=below):
            counts = await read_counts(tx, page)
            for one in await read_promises(tx, page, now=now):
                if (codes is None or one.warehouse in codes) and (one.below_line or not below):
                    found.append(_row(one, counts.get((one.sku, one.warehouse)), now))
            if most is not None and len(found) > most:
                break
    return found


async def _pages(
    tx: "AsyncConnection", skus: Sequence[str], codes: set[str] | None, *, below: bool
) -> AsyncIterator[Sequence[str]]:
    """The SKUs to look at, `PAGE` at a time."""
    from ballast.db.stock_troubles import below_line
    from ballast.db.stock_view import skus_from

    if below and not skus:
        skus = await below_line(tx)
    if skus or below:
        named = sorted(set(skus))
        for at in range(0, len(named), PAGE):
            yield named[at : at + PAGE]
        return
    after = ""
    while page := await skus_from(tx, after, PAGE, warehouses=codes):
        yield page
        after = page[-1]


def _row(one: "Promise", count: "Count | None", now: datetime) -> dict[str, Any]:
    from ballast.stock_answer import age

    return {
        "sku": one.sku, "warehouse": one.warehouse, "region": one.region, "on_hand": one.on_hand, "locked": one.locked,
        "reserved": one.reserved, "safety_line": one.safety_line, "safety_reserve": one.safety_reserve,
        "to_promise": one.to_promise, "free": one.free, "counted": count.pieces if count else None,
        "drift": count.drift if count else None, "age_s": age(one, now), "stale": one.stale,
        "below_line": one.below_line,
    }  # fmt: skip


SHOWN = {
    "on_hand": "on hand",
    "locked": "locked",
    "reserved": "resv'd",
    "safety_line": "line",
    "to_promise": "to promise",
    "counted": "counted",
    "drift": "drift",
    "age_s": "age",
}
"""What has room in a terminal, and what it is called there."""


def _print_table(found: Sequence[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    if not found:
        print(NO_DATA)
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for name in ("SKU", "warehouse"):
        table.add_column(name, no_wrap=True)
    for name in SHOWN.values():
        table.add_column(name, justify="right", overflow="fold", min_width=max(map(len, name.split())))
    for row in found[:MOST_SHOWN]:
        where = f"{row['warehouse']} {row['region']}".rstrip()
        cells = [_cell(name, row[name]) + ("!" if name == "age_s" and row["stale"] else "") for name in SHOWN]
        table.add_row(row["sku"], where, *cells, style="red" if row["below_line"] else None)
    Console().print(table)
    if any(row["stale"] for row in found):
        print("! older than its limit")
    if len(found) > MOST_SHOWN:
        print(f"the first {MOST_SHOWN} rows; more with --json or --xlsx")


def _cell(name: str, value: object) -> str:
    """A line that nobody set is nothing; a figure that nobody told is no data, and there is no difference to it."""
    if name == "age_s" and isinstance(value, int):
        return _age(value)
    return "" if value is None and name in ("safety_line", "drift") else _text(value)


def _age(seconds: int) -> str:
    """`35s`, `12m`, `7h`, `4d`: what has room."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NO_DATA if value is None else str(value)


@stock.command
def troubles(*, json: bool = False) -> int:
    """What is wrong now: below the line, refused rows, drifts, no pull. Exit 1 when there is something. 库存异常"""
    from ballast.cli.opening import print_json, with_house
    from ballast.db.stock_troubles import open_troubles
    from ballast.domain.stock_troubles import TROUBLE_LABELS, Trouble

    async def look(here: "House") -> list[dict[str, Any]]:
        async with here.transaction() as tx:
            found = {kind: await open_troubles(tx, kind, None) for kind in Trouble}
        return [{"kind": str(kind), **row._mapping} for kind, some in found.items() for row in some]

    found = with_house(look)
    if json:
        print_json(found)
        return 1 if found else 0
    for row in found:
        label = TROUBLE_LABELS[Trouble(row["kind"])]
        place = f"{row['sku']} in {row['warehouse']}: " if row["sku"] or row["warehouse"] else ""
        print(f"{place}{label.en} {label.zh}, since {row['since'].isoformat(timespec='seconds')}: {row['text']}")
    if not found:
        print("nothing is wrong with the stock")
    return 1 if found else 0


@warehouses.command(name="list")
def list_all(*, json: bool = False) -> None:
    """Every warehouse that a list named, with its name and region. 列出仓库"""
    from ballast.cli.opening import print_json, with_house
    from ballast.db.stock_limits import list_warehouses

    async def look(here: "House") -> list[dict[str, Any]]:
        async with here.transaction() as tx:
            return [dict(row._mapping) for row in await list_warehouses(tx)]

    found = with_house(look)
    if json:
        print_json(found)
        return
    for row in found:
        print(f"{row['code']}: {row['name'] or 'no name'}, region {row['region'] or 'none'} (by {row['changed_by']})")
    if not found:
        print("no list named a warehouse yet: run `sync-inventory`")


@warehouses.command(name="set")
def describe(code: str, *, name: str | None = None, region: str | None = None, by: str = "operator") -> int:
    """Give a warehouse a name, a region, or both. Exit 2 when no list ever named it. 设置名称与区域"""
    from ballast.cli.opening import NotRunning, with_house
    from ballast.db.stock_limits import describe_warehouse

    if name is None and region is None:
        raise NotRunning("say --name, --region, or both")

    async def put(here: "House") -> bool:
        async with here.transaction() as tx:
            return await describe_warehouse(tx, code, name=name, region=region, by=by, now=here.clock.now())

    if with_house(put):
        print(f"{code}: set")
        return 0
    print(f"no list names a warehouse {code}: see `ballast stock warehouses list`")
    return 2
