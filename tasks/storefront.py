"""The shop: tell it what left and what arrived."""

from collections.abc import Sequence
from datetime import datetime

from prefect import task

from ballast.db.case import Case
from ballast.db.outbox import Outgoing
from ballast.ports import Order, Receipt
from ballast.wiring import house
from tasks.chunks import Tally
from tasks.deliveries import deliver, received
from tasks.merging import shop_order
from tasks.policy import CHUNK


@task(name="tell shop: shipped", tags=["storefront"], **CHUNK)
async def tell_shipped(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """Give the shop the waybills of what left, so that the customer can follow the parcels."""
    here = await house()

    async def tell(order: Order, look_first: bool) -> Receipt:
        return await here.storefront.tell_shipped(order, look_first=look_first)

    return await deliver(here, owner, batch, shop_order, tell)


@task(name="tell shop: refunded", tags=["storefront"], **CHUNK)
async def tell_refunded(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """See to it that the shop shows a cancelled order as refunded."""
    here = await house()

    async def tell(order: Order, look_first: bool) -> Receipt:
        return await here.storefront.tell_refunded(order, look_first=look_first)

    return await deliver(here, owner, batch, shop_order, tell)


@task(name="tell shop: received", tags=["storefront"], **CHUNK)
async def tell_received(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """Tell the shop that every parcel of an order was signed for."""
    here = await house()

    async def tell(request: tuple[Order, datetime], look_first: bool) -> Receipt:
        order, signed_at = request
        return await here.storefront.tell_received(order, signed_at, look_first=look_first)

    def request(case: Case, message: Outgoing) -> tuple[Order, datetime]:
        return shop_order(case, message), received(case, message)[1]

    return await deliver(here, owner, batch, request, tell)
