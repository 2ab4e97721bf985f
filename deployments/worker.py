"""A worker of the pool that runs flows in its own process: no subprocess per run, so a rerun starts within seconds."""

import asyncio
import os
from typing import Any, Self

import anyio
import anyio.abc
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow_async
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from deployments.apply import flow_of
from deployments.stopping import UnderWay


class InProcessJob(ProcessJobConfiguration):
    """A run in this process needs no command, no environment, and nothing of the pool's template."""

    @classmethod
    async def resolve_for_flow_run(cls, flow_run: FlowRun, **_: Any) -> Self:
        """Preparing a subprocess would cost half a CPU second: every setting becomes text, three objects are read."""
        return cls(name=flow_run.name)


class HouseWorker(ProcessWorker):
    """Takes scheduled and manual runs of the pool `ballast`, like `prefect worker start`, and runs them right here.

    Safe beside other workers of the pool: the server hands each run to one of them.
    """

    job_configuration = InProcessJob

    def __init__(self, *, under_way: UnderWay | None = None, **named: Any) -> None:
        # a run that was taken before its time would hold up the end of this process, and a slot of its deployment
        super().__init__(**named, prefetch_seconds=0)
        self.under_way = under_way or UnderWay()

    @classmethod
    def __dispatch_key__(cls) -> str:
        return "ballast-in-process"  # the registry keeps Prefect's own process worker under `process`

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run one flow run to its end. A failed flow has told the server so itself: not the worker's failure."""
        if task_status is not None:
            task_status.started(os.getpid())
        deployment = await self.client.read_deployment(_required(flow_run.deployment_id))
        flow: Any = flow_of(_required(deployment.entrypoint))
        # without its parameters the engine would start it with an empty form
        run = run_flow_async(flow, flow_run=flow_run, parameters=flow_run.parameters, return_type="state")
        try:
            await self.under_way.run(run)
        except asyncio.CancelledError:
            if not self.under_way.ending:  # cut off while the process ends: it has told the server so itself
                raise
        return ProcessWorkerResult(status_code=0, identifier=str(os.getpid()))

    @property
    def busy(self) -> bool:
        """Whether it works on a run, or is about to."""
        return self._limiter is not None and self._limiter.borrowed_tokens > 0

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Take what has become due, unless this process is about to end."""
        return [] if self.under_way.ending else await super().get_and_submit_flow_runs()


def _required(value: Any) -> Any:
    assert value is not None, "a run of the pool `ballast` has a deployment with an entrypoint"
    return value
