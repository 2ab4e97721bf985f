"""The ERP of `bench.stock`: a stock list of many levels behind ExecuteBillQuery, served by a process of its own.

It answers from memory, sorted by FID, 2,000 rows a page, and knows the three filters that Ballast asks with. What an
ERP takes to find its rows is added as `delay`, for every call.
"""

import asyncio
import random
import re
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from aiohttp import web

from bench.command import run_as_command

LOCAL: Final = ZoneInfo("Asia/Shanghai")
PAGE: Final = 2000
CHANCE: Final = random.Random(1)  # noqa: S311  # what changes
CHANGED: Final = "FUpdateTime"
_SINCE: Final = re.compile(rf"{CHANGED}>='([^']+)'")
_WAREHOUSE: Final = re.compile(r"FStockId\.FNumber='([^']+)'")
_SKUS: Final = re.compile(r"FMaterialId\.FNumber(?:='[^']+'| in \([^)]+\))")


def sku(number: int) -> str:
    return f"SKU-{number:06}"


class StockList:
    """FID, warehouse, SKU, on hand, available, locked, changed at: one row per level."""

    def __init__(self, skus: int, warehouses: int, delay: float) -> None:
        self.delay = delay
        old = _text(datetime.now(LOCAL) - timedelta(days=1))
        self.rows: list[list[Any]] = [
            [f"{number:06}-{place:02}", f"CK{place:03}", sku(number), 100.0, 100.0, 0.0, old]
            for number in range(skus)
            for place in range(1, warehouses + 1)
        ]
        self._ids = [row[0] for row in self.rows]
        self._touched: list[int] = []

    def change(self, share: float) -> int:
        """So much of it changes now; what changed before is long ago."""
        old, now = _text(datetime.now(LOCAL) - timedelta(days=1)), _text(datetime.now(LOCAL))
        for at in self._touched:
            self.rows[at][6] = old
        self._touched = sorted(CHANCE.sample(range(len(self.rows)), int(len(self.rows) * share)))
        for at in self._touched:
            self.rows[at][3] = self.rows[at][4] = float(CHANCE.randrange(200))
            self.rows[at][6] = now
        return len(self._touched)

    def query(self, data: dict[str, Any]) -> list[list[Any]]:
        names, start, limit = data["FieldKeys"].split(","), data["StartRow"], min(data["Limit"] or PAGE, PAGE)
        found = self._where(data["FilterString"], start, limit)
        columns = [_COLUMNS[name] for name in names]
        return [[row[at] for at in columns] for row in found]

    def _where(self, text: str, start: int, limit: int) -> Sequence[list[Any]]:
        if since := _SINCE.search(text):
            touched = [self.rows[at] for at in self._touched if self.rows[at][6] >= since[1]]
            return touched[start : start + limit]
        if place := _WAREHOUSE.search(text):
            listed = _SKUS.search(text)
            assert listed is not None
            ids = sorted(f"{one[4:]}-{place[1][3:]}" for one in re.findall(r"'([^']+)'", listed[0]))
            return [self.rows[bisect_left(self._ids, one)] for one in ids][start : start + limit]
        return self.rows[start : start + limit]

    async def answer(self, request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        await asyncio.sleep(self.delay)
        return web.Response(body=orjson.dumps(self.query(asked["data"])), content_type="application/json")

    async def answer_change(self, request: web.Request) -> web.Response:
        return web.json_response({"changed": self.change(float(request.query["share"]))})


_COLUMNS: Final = {
    "FID": 0, "FStockId.FNumber": 1, "FMaterialId.FNumber": 2, "FBaseQty": 3, "FBaseAVBQty": 4, "FBaseLockQty": 5,
    CHANGED: 6,
}  # fmt: skip


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def serve(port: int, *, skus: int, warehouses: int, delay: float = 0.05) -> None:
    """Until it is told to stop."""
    listed, app = StockList(skus, warehouses, delay), web.Application()
    app.router.add_post("/change", listed.answer_change)
    app.router.add_post("/{path:.*}", listed.answer)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    run_as_command(serve)
