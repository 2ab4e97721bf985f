"""Handing delivery orders over: each by itself, or those of one moment together."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.errors import OutcomeUnknown, OutsideError, Refused
from adapters.together import Together
from adapters.wms.qimen.batch import BATCH, Handover, read_taken, write_batch
from adapters.wms.qimen.connection import Connection
from adapters.wms.qimen.news import DeliveryOrder
from adapters.wms.qimen.status import DROPPED, KNOWN_ALREADY, NO_SUCH_METHOD, NO_SUCH_METHOD_SAID
from adapters.xml import write_part
from ballast.domain.words import TO_COME, System
from ballast.ports import Receipt

log = logging.getLogger("ballast.qimen")


class Handovers:
    """`most` orders in a call; 1 shares nothing. `tree` is what stands below `<request>` of a single call."""

    def __init__(self, connection: Connection, *, most: int) -> None:
        self._connection, self._most = connection, most
        self._together: Together[Handover, Receipt] = Together(self._hand_over_all, most=most)
        self._knows_batches = most > 1

    async def close(self) -> None:
        await self._together.close()

    async def first(self, order_no: str, tree: Mapping[str, Any]) -> Receipt:
        """An order that nobody tried to hand over before."""
        handover = Handover(order_no, tree, write_part({"order": tree}, System.QIMEN, order_no=order_no))
        return await (self._together(handover) if self._knows_batches else self._alone(handover))

    async def again(self, order_no: str, tree: Mapping[str, Any]) -> Receipt:
        """One that was tried, and that the warehouse does not show: alone, for that says at once what comes of it."""
        return await self._create(order_no, tree, queued=self._most > 1)

    async def _create(self, order_no: str, tree: Mapping[str, Any], *, queued: bool = False) -> Receipt:
        """`queued`: a batch may be under way that has it."""
        try:
            done = await self._connection.change("deliveryorder.create", {"request": tree}, order_no)
        except Refused as no:
            return await self._there(order_no, no, queued=queued)
        return Receipt(reference=str(done.get("deliveryOrderId") or order_no))

    async def _there(self, order_no: str, no: Refused, *, queued: bool = False) -> Receipt:
        """A refusal because the number is taken: an earlier attempt got through, if the warehouse shows it."""
        if not KNOWN_ALREADY.search(no.what):
            raise no
        known = await self._connection.known(order_no)
        if known is None:
            if queued:
                what = f"the warehouse has it and does not show it yet ({no.what})"
                raise OutcomeUnknown(System.QIMEN, what, order_no=order_no, code=no.code)
            raise no
        return taken_already(known)

    async def _hand_over_all(self, handovers: Sequence[Handover]) -> list[Receipt | OutsideError]:
        """Each order's own outcome. What is taken on is made later, and told by an answer."""
        if len(handovers) == 1 or not self._knows_batches:
            return await asyncio.gather(*map(self._ended_alone, handovers))
        try:
            reply = await self._connection.send(BATCH, write_batch(handovers))
            refusals = read_taken(reply, [handover.order_no for handover in handovers])
        except Refused as no:  # nothing of it was taken: each asks for itself
            self._learn(no)
            return await asyncio.gather(*map(self._ended_alone, handovers))
        except OutsideError as error:
            return [error.about(handover.order_no) for handover in handovers]
        return await asyncio.gather(*map(self._taken_on, handovers, refusals))

    def _learn(self, no: Refused) -> None:
        """A warehouse that does not know the method is not asked again by this process."""
        if self._knows_batches and (no.code in NO_SUCH_METHOD or NO_SUCH_METHOD_SAID.search(no.what)):
            self._knows_batches = False
            log.warning(
                "%s; from now on each delivery order is sent by itself: set BALLAST_QIMEN__ORDERS_PER_CALL=1", no
            )

    async def _taken_on(self, handover: Handover, refusal: OutsideError | None) -> Receipt | OutsideError:
        if refusal is None:
            return Receipt(reference=handover.order_no, detail=TO_COME)
        try:
            return await self._there(handover.order_no, refusal) if isinstance(refusal, Refused) else refusal
        except OutsideError as error:
            return error

    async def _alone(self, handover: Handover) -> Receipt:
        return await self._create(handover.order_no, handover.tree)

    async def _ended_alone(self, handover: Handover) -> Receipt | OutsideError:
        try:
            return await self._alone(handover)
        except OutsideError as error:
            return error


def taken_already(known: DeliveryOrder) -> Receipt:
    """An earlier attempt got through, unless the warehouse has dropped the order since."""
    if known.status in DROPPED:
        what = f"the warehouse has it as {known.status} and will not ship it; ask them to reopen it, then rerun"
        raise Refused(System.QIMEN, what, order_no=known.order_no, code=known.status)
    return Receipt(reference=known.number or known.order_no)
