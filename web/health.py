"""Whether a process runs, and whether it can work: for supervisors and load balancers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ballast.db.engine import DATABASE_ERRORS
from ballast.db.shape import is_behind
from ballast.wiring import House

SECONDS: Final = 2.0

Check = Callable[[], Awaitable[str | None]]
"""Looks at one thing that a process needs: None when it is well, else what is wrong, without addresses or secrets."""


async def answer_health(request: Request) -> Response:
    """The process is up and its event loop turns; it says nothing about the database."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """Answers `/ready`: the database, and whatever else this process needs."""

    def __init__(self, house: House, *, seconds: float = SECONDS, more: Mapping[str, Check] | None = None) -> None:
        self._house, self._seconds = house, seconds
        self._checks: dict[str, Check] = {"database": self._try_database, **(more or {})}

    async def answer(self, request: Request) -> Response:
        """200 when everything answers in time, else 503 and what is wrong; never an address or a password."""
        wrong = await asyncio.gather(*(self._in_time(check) for check in self._checks.values()))
        found = {name: said or "ok" for name, said in zip(self._checks, wrong, strict=True)}
        if not any(wrong):
            return JSONResponse({"status": "ok", **found})
        return JSONResponse({"status": "unavailable", **found, "next": "run `ballast doctor`"}, 503)

    async def _in_time(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(self._seconds):
                return await check()
        except TimeoutError:
            return f"no answer within {self._seconds:g} s"

    async def _try_database(self) -> str | None:
        try:
            async with self._house.transaction() as tx:
                behind = await is_behind(tx)
        except TimeoutError:
            raise
        except DATABASE_ERRORS as error:
            return f"does not take connections ({type(getattr(error, 'orig', None) or error).__name__})"
        return "lacks migrations: run `ballast db upgrade`" if behind else None
