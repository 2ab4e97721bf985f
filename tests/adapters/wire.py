"""A wire without a world: replies are given beforehand, requests are kept to look at."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

import adapters.http
from ballast.clock import Clock
from ballast.domain.money import Money
from ballast.ports import HookRequest, Line, Order, Parcel, Receiver

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
MACHINE = datetime(2026, 1, 2, 2, 0, tzinfo=UTC)  # 1767319200, the time of the sheets' vectors
BUSINESS = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)

Reply = httpx.Response | Exception | dict[str, Any] | bytes | Callable[[httpx.Request], httpx.Response]


def sample(path: str) -> bytes:
    return (SAMPLES / path).read_bytes()


@dataclass(frozen=True)
class StoppedClock(Clock):
    """Both times stand; `pass_seconds` moves the machine's."""

    passed: list[float] = field(default_factory=lambda: [0.0])

    def now(self) -> datetime:
        return BUSINESS

    def machine_now(self) -> datetime:
        return MACHINE + timedelta(seconds=self.passed[0])

    def pass_seconds(self, seconds: float) -> None:
        self.passed[0] += seconds


@dataclass
class Wire:
    """Answers in the given order; a request beyond the last reply fails the test."""

    replies: list[Reply]
    requests: list[httpx.Request] = field(default_factory=list)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0.001)  # a wire takes time: whoever does not wait for others is seen here
        assert self.replies, f"nobody expected {request.method} {request.url.path}"
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, httpx.Response):
            return reply
        if isinstance(reply, dict | bytes):
            return httpx.Response(200, content=reply if isinstance(reply, bytes) else orjson.dumps(reply))
        return reply(request)

    @property
    def paths(self) -> list[str]:
        return [request.url.path.rpartition("/")[2] for request in self.requests]

    def json(self, number: int) -> Any:
        return orjson.loads(self.requests[number].content)


def connect(monkeypatch: pytest.MonkeyPatch, *replies: Reply) -> Wire:
    """From here on every client is built upon this wire."""
    wire = Wire(list(replies))
    monkeypatch.setattr(adapters.http, "AiohttpTransport", lambda **_: httpx.MockTransport(wire.handle))
    return wire


def post(body: bytes, *, query: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> HookRequest:
    return HookRequest(method="POST", query=query or {}, headers=headers or {}, body=body)


def make_order(*parcels: Parcel, **changes: Any) -> Order:
    """The order of the sheets, with two SKUs."""
    values: dict[str, Any] = {
        "order_no": "SO20260102001",
        "channel": "wechat",
        "placed_at": MACHINE,
        "paid_at": MACHINE,
        "total": Money(11300),
        "freight": Money(0),
        "discount": Money(0),
        "customer_no": "C000123",
        "openid": "oTest0000000000000000000001",
        "receiver": Receiver(
            name="张三", mobile="13900000001", province="上海", city="上海市", district="青浦区", address="明珠路"
        ),
        "lines": (
            Line(line_no=1, sku="SKU-001", name="手机壳", quantity=2, unit_price=5000, amount=10000),
            Line(line_no=2, sku="SKU-002", name="数据线", quantity=1, unit_price=1300, amount=1300),
        ),
        "parcels": parcels,
        "transaction_id": "4200000000202601020000000001",
    }
    return Order(**{**values, **changes})
