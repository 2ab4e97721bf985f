"""`python -m web`: the webhook door and the order pages, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette

from ballast.collector import spare_collector
from ballast.settings import Settings, SettingsError, settings
from ballast.tracing import start_tracing
from ballast.wiring import close_house, house
from web.app import make_app
from web.protocol import BoundedProtocol

log = logging.getLogger("web")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until told to stop; messages that wait are stored first. Unusable settings end it with their names."""
    parser = argparse.ArgumentParser(prog="python -m web", description=__doc__)
    parser.add_argument("--port", type=int, help="instead of BALLAST_WEB_PORT")
    port: int | None = parser.parse_args(arguments).port
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # uvicorn raises the signal again once it has stopped: it has done its work by then
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        end_tracing = start_tracing("ballast-web")
        loop = uvicorn.Config("web.app:make_app", log_config=None).get_loop_factory()  # uvloop where there is one
        try:
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(serve(port))
        finally:
            end_tracing()
    except SettingsError as wrong:
        raise SystemExit(f"web does not start: {wrong}") from None


async def serve(port: int | None) -> None:
    """Serve this process's house and close it."""
    config = settings()
    here = await house()
    try:
        if not any((config.qimen, config.kdniao, config.wechat, config.wechatpay, config.direct)):
            log.warning("no system is configured, so every webhook will be answered with 404; see README.md")
        server = uvicorn.Server(server_config(make_app(here), config, port))
        spare_collector()
        await server.serve()
    finally:
        await close_house()


def server_config(app: Starlette, config: Settings, port: int | None = None) -> uvicorn.Config:
    """How uvicorn serves it: no access log (query strings hold signatures), connections kept for the vendors."""
    logging.getLogger("uvicorn.access").disabled = True  # whoever configures logging in this process
    return uvicorn.Config(
        app, host=config.web_host, port=config.web_port if port is None else port, access_log=False, log_config=None,
        http=BoundedProtocol, ws="none", server_header=False, timeout_keep_alive=30, timeout_graceful_shutdown=8,
    )  # fmt: skip


if __name__ == "__main__":
    main()
