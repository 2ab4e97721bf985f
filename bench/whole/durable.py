"""A peer on the whole way: DBOS, one durable workflow per order, its calls as steps, its webhooks as messages to it.

Written as its manual has it: the pushed order starts the workflow under its own number, so a repeat starts nothing;
what the workflow waits for is sent to it (`send`, `recv`), once per event id; retries are the steps' own. Signatures,
documents and readers are Ballast's own adapters, and calls that share a vendor's call share it here, too. The rows are
DBOS's: it keeps no books beside its workflows.

    python -m bench.whole.durable PORT
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from dbos import DBOS, DBOSConfig, SendMessage, SetWorkflowID
from dbos import error as dbos_error
from sqlalchemy import make_url

from adapters.storefronts.direct.orders import read_order, to_order
from ballast.db.engine import make_engine
from ballast.domain.words import Event
from ballast.ports import Message, News, Order, Waybill
from ballast.settings import settings
from ballast.wiring import House, database_url, hooks
from bench.whole.door import BareDoor, NotTaken, serve

PATIENCE: Final = 3600.0
"""Seconds that a workflow waits for one message."""

RETRYING: Final[dict[str, Any]] = {"retries_allowed": True, "max_attempts": 5}

_house: list[House] = []


def here() -> House:
    return _house[0]


@DBOS.step(**RETRYING)
async def reserve(order: Order) -> str:
    return (await here().erp.reserve(order)).reference


@DBOS.step(**RETRYING)
async def create(order: Order) -> str:
    return (await here().wms.create(order)).reference


@DBOS.step(**RETRYING)
async def subscribe(waybill: Waybill) -> str:
    return (await here().courier.subscribe(waybill)).reference


@DBOS.step(**RETRYING)
async def tell_shipped(order: Order) -> str:
    return (await here().storefront.tell_shipped(order)).reference


@DBOS.step(**RETRYING)
async def post_outbound(order: Order) -> str:
    return (await here().erp.post_outbound(order)).reference


@DBOS.step(**RETRYING)
async def tell_received(order: Order, signed_at: datetime) -> str:
    return (await here().storefront.tell_received(order, signed_at)).reference


@DBOS.step(**RETRYING)
async def post_receipt(order: Order, signed_at: datetime) -> str:
    return (await here().erp.post_receipt(order, signed_at)).reference


@DBOS.workflow()
async def fulfil(order: Order) -> str:
    """One order from its payment to the customer's hands."""
    paid = await _next("paid")
    assert paid.charge is not None
    charge = paid.charge
    order = replace(order, warehouse="CK001", paid_at=charge.paid_at, transaction_id=charge.transaction_id)
    await reserve(order)
    await create(order)
    order = replace(order, parcels=(await _next("shipped")).parcels)
    tail = order.receiver.mobile[-4:]
    for parcel in order.parcels:
        await subscribe(
            Waybill(order_no=order.order_no, carrier=parcel.carrier, waybill=parcel.waybill, phone_tail=tail)
        )
    await tell_shipped(order)
    await post_outbound(order)
    signed: dict[str | None, datetime] = {}
    while len(signed) < len(order.parcels):
        news = await _next("signed")
        signed[news.waybill] = news.happened_at
    await tell_received(order, max(signed.values()))
    await post_receipt(order, max(signed.values()))
    return "SIGNED"


async def _next(topic: str) -> News:
    news: News | None = await DBOS.recv_async(topic, timeout_seconds=PATIENCE)
    if news is None:
        raise TimeoutError(f"nothing of {topic} within {PATIENCE:g} s")
    return news


def topic_of(news: News) -> str:
    """What waits for it; `told`: nobody, it is kept for people."""
    if news.charge is not None:
        return "paid"
    if news.parcels:
        return "shipped"
    return "signed" if news.event is Event.PARCEL_SIGNED else "told"


async def take(source: str, messages: Sequence[Message]) -> None:
    """Start a workflow per new order; everything else goes to the workflow of its order, in one transaction."""
    door, letters = hooks_of_process()[source], list[SendMessage]()
    for message in messages:
        if message.topic == "order.placed":
            order = to_order(read_order(dict(message.payload)))
            with SetWorkflowID(order.order_no):
                await DBOS.start_workflow_async(fulfil, order)
        elif (news := door.read(message, door.codes)) is not None:
            letters.append(SendMessage(news.order_no, news, topic_of(news), f"{source}:{message.event_id}"))
    try:
        if letters:
            await DBOS.send_bulk_async(letters)
    except dbos_error.DBOSNonExistentWorkflowError as early:
        raise NotTaken("its order has not come yet") from early


_doors: dict[str, Any] = {}


def hooks_of_process() -> dict[str, Any]:
    if not _doors:
        _doors.update(hooks(settings()))
    return _doors


async def main(port: int) -> None:
    config = settings()
    _house.append(House(config, config.make_clock(), make_engine(database_url(config), pool=1)))
    url = make_url(os.environ["BENCH_DBOS_URL"]).set(drivername="postgresql")
    dbos: DBOSConfig = {
        "name": "whole",
        "system_database_url": url.render_as_string(hide_password=False),
        "log_level": "ERROR",
        "sys_db_pool_size": 20,
    }
    DBOS(config=dbos)
    DBOS.launch()
    try:
        await serve(BareDoor(hooks_of_process(), take), port)
    finally:
        DBOS.destroy()
        await here().close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1])))
