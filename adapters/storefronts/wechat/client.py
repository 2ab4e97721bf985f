"""Out to the shop: what was shipped, what arrived, what it knows."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from adapters.allowance import Allowance
from adapters.errors import NotYet, OutcomeUnknown, OutsideError, Refused, Unavailable
from adapters.http import VendorHttp
from adapters.json_text import reply_object
from adapters.replies import read_reply
from adapters.storefronts.wechat.documents import order_key, shipping_document
from adapters.storefronts.wechat.replies import (
    NO_SUCH_ORDER,
    SHIPPED_BEFORE,
    STALE_TOKEN,
    Answer,
    OrderAnswer,
    ShopOrder,
    check,
    read_shop_order,
)
from adapters.storefronts.wechat.status import CODES
from adapters.storefronts.wechat.tokens import AccessToken
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.ports import Codes, News, Order, Receipt
from ballast.settings import WechatSettings

UPLOAD: Final = "/wxa/sec/order/upload_shipping_info"
GET_ORDER: Final = "/wxa/sec/order/get_order"
REMIND: Final = "/wxa/sec/order/notify_confirm_receive"

RECEIVED: Final = 3
"""From this order_state on the shop needs no word about arrival any more."""

REFUNDED: Final = 5
"""已退款: all of it."""

REMINDED_BEFORE: Final = re.compile(
    r"已经?(提醒|通知|确认收货)|提醒一次|already (remind|notif|confirm|receiv)", re.IGNORECASE
)
"""The shop reminds once; its code for the second time is in no sheet of ours, its words are [M]."""


class Wechat:
    """Implements `ports.Storefront`. `codes` may be replaced by the map that people extended."""

    system = System.WECHAT

    def __init__(self, settings: WechatSettings, clock: Clock, allowance: Allowance | None = None) -> None:
        self._settings, self._clock = settings, clock
        self._http = VendorHttp(System.WECHAT, max_calls=settings.max_calls, allowance=allowance)
        self._token = AccessToken(settings, clock, self._http)
        self.codes: Codes = CODES

    async def tell_shipped(self, order: Order, *, look_first: bool = False) -> Receipt:
        """A second upload spends the order's only re-shipment, so it is never repeated without a look."""
        document = shipping_document(order, self._settings.mchid, self._clock.now())
        if look_first and (receipt := await self._told_before(order)):
            return receipt
        try:
            await self._write(UPLOAD, document, order.order_no)
        except Refused as no:
            receipt = await self._told_before(order) if no.code in SHIPPED_BEFORE else None
            if receipt is None:
                raise
            return receipt
        if await self._told_before(order) is None:  # the customer would wait, and nothing would show it
            raise OutcomeUnknown(System.WECHAT, "the waybills were taken and are not there", order_no=order.order_no)
        return Receipt(reference=order.transaction_id or order.order_no, detail=_summary(document))

    async def tell_received(self, order: Order, signed_at: datetime, *, look_first: bool = False) -> Receipt:
        """The shop reminds the customer once; whoever confirmed already needs no reminder."""
        if look_first and await self._received(order.order_no):
            return _received_receipt(order, "confirmed before")
        body = {**order_key(order.order_no, self._settings.mchid), "received_time": int(signed_at.timestamp())}
        try:
            await self._write(REMIND, body, order.order_no)
        except Refused as no:
            if not REMINDED_BEFORE.search(no.what) and not await self._received(order.order_no):
                raise
            return _received_receipt(order, "told before")
        return _received_receipt(order, "told")

    async def tell_refunded(self, order: Order, *, look_first: bool = False) -> Receipt:
        """WeChat Pay tells the shop by itself; this looks whether it has. An order that was never paid is not known."""
        shop_order = await self._shop_order(order.order_no)
        if shop_order is not None and shop_order.order_state != REFUNDED:
            what = f"the shop still shows order_state {shop_order.order_state} of a refunded order"
            raise NotYet(System.WECHAT, what, order_no=order.order_no)
        return Receipt(reference=order.transaction_id or order.order_no, detail={"order_state": REFUNDED})

    async def ask(self, order_no: str) -> Sequence[News]:
        """Empty while the shop does not know the order."""
        order = await self._shop_order(order_no)
        return read_shop_order(order, self.codes, self._clock.now()) if order else ()

    async def ping(self) -> str:
        """Fetches a token and asks about an order that cannot exist."""
        await self._shop_order("BALLAST-PING")
        return "token granted, shop answers"

    async def close(self) -> None:
        await self._http.close()

    async def _told_before(self, order: Order) -> Receipt | None:
        shop_order = await self._shop_order(order.order_no)
        if shop_order is None or not shop_order.has(parcel.waybill for parcel in order.parcels):
            return None
        return Receipt(reference=shop_order.transaction_id, detail={"order_state": shop_order.order_state})

    async def _received(self, order_no: str) -> bool:
        shop_order = await self._shop_order(order_no)
        return shop_order is not None and shop_order.order_state >= RECEIVED

    async def _shop_order(self, order_no: str) -> ShopOrder | None:
        data = await self._call(GET_ORDER, order_key(order_no, self._settings.mchid), order_no, Unavailable)
        answer = read_reply(Answer, data, System.WECHAT, order_no=order_no)
        if answer.errcode == NO_SUCH_ORDER:
            return None
        check(answer, otherwise=Unavailable, order_no=order_no)
        return read_reply(OrderAnswer, data, System.WECHAT, order_no=order_no).order

    async def _write(self, path: str, document: Mapping[str, Any], order_no: str) -> None:
        data = await self._call(path, document, order_no, OutcomeUnknown)
        answer = read_reply(Answer, data, System.WECHAT, order_no=order_no)
        check(answer, otherwise=OutcomeUnknown, order_no=order_no)

    async def _call(
        self, path: str, document: Mapping[str, Any], order_no: str, otherwise: type[OutsideError]
    ) -> dict[str, Any]:
        """Once more with a new token when the shop refuses ours: it did nothing then, so even writes may repeat."""
        token = await self._token.get()
        data = await self._post(path, document, order_no, otherwise, token)
        if data.get("errcode") in STALE_TOKEN:
            token = await self._token.renew(token)
            data = await self._post(path, document, order_no, otherwise, token)
        return data

    async def _post(
        self, path: str, document: Mapping[str, Any], order_no: str, otherwise: type[OutsideError], token: str
    ) -> dict[str, Any]:
        send = self._http.read if otherwise is Unavailable else self._http.write
        reply = await send(
            "POST",
            f"{self._settings.api_url}{path}",
            order_no=order_no,
            params={"access_token": token},
            content=orjson.dumps(document),  # UTF-8: escaped text would be shown to the customer as it is
            headers={"Content-Type": "application/json"},
        )
        return reply_object(reply, System.WECHAT, otherwise, order_no=order_no)


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    waybills = [shipment["tracking_no"] for shipment in document["shipping_list"]]
    return {"delivery_mode": document["delivery_mode"], "waybills": waybills, "upload_time": document["upload_time"]}


def _received_receipt(order: Order, how: str) -> Receipt:
    return Receipt(reference=order.transaction_id or order.order_no, detail={"receipt": how})
