"""The page of one alert, where the link of a message leads. Looking changes nothing; the form acknowledges or resolves.

Chat clients fetch links to show a preview, so only a POST may change anything.
"""

from typing import Final
from urllib.parse import parse_qs, quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ballast.db.answering import Unanswerable, answer, number_of
from ballast.db.answers import AlertSeen, find_alert
from ballast.db.engine import DATABASE_ERRORS
from ballast.domain.words import Label
from ballast.wiring import House, alert_key, page_key
from web.alerts.view import Around, Page
from web.alerts.words import MISSING, NO_NAME
from web.bounds import brings_body
from web.gate import HEADERS, Gate, Shut
from web.hooks.body import Body, BodyReader
from web.hooks.refusals import Refusal
from web.orders.words import AWAY, BUSY, Language

PAGE_HEADERS: Final = {
    **HEADERS,
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'"),
}
MOST_BYTES: Final = 16_384
"""Of a form: 60 and 500 characters, each up to twelve bytes when it is encoded."""
LONG_BEFORE_SHOWN: Final = 1000


class Form:
    """What a person sent."""

    def __init__(self, raw: bytes) -> None:
        """Raises `Refusal`: not a form."""
        try:
            fields = parse_qs(raw.decode("ascii"), keep_blank_values=True, max_num_fields=8, errors="replace")
        except ValueError:
            raise Refusal(400, "this is not the form of the page") from None
        self.by, self.note, self.answer = (fields.get(name, [""])[-1] for name in ("by", "note", "answer"))

    @property
    def resolves(self) -> bool:
        """Raises `Refusal`: neither of the two buttons."""
        if self.answer not in ("acknowledge", "resolve"):
            raise Refusal(400, "this is not the form of the page")
        return self.answer == "resolve"


class AlertPage:
    """Answers `/alerts/{alert_id}?key=`."""

    def __init__(self, house: House, secret: str, gate: Gate) -> None:
        self._house, self._secret, self._gate, self._page = house, secret, gate, Page()
        self._bodies = BodyReader(most_bytes=MOST_BYTES)

    async def answer(self, request: Request) -> Response:
        """The page, or the same 404 for a wrong key as for an unknown alert; 303 to the page after an answer."""
        language, body = self._language(request), Body(request)
        number = number_of(request.path_params["alert_id"])
        try:
            self._gate.admit(request, alert_key(self._secret, number) if number else None)
            assert number is not None
            if request.method == "POST":
                return await self._take(request, body, number, language)
            if brings_body(request):
                raise Refusal(413, "who only looks sends no body")
            return await self._show(number, language)
        except Shut as shut:
            await body.drain()
            return self._shut(shut, language, body)
        except Refusal as refusal:
            await body.drain()
            return self._notice(Label(refusal.why, refusal.why), language, refusal.status, body)
        except DATABASE_ERRORS:
            return self._notice(AWAY, language, 503)

    async def _show(
        self, number: int, language: Language, *, wrong: Label | None = None, typed: tuple[str, str] = ("", "")
    ) -> Response:
        async with self._house.transaction() as tx:
            seen = await find_alert(tx, number)
        if seen is None:
            return self._notice(MISSING, language, 404)
        around = self._around(seen, language, wrong, typed)
        return HTMLResponse(self._page.alert(seen, around), 400 if wrong else 200, headers=PAGE_HEADERS)

    async def _take(self, request: Request, body: Body, number: int, language: Language) -> Response:
        async with self._bodies.read(request, body) as raw:
            form = Form(raw)
        resolve = form.resolves
        try:
            async with self._house.transaction() as tx:
                now = self._house.clock.now()
                await answer(tx, [str(number)], by=form.by, note=form.note, resolve=resolve, now=now)
        except Unanswerable:
            typed = (form.by[:LONG_BEFORE_SHOWN], form.note[:LONG_BEFORE_SHOWN])
            return await self._show(number, language, wrong=NO_NAME, typed=typed)
        # relative: an absolute address would repeat whatever host the request names
        return Response(status_code=303, headers={**PAGE_HEADERS, "Location": self._link(number, language)})

    def _link(self, number: int, language: Language) -> str:
        return "?" + urlencode({"key": alert_key(self._secret, number), "lang": language})

    def _around(self, seen: AlertSeen, language: Language, wrong: Label | None, typed: tuple[str, str]) -> Around:
        no = seen.order_no or ""
        policy = self._house.sla.current()
        return Around(
            language=language,
            now=self._house.clock.now(),
            other=self._link(seen.id, "en" if language == "zh" else "zh"),
            here=self._link(seen.id, language),
            order=f"../orders/{quote(no, safe='')}?" + urlencode({"key": page_key(self._secret, no), "lang": language}),
            people={key: person.name for key, person in policy.people.items()},
            wrong=wrong,
            typed=typed,
        )

    def _language(self, request: Request) -> Language:
        wanted = request.query_params.get("lang", self._house.settings.language)
        return "zh" if wanted == "zh" else "en"

    def _shut(self, shut: Shut, language: Language, body: Body) -> Response:
        if shut.why == "missing":
            return self._notice(MISSING, language, 404, body)
        answer = self._notice(BUSY, language, 429, body)
        answer.headers["Retry-After"] = str(shut.pause)
        return answer

    def _notice(self, label: Label, language: Language, status: int, body: Body | None = None) -> Response:
        headers = PAGE_HEADERS if body is None or body.whole else {**PAGE_HEADERS, "Connection": "close"}
        return HTMLResponse(self._page.notice(label, language), status, headers=headers)
