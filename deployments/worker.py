"""A worker of the pool that runs flows in its own process: no subprocess per run, so a rerun starts within seconds."""

import os
from typing import Any, Self

import anyio
import anyio.abc
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow_async
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from deployments.apply import flow_of


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
        await run_flow_async(flow, flow_run=flow_run, parameters=flow_run.parameters, return_type="state")
        return ProcessWorkerResult(status_code=0, identifier=str(os.getpid()))


def _required(value: Any) -> Any:
    assert value is not None, "a run of the pool `ballast` has a deployment with an entrypoint"
    return value
