"""The order page. Its link carries a key that opens this order and no other; without it there is nothing to see."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from ballast.db.answers import find_alerts
from ballast.db.engine import DATABASE_ERRORS
from ballast.db.timeline import timeline
from ballast.domain.words import Label
from ballast.wiring import House, alert_key, page_key
from web.bounds import brings_body
from web.gate import HEADERS, Gate, Shut
from web.orders.view import Page, orders_near
from web.orders.words import AWAY, BUSY, MISSING, Language


class OrderPage:
    """Answers `/orders/{order_no}?key=`."""

    def __init__(self, house: House, secret: str, gate: Gate) -> None:
        self._house, self._secret, self._gate, self._page = house, secret, gate, Page()

    async def answer(self, request: Request) -> Response:
        """The page, or the same 404 for a wrong key as for an unknown order. 429: who guesses learns nothing more."""
        order_no, language = request.path_params["order_no"], self._language(request)
        if brings_body(request):
            return PlainTextResponse("an order page takes no body", 413, {**HEADERS, "Connection": "close"})
        key = page_key(self._secret, order_no)
        try:
            self._gate.admit(request, key)
        except Shut as shut:
            return self._shut(shut, language)
        try:
            async with self._house.transaction() as tx:
                seen = await timeline(tx, order_no)
                alerts = await find_alerts(tx, order_nos=[order_no]) if seen else []
        except DATABASE_ERRORS:
            return self._notice(AWAY, language, 503)
        if seen is None:
            return self._notice(MISSING, language, 404)
        other = "?" + urlencode({"key": key, "lang": "en" if language == "zh" else "zh"})
        links = {
            one.id: f"../alerts/{one.id}?" + urlencode({"key": alert_key(self._secret, one.id), "lang": language})
            for one in alerts
        }
        now = self._house.clock.now()
        near = {one: self._link(one, language) for one in orders_near(seen)}
        html = self._page.order(seen, language, now=now, other=other, alerts=alerts, links=links, near=near)
        return HTMLResponse(html, headers=HEADERS)

    def _link(self, order_no: str, language: Language) -> str:
        return f"{order_no}?" + urlencode({"key": page_key(self._secret, order_no), "lang": language})

    def _language(self, request: Request) -> Language:
        wanted = request.query_params.get("lang", self._house.settings.language)
        return "zh" if wanted == "zh" else "en"

    def _shut(self, shut: Shut, language: Language) -> Response:
        if shut.why == "missing":
            return self._notice(MISSING, language, 404)
        answer = self._notice(BUSY, language, 429)
        answer.headers["Retry-After"] = str(shut.pause)
        return answer

    def _notice(self, label: Label, language: Language, status: int) -> Response:
        return HTMLResponse(self._page.notice(label, language), status, headers=HEADERS)
