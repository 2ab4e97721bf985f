"""Orders that live by themselves: each act at its scripted business time after the one it follows from."""

import asyncio
import math
import time

from sim.catalogue import STOCK_OF_WAREHOUSE
from sim.chance import between, roll
from sim.clock import HOUR, MINUTE, local_text
from sim.life import Life
from sim.records import Delivery, Order, Parcel, Refund
from sim.script import Kind, OrderScript, write_script
from sim.webhooks import Webhook
from sim.world import World, make_order

MANUAL_REFUND_SECONDS = 0.2  # real: with tests in charge a refund is done at once
SECOND_CHARGE_WITHIN = 30 * HOUR
REFUNDED = 5
STOPPED = {"CANCELED", "CLOSED", "REJECT", "EXCEPTION"}


class Autopilot:
    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self._placing: asyncio.Task[None] | None = None
        self._next_k = 1
        self._pay_twice = 0.0
        self.refuses = 0.0
        world.on_delivery_created.append(self._plan_delivery)
        world.on_shipping_uploaded.append(lambda order, at: self._plan_receipt(order, at))
        world.on_reminded.append(lambda order, at: self._plan_receipt(order, at, reminded=True))
        world.on_refund_asked.append(self._plan_refund)

    def next_k(self) -> int:
        self._next_k += 1
        return self._next_k - 1

    def start(self, orders: int, per_second: float, pay_twice: float = 0.0) -> None:
        """Places that many orders at that real rate, from the next k on; a part of the customers pays twice."""
        if self._placing is not None and not self._placing.done():
            raise RuntimeError("orders are being placed already; wait until they are")
        self._pay_twice = pay_twice
        self._placing = asyncio.create_task(self._place_all(orders, per_second))

    async def stop(self) -> None:
        if self._placing is not None:
            self._placing.cancel()
            await asyncio.gather(self._placing, return_exceptions=True)

    @property
    def placing(self) -> bool:
        return self._placing is not None and not self._placing.done()

    async def _place_all(self, orders: int, per_second: float) -> None:
        due = time.time()
        for _ in range(orders):
            k = self.next_k()
            script = self._write_script(k)
            due += script.gap / per_second
            if due > time.time():
                await asyncio.sleep(due - time.time())
            else:
                await asyncio.sleep(0)
            placed_at = math.floor(self._world.clock.business_at(due))
            self.place(make_order(self.number(k), k, script, placed_at))

    def _write_script(self, k: int) -> OrderScript:
        if self._world.config.prompt:
            return write_script(self._world.config.seed, k, Kind.NORMAL).hurried()
        return write_script(self._world.config.seed, k)

    def number(self, k: int) -> str:
        """The number of order k in this world: the day the world began and k, so that it does not depend on speed."""
        return f"SO{local_text(self._world.clock.start)[:10].replace('-', '')}{k:06d}"

    def place(self, order: Order) -> list[Webhook]:
        hooks = self._life.place(order)
        chance = roll(self._world.config.seed, "pay twice", order.k)
        twice = chance[0] < self._pay_twice
        self._world.agenda.add(order.placed_at + order.script.pay_after, order, lambda at: self._pay(order, at, twice))
        if twice:
            wait = order.script.pay_after + between(MINUTE, SECOND_CHARGE_WITHIN, chance[1])
            self._world.agenda.add(order.placed_at + wait, order, lambda at: self._pay_again(order, at))
        return hooks

    def _pay(self, order: Order, at: float, twice: bool) -> None:
        """Of two charges a query by the order's number shows one: the other is known by its notice only."""
        if not order.payments and not order.refused:
            self._life.pay(order, at, visible_after=order.script.visible_after, insistent=twice)

    def _pay_again(self, order: Order, at: float) -> None:
        """Another charge for what is paid; a shop takes none for an order that is not."""
        if order.payments and order.shop.order_state < REFUNDED:
            self._life.pay(order, at, visible_after=order.script.visible_after, insistent=True)

    def _plan_delivery(self, delivery: Delivery, now: float) -> None:
        if not delivery.order.automatic:
            return
        script, add = delivery.order.script, self._world.agenda.add
        if self._is_refused(delivery):
            add(now + script.accept_after, delivery.order, lambda at: self._refuse(delivery, at))
            return
        add(now + script.accept_after, delivery.order, lambda at: self._report(delivery, "ACCEPT", at))
        add(now + script.pick_after, delivery.order, lambda at: self._pick(delivery, at))

    def _is_refused(self, delivery: Delivery) -> bool:
        """Only the first delivery order of an order, and only when another warehouse could ship it."""
        chance, first = roll(self._world.config.seed, "refused", delivery.code)[0], len(delivery.order.deliveries) == 1
        others = [place for place in STOCK_OF_WAREHOUSE if place != delivery.warehouse]
        return (
            chance < self.refuses
            and first
            and delivery.order.script.kind is Kind.NORMAL
            and any(self._world.stocks.has_all(place, delivery.wanted) for place in others)
        )

    def _refuse(self, delivery: Delivery, at: float) -> None:
        """Half of them at once, half at the shelf: something is missing there."""
        if delivery.status in STOPPED or not delivery.remaining:
            return
        if roll(self._world.config.seed, "refused", delivery.code)[1] < 0.5:
            self._life.refuse(delivery, at)
        else:
            self._life.lack(delivery, at)

    def _report(self, delivery: Delivery, status: str, at: float) -> None:
        if delivery.status not in STOPPED:
            self._life.report(delivery, status, at)

    def _pick(self, delivery: Delivery, at: float) -> None:
        if delivery.status in STOPPED or not delivery.remaining:
            return
        if delivery.order.script.kind is Kind.LACK or not self._life.can_pick(delivery):
            self._life.lack(delivery, at)
            return
        self._life.report(delivery, "PICK", at)
        script, add = delivery.order.script, self._world.agenda.add
        started = at - script.pick_after
        add(started + script.package_after, delivery.order, lambda at: self._report(delivery, "PACKAGE", at))
        add(started + script.deliver_after, delivery.order, lambda at: self._ship(delivery, at))

    def _ship(self, delivery: Delivery, at: float) -> None:
        if delivery.status in STOPPED or not delivery.remaining:
            return
        before = len(delivery.parcels)
        self._life.ship(delivery, at)
        for parcel, route in zip(delivery.parcels[before:], delivery.order.script.routes, strict=False):
            for stop in route:
                self._plan_scan(parcel, stop.state_ex, at + stop.after)

    def _plan_scan(self, parcel: Parcel, state_ex: str, due: float) -> None:
        self._world.agenda.add(due, parcel.order, lambda at: self._scan(parcel, state_ex, at))

    def _scan(self, parcel: Parcel, state_ex: str, at: float) -> None:
        self._life.scan(parcel, state_ex, at)
        self._plan_receipt(parcel.order, at)

    def _plan_receipt(self, order: Order, at: float, *, reminded: bool = False) -> None:
        """Once the goods are there and the shop knows they were sent, whichever comes last.

        In a prompt world the customer waits for the shop's reminder: else it would overtake the courier.
        """
        if self._world.config.prompt is not reminded:
            return
        if not order.automatic or order.receipt_planned or not order.delivered or order.shop.order_state != 2:
            return
        order.receipt_planned = True
        self._world.agenda.add(at + order.script.receive_after, order, lambda at: self._receive(order, at))

    def _receive(self, order: Order, at: float) -> None:
        if order.shop.order_state == 2:
            self._life.receive(order, at)

    def _plan_refund(self, order: Order, refund: Refund, at: float) -> None:
        wait = between(2 * MINUTE, HOUR / 2, roll(self._world.config.seed, "refund", refund.out_refund_no)[0])
        if not order.automatic:
            wait = MANUAL_REFUND_SECONDS * self._world.clock.speed

        def complete(at: float) -> None:
            self._life.complete_refund(order, refund, at)

        self._world.agenda.add(at + wait, order, complete)
