"""Whether this process runs, and whether it can work: for supervisors and load balancers."""

import asyncio
from typing import Final

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ballast.wiring import House
from web.database import DATABASE_ERRORS

SECONDS: Final = 2.0


async def answer_health(request: Request) -> Response:
    """The process is up; it says nothing about the database."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """Answers `/ready`."""

    def __init__(self, house: House, *, seconds: float = SECONDS) -> None:
        self._house, self._seconds = house, seconds

    async def answer(self, request: Request) -> Response:
        """200 when the database answers in time, else 503 and what is wrong; never an address or a password."""
        wrong = await self._try_database()
        if wrong is None:
            return JSONResponse({"status": "ok", "database": "ok"})
        return JSONResponse({"status": "unavailable", "database": wrong, "next": "run `ballast doctor`"}, 503)

    async def _try_database(self) -> str | None:
        try:
            async with asyncio.timeout(self._seconds), self._house.transaction() as tx:
                await tx.execute(text("select 1"))
        except TimeoutError:
            return f"no answer within {self._seconds:g} s"
        except DATABASE_ERRORS as error:
            return f"does not take connections ({type(getattr(error, 'orig', None) or error).__name__})"
        return None
