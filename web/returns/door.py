"""Answers `POST /returns` and `GET /returns/{number}`, for whoever has the key."""

import orjson
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
from web.gate import Bearer, Shut
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
            self._refuse_strangers(request)
            async with self._bodies.read(request, body) as raw:
                asked = _read(raw)
            done = await self._put(asked)
            return _json(201, {"return_no": done.return_no, "order_no": done.order_no, "state": done.state})
        except Refusal as refusal:
            await body.drain()
            return _json(refusal.status, {"error": refusal.why}, _headers(refusal))
        except NotUnderstood as wrong:
            return _json(400, {"error": str(wrong)})
        except ReturnRefused as no:
            return _json(409, {"error": str(no)})
        except (*DATABASE_ERRORS, MovedMeanwhile):
            return _json(503, {"error": "the database did not answer, ask again"}, {"Retry-After": "1"})

    async def show(self, request: Request) -> Response:
        """200 and how it stands; 404 when there is none."""
        try:
            self._refuse_strangers(request)
            async with self._house.transaction() as tx:
                found = await one_return(tx, request.path_params["number"])
        except Refusal as refusal:
            return _json(refusal.status, {"error": refusal.why}, _headers(refusal))
        except DATABASE_ERRORS:
            return _json(503, {"error": "the database did not answer, ask again"}, {"Retry-After": "1"})
        return _json(200, found) if found else _json(404, {"error": "no such return"})

    async def _put(self, asked: AskedReturn) -> Done:
        one, here = asked.asked, self._house
        wanted = Wanted(
            lines=one.lines, reason=one.reason, by="direct", why=one.why, customer_no=one.customer_no,
            exchange=one.exchange,
        )  # fmt: skip
        async with here.transaction() as tx:
            return await request(tx, asked.order_no, wanted, now=here.clock.now(), waits=here.waits)

    def _refuse_strangers(self, request: Request) -> None:
        try:
            self._bearer.admit(request)
        except Shut as shut:
            if shut.why == "busy":
                raise Refusal(429, "too many wrong keys", retry_after=shut.pause) from None
            raise Refusal(401, "this needs the key of BALLAST_RETURNS_KEY") from None


def _read(raw: bytes) -> AskedReturn:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(400, "the body is not JSON") from None
    return read_asked_return(data)


def _headers(refusal: Refusal) -> dict[str, str]:
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    return headers | ({"Retry-After": str(refusal.retry_after)} if refusal.retry_after is not None else {})


def _json(status: int, said: object, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(said), status, headers, media_type="application/json")
