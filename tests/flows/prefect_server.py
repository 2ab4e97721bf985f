"""A real Prefect server for the flow tests: the process that `ballast up` starts, on a database of its own."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import prefect.context

from deployments.machine import prefect_env
from deployments.processes import child, free_port, modules, wait_until_up

SERVER = ("uvicorn", "--factory", "prefect.server.api.server:create_app", "--log-level", "warning", "--no-access-log")


@contextmanager
def prefect_process(database_url: str, home: Path, more: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Run the server until the context ends, with `more` in its environment; that of whoever talks to it."""
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    ours = prefect_env(api, home) | {"PREFECT_LOGGING_TO_API_ENABLED": "false"}
    servers = {
        "PREFECT_API_DATABASE_CONNECTION_URL": database_url,
        "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
        # nobody waits here for planned runs: without this the tests would share the machine with a scheduler
        "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    }
    command = modules(*SERVER, "--host", "127.0.0.1", "--port", str(port))
    with child("prefect", command, env={**ours, **servers, **(more or {})}, logs=home / "logs") as server:
        wait_until_up(server, f"{api}/health", seconds=120)
        yield ours


@contextmanager
def prefect_server(database_url: str, home: Path) -> Iterator[str]:
    """The server's API address; everything of this process and its children talks to it until the context ends."""
    with prefect_process(database_url, home) as env, _settings_of_this_process(env):
        yield env["PREFECT_API_URL"]


@contextmanager
def _settings_of_this_process(env: dict[str, str]) -> Iterator[None]:
    """Prefect read its settings when some other test imported it: make it read them again, now and at the end."""
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    prefect.context.refresh_global_settings_context()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        prefect.context.refresh_global_settings_context()
