"""A warehouse that takes every delivery order after 5 ms, and its client, as every adapter of Ballast makes a call."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.http import VendorHttp
from ballast.db.allowance import SharedAllowance
from ballast.domain.words import System
from ballast.ports import News, Order, Receipt
from bench.asgi import Message, Receive, Send, answer, read_body

ANSWERS_AFTER: Final = 0.005
MAX_CALLS: Final = 50


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """The server."""
    if scope["type"] != "http":
        return
    if scope["method"] == "POST":
        await read_body(receive)
        await asyncio.sleep(ANSWERS_AFTER)
    await answer(send, b'{"id":"X1"}')


class Warehouse:
    """The client."""

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        allowance = SharedAllowance(engine, "bench", max_calls=MAX_CALLS, per_second=0)
        self._url, self._http = url, VendorHttp(System.QIMEN, max_calls=MAX_CALLS, allowance=allowance)

    async def create(self, order: Order, *, look_first: bool = False) -> Receipt:
        asked = {"order": order.order_no, "lines": [[line.sku, line.quantity] for line in order.lines]}
        reply = await self._http.write("POST", self._url, order_no=order.order_no, json=asked)
        return Receipt(reference=reply.json()["id"])

    async def ask(self, order_no: str) -> Sequence[News]:
        return ()

    async def close(self) -> None:
        await self._http.close()
