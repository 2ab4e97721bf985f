"""Answers `POST /returns` and `GET /returns/{number}`, for whoever has the key."""

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import NotUnderstood
from adapters.storefronts.direct.returns import AskedReturn, read_asked_return
from ballast.db.engine import DATABASE_ERRORS
from ballast.db.moves import MovedMeanwhile
from ballast.db.return_report import one_return
from ballast.db.return_requests import Done, request
from ballast.db.returning import ReturnRefused, Wanted
from ballast.wiring import House
from web.answers import not_now, read_json, refuse, refuse_strangers, say
from web.gate import Bearer
from web.hooks.body import Body, BodyReader
from web.hooks.refusals import Refusal

MOST_BYTES = 64 * 1024


class ReturnDoor:
    """The returns that one process is asked for."""

    def __init__(self, house: House, key: str) -> None:
        self._house, self._bodies = house, BodyReader(most_bytes=MOST_BYTES)
        self._bearer = Bearer(key, house.settings.limits, house.clock)

    async def ask(self, request: Request) -> Response:
        """201 and the number; 400 what cannot be read; 409 refused, with the figures; 401, 429 as everywhere."""
        body = Body(request)
        try:
            refuse_strangers(self._bearer, request, "BALLAST_RETURNS_KEY")
            async with self._bodies.read(request, body) as raw:
                asked = read_asked_return(read_json(raw))
            done = await self._put(asked)
            return say(201, {"return_no": done.return_no, "order_no": done.order_no, "state": done.state})
        except Refusal as refusal:
            await body.drain()
            return refuse(refusal)
        except NotUnderstood as wrong:
            return say(400, {"error": str(wrong)})
        except ReturnRefused as no:
            return say(409, {"error": str(no)})
        except (*DATABASE_ERRORS, MovedMeanwhile):
            return not_now()

    async def show(self, request: Request) -> Response:
        """200 and how it stands; 404 when there is none."""
        try:
            refuse_strangers(self._bearer, request, "BALLAST_RETURNS_KEY")
            async with self._house.transaction() as tx:
                found = await one_return(tx, request.path_params["number"])
        except Refusal as refusal:
            return refuse(refusal)
        except DATABASE_ERRORS:
            return not_now()
        return say(200, found) if found else say(404, {"error": "no such return"})

    async def _put(self, asked: AskedReturn) -> Done:
        one, here = asked.asked, self._house
        wanted = Wanted(
            lines=one.lines, reason=one.reason, by="direct", why=one.why, customer_no=one.customer_no,
            exchange=one.exchange,
        )  # fmt: skip
        async with here.transaction() as tx:
            return await request(tx, asked.order_no, wanted, now=here.clock.now(), waits=here.waits)
