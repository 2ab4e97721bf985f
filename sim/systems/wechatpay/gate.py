"""WeChat Pay's API: order query and refunds; errors are HTTP 4xx with a code, answers are signed."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from sim.chance import digits
from sim.faults import Call
from sim.records import Order, Payment, Refund
from sim.replies import Unreadable, answer_json, read_object
from sim.systems.wechatpay.bill import NoBill, pack, write_bill
from sim.systems.wechatpay.documents import describe_refund, describe_transaction, trade_state
from sim.systems.wechatpay.news import WechatPayNews
from sim.systems.wechatpay.signature import WINDOW, load_public_key, read_authorization, request_message, verifies
from sim.world import World

PREFIX = "/wechatpay"
REFUNDS = "/v3/refund/domestic/refunds"
BILL, BILL_FILE = "/v3/bill/tradebill", "/v3/billdownload/file"


class Refusal(Exception):
    """HTTP status, code and message of a refusal."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class WechatPayGate:
    def __init__(self, world: World, news: WechatPayNews) -> None:
        self._world = world
        self._news = news
        self._keys = world.config.secrets.wechatpay
        self._merchant_key = load_public_key(self._keys.merchant_public_key_pem)
        self._refunds: dict[str, tuple[Order, Refund]] = {}

    def mount(self, app: web.Application) -> None:
        app.router.add_get(f"{PREFIX}/v3/pay/transactions/out-trade-no/{{no}}", self.handle_query)
        app.router.add_get(f"{PREFIX}/v3/pay/transactions/id/{{id}}", self.handle_transaction)
        app.router.add_post(f"{PREFIX}{REFUNDS}", self.handle_refund)
        app.router.add_get(f"{PREFIX}{REFUNDS}/{{no}}", self.handle_refund_query)
        app.router.add_get(f"{PREFIX}{BILL}", self.handle_bill)
        app.router.add_get(f"{PREFIX}{BILL_FILE}", self.handle_bill_file)

    async def handle_query(self, request: web.Request) -> web.StreamResponse:
        no = request.match_info["no"]
        return await self._handle(request, "query", no, lambda _, __: self._query(no, request.query.get("mchid")))

    async def handle_transaction(self, request: web.Request) -> web.StreamResponse:
        id = request.match_info["id"]
        return await self._handle(request, "query_id", id, lambda _, __: self._query_id(id, request.query.get("mchid")))

    async def handle_refund(self, request: web.Request) -> web.StreamResponse:
        return await self._handle(request, "refund", "", self._refund)

    async def handle_refund_query(self, request: web.Request) -> web.StreamResponse:
        no = request.match_info["no"]
        return await self._handle(request, "query_refund", no, lambda _, __: self._query_refund(no))

    async def handle_bill(self, request: web.Request) -> web.StreamResponse:
        """Says where the bill lies; it is not the bill."""
        day = request.query.get("bill_date", "")
        base = f"{request.url.origin()}{PREFIX}{BILL_FILE}"
        return await self._handle(request, "bill", day, lambda _, __: self._bill(day, base))

    async def handle_bill_file(self, request: web.Request) -> web.StreamResponse:
        """The file itself, packed; unlike every other answer it is not signed."""
        self._world.tally.requests["wechatpay"] += 1
        try:
            self._check(request, b"")
        except Refusal as refusal:
            return self._answer({"code": refusal.code, "message": refusal.message}, refusal.status)
        packed, _ = pack(write_bill(self._world, request.query["token"], self._keys))
        return web.Response(body=packed, content_type="application/octet-stream")

    def _bill(self, day: str, base: str) -> dict[str, Any]:
        try:
            _, digest = pack(write_bill(self._world, day, self._keys))
        except NoBill as no:
            raise Refusal(400, no.code, no.words) from None
        except ValueError:
            raise Refusal(400, "PARAM_ERROR", "bill_date 格式为 yyyy-MM-DD") from None
        return {"hash_type": "SHA1", "hash_value": digest, "download_url": f"{base}?token={day}"}

    async def _handle(
        self, request: web.Request, operation: str, key: str, act: Callable[[dict[str, Any], bool], dict[str, Any]]
    ) -> web.StreamResponse:
        self._world.tally.requests["wechatpay"] += 1
        raw = await request.read()
        try:
            self._check(request, raw)
            body = read_object(raw) if raw else {}
        except Refusal as refusal:
            return self._answer({"code": refusal.code, "message": refusal.message}, refusal.status)
        except Unreadable:
            return self._answer({"code": "PARAM_ERROR", "message": "请求体不是合法的 JSON 对象"}, 400)
        call = Call("wechatpay", operation, key or str(body.get("out_refund_no")), operation == "refund")
        return await self._world.faults.serve(request, call, lambda real: self._act(act, body, real))

    def _act(
        self, act: Callable[[dict[str, Any], bool], dict[str, Any]], body: dict[str, Any], real: bool
    ) -> web.Response:
        try:
            return self._answer(act(body, real), 200)
        except Refusal as refusal:
            return self._answer({"code": refusal.code, "message": refusal.message}, refusal.status)

    def _answer(self, data: dict[str, Any], status: int) -> web.Response:
        response = answer_json(data, status)
        response.headers.update(self._news.sign_headers(orjson.dumps(data)))
        return response

    def _check(self, request: web.Request, body: bytes) -> None:
        found = read_authorization(request.headers.get("Authorization", ""))
        if found is None or found.mchid != self._keys.mchid or found.serial != self._keys.merchant_serial:
            raise Refusal(401, "SIGN_ERROR", "Authorization 不正确")
        if abs(time.time() - int(found.timestamp)) > WINDOW:
            raise Refusal(401, "SIGN_ERROR", "Authorization 中的 timestamp 已过期")
        # The prefix is this simulator's, not the vendor's: a client may sign with or without it.
        for path in (request.raw_path.removeprefix(PREFIX), request.raw_path):
            message = request_message(request.method, path, found.timestamp, found.nonce, body)
            if verifies(self._merchant_key, message, found.signature):
                return
        raise Refusal(401, "SIGN_ERROR", "签名验证失败")

    def _check_merchant(self, mchid: str | None) -> None:
        if mchid != self._keys.mchid:
            raise Refusal(400, "PARAM_ERROR", "mchid 与签名商户不一致")

    def _query(self, no: str, mchid: str | None) -> dict[str, Any]:
        self._check_merchant(mchid)
        order = self._world.orders.get(no)
        if order is None or order.stray:
            raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在")
        payment = order.payments[0] if order.payments else None
        return describe_transaction(order, payment, trade_state(order), self._keys)

    def _query_id(self, id: str, mchid: str | None) -> dict[str, Any]:
        self._check_merchant(mchid)
        order = self._world.by_transaction.get(id)
        if order is None:
            raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在")
        payment = next(payment for payment in order.payments if payment.transaction_id == id)
        refunded = any(r.transaction_id == id and r.status == "SUCCESS" for r in order.refunds)
        return describe_transaction(order, payment, "REFUND" if refunded else "SUCCESS", self._keys)

    def _refund(self, body: dict[str, Any], real: bool) -> dict[str, Any]:
        no, amount = body.get("out_refund_no"), body.get("amount")
        if not isinstance(no, str) or not no or not isinstance(amount, Mapping) or amount.get("currency") != "CNY":
            raise Refusal(400, "PARAM_ERROR", "out_refund_no 与 amount{refund,total,currency} 必填")
        order, payment = self._find_payment(body)
        if no in self._refunds:
            return self._repeat_refund(no, payment, amount)
        refund = self._check_refund(order, payment, no, amount, str(body.get("reason") or ""))
        if real:
            self._take_refund(order, refund)
        return describe_refund(order, refund)

    def _find_payment(self, body: Mapping[str, Any]) -> tuple[Order, Payment]:
        id, no = body.get("transaction_id"), body.get("out_trade_no")
        order = self._world.by_transaction.get(str(id)) if id else self._world.orders.get(str(no))
        if order is None or not order.payments:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "订单不存在或未支付")
        payment = next((p for p in order.payments if p.transaction_id == id), order.payments[0])
        return order, payment

    def _repeat_refund(self, no: str, payment: Payment, amount: Mapping[str, Any]) -> dict[str, Any]:
        """The same number again answers with the refund there is, and does nothing."""
        order, refund = self._refunds[no]
        self._world.tally.repeat("refund")
        if refund.transaction_id != payment.transaction_id or refund.amount != amount.get("refund"):
            raise Refusal(400, "INVALID_REQUEST", "退款单号已存在，但金额或订单与之前的请求不一致")
        return describe_refund(order, refund)

    def _check_refund(self, order: Order, payment: Payment, no: str, amount: Mapping[str, Any], reason: str) -> Refund:
        units, total = amount.get("refund"), amount.get("total")
        if not isinstance(units, int) or units <= 0 or total != payment.amount:
            raise Refusal(400, "INVALID_REQUEST", "订单金额或退款金额不正确")
        before = sum(r.amount for r in order.refunds if r.transaction_id == payment.transaction_id)
        if before + units > payment.amount:
            raise Refusal(403, "NOT_ENOUGH", "可退余额不足")
        refund_id = f"5030{digits(24, self._world.config.seed, 'refund', no)}"
        now = self._world.clock.now()
        return Refund(refund_id, no, payment.transaction_id, units, payment.amount, reason, now)

    def _take_refund(self, order: Order, refund: Refund) -> None:
        same = any(r.transaction_id == refund.transaction_id and r.amount == refund.amount for r in order.refunds)
        self._world.tally.effect("refund", duplicate=same)
        self._refunds[refund.out_refund_no] = (order, refund)
        order.refunds.append(refund)
        for listener in self._world.on_refund_asked:
            listener(order, refund, refund.asked_at)

    def _query_refund(self, no: str) -> dict[str, Any]:
        if no not in self._refunds:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
        return describe_refund(*self._refunds[no])
