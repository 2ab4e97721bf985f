"""The floor of the whole way: the same webhooks in, the same calls out, the same rows, and nothing else.

One process. What is known of an order stays in memory: no orchestration, no claims, no history that is read, and a
crash would lose what is under way. Signatures, documents and readers are Ballast's own adapters.

    python -m bench.whole.floor PORT
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, Generic, TypeVar

import asyncpg
from sqlalchemy import make_url

from adapters.storefronts.direct.orders import read_order, to_order
from ballast.collector import spare_collector
from ballast.db.engine import make_engine
from ballast.db.news import cause_of
from ballast.domain.stock import Place, Want, allocate
from ballast.domain.words import Event, State
from ballast.ports import Message, News, Order, Receipt, Waybill
from ballast.settings import settings
from ballast.wiring import House, database_url, hooks
from bench.whole.door import BareDoor, serve
from bench.whole.rows import GATHER, Books

CHUNK, AT_ONCE = 100, 2

T = TypeVar("T")

_P, _L, _O, _T, _S = (
    State.PENDING_PAYMENT, State.STOCK_LOCKED, State.OUTBOUND, State.IN_TRANSIT, State.SIGNED,
)  # fmt: skip

NEXT: Final = {_P: "lock_stock", _L: "ship_out", _O: "track_transit", _T: "track_transit", _S: "sign_off"}


@dataclass(slots=True, eq=False)
class Way:
    """One order on its way. `order` grows: payment, warehouse, parcels."""

    id: int
    order: Order
    state: State = _P
    progress: str = ""
    times: dict[str, datetime] = field(default_factory=dict)
    unsigned: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)  # kinds of messages that were sent


class Lane(Generic[T]):
    """Works off what is put in, up to a chunk at a time, a few chunks side by side."""

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        self._work, self._waiting, self._some = work, list[T](), asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)

    def put(self, thing: T) -> None:
        self._waiting.append(thing)
        self._some.set()

    async def run(self) -> None:
        """For ever; fails with its work."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._some.wait()
                await asyncio.sleep(GATHER)
                await self._room.acquire()
                batch, self._waiting = self._waiting[:CHUNK], self._waiting[CHUNK:]
                if not self._waiting:
                    self._some.clear()
                group.create_task(self._carry(batch))

    async def _carry(self, batch: Sequence[T]) -> None:
        try:
            await self._work(batch)
        finally:
            self._room.release()


