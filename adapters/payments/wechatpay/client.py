"""Out to WeChat Pay: what became of a payment, and giving money back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx
import orjson
from pydantic import AwareDatetime

from adapters.allowance import Allowance
from adapters.errors import NotUnderstood, OutcomeUnknown, OutsideError, Refused, Unavailable
from adapters.http import VendorHttp
from adapters.json_text import reply_object
from adapters.payments.wechatpay.bill import unpack_bill
from adapters.payments.wechatpay.documents import (
    RefundAmount,
    RefundNotice,
    Transaction,
    check_ours,
    read_refund,
    read_transaction,
)
from adapters.payments.wechatpay.signing import authorization, is_genuine, load_merchant_key, load_platform_keys
from adapters.payments.wechatpay.status import CODES
from adapters.replies import Reply, read_reply
from ballast.clock import Clock
from ballast.domain.words import Event, System
from ballast.ports import Codes, News, Receipt, RefundRequest
from ballast.settings import WechatpaySettings

REFUNDS: Final = "/v3/refund/domestic/refunds"
NO_SUCH_PAYMENT: Final = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST"})  # the second spelling is older [M]
BILL: Final = "/v3/bill/tradebill"
NO_BILL: Final = "NO_STATEMENT_EXIST"  # nothing happened that day [M]
BILL_NOT_READY: Final = "STATEMENT_CREATING"  # [M]
NO_SUCH_REFUND: Final = frozenset({"RESOURCE_NOT_EXISTS"})
LONGEST_REASON: Final = 80


class RefundReply(Reply):
    """A refund as the API shows it: here the field is `status`, in a notice it is `refund_status`."""

    refund_id: str
    out_refund_no: str
    out_trade_no: str
    transaction_id: str
    status: str
    amount: RefundAmount
    success_time: AwareDatetime | None = None

    def as_notice(self, mchid: str) -> RefundNotice:
        """The same in the words of a notice."""
        shared = self.model_dump(exclude={"status"})
        return RefundNotice(mchid=mchid, refund_status=self.status, **shared)


class BillPlace(Reply):
    """Where a bill lies. `hash_value`: SHA-1 of the bill itself, not of the packed file."""

    hash_value: str
    download_url: str


class Complaint(Reply):
    """The body of a 4xx."""

    code: str = ""
    message: str = ""


class Wechatpay:
    """Implements `ports.Payment`. `codes` may be replaced by the map that people extended."""

    system = System.WECHATPAY

    def __init__(self, settings: WechatpaySettings, clock: Clock, allowance: Allowance | None = None) -> None:
        self._settings, self._clock = settings, clock
        self._key, self._platform_keys = load_merchant_key(settings), load_platform_keys(settings)
        self._http = VendorHttp(System.WECHATPAY, max_calls=settings.max_calls, allowance=allowance)
        self.codes: Codes = CODES

    async def ask(self, order_no: str) -> Sequence[News]:
        """Empty while the customer has not even begun to pay."""
        path = f"/v3/pay/transactions/out-trade-no/{quote(order_no, safe='')}?mchid={quote(self._settings.mchid)}"
        data = await self._get(path, order_no, NO_SUCH_PAYMENT)
        if data is None:
            return ()
        transaction = read_reply(Transaction, data, System.WECHATPAY, order_no=order_no)
        check_ours(transaction, self._settings)
        if transaction.out_trade_no != order_no:
            what = f"asked about {order_no}, the reply is about {transaction.out_trade_no}"
            raise NotUnderstood(System.WECHATPAY, what, order_no=order_no)
        return (read_transaction(transaction, self.codes, self._clock.now()),)

    async def refund(self, request: RefundRequest, *, look_first: bool = False) -> Receipt:
        """`refund_no` is the key: the provider gives back once per number, however often it is asked."""
        _check_amount(request)
        data = await self._known_refund(request.order_no, request.refund_no) if look_first else None
        if data is None:
            reply = await self._send("POST", REFUNDS, request.order_no, OutcomeUnknown, self._refund_document(request))
            data = self._open(reply, request.order_no, OutcomeUnknown)
            await self._see_taken(request)
        return _refund_receipt(read_reply(RefundReply, data, System.WECHATPAY, order_no=request.order_no), request)

    async def _see_taken(self, request: RefundRequest) -> None:
        """Nobody would notice that the money never goes back. A look that fails is no word about the refund."""
        try:
            known = await self._known_refund(request.order_no, request.refund_no)
        except OutsideError as no:
            what = f"refund {request.refund_no} was taken and could not be looked at ({no.what})"
            raise OutcomeUnknown(System.WECHATPAY, what, order_no=request.order_no, code=no.code) from no
        if known is None:
            what = f"refund {request.refund_no} was taken and is not known"
            raise OutcomeUnknown(System.WECHATPAY, what, order_no=request.order_no)

    async def ask_refund(self, order_no: str, refund_no: str) -> Sequence[News]:
        """Empty when no refund has this number."""
        data = await self._known_refund(order_no, refund_no)
        if data is None:
            return ()
        reply = read_reply(RefundReply, data, System.WECHATPAY, order_no=order_no)
        if (reply.out_trade_no, reply.out_refund_no) != (order_no, refund_no):
            what = f"asked about refund {refund_no}, the reply is about {reply.out_refund_no} of {reply.out_trade_no}"
            raise NotUnderstood(System.WECHATPAY, what, order_no=order_no)
        return (read_refund(reply.as_notice(self._settings.mchid), self.codes, self._clock.now()),)

    async def bill(self, day: str) -> bytes:
        """The trade bill of a day, all kinds, unpacked. Raises `Unavailable` while it is not made: ready at ten."""
        try:
            where = await self._get(f"{BILL}?bill_date={quote(day)}&bill_type=ALL&tar_type=GZIP", "", frozenset())
        except Refused as no:
            if no.code == NO_BILL:
                return b""
            if no.code == BILL_NOT_READY:
                raise Unavailable(
                    System.WECHATPAY, f"the bill of {day} is not made yet: ready at ten", code=no.code
                ) from no
            raise
        there = read_reply(BillPlace, where or {}, System.WECHATPAY)
        reply = await self._send_to("GET", httpx.URL(there.download_url), "", Unavailable)
        if reply.status_code >= 300:
            raise Unavailable(System.WECHATPAY, f"the bill of {day}: HTTP {reply.status_code}; fetch it again")
        return unpack_bill(reply.content, there.hash_value)

    async def ping(self) -> str:
        """Asks about a payment that cannot exist."""
        await self.ask("BALLAST-PING")
        return "signature accepted, provider answers"

    async def close(self) -> None:
        await self._http.close()

    async def _known_refund(self, order_no: str, refund_no: str) -> dict[str, Any] | None:
        return await self._get(f"{REFUNDS}/{quote(refund_no, safe='')}", order_no, NO_SUCH_REFUND)

    def _refund_document(self, request: RefundRequest) -> dict[str, Any]:
        amount = {
            "refund": request.amount.amount,
            "total": request.captured.amount,
            "currency": request.amount.currency,
        }
        document = {
            "transaction_id": request.transaction_id,
            "out_refund_no": request.refund_no,
            "reason": request.why[:LONGEST_REASON],
            "amount": amount,
        }
        return document | ({"notify_url": self._settings.notify_url} if self._settings.notify_url else {})

    async def _get(self, path: str, order_no: str, unknown: frozenset[str]) -> dict[str, Any] | None:
        """None when the provider does not know the thing asked about."""
        reply = await self._send("GET", path, order_no, Unavailable)
        try:
            return self._open(reply, order_no, Unavailable)
        except Refused as no:
            if reply.status_code == 404 and no.code in unknown:
                return None
            raise

    async def _send(
        self,
        method: str,
        path: str,
        order_no: str,
        otherwise: type[OutsideError],
        document: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """Sign what really goes out: the URL after the client's normalisation, the bytes of the body."""
        return await self._send_to(method, httpx.URL(f"{self._settings.api_url}{path}"), order_no, otherwise, document)

    async def _send_to(
        self,
        method: str,
        url: httpx.URL,
        order_no: str,
        otherwise: type[OutsideError],
        document: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        body = orjson.dumps(document).decode() if document else ""
        now = self._clock.machine_now()
        signature = authorization(method, url.raw_path.decode(), body, self._settings, self._key, now)
        headers = {"Authorization": signature, "Accept": "application/json", "Content-Type": "application/json"}
        send = self._http.read if otherwise is Unavailable else self._http.write
        return await send(method, str(url), order_no=order_no, content=body.encode(), headers=headers)

    def _open(self, reply: httpx.Response, order_no: str, otherwise: type[OutsideError]) -> dict[str, Any]:
        """The document of a success, after its signature was checked. A 4xx is `Refused` with the provider's code."""
        if reply.status_code >= 300:
            complaint = read_reply(
                Complaint, reply_object(reply, System.WECHATPAY, otherwise, order_no=order_no), System.WECHATPAY
            )
            code = complaint.code or str(reply.status_code)
            raise Refused(System.WECHATPAY, complaint.message or "refused", order_no=order_no, code=code)
        headers = {name.lower(): value for name, value in reply.headers.items()}
        if not is_genuine(headers, reply.content, self._platform_keys, self._clock.machine_now()):
            what = "the reply is not signed with a known platform key; check BALLAST_WECHATPAY__PLATFORM_KEYS"
            raise otherwise(System.WECHATPAY, what, order_no=order_no)
        return reply_object(reply, System.WECHATPAY, otherwise, order_no=order_no)


def _check_amount(request: RefundRequest) -> None:
    """Before anything is sent. Raises `Refused`."""
    if request.amount.currency != request.captured.currency or not 0 < request.amount.amount <= request.captured.amount:
        what = f"cannot give back {request.amount} of a charge of {request.captured}; correct the refund"
        raise Refused(System.WECHATPAY, what, order_no=request.order_no)


def _refund_receipt(refund: RefundReply, request: RefundRequest) -> Receipt:
    """Only a refund that came to nothing is a refusal. What else is not as it was asked for may have moved money."""
    if refund.out_refund_no != request.refund_no or refund.amount.refund != request.amount.amount:
        what = f"refund {request.refund_no} exists with {refund.amount.refund} instead of {request.amount.amount} 分"
        raise NotUnderstood(System.WECHATPAY, f"{what}; compare in the merchant console", order_no=request.order_no)
    if refund.status in ("PROCESSING", "SUCCESS"):
        return Receipt(
            reference=refund.refund_id, detail={"status": refund.status, "out_refund_no": refund.out_refund_no}
        )
    known = CODES.get(("refund_status", refund.status))
    error = Refused if known is not None and known.event is Event.HELD else NotUnderstood
    what = f"refund {request.refund_no} is {refund.status}; finish it in the merchant console"
    raise error(System.WECHATPAY, what, order_no=request.order_no, code=refund.status)
