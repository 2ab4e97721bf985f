"""Traces of flow, task and call, sent where the usual variables of OpenTelemetry say. Without them nothing is set up.

| variable | what it does |
|---|---|
| `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | where to; one turns traces on |
| `OTEL_TRACES_EXPORTER` | `otlp`, `console`, both, or `none`; `otlp` without an endpoint is localhost:4318 |
| `OTEL_SDK_DISABLED` | `true`: nothing, whatever else is set |
| `OTEL_SERVICE_NAME` | the name of this process; `ballast-serve` and `ballast-web` by default |

Everything else that the SDK reads (headers, sampling, batch sizes, `OTEL_RESOURCE_ATTRIBUTES`) works too. Prefect makes
the spans of flow and task runs by itself once a tracer provider is there.
"""

import os
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Final

from ballast.settings import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

PLACES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FAREWELL: Final = 1.0
"""Seconds at the end of a process for the spans that wait."""
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
TRACES_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
HTTP: Final = "http/protobuf"
EXPORTERS: Final = ("otlp", "console", "none")


def start_tracing(service: str) -> Callable[[], None]:
    """Set up what the environment asks for; call what it returns at the end, to send what waits.

    Raises `SettingsError` for an exporter or a protocol that there is not.
    """
    if not (exporters := wanted()):
        return _nothing
    # the SDK is imported only where it is used: it takes a tenth of a second
    from opentelemetry import trace
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {SERVICE_NAME: service})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(_make(exporter)))
    trace.set_tracer_provider(provider)

    def end() -> None:
        """Who receives them may be gone: this process does not stay for that."""
        last = Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(FAREWELL)

    return end


def _make(exporter: str) -> "SpanExporter":
    if exporter == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def wanted() -> list[str]:
    """Which exporters the environment asks for, none of them twice; empty: no traces. Raises `SettingsError`."""
    if _said("OTEL_SDK_DISABLED").lower() == "true":
        return []
    named = [one.strip().lower() for one in _said("OTEL_TRACES_EXPORTER").split(",") if one.strip()]
    if unknown := sorted(set(named) - set(EXPORTERS)):
        raise SettingsError(f"OTEL_TRACES_EXPORTER has {', '.join(unknown)}: it can have {', '.join(EXPORTERS)}")
    if not named and any(_said(place) for place in PLACES):
        named = ["otlp"]
    if "none" in named:
        return []
    if "otlp" in named and (spoken := _said(TRACES_PROTOCOL) or _said(PROTOCOL) or HTTP) != HTTP:
        raise SettingsError(f"{PROTOCOL} is {spoken}: traces are sent as {HTTP} only; point it at port 4318")
    return list(dict.fromkeys(named))


def _said(variable: str) -> str:
    return os.environ.get(variable, "").strip()


def _nothing() -> None:
    """Nothing was set up."""
