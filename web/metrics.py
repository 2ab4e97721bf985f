"""`/metrics` for Prometheus: how things stand in the books, and what this process has counted.

The web process can be reached from outside, for webhooks. So this page wants a key, or, without one, answers only who
asks on this very machine.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from adapters.signing import reveal
from ballast.counters import COUNTED
from ballast.db.engine import DATABASE_ERRORS
from ballast.db.gauges import Gauges, Numbers, read_gauges, read_numbers
from ballast.wiring import House
from web.bounds import brings_body
from web.gate import Bearer, Shut

log = logging.getLogger(__name__)

GAUGES_EVERY: Final = 10.0
"""Seconds for which an answer of the books holds, however many ask."""
NUMBERS_EVERY: Final = 60.0
"""Likewise for the three numbers, which look at a whole day."""
SECONDS: Final = 3.0
"""The longest that the books are waited for; Prometheus gives up after ten."""
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers of a proxy: behind one, everybody seems to be on this machine."""


class Metrics:
    """Answers `/metrics` of one process."""

    def __init__(self, house: House) -> None:
        self._house, self._books = house, Books(house)
        key, limits = house.settings.metrics_key, house.settings.limits
        self._bearer = None if key is None else Bearer(reveal(key, "BALLAST_METRICS_KEY"), limits, house.clock)

    async def answer(self, request: Request) -> Response:
        """The figures as text; 401 without the key, 403 from elsewhere when there is none, 429 for who guesses."""
        if brings_body(request):
            return PlainTextResponse("metrics take no body", 413, {"Connection": "close"})
        if (refusal := self._refuse(request)) is not None:
            return refusal
        registry = CollectorRegistry()
        registry.register(await self._books.read())
        return Response(generate_latest(COUNTED) + generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    def _refuse(self, request: Request) -> Response | None:
        if self._bearer is None:
            if is_here(request):
                return None
            return PlainTextResponse("set BALLAST_METRICS_KEY to read this from elsewhere", 403)
        try:
            self._bearer.admit(request)
        except Shut as shut:
            if shut.why == "busy":
                return PlainTextResponse("too many wrong keys", 429, {"Retry-After": str(shut.pause)})
            return PlainTextResponse("this needs the key of BALLAST_METRICS_KEY", 401, {"WWW-Authenticate": "Bearer"})
        return None


def is_here(request: Request) -> bool:
    """Whether who asks is on this machine, and no proxy stands between."""
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


class Books:
    """What the database says, asked at most once in `GAUGES_EVERY` and `NUMBERS_EVERY` seconds."""

    def __init__(self, house: House) -> None:
        self._house, self._one_at_a_time = house, asyncio.Lock()
        self._gauges: Gauges | None = None
        self._numbers: Numbers | None = None
        self._read_at = self._numbers_at = float("-inf")  # loop time

    async def read(self) -> "Families":
        """As it is, or as it was a moment ago. When the database does not answer only that is told."""
        async with self._one_at_a_time:
            now = asyncio.get_running_loop().time()
            if now - self._read_at >= GAUGES_EVERY:
                self._read_at = now
                await self._ask(with_numbers=now - self._numbers_at >= NUMBERS_EVERY)
        return Families(self._gauges, self._numbers, self._house.clock.now().timestamp())

    async def _ask(self, *, with_numbers: bool) -> None:
        try:
            async with asyncio.timeout(SECONDS), self._house.transaction() as tx:
                now = self._house.clock.now()
                self._gauges = await read_gauges(tx, now)
                if with_numbers:
                    self._numbers = await read_numbers(tx, now)
                    self._numbers_at = self._read_at
        except DATABASE_ERRORS as lost:  # a time-out is one of them
            self._gauges = self._numbers = None
            self._numbers_at = float("-inf")
            log.warning("the books did not answer for /metrics (%s)", type(lost).__name__)


class Families:
    """The books as Prometheus reads them. What was not measured is absent, never 0 or 100 %."""

    def __init__(self, gauges: Gauges | None, numbers: Numbers | None, now: float) -> None:
        self._gauges, self._numbers, self._now = gauges, numbers, now

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        yield GaugeMetricFamily("ballast_books_up", "Whether the database answered", float(self._gauges is not None))
        if self._gauges is not None:
            yield from _orders(self._gauges)
            yield from _traffic(self._gauges)
            yield from _alarms(self._gauges)
        if self._numbers is not None:
            yield from _accuracy(self._numbers, self._now)
            yield from _hands(self._numbers)


def _by(label: str, name: str, help_: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"ballast_{name}", help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _plain(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ballast_{name}", help_, value)


def _orders(found: Gauges) -> Iterator[Metric]:
    yield _by("state", "orders", "Orders on their way", found.open)
    yield _plain("orders_estimate", "All orders in the books, finished ones too: the database's estimate", found.orders)
    yield _by("reason", "orders_held", "Orders on hold", found.held)
    yield _by("step", "step_oldest_due_seconds", "How long the oldest due order of a step has waited", found.overdue)


def _traffic(found: Gauges) -> Iterator[Metric]:
    yield _by("state", "inbox_messages", "Stored webhooks that have not acted yet", found.inbox)
    yield _plain("outbox_due", "Messages that are to be sent", found.outbox)
    yield _plain("outbox_oldest_due_seconds", "How long the oldest of them has been due", found.outbox_age)
    yield _plain("notices_unsent", "Tellings of alerts that are to be sent", found.notices)
    yield _plain("notice_oldest_due_seconds", "How long the oldest of them has been due", found.notice_age)


def _alarms(found: Gauges) -> Iterator[Metric]:
    by_level = found.alerts.items()
    yield _by("level", "alerts_open", "Alerts that have not ended", {k: v.open for k, v in by_level})
    unanswered = {k: v.unanswered for k, v in by_level}
    yield _by("level", "alerts_unanswered", "Alerts that nobody has acknowledged", unanswered)
    oldest = {k: v.oldest for k, v in by_level}
    yield _by("level", "alert_oldest_unanswered_seconds", "How long the oldest of them has rung", oldest)
    breaches = GaugeMetricFamily(
        "ballast_sla_breaches_open", "Orders past a threshold of the SLA policy", labels=["clock", "level"]
    )
    for key, count in found.breaches.items():
        breaches.add_metric(key, count)
    yield breaches


def _accuracy(found: Numbers, now: float) -> Iterator[Metric]:
    accuracy = found.accuracy
    if accuracy.measured_at is None:
        return
    by_system = {"overall": accuracy.overall, **accuracy.systems}
    shares = {k: v.share for k, v in by_system.items() if v.share is not None}
    yield _by("system", "status_accuracy", "Share of orders that are elsewhere what they are here", shares)
    asked = {k: v.asked for k, v in by_system.items()}
    yield _by("system", "status_asked", "Orders of the last reconciliation that a system answered for", asked)
    age = max(0.0, now - accuracy.measured_at.timestamp())
    yield _plain("reconciliation_age_seconds", "How long ago the last reconciliation ended", age)


def _hands(found: Numbers) -> Iterator[Metric]:
    response, hands = found.response, found.interventions
    minutes = {"mean": response.answered.mean, "p50": response.answered.p50, "p95": response.answered.p95}
    told = {k: v for k, v in minutes.items() if v is not None}
    yield _by("stat", "response_minutes", "From alert to a person acting, last 24 hours", told)
    yield _plain("orders_placed", "Orders placed in the last 24 hours", hands.orders)
    yield _plain("interventions", "What people did to them", hands.actions)
    if hands.per_order is not None:
        yield _plain("interventions_per_order", "The same per order", hands.per_order)
