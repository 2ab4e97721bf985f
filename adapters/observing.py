"""One call to another system as others see it: a figure for `/metrics`, and a client span for who collects traces.

Only the API of OpenTelemetry is used here: without a tracer provider (see `ballast/tracing.py`) a span is nothing.
The span says where and what, never with what: no query, no body, no header, no part of a path that could be a key.
"""

import re
import time
from asyncio import CancelledError
from functools import lru_cache
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import httpx
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from prometheus_client import Counter, Histogram

from adapters.errors import OutcomeUnknown, OutsideError, Unavailable
from ballast.counters import ADAPTER_CALLS, ADAPTER_SECONDS
from ballast.domain.words import System

_TRACER: Final = trace.get_tracer("ballast.adapters")
_PLAIN: Final = re.compile(r"v[0-9]{1,2}|[A-Za-z]{1,24}([-_.][A-Za-z]{1,24})*", re.ASCII)
"""A part of a path that is a word of the interface. Numbers and keys have digits or are longer."""
ELSEWHERE: Final = "{}"


def template(url: str, order_no: str = "") -> str:
    """The path of a URL, everything that belongs to one order (or to one robot) left out.

    >>> template("https://h/v3/refund/domestic/refunds/SO1-R1?mchid=1", "SO1")
    '/v3/refund/domestic/refunds/{}'
    """
    parts, _ = _place(url)
    return "/".join(ELSEWHERE if part == order_no and part else part for part in parts)


@lru_cache(maxsize=256)
def _place(url: str) -> tuple[tuple[str, ...], str]:
    """The parts of a URL's path, those that are no words of the interface left out, and its host."""
    address = urlsplit(url)
    parts = [unquote(part) for part in address.path.split("/")]
    words = (part if not part or _PLAIN.fullmatch(part) else ELSEWHERE for part in parts)
    return tuple(words), address.hostname or ""


class Call:
    """One call, from asking for a turn to its outcome. `with Call(...) as call: ...`; nothing is swallowed."""

    def __init__(self, system: System, method: str, url: str, *, order_no: str, operation: str) -> None:
        self._system, self._method, self._url, self._order_no = system, method, url, order_no
        self._what = operation or f"{method} {template(url, order_no)}"
        self._outcome, self._attempts = "answered", 0
        self._span: Span
        self._began = 0.0

    def __enter__(self) -> Self:
        self._span = _TRACER.start_span(f"{self._system} {self._what}", kind=SpanKind.CLIENT)
        if self._span.is_recording():
            self._span.set_attributes(self._attributes())
        self._began = time.monotonic()
        return self

    def _attributes(self) -> dict[str, str]:
        known = {
            "ballast.system": str(self._system),
            "ballast.method": self._what,
            "http.request.method": self._method,
            "url.template": template(self._url, self._order_no),
            "server.address": _place(self._url)[1],
        }
        return {**known, "ballast.order_no": self._order_no} if self._order_no else known

    def begin(self) -> None:
        """Its turn has come: the time that is measured begins here."""
        waited, self._began = time.monotonic() - self._began, time.monotonic()
        self._note("ballast.waited_seconds", round(waited, 3))

    def attempt(self) -> None:
        """It goes out, for the first time or again."""
        self._attempts += 1

    def answered(self, reply: httpx.Response) -> httpx.Response:
        """There is an answer, whatever it says inside."""
        self._outcome = "answered" if reply.status_code < 400 else "refused"
        self._note("http.response.status_code", reply.status_code)
        return reply

    def _note(self, name: str, value: str | float) -> None:
        if self._span.is_recording():
            self._span.set_attribute(name, value)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._outcome = _outcome_of(error)
            code = error.code if isinstance(error, OutsideError) else ""
            self._span.set_status(StatusCode.ERROR, f"{type(error).__name__} {code}".strip())
        elif self._outcome == "refused":
            self._span.set_status(StatusCode.ERROR, "refused")
        calls, seconds = _figures(self._system, self._what, self._outcome)
        calls.inc()
        seconds.observe(time.monotonic() - self._began)
        self._note("ballast.outcome", self._outcome)
        self._note("ballast.attempts", self._attempts)
        self._span.end()


@lru_cache(maxsize=512)
def _figures(system: System, what: str, outcome: str) -> tuple[Counter, Histogram]:
    """Prometheus finds them by name under a lock, which takes longer than counting."""
    return ADAPTER_CALLS.labels(system, what, outcome), ADAPTER_SECONDS.labels(system, what, outcome)


def _outcome_of(error: BaseException) -> str:
    if isinstance(error, OutcomeUnknown):
        return "unknown"
    if isinstance(error, Unavailable):
        return "unavailable"
    return "cut_off" if isinstance(error, CancelledError) else "failed"
