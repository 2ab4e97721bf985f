"""A recorded history: many acts of many orders in one call, each with the time that its record says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from aiohttp import web

from sim.autopilot import Autopilot
from sim.catalogue import Article
from sim.clock import read_instant, utc_text, zoned_text
from sim.life import Impossible, Life, PackageSpec
from sim.records import Delivery, Line, ShopCharge
from sim.script import write_script
from sim.steps import read_customer, read_receiver
from sim.systems.kdniao.tracks import SHIPPERS
from sim.webhooks import Webhook
from sim.wire import answering
from sim.world import UnknownOrder, World, make_order

PICKED_UP, SIGNED = "1", "301"
WECHAT_PAY = "wechatpay"
SETTLE_SECONDS = 30.0
FROM_COURIER = {theirs: ours for ours, theirs in SHIPPERS.items()}
"""The courier's code of a carrier -> the warehouse's."""

Act: TypeAlias = Callable[[Mapping[str, Any], float], list[Webhook]]


class RecordedRoom:
    """A clock that is set, articles beyond the catalogue, and acts. One that cannot happen yet is no error: it is told
    back, to be asked for again.
    """

    def __init__(self, world: World, life: Life, autopilot: Autopilot) -> None:
        self._world = world
        self._life = life
        self._autopilot = autopilot
        self._acts: dict[str, Act] = {
            "place": self._place,
            "charge": self._charge,
            "ship": self._ship,
            "scan": self._scan,
            "sign": self._sign,
            "return": self._ask_return,
            "come_back": self._come_back,
            "refund": self._refund,
            "cancel": self._cancel,
        }

    def mount(self, app: web.Application) -> None:
        posts = {"/world/recorded": self._play, "/world/clock": self._set_clock, "/world/articles": self._list}
        app.router.add_routes([web.post(path, answering(act)) for path, act in posts.items()])

    async def _set_clock(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        self._world.set_clock(read_instant(str(body["at"])))
        return {"now": utc_text(self._world.clock.now())}

    async def _list(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        """Articles that the catalogue does not have."""
        for one in body["articles"]:
            sku = str(one["sku"])
            article = Article(sku, str(one.get("name") or sku), int(one.get("price", 0)))
            self._world.stocks.list_article(article, int(one["quantity"]))
        return {"articles": len(body["articles"])}

    async def _play(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        """Acts happen in their order, each at its time or, when that has passed, now. `stop`: the first that cannot
        happen is the last that was tried. Answers once our side has taken the messages.
        """
        waits: dict[str, str] = {}
        tried = 0
        for number, act in enumerate(body["acts"]):
            if waits and body.get("stop"):
                break
            tried += 1
            at = read_instant(str(act["at"]))
            if at > self._world.clock.now():
                self._world.set_clock(at)
            try:
                self._acts[str(act["do"])](act, at)
            except (Impossible, UnknownOrder) as early:
                waits[str(number)] = str(early)
        self._life.flush_pushes()
        settled = await self._world.sender.settle(SETTLE_SECONDS)
        return {"tried": tried, "waits": waits, "settled": settled, "now": utc_text(self._world.clock.now())}

    def _place(self, act: Mapping[str, Any], at: float) -> list[Webhook]:
        """`order` as the shop pushes it: lines with their amounts, customer, receiver, currency."""
        told = act["order"]
        if told["order_no"] in self._world.orders:
            raise Impossible(f"order {told['order_no']} exists already")
        k = self._autopilot.next_k()
        script = write_script(self._world.config.seed, k)
        order = make_order(
            str(told["order_no"]),
            k,
            script,
            at,
            lines=[read_line(line) for line in told["lines"]],
            customer=read_customer(told, script),
            receiver=read_receiver(told, script),
        )
        order.channel, order.currency = str(told["channel"]), str(told["currency"])
        order.freight, order.discount, order.automatic = int(told["freight"]), int(told["discount"]), False
        return self._life.place(order)

    def _charge(self, act: Mapping[str, Any], at: float) -> list[Webhook]:
        """`visible_at`: at once, for what was paid before it was recorded as paid, too."""
        order = self._world.find(str(act["order_no"]))
        provider = str(act["provider"])
        if provider == WECHAT_PAY:
            return self._life.pay(order, at, int(act["amount"]))
        number = str(act["transaction_id"])
        return self._life.charge(order, ShopCharge(provider, number, int(act["amount"]), at, at))

    def _ship(self, act: Mapping[str, Any], at: float) -> list[Webhook]:
        delivery = self._world.find_delivery(str(act["order_no"]))
        return self._life.ship(delivery, at, self._packages(delivery, act.get("packages") or [{}]))

    def _packages(self, delivery: Delivery, told: Sequence[Mapping[str, Any]]) -> list[PackageSpec]:
        """Everything that is left, its pieces dealt out to the parcels: a record does not say which holds what."""
        contents: list[dict[str, int]] = [{} for _ in told]
        pieces = [sku for sku, units in delivery.remaining.items() for _ in range(units)]
        for number, sku in enumerate(pieces):
            box = contents[number % len(contents)]
            box[sku] = box.get(sku, 0) + 1
        return [
            PackageSpec(box, self._know_carrier(str(one.get("carrier") or "")), str(one.get("waybill") or ""))
            for box, one in zip(contents, told, strict=True)
        ]

    def _know_carrier(self, carrier: str) -> str:
        """The courier platform takes every carrier that a record names."""
        if carrier:
            self._world.shippers.add(carrier)
        return FROM_COURIER.get(carrier, carrier)

    def _scan(self, act: Mapping[str, Any], at: float) -> list[Webhook]:
        for parcel in self._life.find_parcels(str(act["order_no"])):
            self._life.scan(parcel, str(act.get("state_ex") or PICKED_UP), at)
        return []

    def _sign(self, act: Mapping[str, Any], at: float) -> list[Webhook]:
        for parcel in self._life.find_parcels(str(act["order_no"])):
            if parcel.outcome != "signed":
                self._life.scan(parcel, SIGNED, at)
        return []

    def _ask_return(self, act: Mapping[str, Any], at: float) -> list[Webhook]:
        """The shop tells that the customer sends `lines` back, for `reason`, in the customer's words `text`."""
        order = self._world.find(str(act["order_no"]))
        if not order.parcels or any(parcel.outcome != "signed" for parcel in order.parcels):
            raise Impossible(f"order {order.no} is not signed for yet")
        asked = {
            "order_no": order.no,
            "customer_no": order.customer.no,
            "lines": list(act["lines"]),
            "reason": str(act["reason"]),
            "text": str(act.get("text") or ""),
            "requested_at": zoned_text(at),
        }
        return self._life.ask_return(order, asked)

    def _come_back(self, act: Mapping[str, Any], at: float) -> list[Webhook]:
        """Just the pieces of one return order that waits: that one is confirmed."""
        order = self._world.find(str(act["order_no"]))
        came: list[Mapping[str, Any]] = list(act["items"])
        pieces = {str(one["sku"]): int(one["good"]) for one in came}
        for back in self._world.returns.values():
            if back.order is order and not back.closed and back.missing == pieces:
                return self._life.take_back(back, came, at, final=True)
        raise Impossible(f"the warehouse waits for no return of order {order.no} with these pieces")

    def _refund(self, act: Mapping[str, Any], at: float) -> list[Webhook]:
        """What WeChat Pay was asked to give back is with the customer."""
        order = self._world.find(str(act["order_no"]))
        return [hook for refund in order.refunds for hook in self._life.complete_refund(order, refund, at)]

    def _cancel(self, act: Mapping[str, Any], at: float) -> list[Webhook]:
        order = self._world.find(str(act["order_no"]))
        return self._life.cancel(order, at, str(act.get("reason") or ""))


def read_line(line: Mapping[str, Any]) -> Line:
    sku = str(line["sku"])
    return Line(
        int(line["line_no"]),
        sku,
        str(line.get("name") or sku),
        int(line["quantity"]),
        int(line["unit_price"]),
        int(line["amount"]),
    )
