"""One webhook as others see it: a figure for `/metrics`, and a server span for who collects traces."""

from types import TracebackType
from typing import Final, Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from ballast.counters import WEBHOOKS
from ballast.domain.words import System

_TRACER: Final = trace.get_tracer("ballast.web")
ACCEPTED: Final = "accepted"


class Visit:
    """From the first byte to the answer. A trace of its own: what a sender says of other traces is not believed."""

    def __init__(self, source: System, method: str) -> None:
        self._source, self._method, self._outcome = str(source), method, "cut_off"
        self._span: Span

    def __enter__(self) -> Self:
        self._span = _TRACER.start_span(
            f"{self._method} /hooks/{self._source}",
            context=Context(),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": self._method,
                "http.route": "/hooks/{source}",
                "ballast.system": self._source,
            },
        )
        return self

    def accepted(self) -> None:
        """Acknowledged: it is stored."""
        self._outcome = ACCEPTED

    def refused(self, status: int) -> None:
        """Not stored. `status` is ours; some vendors are told it in another form."""
        self._outcome = str(status)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(StatusCode.ERROR, self._outcome)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        WEBHOOKS.labels(self._source, self._outcome).inc()
        self._span.set_attribute("ballast.outcome", self._outcome)
        self._span.end()
