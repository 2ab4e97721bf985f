"""A whole machine for one seller: database, Prefect server, web process, serve process. `ballast up` and the demo."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Final

from ballast.db.embedded import EmbeddedServer, embedded_server
from ballast.db.upgrade import create_database, upgrade
from ballast.settings import Settings, SettingsError
from deployments.processes import Child, child, ending_together, free_port, modules, wait_until_up

RUNNING = "running.json"

KEPT_SMALL: Final = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "604800",  # runs, a week: Prefect's own is 90 days
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P2D",  # each run makes about twenty: Prefect's own is a week
}
"""What keeps the Prefect server's tables small. Every hour it takes away what is older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is running, and where to look."""

    database_url: str
    prefect_url: str
    web_url: str
    children: tuple[Child, ...]
    env: Mapping[str, str]
    postgres: EmbeddedServer | None  # None: the configured server is not ours to watch

    def revive(self) -> list[str]:
        """Start again what has ended by itself; a sentence for each. Raises `StartFailed` when one cannot live."""
        said = [one.revive() for one in self.children]
        if self.postgres is not None and self.postgres.revive():
            said.append("PostgreSQL had ended and was started again")
        return [what for what in said if what]

    def child(self, name: str) -> Child:
        return next(one for one in self.children if one.name == name)


@dataclass(frozen=True, slots=True)
class Databases:
    """URLs of Ballast's and Prefect's databases, and the embedded server if it is ours."""

    ours: str
    prefects: str
    embedded: EmbeddedServer | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """Where Prefect's automations reach the web process, and the key that they show there."""

    url: str
    key: str = field(repr=False)

    @classmethod
    def of(cls, settings: Settings, web_port: int) -> "Hook":
        """As configured; what is not is made up for this start: server and web process are both ours."""
        key = settings.prefect_hook_key
        url = settings.prefect_hook_url or f"http://127.0.0.1:{web_port}/hooks/prefect"
        return cls(url, key.get_secret_value() if key is not None else token_hex(24))

    def as_env(self) -> dict[str, str]:
        return {"BALLAST_PREFECT_HOOK_URL": self.url, "BALLAST_PREFECT_HOOK_KEY": self.key}


@contextmanager
def database(settings: Settings, *, fresh: bool = False) -> Iterator[Databases]:
    """Where the databases are; starts the embedded server when none is configured."""
    with ExitStack() as stack:
        if settings.database_url is not None:
            if settings.prefect_database_url is None:
                raise SettingsError("BALLAST_PREFECT_DATABASE_URL is not set: Prefect needs a database of its own")
            found = Databases(
                settings.database_url.get_secret_value(), settings.prefect_database_url.get_secret_value()
            )
        else:
            server = stack.enter_context(embedded_server((settings.home / "postgres").resolve()))
            found = Databases(server.url("ballast"), server.url("prefect"), server)
            asyncio.run(_create(found.ours, fresh=fresh))
        asyncio.run(upgrade(found.ours))
        yield found


async def _create(url: str, *, fresh: bool) -> None:
    for name in ("ballast", "prefect"):
        await create_database(url, name, fresh=fresh)


def prefect_env(api_url: str, home: Path) -> dict[str, str]:
    """What every process that talks to our Prefect server is told."""
    return {
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str((home / "prefect").resolve()),
        "PREFECT_LOGGING_LEVEL": os.environ.get("PREFECT_LOGGING_LEVEL", "WARNING"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "3",  # a rerun from the form starts within seconds
        # Prefect lists all time zones for every schedule that it reads: from the tzdata package, not from the disk
        "PYTHONTZPATH": "",
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",  # the server does not ask for it: one request less per client
    }


def server_env(database_url: str, port: int) -> dict[str, str]:
    return {
        "PREFECT_API_DATABASE_CONNECTION_URL": database_url,
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
        **KEPT_SMALL,
        # events and task runs are written together, once a second, instead of one by one
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    }


@contextmanager
def machine(
    settings: Settings,
    *,
    env: Mapping[str, str] | None = None,
    fresh: bool = False,
    root: Path | None = None,
    serves: int = 1,
) -> Iterator[Machine]:
    """Start everything, in the order in which one needs the other; stop our own processes together, then the rest.

    `env` is added to every process (the demo's settings); `fresh` empties the embedded databases first. The
    Prefect server takes its usual port when it is free. `root` is where other commands look for what is running;
    `serves` how many serve processes (listener and worker) share the work.
    """
    prefect_port, logs = _port(4200), settings.home / "logs"
    api, web_url = f"http://127.0.0.1:{prefect_port}/api", f"http://127.0.0.1:{settings.web_port}"
    with ExitStack() as stack:
        found = stack.enter_context(database(settings, fresh=fresh))
        both = {**(env or {}), **prefect_env(api, settings.home), "BALLAST_DATABASE_URL": found.ours}
        served = {**both, **server_env(found.prefects, prefect_port)}
        server = stack.enter_context(
            child("prefect", modules("deployments.prefect_server", str(prefect_port)), env=served, logs=logs)
        )
        if "web_url" not in settings.model_fields_set:
            both |= {"BALLAST_WEB_URL": web_url}
        hook = Hook.of(settings, settings.web_port)
        both |= hook.as_env()
        web = stack.enter_context(child("web", modules("web", "--port", str(settings.web_port)), env=both, logs=logs))
        wait_until_up(server, f"{api}/health", seconds=120)
        children = [server, web]
        stack.enter_context(_environment(both))
        _apply_deployments(hook)
        for name in ["serve"] if serves == 1 else [f"serve-{number}" for number in range(1, serves + 1)]:
            children.append(stack.enter_context(child(name, modules("deployments.serve"), env=both, logs=logs)))
        wait_until_up(web, f"{web_url}/ready")
        stack.enter_context(ending_together(children[1:]))  # the Prefect server comes last: runs report to it
        stack.enter_context(_told(both, root or settings.home))
        yield Machine(
            database_url=found.ours,
            prefect_url=f"http://127.0.0.1:{prefect_port}",
            web_url=web_url,
            children=tuple(children),
            env=both,
            postgres=found.embedded,
        )


@contextmanager
def _told(env: Mapping[str, str], root: Path) -> Iterator[None]:
    """Leave the settings of what is running where commands of other terminals find them, readable by us only."""
    file = root / RUNNING
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps({**env, "pid": os.getpid()}), encoding="utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def read_running(root: Path) -> dict[str, str]:
    """The settings of the machine that runs in this folder; empty when none does."""
    file = root / RUNNING
    if not file.is_file():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    try:
        os.kill(found.pop("pid"), 0)
    except ProcessLookupError:
        return {}
    return dict(found)


def _apply_deployments(hook: Hook) -> None:
    from deployments.apply import apply_all  # Prefect reads PREFECT_API_URL when it is imported

    asyncio.run(apply_all(hook.url, hook.key))


@contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    """This process, too, talks to the server that it started."""
    before = dict(os.environ)
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _port(wanted: int) -> int:
    """The usual port when it is free, else any: two machines on one host do not get in each other's way."""
    with socket.socket() as probe:
        return wanted if probe.connect_ex(("127.0.0.1", wanted)) else free_port()
