"""The shop's server API: token, shipping upload, order query, receipt reminder. HTTP 200 whatever happens."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from sim.chance import digits
from sim.faults import Call
from sim.records import Order
from sim.replies import Unreadable, answer_json, read_object
from sim.systems.wechat.news import WechatNews
from sim.systems.wechat.shipping import (
    FORMAT,
    NO_PAYMENT,
    NOT_SHIPPABLE,
    PARAMETER,
    Refusal,
    apply_upload,
    check_repeat,
    read_upload,
)
from sim.world import World

TOKEN_SECONDS = 7200  # real
EFFECTS = {"upload_shipping_info", "notify_confirm_receive"}


class WechatGate:
    def __init__(self, world: World, news: WechatNews) -> None:
        self._world = world
        self._news = news
        self._keys = world.config.secrets.wechat
        self._mchid = world.config.secrets.wechatpay.mchid
        self._tokens: dict[str, float] = {}
        self._operations: dict[str, Callable[[dict[str, Any], bool], dict[str, Any]]] = {
            "upload_shipping_info": self._upload,
            "get_order": self._get,
            "notify_confirm_receive": self._remind,
        }

    def mount(self, app: web.Application) -> None:
        app.router.add_post("/wechat/cgi-bin/stable_token", self.handle_token)
        app.router.add_post("/wechat/wxa/sec/order/{operation}", self.handle)

    async def handle_token(self, request: web.Request) -> web.StreamResponse:
        self._world.tally.requests["wechat"] += 1
        try:
            body = read_object(await request.read())
        except Unreadable:
            return answer_json({"errcode": FORMAT, "errmsg": "data format error"})
        call = Call("wechat", "stable_token", str(body.get("appid")))
        return await self._world.faults.serve(request, call, lambda _: answer_json(self._issue(body)))

    def _issue(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if body.get("grant_type") != "client_credential":
            return {"errcode": 40002, "errmsg": "invalid grant_type"}
        if body.get("appid") != self._keys.app_id:
            return {"errcode": 40013, "errmsg": "invalid appid"}
        if body.get("secret") != self._keys.app_secret:
            return {"errcode": 40125, "errmsg": "invalid appsecret"}
        now = time.time()
        valid = next((token for token, until in self._tokens.items() if until > now), None)
        if valid is None or body.get("force_refresh") is True:
            valid = f"sim_{digits(30, self._world.config.seed, 'token', len(self._tokens))}"
            self._tokens[valid] = now + TOKEN_SECONDS
        return {"access_token": valid, "expires_in": int(self._tokens[valid] - now)}

    def expire_tokens(self) -> None:
        self._tokens = dict.fromkeys(self._tokens, 0.0)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self._world.tally.requests["wechat"] += 1
        operation = request.match_info["operation"]
        try:
            self._check_token(request.query.get("access_token", ""))
            body = read_object(await request.read())
        except Refusal as refusal:
            return self._refuse(refusal)
        except Unreadable:
            return self._refuse(Refusal(FORMAT, "data format error"))
        call = Call("wechat", operation, name_subject(body), operation in EFFECTS)
        return await self._world.faults.serve(request, call, lambda real: self._act(operation, body, real))

    def _check_token(self, token: str) -> None:
        if token not in self._tokens:
            raise Refusal(40001, "invalid credential, access_token is invalid or not latest")
        if self._tokens[token] < time.time():
            raise Refusal(42001, "access_token expired")

    def _act(self, operation: str, body: dict[str, Any], real: bool) -> web.Response:
        if operation not in self._operations:
            return web.Response(status=404, text="Not Found")
        try:
            return answer_json({"errcode": 0, "errmsg": "ok", **self._operations[operation](body, real)})
        except Refusal as refusal:
            return self._refuse(refusal)

    def _refuse(self, refusal: Refusal) -> web.Response:
        if refusal.repeat_of:
            self._world.tally.repeat(refusal.repeat_of)
        return answer_json({"errcode": refusal.code, "errmsg": refusal.message})

    def _upload(self, body: dict[str, Any], real: bool) -> dict[str, Any]:
        upload = read_upload(body)
        order = self._find(read_key(body.get("order_key")))
        payer = body.get("payer")
        if not isinstance(payer, Mapping) or payer.get("openid") != order.customer.openid:
            raise Refusal(PARAMETER, "payer.openid 与支付单不符")
        check_repeat(order.shop, upload)
        if real:
            now = self._world.clock.now()
            self._world.tally.effect("shop_upload", duplicate=apply_upload(order, upload, now))
            if order.shop.finished:
                self._news.shipped(order, now)
            for listener in self._world.on_shipping_uploaded:
                listener(order, now)
        return {}

    def _get(self, body: dict[str, Any], _: bool) -> dict[str, Any]:
        return {"order": self._describe(self._find(read_names(body)))}

    def _remind(self, body: dict[str, Any], real: bool) -> dict[str, Any]:
        order = self._find(read_names(body))
        if not isinstance(body.get("received_time"), int):
            raise Refusal(PARAMETER, "received_time 不能为空")
        if order.shop.order_state != 2:
            raise Refusal(NOT_SHIPPABLE, "支付单未发货或已确认收货", "receipt_remind" if order.shop.reminded else "")
        if order.shop.reminded:
            raise Refusal(PARAMETER, "每个支付单只能提醒一次", "receipt_remind")
        if real:
            order.shop.reminded += 1
            self._world.tally.effect("receipt_remind")
            for listener in self._world.on_reminded:
                listener(order, self._world.clock.now())
        return {}

    def _find(self, names: Mapping[str, str]) -> Order:
        """By merchant's number or transaction, once the payment is visible to the shipping system."""
        if "transaction_id" in names:
            order = self._world.by_transaction.get(names["transaction_id"])
        else:
            order = self._world.orders.get(names["out_trade_no"]) if names["mchid"] == self._mchid else None
        if order is None or not self._visible(order):
            raise Refusal(NO_PAYMENT, "支付单不存在")
        return order

    def _visible(self, order: Order) -> bool:
        charge = order.first_charge
        return charge is not None and charge.visible_at <= self._world.clock.now()

    def _describe(self, order: Order) -> dict[str, Any]:
        payment, shop = order.first_charge, order.shop
        assert payment is not None  # what is not paid is not found
        return {
            "transaction_id": payment.transaction_id,
            "merchant_id": self._mchid,
            "sub_merchant_id": "",
            "merchant_trade_no": order.no,
            "description": order.lines[0].name if order.lines else "",
            "paid_amount": payment.amount,
            "openid": order.customer.openid,
            "trade_create_time": int(order.placed_at),
            "pay_time": int(payment.paid_at),
            "order_state": shop.order_state,
            "in_complaint": False,
            "shipping": {
                "delivery_mode": shop.delivery_mode,
                "logistics_type": shop.logistics_type,
                "finish_shipping": shop.finished,
                "finish_shipping_count": shop.uploads,
                "goods_desc": "",
                "shipping_list": [describe_parcel(parcel) for parcel in shop.parcels],
            },
        }


