"""`python -m deployments.prefect_server PORT`: the Prefect server of one machine, on loopback.

It has its port before it starts. Prefect takes seconds to start and binds at the end of them: of two machines that
were started together, one would take the other's server for its own.
"""

import socket
import sys

import uvicorn

from ballast.collector import spare_collector


class Server(uvicorn.Server):
    """Everything is loaded when it has started."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        spare_collector()


def main(port: int) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    try:
        door = socket.create_server(("127.0.0.1", port))
    except OSError as taken:
        raise SystemExit(
            f"the Prefect server does not start: port {port} cannot be opened ({taken.strerror}); "
            "another machine has just taken it: start again"
        ) from None
    config = uvicorn.Config(
        "prefect.server.api.server:create_app", factory=True, access_log=False, log_level="warning",
        timeout_graceful_shutdown=1,  # whoever still holds a connection does not hold up the end
    )  # fmt: skip
    Server(config).run(sockets=[door])


if __name__ == "__main__":
    main(int(sys.argv[1]))