class Floor:
    """Everything that happens, and what it writes."""

    def __init__(self, here: House, books: Books, free: dict[Place, int]) -> None:
        self._here, self._books, self._free = here, books, free
        self._doors, self._numbers = hooks(here.settings), count(1)
        self._ways: dict[str, Way] = {}
        self._early: defaultdict[str, list[tuple[str, Message]]] = defaultdict(list)
        self._reserve, self._create = Lane(self._reserve_all), Lane(self._create_all)
        self._sends = {
            "courier.subscribe": Lane(self._sending("courier.subscribe", self._subscribe)),
            "shop.shipped": Lane(self._sending("shop.shipped", lambda way, _: here.storefront.tell_shipped(way.order))),
            "erp.outbound": Lane(self._sending("erp.outbound", lambda way, _: here.erp.post_outbound(way.order))),
            "shop.received": Lane(
                self._sending(
                    "shop.received", lambda way, _: here.storefront.tell_received(way.order, way.times["signed_at"])
                )
            ),
            "erp.receipt": Lane(
                self._sending("erp.receipt", lambda way, _: here.erp.post_receipt(way.order, way.times["signed_at"]))
            ),
        }

    async def run(self, port: int) -> None:
        """Until SIGTERM."""
        async with asyncio.TaskGroup() as group:
            lanes: list[Lane[Any]] = [self._reserve, self._create, *self._sends.values()]
            running = [group.create_task(work) for work in (self._books.write(), *(lane.run() for lane in lanes))]
            await serve(BareDoor(self._doors, self.take), port)
            for task in running:
                task.cancel()

    # -- what comes in -------------------------------------------------------------------------------------------

    async def take(self, source: str, messages: Sequence[Message]) -> None:
        now = self._here.clock.now()
        for message in messages:
            self._books.rows.insert("inbox", _letter(source, message, now))
            if message.topic == "order.placed":
                self._place(source, message, now)
            elif message.order_no in self._ways:
                self._hear(source, message, now)
            else:
                self._early[message.order_no].append((source, message))
        await self._books.stored()

    def _place(self, source: str, message: Message, now: datetime) -> None:
        if message.order_no in self._ways:
            return
        order = to_order(read_order(dict(message.payload)))
        way = self._ways[order.order_no] = Way(next(self._numbers), order)
        rows = self._books.rows
        rows.insert("sales_order", _head(way, now))
        for line in order.lines:
            rows.insert("order_line", {"order_id": way.id, "shipped": 0, **_fields(line)})
        rows.insert(
            "customer",
            {"customer_no": order.customer_no, "name": order.receiver.name, "openid": order.openid,
             "first_order_at": order.placed_at, "tier": order.customer_tier},
            once=order.customer_no,
        )  # fmt: skip
        self._note(way, "placed", Event.NOTED, source, order.placed_at, text=f"placed, {order.total}")
        for early_source, early in self._early.pop(order.order_no, ()):
            self._hear(early_source, early, now)

    def _hear(self, source: str, message: Message, now: datetime) -> None:
        door, way = self._doors[source], self._ways[message.order_no]
        news = door.read(message, door.codes)
        if news is None:
            return
        part = f"{news.field} {news.waybill}" if news.waybill else news.field
        self._books.rows.insert("external_status", _said(way, news, part, now), once=(way.id, news.system, part))
        if news.charge is not None:
            self._paid(way, news)
        elif news.parcels:
            self._shipped(way, news)
        elif news.waybill is not None:
            self._scanned(way, news, news.waybill)
        else:
            if news.event is Event.WAREHOUSE_PROGRESS:
                way.progress = news.said
            self._note(way, cause_of(news), news.event, news.system, news.happened_at, text=news.text or news.said)

    def _paid(self, way: Way, news: News) -> None:
        charge = news.charge
        assert charge is not None
        self._books.rows.insert(
            "payment",
            {"order_id": way.id, "provider": news.system, "transaction_id": charge.transaction_id, "method": "",
             "amount": charge.amount.amount, "currency": charge.amount.currency, "merchant": charge.merchant,
             "state": "counted", "paid_at": charge.paid_at, "recorded_at": self._here.clock.now()},
        )  # fmt: skip
        way.order = replace(way.order, paid_at=charge.paid_at, transaction_id=charge.transaction_id)
        way.times["paid_at"] = charge.paid_at
        text = f"{charge.amount} captured at {news.system}, transaction {charge.transaction_id}"
        self._note(way, cause_of(news), Event.PAYMENT_CAPTURED, news.system, news.happened_at, text=text)
        cause = f"confirm_payment:{way.order.order_no}"
        text = f"{way.order.total} in 1 charge(s)"
        self._note(way, cause, Event.PAYMENT_CONFIRMED, "ballast", charge.paid_at, text=text)
        self._reserve.put(way)

    def _shipped(self, way: Way, news: News) -> None:
        rows = self._books.rows
        for parcel in news.parcels:
            rows.insert(
                "parcel",
                {"order_id": way.id, "waybill": parcel.waybill, "carrier": parcel.carrier, "items": parcel.items,
                 "shipped_at": news.happened_at, "said": "", "trouble_evidence": ""},
            )  # fmt: skip
        way.order = replace(way.order, parcels=news.parcels)
        way.unsigned = {parcel.waybill for parcel in news.parcels}
        way.times["outbound_at"] = news.happened_at
        rows.update("order_line", {"order_id": way.id})
        rows.update("stock_lock", {"order_id": way.id, "ended_at": news.happened_at})
        text = "parcels " + ", ".join(f"{parcel.carrier} {parcel.waybill}" for parcel in news.parcels)
        self._note(way, cause_of(news), Event.SHIPPED, news.system, news.happened_at, to=_O, text=text)
        for parcel in news.parcels:
            self._send(way, "courier.subscribe", parcel.waybill)
        self._send(way, "shop.shipped")
        self._send(way, "erp.outbound")

    def _scanned(self, way: Way, news: News, waybill: str) -> None:
        signed_at = news.happened_at if news.event is Event.PARCEL_SIGNED else None
        self._books.rows.update(
            "parcel",
            {"order_id": way.id, "waybill": waybill, "said": news.said, "said_at": news.happened_at,
             "picked_up_at": news.first_scan_at, "signed_at": signed_at},
            once=(way.id, waybill),
        )  # fmt: skip
        if news.first_scan_at is not None:
            way.times["picked_up_at"] = min(way.times.get("picked_up_at", news.first_scan_at), news.first_scan_at)
        text, signed = news.text or news.said, way.state is _S
        self._note(way, cause_of(news), news.event, news.system, news.happened_at, to=_S if signed else _T, text=text)
        if signed_at is None or signed:
            return
        way.unsigned.discard(waybill)
        if not way.unsigned:
            way.times["signed_at"] = signed_at
            text = f"{len(way.order.parcels)} parcel(s) signed for"
            self._note(way, f"sign_off:{way.order.order_no}", Event.SIGNED, "ballast", signed_at, to=_S, text=text)
            for kind in ("shop.received", "erp.receipt"):
                self._write_message(way, kind)
            self._send_arrival(way)

    # -- what goes out -------------------------------------------------------------------------------------------

    async def _reserve_all(self, ways: Sequence[Way]) -> None:
        wants = [Want.of(way.id, ((line.sku, line.quantity) for line in way.order.lines)) for way in ways]
        made = allocate(wants, self._free)
        for way, allocation in zip(ways, made, strict=True):
            assert allocation.warehouse  # there is plenty
            way.order = replace(way.order, warehouse=allocation.warehouse)
            for sku, pieces in allocation.pieces.items():
                self._free[sku, allocation.warehouse] -= pieces
        receipts = await asyncio.gather(*(self._here.erp.reserve(way.order) for way in ways))
        now = self._here.clock.now()
        for way, allocation, receipt in zip(ways, made, receipts, strict=True):
            for sku, pieces in allocation.pieces.items():
                lock = {"sku": sku, "warehouse": allocation.warehouse, "quantity": pieces}
                self._books.rows.insert("stock_lock", {"order_id": way.id, "state": "held", "locked_at": now, **lock})
                self._books.rows.update("stock_level", lock)
            way.times["locked_at"] = now
            self._done(way, "erp.reserve", receipt, now)
            text = f"{allocation.warehouse}, ERP {receipt.reference}"
            self._note(way, f"lock_stock:{way.order.order_no}", Event.STOCK_LOCKED, "ballast", now, to=_L, text=text)
        await self._books.stored()
        for way in ways:
            self._create.put(way)

    async def _create_all(self, ways: Sequence[Way]) -> None:
        receipts = await asyncio.gather(*(self._here.wms.create(way.order) for way in ways))
        now = self._here.clock.now()
        for way, receipt in zip(ways, receipts, strict=True):
            self._done(way, "wms.create", receipt, now)
            text = f"delivery order {receipt.reference}"
            self._note(way, f"ship_out:{way.order.order_no}", Event.WAREHOUSE_PROGRESS, "ballast", now, text=text)
        await self._books.stored()

    def _send(self, way: Way, kind: str, part: str = "") -> None:
        self._write_message(way, kind, part)
        self._sends[kind].put((way, part))

    def _write_message(self, way: Way, kind: str, part: str = "") -> None:
        now = self._here.clock.now()
        self._books.rows.insert(
            "outbox",
            {"key": _key(kind, way, part), "order_id": way.id, "kind": kind, "payload": {}, "attempts": 0,
             "due_at": now, "created_at": now, "note": ""},
        )  # fmt: skip

    def _send_arrival(self, way: Way) -> None:
        """Each system hears that the goods arrived after it has heard that they left."""
        if way.state is not _S:
            return
        for before, kind in (("shop.shipped", "shop.received"), ("erp.outbound", "erp.receipt")):
            if before in way.told and kind not in way.told:
                way.told.add(kind)
                self._sends[kind].put((way, ""))

    def _sending(
        self, kind: str, call: Callable[[Way, str], Awaitable[Receipt]]
    ) -> Callable[[Sequence[tuple[Way, str]]], Awaitable[None]]:
        async def send(messages: Sequence[tuple[Way, str]]) -> None:
            receipts = await asyncio.gather(*(call(way, part) for way, part in messages))
            now = self._here.clock.now()
            for (way, part), receipt in zip(messages, receipts, strict=True):
                self._done(way, kind, receipt, now, part)
                self._books.rows.update("outbox", {"key": _key(kind, way, part), "done_at": now})
                if kind == "erp.outbound":
                    self._books.rows.update("told", {"order_id": way.id, "told_at": now})
                way.told.add(kind)
                self._send_arrival(way)
            await self._books.stored()

        return send

    async def _subscribe(self, way: Way, number: str) -> Receipt:
        parcel = next(parcel for parcel in way.order.parcels if parcel.waybill == number)
        order_no, tail = way.order.order_no, way.order.receiver.mobile[-4:]
        return await self._here.courier.subscribe(
            Waybill(order_no=order_no, carrier=parcel.carrier, waybill=number, phone_tail=tail)
        )

    # -- rows ----------------------------------------------------------------------------------------------------

    def _note(
        self, way: Way, cause: str, event: Event, actor: str, at: datetime, *, to: State | None = None, text: str = ""
    ) -> None:
        """One line of the history, and the order's row as it is from now on."""
        before, now = way.state, self._here.clock.now()
        way.state = to or before
        self._books.rows.insert(
            "order_event",
            {"order_id": way.id, "cause": cause, "event": event, "from_state": before, "to_state": way.state,
             "moved": before is not way.state, "actor": actor, "happened_at": at, "recorded_at": now, "text": text},
        )  # fmt: skip
        self._books.rows.update("sales_order", _row(way, now), once=way.id)

    def _done(self, way: Way, kind: str, receipt: Receipt, now: datetime, part: str = "") -> None:
        self._books.rows.insert(
            "effect",
            {"key": _key(kind, way, part), "order_id": way.id, "kind": kind, "state": "done", "attempts": 1,
             "digest": "", "receipt": {"reference": receipt.reference, **receipt.detail}, "error": "",
             "begun_at": now, "done_at": now},
        )  # fmt: skip


