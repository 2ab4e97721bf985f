"""The warehouse: sends on a fixed schedule, whether the last one was answered or not, and repeats what was refused.

Latency counts from when a message should have been sent: a system that stalls cannot hide it by slowing its sender.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from bench.latency.shipped import confirm

CONNECTIONS: Final = 200
TIMEOUT: Final = ClientTimeout(total=5)
PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a message that was not taken is sent again; the last one repeats."""
TRIES: Final = 10


@dataclass(slots=True)
class Sent:
    """What became of the messages: order -> when it was to be sent, and what the web process said."""

    due_at: dict[int, float] = field(default_factory=dict)  # seconds of the monotonic clock
    answered_in: list[float] = field(default_factory=list)  # seconds from then to the acknowledgement
    refused: int = 0
    given_up: int = 0


async def send(hooks: str, secrets: Mapping[str, str], orders: Sequence[int], rate: float) -> Sent:
    """Send a confirm of each of these orders, `rate` a second (0: all at once)."""
    sent, loop = Sent(), asyncio.get_running_loop()
    connector = TCPConnector(limit=CONNECTIONS)
    async with (
        ClientSession(timeout=TIMEOUT, connector=connector, cookie_jar=DummyCookieJar()) as session,
        asyncio.TaskGroup() as group,
    ):
        begin = loop.time() + 0.2
        for at, order in enumerate(orders):
            due = begin + (at / rate if rate else 0.0)
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            sent.due_at[order] = due
            group.create_task(_insist(session, hooks, secrets, order, sent))
    return sent


async def _insist(session: ClientSession, hooks: str, secrets: Mapping[str, str], order: int, sent: Sent) -> None:
    """As the gateway does: until it was taken."""
    for tried in range(TRIES):
        if await _post(session, hooks, secrets, order):
            sent.answered_in.append(time.monotonic() - sent.due_at[order])
            return
        sent.refused += 1
        await asyncio.sleep(PAUSES[min(tried, len(PAUSES) - 1)])
    sent.given_up += 1


async def _post(session: ClientSession, hooks: str, secrets: Mapping[str, str], order: int) -> bool:
    query, body = confirm(order, secrets)
    url = URL(f"{hooks}/qimen?{query}", encoded=True)
    try:
        async with session.post(url, data=body, headers={"Content-Type": "text/xml; charset=utf-8"}) as answer:
            return answer.status == 200 and b"<flag>success</flag>" in await answer.read()
    except (ClientError, OSError, TimeoutError):
        return False
