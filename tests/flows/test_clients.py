"""The runs of a long-lived process share its connection to the Prefect server."""

from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, SyncPrefectClient

from deployments.clients import shared_clients
from flows.read_inbox import read_inbox
from flows.send_outbox import send_outbox
from tests.flows.stage import Stage, run


async def test_no_run_makes_a_client_of_its_own(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def count(kind: type[Any]) -> None:
        make = kind.__init__

        def counted(self: Any, *given: Any, **named: Any) -> None:
            made.append(kind.__name__)
            make(self, *given, **named)

        monkeypatch.setattr(kind, "__init__", counted)

    count(PrefectClient)
    count(SyncPrefectClient)
    await stage.handed_over()
    async with shared_clients():
        await run(read_inbox)  # the first one sets up what the process keeps
        assert made
        made.clear()
        for flow in (read_inbox, send_outbox, read_inbox):
            assert (await run(flow)).green
    assert made == []
    await run(read_inbox)
    assert made
