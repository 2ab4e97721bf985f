"""`GET /world/stream`: the stream page by page. Described in sim/README.md."""

import asyncio
from typing import Any

from aiohttp import web

from sim.clock import zoned_text
from sim.strangers.stream import BEGINS, make_stream
from sim.wire import answering

MAX_PAGE = 1000


class StrangersRoom:
    """Knows nothing of the rest of the world: these orders are told and never placed."""

    def mount(self, app: web.Application) -> None:
        app.router.add_get("/world/stream", answering(self._stream))

    async def _stream(self, request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
        seed, orders = int(request.query["seed"]), int(request.query["orders"])
        after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", MAX_PAGE))
        if after < 0 or not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"after must be 0 or more, limit from 1 to {MAX_PAGE}")
        stream = await asyncio.to_thread(make_stream, seed, orders)
        page = stream[after : after + limit]
        more = after + len(page) < len(stream)
        return {"begins_at": zoned_text(BEGINS), "orders": page, "next": page[-1]["k"] if page and more else None}
