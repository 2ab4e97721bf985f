"""What this process counts while it works, for `/metrics`. No label holds an order number, a secret or a vendor's text:
every label has few values, all of them from our own code."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # the package has it without types
"""Half of the lines of every answer, and nobody reads them."""

COUNTED: Final = CollectorRegistry()
ProcessCollector(registry=COUNTED)  # memory, CPU seconds and open files of this process

ADAPTER_CALLS: Final = Counter(
    "ballast_adapter_calls",
    "Calls to another system. outcome: answered, refused (4xx), unavailable, unknown, cut_off, failed",
    ("system", "method", "outcome"),
    registry=COUNTED,
)
ADAPTER_SECONDS: Final = Histogram(
    "ballast_adapter_call_seconds",
    "How long calls to another system took, repeats after blips included, the wait for a turn not",
    ("system", "method", "outcome"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    registry=COUNTED,
)
WEBHOOKS: Final = Counter(
    "ballast_webhooks",
    "Webhooks received. outcome: accepted, or the HTTP status of the refusal",
    ("source", "outcome"),
    registry=COUNTED,
)
RUN_OUTCOMES: Final = Counter(
    "ballast_run_outcomes",
    "What became of the orders and messages that runs took",
    ("flow", "outcome"),
    registry=COUNTED,
)
CHUNKS: Final = Counter(
    "ballast_chunks",
    "Chunks that runs worked on. outcome: done, failed, cut_off",
    ("flow", "outcome"),
    registry=COUNTED,
)