def describe_parcel(parcel: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tracking_no": parcel.get("tracking_no", ""),
        "express_company": parcel.get("express_company", ""),
        "goods_desc": parcel["item_desc"],
        "upload_time": parcel["uploaded_at"],
        "contact": parcel.get("contact") or {},
    }


def read_key(key: Any) -> dict[str, str]:
    """The order_key of an upload: type 1 is merchant and trade number, type 2 the transaction."""
    if not isinstance(key, Mapping) or key.get("order_number_type") not in (1, 2):
        raise Refusal(FORMAT, "data format error: order_key")
    if key["order_number_type"] == 2:
        return {"transaction_id": str(key.get("transaction_id"))}
    return {"mchid": str(key.get("mchid")), "out_trade_no": str(key.get("out_trade_no"))}


def read_names(body: Mapping[str, Any]) -> dict[str, str]:
    if body.get("transaction_id"):
        return {"transaction_id": str(body["transaction_id"])}
    return {"mchid": str(body.get("merchant_id")), "out_trade_no": str(body.get("merchant_trade_no"))}


def name_subject(body: Mapping[str, Any]) -> str:
    """The order a request is about, for faults that repeat with the seed."""
    key = body.get("order_key")
    named = key if isinstance(key, Mapping) else body
    return str(named.get("out_trade_no") or named.get("merchant_trade_no") or named.get("transaction_id"))
