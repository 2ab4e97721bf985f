"""One signed POST to 奇门, and the ways to use it: a question about an order, a write with one outcome, a batch."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import httpx

from adapters.allowance import Allowance
from adapters.errors import OutcomeUnknown, Refused, Unavailable
from adapters.http import VendorHttp
from adapters.replies import read_reply
from adapters.signing import reveal
from adapters.wms.qimen import documents
from adapters.wms.qimen.answers import read_answer
from adapters.wms.qimen.news import Confirm, DeliveryOrder
from adapters.wms.qimen.signing import sign
from adapters.wms.qimen.status import NOT_KNOWN
from adapters.xml import write
from ballast.clock import Clock, to_local
from ballast.domain.words import System
from ballast.settings import QimenSettings

HEADERS: Final = {"Content-Type": "text/xml; charset=utf-8"}
QUERY: Final = "deliveryorder.query"


class Connection:
    """Signs every call; knows which method is about which order, and nothing of what it is for."""

    def __init__(self, settings: QimenSettings, clock: Clock, allowance: Allowance | None = None) -> None:
        self._settings, self._clock = settings, clock
        self._secret = reveal(settings.secret, "BALLAST_QIMEN__SECRET")
        self._http = VendorHttp(System.QIMEN, max_calls=settings.max_calls, allowance=allowance)

    async def close(self) -> None:
        await self._http.close()

    async def ask(self, order_no: str) -> dict[str, Any] | None:
        """deliveryorder.query; None when the warehouse never heard of the order."""
        return await self.find(QUERY, documents.inquiry(order_no, self._settings), order_no)

    async def find(self, method: str, tree: Mapping[str, Any], order_no: str) -> dict[str, Any] | None:
        """A question about one thing; None when the warehouse never heard of it."""
        body = write(tree, System.QIMEN, order_no=order_no)
        reply = await self._http.read(
            "POST", self._settings.url, order_no=order_no, operation=method, content=body, headers=HEADERS,
            sign=partial(self._sign, method),
        )  # fmt: skip
        try:
            return read_answer(reply, order_no=order_no, unclear=Unavailable)
        except Refused as no:
            if not NOT_KNOWN.search(no.what):
                raise
            return None

    async def read(self, method: str, tree: Mapping[str, Any]) -> dict[str, Any]:
        """A question about no single order."""
        body = write(tree, System.QIMEN)
        reply = await self._http.read(
            "POST", self._settings.url, operation=method, content=body, headers=HEADERS,
            sign=partial(self._sign, method),
        )  # fmt: skip
        return read_answer(reply, order_no="", unclear=Unavailable)

    async def known(self, order_no: str) -> DeliveryOrder | None:
        """How the warehouse has the order."""
        document = await self.ask(order_no)
        return None if document is None else read_reply(Confirm, document, System.QIMEN, order_no=order_no).order

    async def change(self, method: str, tree: Mapping[str, Any], order_no: str) -> dict[str, Any]:
        """A call that changes one order. Raises what the refusal means, `OutcomeUnknown` when there is no answer."""
        body = write(tree, System.QIMEN, order_no=order_no)
        return read_answer(await self.send(method, body, order_no), order_no=order_no, unclear=OutcomeUnknown)

    async def send(self, method: str, body: bytes, order_no: str = "") -> httpx.Response:
        """A call that changes something, its answer unread."""
        return await self._http.write(
            "POST", self._settings.url, order_no=order_no, operation=method, content=body, headers=HEADERS,
            sign=partial(self._sign, method),
        )  # fmt: skip

    def _sign(self, method: str, request: httpx.Request) -> None:
        """Every attempt anew, when it leaves: what waited for its turn is as fresh as what did not."""
        query = {
            "method": f"{self._settings.method_prefix}{method}",
            "timestamp": to_local(self._clock.machine_now()),
            "format": "xml",
            "app_key": self._settings.app_key,
            "v": "2.0",
            "sign_method": "md5",
            "customerId": self._settings.customer_id,
        }
        query["sign"] = sign(query, request.content, self._secret)
        request.url = request.url.copy_merge_params(query)
