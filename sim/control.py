"""The control room: /world/... starts, steers, disturbs and questions the world. Described in README.md."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sim.autopilot import Autopilot
from sim.catalogue import ARTICLE, ARTICLES, STOCK_OF_WAREHOUSE, one_place_skus
from sim.coming_back import ComingBack
from sim.life import Life
from sim.records import Warehouse
from sim.systems.robots import Robot
from sim.systems.wechat.gate import WechatGate
from sim.truth import Witness
from sim.wire import answering
from sim.world import UnknownOrder, World

MAX_PAGE = 1000
DEFAULT_ROBOT = "dingtalk"


class ControlRoom:
    def __init__(
        self,
        world: World,
        life: Life,
        autopilot: Autopilot,
        witness: Witness,
        robots: Mapping[str, Robot],
        shop: WechatGate,
        back: ComingBack,
    ) -> None:
        self._world = world
        self._life = life
        self._autopilot = autopilot
        self._witness = witness
        self._robots = robots
        self._shop = shop
        self._back = back

    def mount(self, app: web.Application) -> None:
        gets = {
            "/world/catalogue": self._catalogue,
            "/world/faults": self._faults,
            "/world/truth": self._truth,
            "/world/effects": self._effects,
            "/world/progress": self._progress,
            "/world/messages": self._messages,
            "/world/calls": self._calls,
        }
        posts = {
            "/world/start": self._start,
            "/world/hooks": self._hooks,
            "/world/faults": self._command_faults,
            "/world/settle": self._settle,
            "/world/stock": self._stock,
            "/world/robot": self._command_robot,
            "/world/warehouse": self._command_warehouse,
            "/world/tokens/expire": self._expire,
            "/world/calls": self._count_anew,
        }
        app.router.add_routes(
            [web.get(path, answering(act)) for path, act in gets.items()]
            + [web.post(path, answering(act)) for path, act in posts.items()]
        )

    async def _start(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        orders, rate = int(body["orders"]), float(body.get("per_second", 25.0))
        if not body.get("keep_stock"):
            total = self._world.stocks.orders_planned + int(body.get("stock_for", orders))
            self._world.stocks.plan_for(total, self._world.scarce)
            for sku, only in one_place_skus(self._world.config.seed).items() if body.get("spread") else ():
                self._world.stocks.grant_only(only, sku)
        self._autopilot.refuses = float(body.get("refuses", self._autopilot.refuses))
        self._back.share = float(body.get("returns", self._back.share))
        if orders:
            self._autopilot.start(orders, rate, float(body.get("pay_twice", 0.0)))
        return {"placing": orders, "per_second": rate}

    async def _hooks(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        self._world.sender.set_hooks(body["hooks"])
        return {"hooks": body["hooks"]}

    async def _faults(self, _: web.Request, __: dict[str, Any]) -> dict[str, Any]:
        return self._world.faults.describe()

    async def _command_faults(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        self._world.faults.command(body)
        return self._world.faults.describe()

    async def _settle(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        self._life.flush_pushes()
        settled = await self._world.sender.settle(float(body.get("timeout", 30.0)))
        return {"settled": settled, "pending": self._world.sender.pending}

    async def _stock(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        sku, warehouse = str(body["sku"]), body.get("warehouse")
        if sku not in ARTICLE:
            raise UnknownOrder(f"there is no article {sku}; see /world/catalogue")
        for place in [warehouse] if warehouse else STOCK_OF_WAREHOUSE:
            self._world.stocks.grant(place, sku, int(body["quantity"]))
        return {"sku": sku, "quantity": int(body["quantity"])}

    async def _command_warehouse(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        wait = body.get("batch_seconds")
        self._world.warehouse = Warehouse(
            batchcreate=bool(body.get("batchcreate", True)),
            batch_seconds=None if wait is None else float(wait),
            refuses=frozenset(map(str, body.get("refuses") or ())),
        )
        return {**asdict(self._world.warehouse), "refuses": sorted(self._world.warehouse.refuses)}

    async def _command_robot(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        name = str(body.pop("robot", DEFAULT_ROBOT))
        robot = self._find_robot(name)
        robot.command(body)
        return {"robot": name, **asdict(robot.limits), "refuse": robot.refuse}

    def _find_robot(self, name: str) -> Robot:
        if name not in self._robots:
            raise UnknownOrder(f"there is no robot {name!r}; there are {', '.join(self._robots)}")
        return self._robots[name]

    async def _expire(self, _: web.Request, __: dict[str, Any]) -> dict[str, Any]:
        self._shop.expire_tokens()
        return {"expired": True}

    async def _catalogue(self, _: web.Request, __: dict[str, Any]) -> dict[str, Any]:
        return {"articles": [self._describe_article(article.sku) for article in ARTICLES]}

    def _describe_article(self, sku: str) -> dict[str, Any]:
        article, erp = ARTICLE[sku], self._world.stocks.erp
        stock = {warehouse: erp.levels[place, sku].on_hand for warehouse, place in STOCK_OF_WAREHOUSE.items()}
        scarce = sku in self._world.scarce
        return {"sku": sku, "name": article.name, "price": article.price, "stock": stock, "scarce": scarce}

    async def _truth(self, request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
        limit = min(int(request.query.get("limit", MAX_PAGE)), MAX_PAGE)
        return self._witness.tell_orders(request.query.get("after", ""), limit)

    async def _effects(self, _: web.Request, __: dict[str, Any]) -> dict[str, Any]:
        return self._witness.tell_effects()

    async def _progress(self, _: web.Request, __: dict[str, Any]) -> dict[str, Any]:
        return self._witness.tell_progress(self._autopilot.placing)

    async def _calls(self, _: web.Request, __: dict[str, Any]) -> dict[str, Any]:
        return self._world.traffic.tell()

    async def _count_anew(self, _: web.Request, __: dict[str, Any]) -> dict[str, Any]:
        self._world.traffic.begin_anew()
        return {"counting": "anew"}

    async def _messages(self, request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
        return {"messages": self._find_robot(request.query.get("robot", DEFAULT_ROBOT)).messages}
