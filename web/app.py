"""The application: which path is answered by what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route

from adapters.signing import reveal
from ballast.wiring import House, hooks
from web.health import Readiness, answer_health
from web.hooks.collector import GATHER, Collector, store_into
from web.hooks.door import Door
from web.metrics import Metrics
from web.orders.page import OrderPage


def make_app(house: House, *, gather: float = GATHER) -> Starlette:
    """The web process of a house. The caller closes the house. Raises `SettingsError`.

    `gather`: seconds for which a message waits for others, to be stored with them.
    """
    collector = Collector(store_into(house), gather=gather)
    door = Door(hooks(house.settings), collector, house.clock, house.settings.limits)
    routes = [
        Route("/hooks/{source}", door.answer, methods=["GET", "POST"]),
        Route("/health", answer_health),
        Route("/ready", Readiness(house).answer),
        Route("/metrics", Metrics(house).answer),
    ]
    if house.settings.console_key is not None:
        page = OrderPage(house, reveal(house.settings.console_key, "BALLAST_CONSOLE_KEY"))
        routes.append(Route("/orders/{order_no}", page.answer))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await collector.close()
        door.close()

    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False  # a redirect would repeat whatever host the request names
    return app
