"""What happens to an order in the world, one act each: paid, picked, shipped, scanned, signed, received.

Acts are called by the autopilot on time and by tests at once; each changes the world and returns the messages sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sim.chance import digits
from sim.people import Receiver
from sim.records import Delivery, Order, Parcel, Payment, Refund, ReturnedGoods, Scan, ShopCharge
from sim.systems.direct import DirectNews
from sim.systems.kdniao.gate import KdniaoGate
from sim.systems.kdniao.news import KdniaoNews
from sim.systems.qimen.news import QimenNews
from sim.systems.qimen.returns import write_return
from sim.systems.wechat.news import WechatNews
from sim.systems.wechatpay.news import WechatPayNews
from sim.webhooks import Webhook
from sim.world import UnknownOrder, World

PREFIXES = {"YTO": "YT", "ZTO": "ZT", "STO": "ST", "YUNDA": "YD", "SF": "SF", "EMS": "EM"}
STATIONS = {
    "1": "【{origin}】快件已揽收",
    "2": "快件运输中",
    "201": "快件已到达【{city}】",
    "202": "【{district}】快递员正在派件，请保持电话畅通",
    "204": "快件已到达【{city}转运中心】",
    "205": "快件已到达【{district}网点】",
    "206": "快件已从【{origin}】发出",
    "211": "快件已放入【{district}快递柜】，请及时取件",
    "301": "快件已签收",
    "302": "快件已签收，感谢使用",
    "311": "快件已从快递柜取出，签收",
    "404": "客户拒收，快件退回",
    "405": "派件异常，稍后再次派送",
    "414": "快件破损，待处理",
    "416": "无法联系收件人",
    "418": "快件由快递员取出",
    "419": "快件重新派送",
}
ORIGIN = "宁波市海曙区"


class Impossible(ValueError):
    """The act does not fit what happened before; the text says why."""


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """A parcel to be packed; empty waybill and carrier are chosen by the warehouse."""

    items: Mapping[str, int]
    carrier: str = ""
    waybill: str = ""


@dataclass(slots=True)
class News:
    """Everything through which the world speaks to our side."""

    world: World
    direct: DirectNews = field(init=False)
    wechatpay: WechatPayNews = field(init=False)
    qimen: QimenNews = field(init=False)
    kdniao: KdniaoNews = field(init=False)
    wechat: WechatNews = field(init=False)

    def __post_init__(self) -> None:
        self.direct = DirectNews(self.world)
        self.wechatpay = WechatPayNews(self.world)
        self.qimen = QimenNews(self.world)
        self.kdniao = KdniaoNews(self.world)
        self.wechat = WechatNews(self.world)


class Life:
    def __init__(self, world: World, news: News, courier: KdniaoGate) -> None:
        self._world = world
        self._news = news
        self._courier = courier
        self._seed = world.config.seed

    def place(self, order: Order) -> list[Webhook]:
        self._world.add(order)
        return [self._news.direct.placed(order)]

    def pay(
        self,
        order: Order,
        at: float,
        amount: int | None = None,
        visible_after: float = 0.0,
        *,
        insistent: bool = False,
    ) -> list[Webhook]:
        """Another call is another charge, with a transaction of its own."""
        id = f"4200{digits(24, self._seed, 'pay', order.no, len(order.payments))}"
        payment = Payment(id, order.total if amount is None else amount, at, at + visible_after)
        order.payments.append(payment)
        self._world.by_transaction[id] = order
        order.shop.order_state = order.shop.order_state or 1
        self._world.reach(order, "paid")
        return [self._news.wechatpay.paid(order, payment, insistent=insistent)]

    def charge(self, order: Order, charge: ShopCharge) -> list[Webhook]:
        """A charge that the shop took by itself; the shop tells of it, WeChat Pay never heard of it."""
        if any(charge.transaction_id == known.transaction_id for known in order.shop_charges):
            raise Impossible(f"order {order.no} has the charge {charge.transaction_id} already")
        order.shop_charges.append(charge)
        order.shop.order_state = order.shop.order_state or 1
        self._world.reach(order, "paid")
        return [self._news.direct.paid(order, charge)]

    def cancel(self, order: Order, at: float, reason: str) -> list[Webhook]:
        """The customer wants it no more; whether the goods can still be stopped is another matter."""
        return [self._news.direct.cancelled(order, at, reason)]

    def complete_refund(self, order: Order, refund: Refund, at: float) -> list[Webhook]:
        if refund.status != "PROCESSING":
            return []
        refund.status, refund.done_at = "SUCCESS", at
        if sum(r.amount for r in order.refunds if r.status == "SUCCESS") >= sum(p.amount for p in order.payments):
            order.shop.order_state = 5
        return [self._news.wechatpay.refunded(order, refund, at)]

    def report(self, delivery: Delivery, status: str, at: float) -> list[Webhook]:
        """Any word may be reported, also ones nobody has heard of."""
        delivery.status = status
        return [self._news.qimen.report(delivery, status, at)]

    def refuse(self, delivery: Delivery, at: float) -> list[Webhook]:
        """The warehouse will not ship it; its pieces are free there."""
        self._unfreeze(delivery, delivery.remaining)
        delivery.frozen = False
        return self.report(delivery, "REJECT", at)

    def can_pick(self, delivery: Delivery) -> bool:
        """False when more was promised to delivery orders than lies on the shelf."""
        levels = [self._world.stocks.wms.levels[delivery.warehouse, sku] for sku in delivery.wanted]
        return all(level.locked <= level.on_hand for level in levels)

    def lack(self, delivery: Delivery, at: float) -> list[Webhook]:
        lacking = dict(list(delivery.remaining.items())[:1])
        if not lacking:
            raise Impossible(f"delivery order {delivery.code} has shipped everything, nothing can be lacking")
        delivery.status = "EXCEPTION"
        self._unfreeze(delivery, delivery.remaining)
        delivery.frozen = False
        return [self._news.qimen.lack(delivery, lacking, at)]

    def _unfreeze(self, delivery: Delivery, units: Mapping[str, int]) -> None:
        if delivery.frozen:
            self._world.stocks.wms.unlock(delivery.warehouse, units)

    def ship(
        self, delivery: Delivery, at: float, packages: Sequence[PackageSpec] = (), *, final: bool = False
    ) -> list[Webhook]:
        """Confirms the given packages, or all that remains; a rest makes it PARTDELIVERED, or is given up (`final`)."""
        if not delivery.remaining:
            raise Impossible(f"delivery order {delivery.code} has shipped everything")
        parcels = [self._pack(delivery, spec) for spec in packages or self._choose_packages(delivery)]
        actual: dict[str, int] = {}
        for parcel in parcels:
            self._take_out(delivery, parcel, actual)
        if final:
            self._unfreeze(delivery, delivery.remaining)
            delivery.give_up_rest()
        delivery.status = "PARTDELIVERED" if delivery.remaining else "DELIVERED"
        delivery.confirmed_at = at
        if all(other.status == "DELIVERED" for other in delivery.order.deliveries if other.alive):
            self._world.reach(delivery.order, "shipped")
        return [self._news.qimen.confirm(delivery, parcels, actual, at)]

    def _choose_packages(self, delivery: Delivery) -> list[PackageSpec]:
        remaining, script = delivery.remaining, delivery.order.script
        if not script.two_packages or sum(remaining.values()) < 2 or delivery.parcels:
            return [PackageSpec(remaining)]
        first: dict[str, int] = {}
        half = sum(remaining.values()) // 2
        for sku, units in remaining.items():
            first[sku] = min(units, half - sum(first.values()))
        second = {sku: units - first[sku] for sku, units in remaining.items()}
        return [PackageSpec({sku: units for sku, units in part.items() if units}) for part in (first, second)]

    def _pack(self, delivery: Delivery, spec: PackageSpec) -> Parcel:
        number = len(delivery.parcels) + 1
        asked = delivery.asked_carrier if delivery.asked_carrier in PREFIXES else ""
        carrier = spec.carrier or asked or delivery.order.script.carrier
        made_up = f"{PREFIXES.get(carrier, 'XX')}{digits(13, self._seed, 'waybill', delivery.code, number)}"
        waybill = spec.waybill or made_up
        parcel = Parcel(waybill, carrier, f"P{number}", delivery.order, dict(spec.items), delivery.phones)
        delivery.parcels.append(parcel)
        self._world.parcels[waybill] = parcel
        self._courier.welcome(parcel)
        return parcel

    def _take_out(self, delivery: Delivery, parcel: Parcel, actual: dict[str, int]) -> None:
        for sku, units in parcel.items.items():
            left = units
            for line in (line for line in delivery.lines if line.sku == sku):
                taken = min(left, line.plan - line.actual)
                line.actual += taken
                actual[line.line_no] = actual.get(line.line_no, 0) + taken
                left -= taken
            if left:
                raise Impossible(f"delivery order {delivery.code} does not hold {units} more of {sku}")
            level = self._world.stocks.wms.levels[delivery.warehouse, sku]
            level.ship(units, units if delivery.frozen else 0)

    def scan(self, parcel: Parcel, state_ex: str, at: float) -> None:
        """The push, if anybody subscribed, is gathered with others: see KdniaoNews."""
        station = STATIONS.get(state_ex, "快件状态更新（{city}）")
        parcel.add_scan(Scan(at, state_ex, fill(station, parcel.order.receiver), parcel.order.receiver.city))
        self._world.reach(parcel.order, "in_transit")
        self._news.kdniao.tell(parcel)
        if parcel.order.delivered:
            self._world.reach(parcel.order, "signed")

    def flush_pushes(self) -> list[Webhook]:
        return self._news.kdniao.flush()

    def receive(self, order: Order, at: float) -> list[Webhook]:
        if order.shop.order_state != 2:
            raise Impossible(f"order {order.no} is in shop state {order.shop.order_state}, only 2 can be received")
        order.shop.order_state, order.shop.received_at = 3, at
        for told in self._world.on_received:
            told(order, at)
        return [self._news.wechat.received(order, at)]

    def ask_return(self, order: Order, asked: dict[str, Any]) -> list[Webhook]:
        """The customer wants to send something back; `asked` as our side reads it."""
        order.wishes.append(asked)
        return [self._news.direct.return_requested(order, asked)]

    def take_back(
        self, back: ReturnedGoods, came: Sequence[Mapping[str, Any]], at: float, *, final: bool
    ) -> list[Webhook]:
        """Goods are in: `came` [{sku, good, damaged}]. With `final` nothing more follows."""
        if back.closed:
            raise Impossible(f"return order {back.code} is confirmed already")
        for one in came:
            self._shelve(back, str(one["sku"]), int(one.get("good", 0)), int(one.get("damaged", 0)))
        back.confirms += 1
        back.confirmed_at, back.closed = at, final
        document = write_return(back, came, final=final, number=back.confirms, at=at)
        return [self._news.qimen.returned(back, document)]

    def _shelve(self, back: ReturnedGoods, sku: str, good: int, damaged: int) -> None:
        """Pieces beyond what a line waits for stand on its last one."""
        self._world.stocks.wms.levels[back.warehouse, sku].take_back(good)
        back.good[sku] += good
        back.damaged[sku] += damaged
        left, lines = good + damaged, [line for line in back.lines if line.sku == sku]
        for line in lines:
            took = left if line is lines[-1] else min(left, line.plan - line.actual)
            line.actual += took
            left -= took

    def find_parcels(self, no: str, waybill: str = "") -> list[Parcel]:
        parcels = [parcel for parcel in self._world.find_delivery(no).order.parcels if waybill in ("", parcel.waybill)]
        if not parcels:
            raise UnknownOrder(f"order {no} has no parcel {waybill}; ship it first")
        return parcels


def fill(station: str, receiver: Receiver) -> str:
    return station.format(origin=ORIGIN, city=receiver.city, district=receiver.district)
