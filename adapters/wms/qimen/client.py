"""Ballast -> 奇门: delivery orders handed over, stopped, asked about."""

import asyncio
from collections.abc import Sequence

from adapters.allowance import Allowance
from adapters.errors import OutcomeUnknown, Refused
from adapters.wms.qimen import counting, documents, returns
from adapters.wms.qimen.connection import Connection
from adapters.wms.qimen.handovers import Handovers, taken_already
from adapters.wms.qimen.news import of_delivery, read_confirm
from adapters.wms.qimen.status import CODES, DROPPED, KNOWN_ALREADY
from ballast.clock import Clock
from ballast.domain.stock import Place
from ballast.domain.words import NOT_THERE, System
from ballast.ports import Codes, News, Order, Receipt, ReturnOrder, StockCount
from ballast.settings import QimenSettings


class NotMadeYet(OutcomeUnknown):
    """It was taken on, and is neither made nor refused: the warehouse will know it later. Wait for its answer."""


class Qimen:
    """Implements `ballast.ports.Wms`. The idempotency key is deliveryOrderCode: `Order.code`."""

    system = System.QIMEN

    def __init__(self, settings: QimenSettings, clock: Clock, allowance: Allowance | None = None) -> None:
        self._settings, self._clock = settings, clock
        self.codes: Codes = CODES
        self._connection = Connection(settings, clock, allowance)
        self._handovers = Handovers(self._connection, most=settings.orders_per_call)

    async def close(self) -> None:
        await self._handovers.close()
        await self._connection.close()

    async def ping(self) -> str:
        await self._connection.ask("BALLAST-PING")
        return f"{self._settings.url} answers {self._settings.app_key}"

    async def create(self, order: Order, *, look_first: bool = False) -> Receipt:
        if look_first and (known := await self._connection.known(order.code)) is not None:
            return taken_already(known)
        tree = documents.delivery_order(order, self._settings, self._clock.now())
        return await (self._handovers.again if look_first else self._handovers.first)(order.code, tree)

    async def cancel(self, order: Order, why: str, *, look_first: bool = False, expected: bool = False) -> Receipt:
        """What the warehouse says of the order afterwards decides, not its yes or no."""
        if look_first and (stopped := await self._stopped(order.code, expected)):
            return stopped
        body = documents.cancellation(order, why, self._settings)
        try:
            await self._connection.change("order.cancel", body, order.code)
        except Refused as no:
            if stopped := await self._stopped_all_the_same(order.code, no, expected):
                return stopped
            raise
        if stopped := await self._stopped(order.code, expected):
            return stopped
        raise OutcomeUnknown(self.system, "the warehouse agreed to stop it and goes on", order_no=order.code)

    async def take_back(self, request: ReturnOrder, *, look_first: bool = False) -> Receipt:
        """The key is returnOrderCode: our return number. "There already" is the answer to a repeat, and a yes."""
        number = request.return_no
        try:
            body = returns.return_order(request, self._settings)
            done = await self._connection.change("returnorder.create", body, request.order.order_no)
        except Refused as no:
            if not KNOWN_ALREADY.search(no.what):
                raise
            return Receipt(reference=number)
        return Receipt(reference=str(done.get("returnOrderId") or number))

    async def ask_return(self, return_no: str) -> Sequence[News]:
        order_no = returns.order_no_of(return_no)
        document = await self._connection.find(returns.QUERY, returns.inquiry(return_no, self._settings), order_no)
        told = returns.read_state(document, return_no, self._clock.now()) if document else None
        return (told,) if told else ()

    async def _stopped_all_the_same(self, order_no: str, no: Refused, expected: bool) -> Receipt | None:
        """After a no to the cancellation. Where the warehouse cannot be asked, its no is all there is."""
        try:
            return await self._stopped(order_no, expected)
        except NotMadeYet:
            raise
        except OutcomeUnknown:
            raise no from None

    async def _stopped(self, order_no: str, expected: bool) -> Receipt | None:
        """None while the warehouse may still ship it. A look that is refused says nothing of that."""
        try:
            known = await self._connection.known(order_no)
        except Refused as no:
            what = f"the warehouse does not say how it stands ({no.what})"
            raise OutcomeUnknown(self.system, what, order_no=order_no, code=no.code) from no
        if known is None and expected:
            raise NotMadeYet(self.system, "handed over in a batch, and its answer is to come", order_no=order_no)
        if known is None:
            return Receipt(reference=order_no, detail=NOT_THERE)
        if known.status not in DROPPED:
            return None
        return Receipt(reference=known.number or order_no, detail={"status": known.status})

    async def stock(self, places: Sequence[Place]) -> StockCount:
        theirs = [place for place in places if place[1] in self._settings.warehouses]
        most = self._settings.items_per_call
        parts = [theirs[at : at + most] for at in range(0, len(theirs), most)]
        counts = await asyncio.gather(*map(self._count, parts))
        return StockCount(
            counted=[one for count in counts for one in count.counted],
            refused=[one for count in counts for one in count.refused],
        )

    async def _count(self, places: Sequence[Place]) -> StockCount:
        document = await self._connection.read("inventory.query", counting.question(places, self._settings))
        return counting.read_count(document, places, self._settings)

    async def ask(self, code: str) -> Sequence[News]:
        document = await self._connection.ask(code)
        return (
            () if document is None else (of_delivery(read_confirm(document, self.codes, otherwise=self._clock.now())),)
        )
