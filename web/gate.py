"""Who may come in: by the key in a page's link, or by a bearer token. Bounded, and compared in constant time."""

import hmac
from typing import Final, Literal

from starlette.requests import Request

from adapters.signing import same
from ballast.clock import Clock
from ballast.settings import LimitSettings
from web.bounds import per_minute, sender_of

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


class Shut(Exception):
    """The page is not shown. busy: too many requests (again after `pause` seconds); missing: a wrong key."""

    def __init__(self, why: Literal["busy", "missing"], pause: int = 0) -> None:
        super().__init__(why)
        self.why, self.pause = why, pause


class Gate:
    """Counts what each sender asks for, over all pages of this process."""

    def __init__(self, limits: LimitSettings, clock: Clock) -> None:
        self._clock = clock
        self._asked = per_minute(limits.pages_per_minute, limits.senders)
        self._wrong = per_minute(limits.wrong_keys_per_minute, limits.senders)

    def admit(self, request: Request, key: str | None) -> None:
        """Let in whoever shows this key; None opens to nobody. Raises `Shut`: who guesses learns nothing more."""
        now, sender = self._clock.machine_now(), sender_of(request)
        asked, wrong = self._asked.of(sender), self._wrong.of(sender)
        if not asked.take(now):
            raise Shut("busy", asked.pause)
        if not wrong.has(now):
            raise Shut("busy", wrong.pause)
        shown = request.query_params.get("key", "").encode("utf-8", "surrogatepass")
        if key is None or not hmac.compare_digest(key.encode(), shown):
            wrong.take(now)
            raise Shut("missing")


class Bearer:
    """A door for whoever shows one token in `Authorization: Bearer`."""

    def __init__(self, key: str, limits: LimitSettings, clock: Clock) -> None:
        self._key, self._clock = key, clock
        self._wrong = per_minute(limits.wrong_keys_per_minute, limits.senders)

    def admit(self, request: Request) -> None:
        """Raises `Shut`: busy for who has guessed too often, missing for a wrong token."""
        wrong, now = self._wrong.of(sender_of(request)), self._clock.machine_now()
        if not wrong.has(now):
            raise Shut("busy", wrong.pause)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not same(self._key, given.strip()):
            wrong.take(now)
            raise Shut("missing")
