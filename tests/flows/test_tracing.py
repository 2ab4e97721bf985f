"""Traces over the wire: flow, task and call hang together, webhooks have their own, and no secret is in any of them."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ballast.domain.words import State
from ballast.settings import SettingsError
from ballast.tracing import start_tracing, wanted
from deployments.processes import free_port
from tests.contracts.outside import secrets
from tests.flows.receiver import Receiver, Seen, receiving
from tests.flows.serving import environment, until
from tests.flows.stage import Stage
from tests.web.senders import kdniao

CLIENT, SERVER = 3, 2


def every_secret() -> Iterator[str]:
    """Whatever could open something, and is long enough to be told from other text."""
    for system in secrets().values():
        for name, value in system.items():
            if any(word in name for word in ("secret", "key", "token", "sign")) and len(value) > 6:
                yield value


def ancestors(here: Receiver, span: Seen) -> list[str]:
    """What kind of run each is that a span stands under, the nearest first."""
    found = []
    while (above := here.parent(span)) is not None:
        found.append(str(above.attributes.get("prefect.run.type", above.name)))
        span = above
    return found


RUN = """
import asyncio, sys
from ballast.tracing import start_tracing
end = start_tracing("ballast-serve")
from ballast.wiring import close_house
from flows.lock_stock import lock_stock
from flows.ship_out import ship_out

async def main():
    for flow in sys.argv[1:]:
        await {"lock-stock": lock_stock, "ship-out": ship_out}[flow](return_state=True)
    await close_house()

asyncio.run(main())
end()
"""
"""What the long-lived process does, for flows that are named, and then no more."""


async def run_flows(stage: Stage, url: str, here: Receiver, *flows: str) -> None:
    env = environment(url, stage.world, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{here.port}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, *flows, cwd="/tmp", env=env, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, said.decode()


async def test_a_call_stands_under_its_task_and_the_task_under_its_flow(stage: Stage, books_url: str) -> None:
    order_no = await stage.paid()
    async with receiving() as here:
        await run_flows(stage, books_url, here, "lock-stock", "ship-out")
    assert await stage.state(order_no) is State.STOCK_LOCKED
    for system, path in (("kingdee", "/kingdee/{}/Kingdee.BOS.WebApi"), ("qimen", "/")):
        calls = here.of(system)
        assert calls, system
        for call in calls:
            task = here.parent(call)
            assert ancestors(here, call)[:2] == ["task", "flow"], (call.name, ancestors(here, call))
            assert task is not None and task.trace == call.trace
            assert call.kind == CLIENT and call.service == "ballast-serve" and not call.failed
            assert call.attributes["url.template"].startswith(path) and call.attributes["http.request.method"] == "POST"
            assert call.attributes["ballast.outcome"] == "answered" and call.attributes["ballast.attempts"] == 1
            assert call.attributes["http.response.status_code"] == 200
    assert {"Save", "Submit", "Audit"} <= {call.attributes["ballast.method"] for call in here.of("kingdee")}
    [created] = [call for call in here.of("qimen") if call.attributes["ballast.method"] == "deliveryorder.create"]
    assert created.attributes["ballast.order_no"] == order_no and created.name == "qimen deliveryorder.create"
    flow_names = {span.name for span in here.spans.values() if span.attributes.get("prefect.run.type") == "flow"}
    assert {"lock-stock", "ship-out"} <= flow_names
    nothing_secret(here)


async def test_a_call_that_fails_says_so_and_still_no_secret(stage: Stage, books_url: str) -> None:
    await stage.locked()
    await stage.world.faults(system="qimen", error_rate=1.0)
    async with receiving() as here:
        await run_flows(stage, books_url, here, "ship-out")
    calls = here.of("qimen")
    assert calls and all(call.failed for call in calls)
    assert {call.attributes["ballast.outcome"] for call in calls} <= {"unknown", "unavailable"}
    assert {tuple(ancestors(here, call)[:2]) for call in calls} == {("task", "flow")}
    nothing_secret(here)


@pytest.mark.parametrize("module", ["web", "deployments.serve"])
async def test_a_process_with_an_unknown_exporter_does_not_start(stage: Stage, books_url: str, module: str) -> None:
    env = environment(books_url, stage.world, OTEL_TRACES_EXPORTER="zipkin")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd="/tmp", env=env, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1 and b"does not start: OTEL_TRACES_EXPORTER has zipkin" in said
    assert b"Traceback" not in said


def nothing_secret(here: Receiver) -> None:
    everything = b"".join(here.raw)
    assert everything
    for secret in every_secret():
        assert secret.encode() not in everything, secret
    for word in (b"access_token", b"sign=", b"app_key=", b"customerId=", b"traceparent="):
        assert word not in everything, "a query"
    for span in here.spans.values():
        assert not [one for one in span.attributes.values() if "?" in str(one) and "http" in str(one)], span
        assert "url.full" not in span.attributes and "http.url" not in span.attributes


async def test_a_webhook_has_a_span_of_its_own(stage: Stage, books_url: str) -> None:
    port = free_port()
    async with receiving() as here:
        env = environment(
            books_url, stage.world, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://127.0.0.1:{here.port}/v1/traces",
            OTEL_SERVICE_NAME="our-door",
        )  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "web", "--port", str(port), cwd="/tmp", env=env, stderr=asyncio.subprocess.PIPE
        )
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            await until(lambda: _answers(http))
            assert (await kdniao().post(http)).status_code == 200
            false = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
            await http.post("/hooks/qimen?sign=forged", content=b"forged", headers=false)
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)
        assert process.returncode == 0
    [good], [bad] = here.of("kdniao"), here.of("qimen")
    assert (good.name, good.kind, good.service) == ("POST /hooks/kdniao", SERVER, "our-door")
    assert good.attributes["ballast.outcome"] == "accepted" and good.attributes["http.route"] == "/hooks/{source}"
    assert bad.attributes["http.response.status_code"] == 401 and bad.parent == b""
    assert bad.trace.hex() != false["traceparent"].split("-")[1], "nobody outside says where our traces belong"
    assert b"forged" not in b"".join(here.raw)
    nothing_secret(here)


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/health")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("env", "exporters"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "x"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h:4318/v1/traces"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, []),
        ({"OTEL_TRACES_EXPORTER": "console"}, ["console"]),
        ({"OTEL_TRACES_EXPORTER": "otlp, Console,otlp"}, ["otlp", "console"]),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"}, []),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"}, []),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"}, ["otlp"]),
    ],
)
def test_the_usual_variables_switch_it(
    env: dict[str, str], exporters: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _only(monkeypatch, env)
    assert wanted() == exporters


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER has zipkin"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf only"),
    ],
)
def test_what_there_is_not_is_refused(env: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, env)
    with pytest.raises(SettingsError, match=says):
        start_tracing("x")


def _only(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)


async def test_without_them_the_sdk_is_not_even_imported() -> None:
    code = (
        "import sys; from ballast.tracing import start_tracing; start_tracing('x')(); import adapters.http, web.app; "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    said = await _python(code, {})
    assert said == "[]\n"


async def test_a_receiver_that_is_gone_does_not_hold_up_the_end() -> None:
    code = (
        "import time; from ballast.tracing import start_tracing; end = start_tracing('x'); "
        "from opentelemetry import trace; trace.get_tracer('t').start_span('s').end(); began = time.monotonic(); "
        "end(); print(time.monotonic() - began < 5)"
    )
    assert await _python(code, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}) == "True\n"


async def _python(code: str, env: dict[str, Any]) -> str:
    import os

    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env={**clean, **env}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode()
