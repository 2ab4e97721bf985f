"""Taking orders in as Prefect runs it: one flow run for each chunk, and how much of it the gates take.

    python -m bench.gates.intake CHUNKS [book]

Prints one JSON line, for `Stage.contest`.
"""

import asyncio
import json
import os
import sys
import time
from datetime import datetime, timedelta
from typing import Any, Final

from ballast.clock import Clock
from ballast.collector import spare_collector
from ballast.db import inbox
from ballast.db.engine import make_engine
from ballast.db.rule_sets import Wanted
from ballast.db.upgrade import create_database, upgrade
from ballast.ports import Message
from ballast.rules.books import Kind, sheets_of, written_of
from ballast.settings import Settings
from ballast.wiring import House, use_house
from bench.cost import own_cost
from bench.gates.rules import LIST_PRICES, SKUS, payable, price_set, promotion_set
from bench.gates.spent import Spent
from flows.take_orders import take_orders
from tasks.rules import import_rules, publish_version

CHUNK: Final = 400
WARM: Final = 6
"""Chunks that are not counted: the database plans its statements anew as often, and the number ranges are loaded."""


async def open_house(url: str, *, book: bool) -> House:
    """An empty Ballast with the default rules, and with the bench's price book and promotions where `book` says so."""
    await create_database(url, "ballast", fresh=True)
    await upgrade(url)
    house = House(Settings(_env_file=None), Clock(), make_engine(url))
    use_house(house)
    for kind, wanted in ((Kind.PRICE, price_set()), (Kind.PROMOTION, promotion_set())) if book else ():
        written = written_of(kind, sheets_of(wanted), "book.xlsx")
        written.base = 0
        made = (await import_rules(house, kind, written, by="bench", note="measured")).version
        await publish_version(house, kind, made.version, Wanted(by="bench", note="measured"))
    return house


async def push(house: House, turn: int) -> None:
    """The shop pushes the orders of one chunk."""
    now, first = house.clock.now(), turn * CHUNK
    letters = [
        ("direct", Message(event_id=f"e{n}", topic="order.placed", order_no=f"SO{n:08}", payload=_order(n, now)))
        for n in range(first, first + CHUNK)
    ]
    async with house.transaction() as tx:
        await inbox.store(tx, letters, now)


def _order(n: int, now: datetime) -> dict[str, Any]:
    """Every fourth is of one of 5,000 who come again; the others were never seen. It costs what book and promotions
    say, so none is held."""
    who = n % 5000 if n % 4 == 0 else 10_000 + n
    lines = [
        {"line_no": line, "sku": SKUS[n % 25 + line], "name": "x", "quantity": 1, "unit_price": price, "amount": price}
        for line in (1, 2)
        for price in [LIST_PRICES[SKUS[n % 25 + line]]]
    ]
    total = payable(tuple(str(line["sku"]) for line in lines))
    return {
        "order_no": f"SO{n:08}",
        "channel": "shop",
        "placed_at": (now - timedelta(seconds=n % 3600)).isoformat(),
        "total": total,
        "discount": sum(int(line["amount"]) for line in lines) - total,
        "customer": {"no": f"C{who}x", "name": "王小明"},
        "receiver": {"name": "王小明", "mobile": f"138574{who % 100_000:05}", "province": "浙江省", "city": "宁波市",
                     "district": "海曙区", "address": "人民路1号"},
        "origin": {"ip": f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", "device": f"d{who}"},
        "lines": lines,
    }  # fmt: skip


async def _runs(url: str, chunks: int, *, book: bool) -> dict[str, list[float]]:
    house = await open_house(url, book=book)
    spare_collector()  # as every process of Ballast that lasts
    steps, within = [], []
    for turn in range(WARM + chunks):
        await push(house, turn)
        with Spent("at_intake") as spent:
            began = time.perf_counter()
            await take_orders()
            took = time.perf_counter() - began
        if turn >= WARM:
            steps.append(took)
            within.append(spent.seconds)
    await house.close()
    return {"steps": steps, "within": within}


if __name__ == "__main__":
    database = os.environ["BALLAST_DATABASE_URL"]
    found = asyncio.run(_runs(database, int(sys.argv[1]), book="book" in sys.argv[2:]))
    print(json.dumps(found | own_cost()))  # noqa: T201  # what the bench reads
