"""One order, step by step: every call makes one thing happen now and tells which messages were sent."""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import web

from sim.autopilot import Autopilot
from sim.catalogue import ARTICLE
from sim.life import Impossible, Life, PackageSpec
from sim.people import Customer, Receiver
from sim.records import Line, Order
from sim.script import Kind, OrderScript, write_script
from sim.truth import Witness
from sim.webhooks import Webhook
from sim.wire import answering
from sim.world import UnknownOrder, World, make_order

FIRST_TRY_SECONDS = 6.0

Step: TypeAlias = Callable[[str, Mapping[str, Any], float], list[Webhook]]


class StepRoom:
    def __init__(self, world: World, life: Life, autopilot: Autopilot, witness: Witness) -> None:
        self._world = world
        self._life = life
        self._autopilot = autopilot
        self._witness = witness

    def mount(self, app: web.Application) -> None:
        steps: dict[str, Step] = {
            "pay": self._pay,
            "ship": self._ship,
            "report": self._report,
            "lack": self._lack,
            "scan": self._scan,
            "sign": self._sign,
            "receive": self._receive,
            "refunded": self._refunded,
        }
        app.router.add_post("/world/orders", answering(self._place))
        app.router.add_get("/world/orders/{no}", answering(self._tell))
        for name, step in steps.items():
            app.router.add_post(f"/world/orders/{{no}}/{name}", answering(self._walk(step)))

    def _walk(self, step: Step) -> Callable[[web.Request, dict[str, Any]], Any]:
        async def act(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
            hooks = step(request.match_info["no"], body, self._world.clock.now())
            return {"sent": await self._tell_sent(hooks)}

        return act

    async def _tell_sent(self, hooks: list[Webhook]) -> list[dict[str, Any]]:
        """Waits for the first try of each, so that after the answer the message is known to be there or not."""
        if hooks and self._world.sender.hooks_known:
            await asyncio.wait([hook.first for hook in hooks], timeout=FIRST_TRY_SECONDS)
        return [describe_hook(hook) for hook in hooks]

    async def _place(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        order = self._read_order(body)
        if order.no in self._world.orders:
            raise Impossible(f"order {order.no} exists already")
        hooks = self._autopilot.place(order) if order.automatic else self._life.place(order)
        return {"order": self._witness.tell_order(order), "sent": await self._tell_sent(hooks)}

    def _read_order(self, body: Mapping[str, Any]) -> Order:
        k = self._autopilot.next_k()
        kind = Kind(body["script"]) if "script" in body else None
        script = write_script(self._world.config.seed, k, kind)
        order = make_order(
            str(body.get("order_no") or self._autopilot.number(k)),
            k,
            script,
            math.floor(self._world.clock.now()),
            lines=[read_line(number, line) for number, line in enumerate(body.get("lines") or [], 1)] or None,
            customer=read_customer(body, script),
            receiver=read_receiver(body, script),
        )
        order.freight = int(body.get("freight", order.freight))
        order.discount = int(body.get("discount", order.discount))
        order.automatic = bool(body.get("automatic", self._world.config.autopilot))
        return order

    async def _tell(self, request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
        return self._witness.tell_order(self._world.find(request.match_info["no"]))

    def _pay(self, no: str, body: Mapping[str, Any], at: float) -> list[Webhook]:
        order, amount = self._world.find(no), body.get("amount")
        if order.payments and not body.get("twice"):
            raise Impossible(f"order {no} is paid already; say twice: true for a second charge")
        after = float(body.get("visible_after_seconds", 0.0))
        hooks = [] if order.payments else self._life.pay(order, at, amount, after)
        return hooks + (self._life.pay(order, at, amount, after) if body.get("twice") else [])

    def _ship(self, no: str, body: Mapping[str, Any], at: float) -> list[Webhook]:
        packages = [read_package(package) for package in body.get("packages") or []]
        return self._life.ship(self._world.find_delivery(no), at, packages, final=bool(body.get("final")))

    def _report(self, no: str, body: Mapping[str, Any], at: float) -> list[Webhook]:
        return self._life.report(self._world.find_delivery(no), str(body["status"]), at)

    def _lack(self, no: str, _: Mapping[str, Any], at: float) -> list[Webhook]:
        return self._life.lack(self._world.find_delivery(no), at)

    def _scan(self, no: str, body: Mapping[str, Any], at: float) -> list[Webhook]:
        for parcel in self._life.find_parcels(no, str(body.get("waybill") or "")):
            self._life.scan(parcel, str(body["state_ex"]), at)
        return self._life.flush_pushes()

    def _sign(self, no: str, _: Mapping[str, Any], at: float) -> list[Webhook]:
        for parcel in self._life.find_parcels(no):
            if parcel.outcome != "signed":
                self._life.scan(parcel, "301", at)
        return self._life.flush_pushes()

    def _receive(self, no: str, _: Mapping[str, Any], at: float) -> list[Webhook]:
        return self._life.receive(self._world.find(no), at)

    def _refunded(self, no: str, _: Mapping[str, Any], at: float) -> list[Webhook]:
        order = self._world.find(no)
        return [hook for refund in order.refunds for hook in self._life.complete_refund(order, refund, at)]


def describe_hook(hook: Webhook) -> dict[str, Any]:
    """`acknowledged`: true or false after the first try, null when it was lost, delayed or has nowhere to go."""
    outgoing = hook.build()
    return {
        "system": hook.system,
        "event": hook.event,
        "key": hook.key,
        "path": outgoing.path,
        "headers": outgoing.headers,
        "body": outgoing.body.decode(),
        "acknowledged": hook.first.result() if hook.first.done() else None,
    }


def read_line(number: int, line: Mapping[str, Any]) -> Line:
    article = ARTICLE.get(str(line["sku"]))
    if article is None:
        raise UnknownOrder(f"there is no article {line['sku']}; see /world/catalogue")
    return Line(number, article.sku, article.name, int(line["quantity"]), int(line.get("unit_price", article.price)))


def read_package(package: Mapping[str, Any]) -> PackageSpec:
    items = {str(sku): int(units) for sku, units in package["items"].items()}
    return PackageSpec(items, str(package.get("carrier") or ""), str(package.get("waybill") or ""))


def read_customer(body: Mapping[str, Any], script: OrderScript) -> Customer:
    """The scripted customer with whatever the test wants different."""
    wanted = body.get("customer") or {}
    return Customer(
        no=wanted.get("no", script.customer.no),
        name=wanted.get("name", script.customer.name),
        openid=wanted.get("openid", script.customer.openid),
        tier=wanted.get("tier", script.customer.tier),
    )


def read_receiver(body: Mapping[str, Any], script: OrderScript) -> Receiver:
    wanted, scripted = body.get("receiver") or {}, script.receiver
    return Receiver(
        name=wanted.get("name", scripted.name),
        mobile=wanted.get("mobile", scripted.mobile),
        province=wanted.get("province", scripted.province),
        city=wanted.get("city", scripted.city),
        district=wanted.get("district", scripted.district),
        address=wanted.get("address", scripted.address),
    )
