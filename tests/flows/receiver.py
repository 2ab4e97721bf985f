"""A receiver of traces as every collector is one: OTLP over HTTP, its protobuf read by the protocol's own classes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Seen:
    """One span."""

    id: bytes
    parent: bytes
    trace: bytes
    name: str
    kind: int
    service: str
    attributes: dict[str, Any]
    failed: bool


@dataclass(slots=True)
class Receiver:
    """What came, raw and read."""

    port: int = 0
    raw: list[bytes] = field(default_factory=list)
    spans: dict[bytes, Seen] = field(default_factory=dict)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.raw.append(body)
        told = ExportTraceServiceRequest.FromString(body)
        for resource in told.resource_spans:
            service = {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"]
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                self.spans[span.span_id] = Seen(
                    span.span_id, span.parent_span_id, span.trace_id, span.name, span.kind, service,
                    {one.key: _value(one.value) for one in span.attributes}, span.status.code == 2,
                )  # fmt: skip
        return Response(b"", media_type="application/x-protobuf")

    def parent(self, span: Seen) -> Seen | None:
        return self.spans.get(span.parent)

    def of(self, system: str) -> list[Seen]:
        """Calls to, or webhooks of, a system."""
        return [span for span in self.spans.values() if span.attributes.get("ballast.system") == system]


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Listen on a free port until the context ends."""
    here = Receiver()
    app = Starlette(routes=[Route("/v1/traces", here.take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    here.port = server.servers[0].sockets[0].getsockname()[1]
    yield here
    server.should_exit = True
    await running