def _key(kind: str, way: Way, part: str = "") -> str:
    return f"{kind}:{way.order.order_no}" + (f":{part}" if part else "")


def _letter(source: str, message: Message, now: datetime) -> dict[str, Any]:
    return {
        "source": source,
        "event_id": message.event_id,
        "topic": "order" if message.topic == "order.placed" else "news",
        "order_no": message.order_no,
        "payload": {**message.payload, "_topic": message.topic},
        "state": "done",
        "received_at": now,
        "done_at": now,
        "note": "",
    }


def _head(way: Way, now: datetime) -> dict[str, Any]:
    order = way.order
    return {
        "order_no": order.order_no, "channel": order.channel, "version": 0, "attempts": 0,
        "placed_at": order.placed_at, "currency": order.total.currency, "total": order.total.amount,
        "freight": order.freight.amount, "discount": order.discount.amount, "customer_no": order.customer_no,
        "openid": order.openid, "receiver": _fields(order.receiver), "recorded_at": now, **_row(way, now),
    }  # fmt: skip


def _row(way: Way, now: datetime) -> dict[str, Any]:
    later = timedelta(days=7) if way.state is _S else timedelta(days=1)
    return {
        "id": way.id, "state": way.state, "due_step": NEXT[way.state], "due_at": now + later,
        "progress": way.progress, "warehouse": way.order.warehouse, "sla_due_at": now + later, **way.times,
    }  # fmt: skip


def _said(way: Way, news: News, part: str, now: datetime) -> dict[str, Any]:
    return {
        "order_id": way.id, "system": news.system, "part": part, "said": news.said, "event": news.event,
        "text": news.text, "happened_at": news.happened_at, "recorded_at": now,
    }  # fmt: skip


def _fields(value: Any) -> dict[str, Any]:
    """Of a frozen value with slots, without the deep copy that `asdict` makes."""
    return {name: getattr(value, name) for name in value.__slots__}


async def main(port: int) -> None:
    config = settings()
    url = make_url(database_url(config)).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    levels = await connection.fetch("select sku, warehouse, on_hand from stock_level")
    free = {(row["sku"], row["warehouse"]): row["on_hand"] for row in levels}
    here = House(config, config.make_clock(), make_engine(database_url(config), pool=1))
    spare_collector()
    try:
        await Floor(here, Books(connection), free).run(port)
    finally:
        await here.close()
        await connection.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1])))
