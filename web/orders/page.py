"""The order page. Its link carries a key that opens this order and no other; without it there is nothing to see."""

import hmac
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from ballast.db.engine import DATABASE_ERRORS
from ballast.db.timeline import timeline
from ballast.domain.words import Label
from ballast.wiring import House, page_key
from web.bounds import TokenBucket, brings_body, per_minute, sender_of
from web.orders.view import Page
from web.orders.words import AWAY, BUSY, MISSING, Language

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


class OrderPage:
    """Answers `/orders/{order_no}?key=`."""

    def __init__(self, house: House, secret: str) -> None:
        self._house, self._secret, self._page = house, secret, Page()
        limits = house.settings.limits
        self._asked = per_minute(limits.pages_per_minute, limits.senders)
        self._wrong = per_minute(limits.wrong_keys_per_minute, limits.senders)

    async def answer(self, request: Request) -> Response:
        """The page, or the same 404 for a wrong key as for an unknown order. 429: who guesses learns nothing more."""
        order_no, key = request.path_params["order_no"], request.query_params.get("key", "")
        language, now = self._language(request), self._house.clock.machine_now()
        asked, wrong = (buckets.of(sender_of(request)) for buckets in (self._asked, self._wrong))
        if brings_body(request):
            return PlainTextResponse("an order page takes no body", 413, {**HEADERS, "Connection": "close"})
        if not asked.take(now):
            return self._busy(asked, language)
        if not wrong.has(now):
            return self._busy(wrong, language)
        if not hmac.compare_digest(page_key(self._secret, order_no).encode(), key.encode()):
            wrong.take(now)
            return self._notice(MISSING, language, 404)
        try:
            async with self._house.transaction() as tx:
                seen = await timeline(tx, order_no)
        except DATABASE_ERRORS:
            return self._notice(AWAY, language, 503)
        if seen is None:
            return self._notice(MISSING, language, 404)
        other = "?" + urlencode({"key": key, "lang": "en" if language == "zh" else "zh"})
        html = self._page.order(seen, language, now=self._house.clock.now(), other=other)
        return HTMLResponse(html, headers=HEADERS)

    def _language(self, request: Request) -> Language:
        wanted = request.query_params.get("lang", self._house.settings.language)
        return "zh" if wanted == "zh" else "en"

    def _busy(self, bucket: TokenBucket, language: Language) -> Response:
        answer = self._notice(BUSY, language, 429)
        answer.headers["Retry-After"] = str(bucket.pause)
        return answer

    def _notice(self, label: Label, language: Language, status: int) -> Response:
        return HTMLResponse(self._page.notice(label, language), status, headers=HEADERS)
