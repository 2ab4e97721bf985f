"""What the peers have in common: orders carried side by side, one workflow each, by the client that all use."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport

from bench.cost import own_cost, stopwatch

_client: list[httpx.AsyncClient] = []


async def post(order_no: str, step: str) -> str:
    """One call of one order; the number that the server gives it."""
    reply = await _client[0].post(os.environ["BENCH_ANSWERS"], json={"order": order_no, "step": step})
    return str(reply.raise_for_status().json()["id"])


async def race(carry_order: Callable[[str], Awaitable[str]], orders: int, *, at_once: int) -> dict[str, Any]:
    """So many orders, after one to warm up; the figures."""
    room = asyncio.Semaphore(at_once)

    async def one(number: int) -> str:
        async with room:
            return await carry_order(f"SO{number:08}")

    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=30) as client:
        _client.append(client)
        await carry_order("WARM-UP")
        spent_before = own_cost()["cpu_s"]
        with stopwatch() as taken:
            ended = await asyncio.gather(*(one(number) for number in range(1, orders + 1)))
    spent = own_cost()
    return {"orders": orders, **taken, "ended": len(set(ended)), **spent, "cpu_s": spent["cpu_s"] - spent_before}
