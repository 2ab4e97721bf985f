"""The state everything shares: orders, stock, clocks, faults, counts. Systems change it; nobody else owns it."""

import re
import time
from collections import Counter
from collections.abc import Callable

from sim.agenda import Agenda
from sim.catalogue import scarce_skus
from sim.clock import SetClock
from sim.config import Config
from sim.faults import FaultBoard
from sim.people import Customer, Receiver
from sim.records import Delivery, Line, Order, Parcel, Refund, ReturnedGoods, Warehouse
from sim.script import OrderScript, write_script
from sim.stock import Stocks
from sim.systems.kdniao.tracks import KNOWN_SHIPPERS
from sim.tally import Tally
from sim.traffic import Traffic
from sim.webhooks import Sender


class UnknownOrder(LookupError):
    """No such order, delivery order or parcel in this world; place it first."""


class World:
    """`on_*` are called by the systems when our side made them do something."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = config.clock
        self.faults = FaultBoard(config.seed)
        self.sender = Sender(self.faults, config.hooks)
        self.agenda = Agenda(config.clock)
        self.tally = Tally()
        self.traffic = Traffic()
        self.stocks = Stocks(config.clock.now)
        self.warehouse = Warehouse()
        self.scarce = scarce_skus(config.seed)
        self.shippers: set[str] = set(KNOWN_SHIPPERS)
        self.orders: dict[str, Order] = {}
        self.placed: list[Order] = []
        self.deliveries: dict[str, Delivery] = {}
        self.parcels: dict[str, Parcel] = {}
        self.returns: dict[str, ReturnedGoods] = {}
        self.by_transaction: dict[str, Order] = {}
        self.milestones: Counter[str] = Counter()
        self.first_payment_at_real: float | None = None
        self.last_sign_at_real: float | None = None
        self.on_delivery_created: list[Callable[[Delivery, float], None]] = []
        self.on_shipping_uploaded: list[Callable[[Order, float], None]] = []
        self.on_reminded: list[Callable[[Order, float], None]] = []
        self.on_received: list[Callable[[Order, float], None]] = []
        self.on_return_created: list[Callable[[ReturnedGoods, float], None]] = []
        self.on_refund_asked: list[Callable[[Order, Refund, float], None]] = []

    def set_clock(self, at: float) -> None:
        """Business time stands at `at` from now on; what is due by then happens. Raises ValueError for a step back."""
        if not isinstance(self.clock, SetClock):
            raise ValueError("this world's clock runs by itself; start it with clock: {start, set: true}")
        if at < self.clock.at:
            raise ValueError("a history does not go back")
        self.clock.at = at
        self.agenda.look_again()

    def add(self, order: Order) -> None:
        self.orders[order.no] = order
        self.placed.append(order)
        self.reach(order, "placed")

    def find(self, no: str) -> Order:
        if no in self.orders:
            return self.orders[no]
        raise UnknownOrder(f"order {no} is not known here")

    def adopt(self, code: str) -> Order:
        """The order a vendor's document number belongs to: itself, its stem before - _ or ., else a stray one.

        The ERP and the warehouse do not know the shop: they take documents for orders nobody placed.
        """
        own = re.search("-HH[0-9]+$", code) is not None  # what goods were exchanged for is an order of its own
        found = self.orders.get(code) or (None if own else self.orders.get(re.split("[-_.]", code)[0]))
        return found or self._add_stray(code)

    def _add_stray(self, code: str) -> Order:
        script = write_script(self.config.seed, f"stray/{code}")
        order = Order(code, 0, script, [], script.customer, script.receiver, self.clock.now(), stray=True)
        order.automatic = self.config.autopilot
        self.orders[code] = order
        return order

    def find_delivery(self, no: str) -> Delivery:
        """By the delivery order's own code, else the latest living one of that order."""
        if no in self.deliveries:
            return self.deliveries[no]
        alive = [delivery for delivery in self.find(no).deliveries if delivery.alive]
        if not alive:
            raise UnknownOrder(f"order {no} has no delivery order at the warehouse; create one first")
        return alive[-1]

    def reach(self, order: Order, milestone: str) -> None:
        """Counts an order once per milestone; strays are not part of the figures."""
        if order.stray or milestone in order.reached:
            return
        order.reached.add(milestone)
        self.milestones[milestone] += 1
        if milestone == "paid" and self.first_payment_at_real is None:
            self.first_payment_at_real = time.time()
        if milestone == "signed":
            self.last_sign_at_real = time.time()


def make_order(
    no: str,
    k: int,
    script: OrderScript,
    placed_at: float,
    *,
    lines: list[Line] | None = None,
    customer: Customer | None = None,
    receiver: Receiver | None = None,
) -> Order:
    """An order as scripted, with what a test wants different."""
    order = Order(
        no=no,
        k=k,
        script=script,
        lines=lines or scripted_lines(script),
        customer=customer or script.customer,
        receiver=receiver or script.receiver,
        placed_at=placed_at,
    )
    if lines is None:
        add_charges(order)
    return order


def scripted_lines(script: OrderScript) -> list[Line]:
    return [
        Line(number, line.article.sku, line.article.name, line.quantity, line.article.price)
        for number, line in enumerate(script.lines, 1)
    ]


def add_charges(order: Order) -> None:
    """Freight 6 元 below 50 元; one order in ten has 5 % off."""
    goods = sum(line.amount for line in order.lines)
    order.freight = 600 if goods < 5000 else 0
    order.discount = goods * order.script.discount_percent // 100
