"""Returns, step by step, for tests and demonstrations: the customer asks, the goods come in, what there is."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from sim.clock import zoned_text
from sim.life import Life
from sim.records import ReturnedGoods
from sim.steps import FIRST_TRY_SECONDS, describe_hook
from sim.webhooks import Webhook
from sim.wire import answering
from sim.world import UnknownOrder, World


class ReturnRoom:
    def __init__(self, world: World, life: Life) -> None:
        self._world, self._life = world, life

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
        return {"sent": await tell_sent(self._world, self._life.ask_return(order, asked))}

    async def _confirm(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        """Goods are in: `items` [{sku, good, damaged}], all that is missing, as good, when left out; `final`."""
        back = self._world.returns.get(request.match_info["code"])
        if back is None:
            raise UnknownOrder(f"the warehouse has no return order {request.match_info['code']}")
        came = body.get("items") or [{"sku": sku, "good": pieces} for sku, pieces in back.missing.items()]
        hooks = self._life.take_back(back, came, self._world.clock.now(), final=bool(body.get("final", True)))
        return {"sent": await tell_sent(self._world, hooks)}


async def tell_sent(world: World, hooks: Sequence[Webhook]) -> list[dict[str, Any]]:
    """After its first try, so that the message is known to be there or not."""
    if world.sender.hooks_known:
        await asyncio.wait([hook.first for hook in hooks], timeout=FIRST_TRY_SECONDS)
    return [describe_hook(hook) for hook in hooks]


def describe_return(back: ReturnedGoods) -> dict[str, Any]:
    return {
        "return_no": back.code,
        "order_no": back.order.no,
        "order_type": back.order_type,
        "warehouse": back.warehouse,
        "lines": [{"sku": line.sku, "plan": line.plan, "actual": line.actual} for line in back.lines],
        "confirms": back.confirms,
    }
