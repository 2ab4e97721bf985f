"""What the gates cost, against what they may.

    python -m bench.gates [--quick] [--json FILE]

Price and promotions of orders of 5 lines by a book of 200 rows and 20 promotions, on one core. Then the gates' share of
two steps with an embedded PostgreSQL, by the tasks of production and without Prefect: taking in chunks of 400 orders,
with the default risk rules and with book and promotions too; and handing them to a warehouse that answers after 5 ms,
over HTTP. A quarter of the orders are of customers, numbers and devices that are known.

Exit code 1 when fewer than 1,000 orders a second are priced, or a share is 15% or more.
"""

import asyncio
import json as json_of
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from ballast.clock import Clock
from ballast.collector import spare_collector
from ballast.db import inbox
from ballast.db.claims import claim
from ballast.db.embedded import embedded_server
from ballast.db.engine import make_engine, run
from ballast.db.rule_sets import Wanted
from ballast.db.upgrade import create_database, upgrade
from ballast.domain.words import Step
from ballast.ports import Message
from ballast.rules.books import Kind, sheets_of, written_of
from ballast.settings import Settings
from ballast.wiring import House, use_house
from bench.command import run_as_command
from bench.gates.rules import per_second, price_set, promotion_set
from bench.gates.warehouse import Warehouse
from deployments.processes import child, free_port, modules, wait_until_up
from tasks import gates
from tasks.orders import take_in
from tasks.rules import import_rules, publish_version
from tasks.wms import hand_to_warehouse

CHUNK: Final = 400
WARM: Final = 6
"""Chunks that are not counted: the database plans its statements anew as often, and the number ranges are loaded."""
PER_SECOND: Final = 1000
SHARE: Final = 0.15
Figures = dict[str, float]


class Spent:
    """Seconds within one gate; it stands in the gate's place while it is open."""

    def __init__(self, gate: str) -> None:
        self.seconds = 0.0
        self._name, self._gate = gate, getattr(gates, gate)

    async def _timed(self, *words: Any, **named: Any) -> Any:
        began = time.perf_counter()
        found = await self._gate(*words, **named)
        self.seconds += time.perf_counter() - began
        return found

    def __enter__(self) -> "Spent":
        setattr(gates, self._name, self._timed)
        return self

    def __exit__(self, *_: object) -> None:
        setattr(gates, self._name, self._gate)


def measure(
    *,
    quick: Annotated[bool, Parameter(help="few chunks: whether it works, not how fast it is")] = False,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
) -> int:
    """Exit code 1 when a limit is missed."""
    found = asyncio.run(_measure(6 if quick else 30, 1000 if quick else 10_000))
    if json:
        json.write_text(json_of.dumps(found, indent=2) + "\n")
    return _show(found)


async def _measure(chunks: int, orders: int) -> dict[str, Figures]:
    found = {"pricing": per_second(orders, Clock().now())}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True)))
        server = stack.enter_context(embedded_server(folder / "pg"))
        port = free_port()
        command = modules("uvicorn", "bench.gates.warehouse:app", "--port", str(port), "--log-level", "error")
        warehouse = stack.enter_context(child("warehouse", command, env={}, logs=folder))
        wait_until_up(warehouse, f"http://127.0.0.1:{port}/")
        for name, book in (("risk rules", False), ("risk rules, prices, promotions", True)):
            url = server.url("ballast")
            await create_database(url, "ballast", fresh=True)
            await upgrade(url)
            house = House(Settings(_env_file=None), Clock(), make_engine(url))
            house.roles["wms"] = Warehouse(f"http://127.0.0.1:{port}/", house.engine)
            use_house(house)
            if book:
                await _publish(house)
            spare_collector()
            found[f"intake, {name}"] = await _rounds("at_intake", chunks, partial(_pushed, house))
            if book:
                found["ship-out"] = await _rounds("before_shipping", chunks, partial(_locked, house))
            await house.close()
    return found


async def _publish(house: House) -> None:
    for kind, wanted in ((Kind.PRICE, price_set()), (Kind.PROMOTION, promotion_set())):
        book = written_of(kind, sheets_of(wanted), "book.xlsx")
        book.base = 0
        made = (await import_rules(house, kind, book, by="bench", note="measured")).version
        await publish_version(house, kind, made.version, Wanted(by="bench", note="measured"))


