"""Ballast -> 奇门: delivery orders handed over, stopped, asked about."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.allowance import Allowance
from adapters.errors import OutcomeUnknown, Refused, Unavailable
from adapters.http import VendorHttp
from adapters.replies import read_reply
from adapters.signing import reveal
from adapters.wms.qimen import documents
from adapters.wms.qimen.answers import read_answer
from adapters.wms.qimen.news import Confirm, DeliveryOrder, read_confirm
from adapters.wms.qimen.signing import sign
from adapters.wms.qimen.status import CODES, DROPPED, KNOWN_ALREADY, NOT_KNOWN
from adapters.xml import write
from ballast.clock import Clock, to_local
from ballast.domain.words import System
from ballast.ports import Codes, News, Order, Receipt
from ballast.settings import QimenSettings

HEADERS: Final = {"Content-Type": "text/xml; charset=utf-8"}


class Qimen:
    """Implements `ballast.ports.Wms`. The idempotency key is deliveryOrderCode: our order number."""

    system = System.QIMEN

    def __init__(self, settings: QimenSettings, clock: Clock, allowance: Allowance | None = None) -> None:
        self._settings, self._clock = settings, clock
        self._secret = reveal(settings.secret, "BALLAST_QIMEN__SECRET")
        self.codes: Codes = CODES
        self._http = VendorHttp(System.QIMEN, max_calls=settings.max_calls, allowance=allowance)

    async def close(self) -> None:
        await self._http.close()

    async def ping(self) -> str:
        await self._ask("BALLAST-PING")
        return f"{self._settings.url} answers {self._settings.app_key}"

    async def create(self, order: Order, *, look_first: bool = False) -> Receipt:
        if look_first and (known := await self._known(order.order_no)) is not None:
            return _taken_already(known)
        body = documents.delivery_order(order, self._settings, self._clock.now())
        try:
            done = await self._change("deliveryorder.create", body, order.order_no)
        except Refused as no:
            known = await self._known(order.order_no) if KNOWN_ALREADY.search(no.what) else None
            if known is None:
                raise
            return _taken_already(known)
        return Receipt(reference=str(done.get("deliveryOrderId") or order.order_no))

    async def cancel(self, order: Order, why: str, *, look_first: bool = False) -> Receipt:
        """What the warehouse says of the order afterwards decides, not its yes or no."""
        if look_first and (stopped := await self._stopped(order.order_no)):
            return stopped
        try:
            await self._change("order.cancel", documents.cancellation(order, why, self._settings), order.order_no)
        except Refused as no:
            if stopped := await self._stopped_all_the_same(order.order_no, no):
                return stopped
            raise
        if stopped := await self._stopped(order.order_no):
            return stopped
        raise OutcomeUnknown(self.system, "the warehouse agreed to stop it and goes on", order_no=order.order_no)

    async def _stopped_all_the_same(self, order_no: str, no: Refused) -> Receipt | None:
        """After a no to the cancellation. Where the warehouse cannot be asked, its no is all there is."""
        try:
            return await self._stopped(order_no)
        except OutcomeUnknown:
            raise no from None

    async def _stopped(self, order_no: str) -> Receipt | None:
        """None while the warehouse may still ship it. A look that is refused says nothing of that."""
        try:
            known = await self._known(order_no)
        except Refused as no:
            what = f"the warehouse does not say how it stands ({no.what})"
            raise OutcomeUnknown(self.system, what, order_no=order_no, code=no.code) from no
        if known is None:
            return Receipt(reference=order_no, detail={"status": "never heard of it"})
        if known.status not in DROPPED:
            return None
        return Receipt(reference=known.number or order_no, detail={"status": known.status})

    async def ask(self, order_no: str) -> Sequence[News]:
        document = await self._ask(order_no)
        return () if document is None else (read_confirm(document, self.codes, otherwise=self._clock.now()),)

    async def _known(self, order_no: str) -> DeliveryOrder | None:
        document = await self._ask(order_no)
        return None if document is None else read_reply(Confirm, document, self.system, order_no=order_no).order

    async def _ask(self, order_no: str) -> dict[str, Any] | None:
        """deliveryorder.query; None when the warehouse never heard of the order."""
        body = write(documents.inquiry(order_no, self._settings), self.system, order_no=order_no)
        query = self._signed("deliveryorder.query", body)
        reply = await self._http.read(
            "POST", self._settings.url, order_no=order_no, operation="deliveryorder.query", params=query, content=body,
            headers=HEADERS,
        )  # fmt: skip
        try:
            return read_answer(reply, order_no=order_no, unclear=Unavailable)
        except Refused as no:
            if not NOT_KNOWN.search(no.what):
                raise
            return None

    async def _change(self, method: str, tree: Mapping[str, Any], order_no: str) -> dict[str, Any]:
        body = write(tree, self.system, order_no=order_no)
        query = self._signed(method, body)
        reply = await self._http.write(
            "POST", self._settings.url, order_no=order_no, operation=method, params=query, content=body, headers=HEADERS
        )
        return read_answer(reply, order_no=order_no, unclear=OutcomeUnknown)

    def _signed(self, method: str, body: bytes) -> dict[str, str]:
        query = {
            "method": f"{self._settings.method_prefix}{method}",
            "timestamp": to_local(self._clock.machine_now()),
            "format": "xml",
            "app_key": self._settings.app_key,
            "v": "2.0",
            "sign_method": "md5",
            "customerId": self._settings.customer_id,
        }
        return query | {"sign": sign(query, body, self._secret)}


def _taken_already(known: DeliveryOrder) -> Receipt:
    """An earlier attempt got through, unless the warehouse has dropped the order since."""
    if known.status in DROPPED:
        what = f"the warehouse has it as {known.status} and will not ship it; ask them to reopen it, then rerun"
        raise Refused(System.QIMEN, what, order_no=known.order_no, code=known.status)
    return Receipt(reference=known.number or known.order_no)
