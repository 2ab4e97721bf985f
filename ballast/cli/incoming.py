"""`ballast stock incoming`: what is expected to arrive, for the day that shops are told."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ballast.cli.stock import stock

incoming = App(name="incoming", help="What is expected to arrive: the day that a shop hears when something is short.")
stock.command(incoming)


@incoming.command(name="import")
def import_(file: Path, *, by: str = "operator", json: bool = False) -> int:
    """Take a list of ASNs or purchase orders, CSV or XLSX: sku, warehouse, quantity, expected_at, reference.

    A row that is known takes the new figures, 0 pieces take it away. One wrong row (exit 2), and nothing is imported.
    导入预计到货
    """
    from rich.console import Console

    from adapters.files.incoming import read_incoming
    from ballast.cli.opening import print_json, with_house
    from ballast.db.incoming import put_incoming
    from ballast.wiring import House

    rows = read_incoming(file)

    async def put(here: House) -> int:
        async with here.transaction() as tx:
            return await put_incoming(tx, rows, by=by, now=here.clock.now())

    changed = with_house(put)
    if json:
        print_json({"rows": len(rows), "changed": changed})
    else:
        Console().print(f"{len(rows)} row(s) read, {changed} changed")
    return 0


@incoming.command(name="list")
def list_(*, sku: str = "", most: Annotated[int, Parameter(help="rows")] = 1000, json: bool = False) -> int:
    """What is expected, the next to come first; what is overdue stands before it. 列出预计到货"""
    from ballast.cli.opening import print_json, with_house
    from ballast.db.incoming import list_incoming
    from ballast.domain.promising import Incoming
    from ballast.wiring import House

    async def look(here: House) -> list[Incoming]:
        async with here.transaction() as tx:
            return await list_incoming(tx, sku=sku, most=most)

    found = with_house(look)
    print_json(found) if json else _show(found)
    return 0


def _show(found: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from ballast.clock import to_local

    table = Table("sku", "warehouse", "pieces", "expected", "reference")
    for one in found:
        table.add_row(one.sku, one.warehouse, str(one.quantity), to_local(one.expected_at)[:16], one.reference)
    Console().print(table if found else "nothing is expected")