async def _rounds(gate: str, chunks: int, ready: Callable[[int], Awaitable[Callable[[], Awaitable[Any]]]]) -> Figures:
    """`ready` prepares a chunk, and gives what is measured."""
    steps, within = [], []
    for turn in range(WARM + chunks):
        work = await ready(turn)
        with Spent(gate) as spent:
            began = time.perf_counter()
            tally = await work()
            took = time.perf_counter() - began
        assert sum(tally.values()) == CHUNK and "held" not in tally, f"{dict(tally)} of {CHUNK} orders"
        if turn >= WARM:
            steps.append(took)
            within.append(spent.seconds)
    return {
        "step_ms": 1000 * median(steps),
        "gates_ms": 1000 * median(within),
        "share": median(gates_s / step for gates_s, step in zip(within, steps, strict=True)),
    }


async def _pushed(house: House, turn: int) -> Callable[[], Awaitable[Any]]:
    now, first = house.clock.now(), turn * CHUNK
    letters = [
        ("direct", Message(event_id=f"e{n}", topic="order.placed", order_no=f"SO{n:08}", payload=_order(n, now)))
        for n in range(first, first + CHUNK)
    ]
    async with house.transaction() as tx:
        await inbox.store(tx, letters, now)
    return lambda: take_in.fn(CHUNK)


def _order(n: int, now: datetime) -> dict[str, Any]:
    """Every fourth is of one of 5,000 who come again; the others were never seen."""
    who = n % 5000 if n % 4 == 0 else 10_000 + n
    lines = [
        {"line_no": line, "sku": f"SKU-{n % 25 + line:03}", "name": "x", "quantity": 1, "unit_price": price,
         "amount": price}
        for line in (1, 2)
        for price in [40_00 + (n % 25 + line) * 100]
    ]  # fmt: skip
    return {
        "order_no": f"SO{n:08}",
        "channel": "shop",
        "placed_at": (now - timedelta(seconds=n % 3600)).isoformat(),
        "total": sum(line["amount"] for line in lines),
        "customer": {"no": f"C{who}x", "name": "王小明"},
        "receiver": {"name": "王小明", "mobile": f"138574{who % 100_000:05}", "province": "浙江省", "city": "宁波市",
                     "district": "海曙区", "address": "人民路1号"},
        "origin": {"ip": f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", "device": f"d{who}"},
        "lines": lines,
    }  # fmt: skip


async def _locked(house: House, _turn: int) -> Callable[[], Awaitable[Any]]:
    """The next orders that were taken in, as if they were paid and locked."""
    now = house.clock.now()
    async with house.transaction() as tx:
        await run(
            tx,
            """
            update sales_order set state = 'STOCK_LOCKED', due_step = 'ship_out', due_at = :now, paid_at = :now,
              locked_at = :now, warehouse = 'CK001'
            where id in (select id from sales_order where state = 'PENDING_PAYMENT' order by id limit :most)""",
            now=now,
            most=CHUNK,
        )
        chunk = await claim(tx, Step.SHIP_OUT, owner="bench", most=CHUNK, now=now, until=now + timedelta(minutes=10))
    return lambda: hand_to_warehouse.fn(chunk)


def _show(found: dict[str, Figures]) -> int:
    table, missed = Table(title="What the gates cost"), False
    for column in ("what", "figure", "limit", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, rate in found["pricing"].items():
        bad = rate < PER_SECOND
        missed |= bad
        table.add_row(f"{what}, orders/s on one core", f"{rate:,.0f}", f"{PER_SECOND:,}", "missed" if bad else "ok")
    for what, figures in found.items():
        if "share" in figures:
            bad = figures["share"] >= SHARE
            missed |= bad
            said = f"{figures['share']:.1%} ({figures['gates_ms']:.0f} of {figures['step_ms']:.0f} ms)"
            table.add_row(what, said, f"{SHARE:.0%}", "missed" if bad else "ok")
    Console().print(table)
    return int(missed)


if __name__ == "__main__":
    run_as_command(measure)
