"""The application: which path is answered by what."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route

from adapters.signing import reveal
from ballast.sending import send_due
from ballast.wiring import House, hooks
from web.alerts.page import AlertPage
from web.gate import Bearer, Gate
from web.health import Readiness, answer_health
from web.hooks.collector import GATHER, Collector, store_into
from web.hooks.control import ControlDoor
from web.hooks.door import Door
from web.metrics import Metrics
from web.orders.page import OrderPage
from web.quotes.desk import Desks
from web.quotes.door import ShopDoor, check_of, quote_of
from web.reports.files import ReportFiles
from web.returns.door import ReturnDoor
from web.stock.door import StockDoor


def make_app(house: House, *, gather: float = GATHER) -> Starlette:
    """The web process of a house. The caller closes the house. Raises `SettingsError`.

    `gather`: seconds for which a message waits for others, to be stored with them.
    """
    collector = Collector(store_into(house), gather=gather)
    orders = Collector(store_into(house), gather=gather)
    door = Door(hooks(house.settings), collector, house.clock, house.settings.limits, orders=orders)
    control, desks = _control(house), Desks(house)
    routes = [
        *([Route("/hooks/prefect", control.answer, methods=["POST"])] if control else []),
        Route("/hooks/{source}", door.answer, methods=["GET", "POST"]),
        Route("/health", answer_health),
        Route("/ready", Readiness(house).answer),
        Route("/metrics", Metrics(house).answer),
    ]
    shops, closing = _for_shops(house, desks)
    routes += shops
    if house.settings.console_key is not None:
        secret = reveal(house.settings.console_key, "BALLAST_CONSOLE_KEY")
        gate = Gate(house.settings.limits, house.clock)
        routes.append(Route("/orders/{order_no}", OrderPage(house, secret, gate).answer))
        routes.append(Route("/reports/{name}", ReportFiles(house, secret, gate).answer))
        routes.append(Route("/alerts/{alert_id}", AlertPage(house, secret, gate).answer, methods=["GET", "POST"]))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await collector.close()
        await orders.close()
        for close in closing:
            await close()
        await desks.close()
        door.close()
        if control is not None:
            control.close()

    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False  # a redirect would repeat whatever host the request names
    return app


def _for_shops(house: House, desks: Desks) -> tuple[list[Route], list[Callable[[], Awaitable[None]]]]:
    """What shops may ask, as far as there is a key for it, and what has to be closed at the end."""
    routes, closing = list[Route](), list[Callable[[], Awaitable[None]]]()
    if house.settings.quote_key is not None:
        key = reveal(house.settings.quote_key, "BALLAST_QUOTE_KEY")
        bearer = Bearer(key, house.settings.limits, house.clock)
        routes.append(Route("/quote", ShopDoor(house, bearer, quote_of).answer, methods=["POST"]))
        routes.append(Route("/orders/check", ShopDoor(house, bearer, check_of(desks)).answer, methods=["POST"]))
    if house.settings.stock_key is not None:
        stock = StockDoor(house, reveal(house.settings.stock_key, "BALLAST_STOCK_KEY"))
        routes.append(Route("/stock", stock.answer, methods=["GET"]))
        closing.append(stock.close)
    if house.settings.returns_key is not None:
        returns = ReturnDoor(house, reveal(house.settings.returns_key, "BALLAST_RETURNS_KEY"))
        routes.append(Route("/returns", returns.ask, methods=["POST"]))
        routes.append(Route("/returns/{number}", returns.show, methods=["GET"]))
    return routes, closing


def _control(house: House) -> ControlDoor | None:
    """The door of Prefect's automations, when they have a key."""
    key = house.settings.prefect_hook_key
    if key is None:
        return None
    return ControlDoor(house, reveal(key, "BALLAST_PREFECT_HOOK_KEY"), send_due)
