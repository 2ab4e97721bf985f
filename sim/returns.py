"""Returns, step by step, for tests and demonstrations: the customer asks, the goods come in, what there is."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sim.clock import zoned_text
from sim.life import Impossible, News
from sim.records import ReturnedGoods
from sim.steps import FIRST_TRY_SECONDS, describe_hook
from sim.systems.qimen.returns import write_return
from sim.webhooks import Webhook
from sim.wire import answering
from sim.world import UnknownOrder, World


class ReturnRoom:
    def __init__(self, world: World, news: News) -> None:
        self._world, self._news = world, news

    def mount(self, app: web.Application) -> None:
        app.router.add_get("/world/returns", answering(self._tell))
        app.router.add_post("/world/returns/{code}/confirm", answering(self._confirm))
        app.router.add_post("/world/orders/{no}/ask-return", answering(self._ask))

    async def _tell(self, _: web.Request, __: dict[str, Any]) -> dict[str, Any]:
        return {"returns": [describe_return(back) for back in self._world.returns.values()]}

    async def _ask(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        """The shop tells us of a return: `lines`, `reason`, `exchange` as our side reads them."""
        order = self._world.find(request.match_info["no"])
        asked = {"order_no": order.no, "requested_at": zoned_text(self._world.clock.now()), **body}
        asked.setdefault("customer_no", order.customer.no)
        return {"sent": await tell_sent(self._world, self._news.direct.return_requested(order, asked))}

    async def _confirm(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        """Goods are in: `items` [{sku, good, damaged}], all that is missing, as good, when left out; `final`."""
        back = self._world.returns.get(request.match_info["code"])
        if back is None:
            raise UnknownOrder(f"the warehouse has no return order {request.match_info['code']}")
        came = body.get("items") or [{"sku": line.sku, "good": line.plan - line.actual} for line in back.lines]
        hook = self._take_in(back, came, final=bool(body.get("final", True)))
        return {"sent": await tell_sent(self._world, hook)}

    def _take_in(self, back: ReturnedGoods, came: list[Mapping[str, Any]], *, final: bool) -> Webhook:
        if back.closed:
            raise Impossible(f"return order {back.code} is confirmed already")
        for one in came:
            sku, good, damaged = str(one["sku"]), int(one.get("good", 0)), int(one.get("damaged", 0))
            self._world.stocks.wms.levels[back.warehouse, sku].take_back(good)
            for line in back.lines:
                if line.sku == sku:
                    line.actual += good + damaged
        back.confirms += 1
        back.closed = final
        at = self._world.clock.now()
        document = write_return(back, came, final=final, number=back.confirms, at=at)
        return self._news.qimen.returned(back, document)


async def tell_sent(world: World, hook: Webhook) -> list[dict[str, Any]]:
    """After its first try, so that the message is known to be there or not."""
    if world.sender.hooks_known:
        await asyncio.wait([hook.first], timeout=FIRST_TRY_SECONDS)
    return [describe_hook(hook)]


def describe_return(back: ReturnedGoods) -> dict[str, Any]:
    return {
        "return_no": back.code,
        "order_no": back.order.no,
        "order_type": back.order_type,
        "warehouse": back.warehouse,
        "lines": [{"sku": line.sku, "plan": line.plan, "actual": line.actual} for line in back.lines],
        "confirms": back.confirms,
    }
