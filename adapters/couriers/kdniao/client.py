"""Out to Kdniao: subscribe to a parcel, ask about a parcel."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from adapters.allowance import Allowance
from adapters.couriers.kdniao.signing import data_sign
from adapters.couriers.kdniao.status import CODES
from adapters.couriers.kdniao.tracks import Document, Track, read_track
from adapters.errors import NotUnderstood, OutcomeUnknown, Refused, Throttled, Unavailable
from adapters.http import VendorHttp
from adapters.json_text import reply_object
from adapters.replies import read_reply
from adapters.signing import reveal
from ballast.clock import Clock
from ballast.domain.words import Event, System
from ballast.ports import Codes, News, Receipt, Waybill
from ballast.settings import KdniaoSettings

PHONE_TAIL_NEEDED = frozenset({"SF"})
PHONE_TAIL_WANTED = frozenset({"SF", "ZTO", "KYSY"})  # [M] for all but SF

TOO_OFTEN = re.compile(r"频繁|频率|次数|上限|超限|超量|限流|too (often|many)|quota|limit", re.IGNORECASE)
SUBSCRIBED_BEFORE = re.compile(r"重复.{0,4}订阅|已.{0,4}订阅|订阅.{0,4}(重复|已存在)|already subscribed", re.IGNORECASE)
BUSY = re.compile(r"繁忙|稍后|系统异常|服务异常|busy", re.IGNORECASE)
PAUSE_SECONDS = 60.0
"""The vendor's failures are free text: these words tell the passing ones from refusals [M]."""


class Verdict(Document):
    """The part that every reply has. HTTP is 200 even on failure."""

    success: bool
    reason: str | None = None
    update_time: str | None = None


class Kdniao:
    """Implements `ports.Courier`. `codes` may be replaced by the map that people extended."""

    system = System.KDNIAO

    def __init__(self, settings: KdniaoSettings, clock: Clock, allowance: Allowance | None = None) -> None:
        self._settings, self._clock = settings, clock
        self._api_key = reveal(settings.api_key, "BALLAST_KDNIAO__API_KEY")
        self._http = VendorHttp(System.KDNIAO, max_calls=settings.max_calls, allowance=allowance)
        self.codes: Codes = CODES

    async def subscribe(self, waybill: Waybill, *, look_first: bool = False) -> Receipt:
        """A second subscription of a number is taken like the first [M], so `look_first` has nothing to look for.

        Should an edition refuse it all the same, that refusal is as good as a yes.
        """
        document = {"OrderCode": waybill.order_no, **parcel_document(waybill)}
        form = self._form(self._settings.subscribe_type, document)
        reply = await self._http.write(
            "POST", self._settings.dist_url, order_no=waybill.order_no, operation="subscribe", data=form
        )
        data = reply_object(reply, System.KDNIAO, OutcomeUnknown, order_no=waybill.order_no)
        try:
            verdict = _check(data, waybill.order_no)
        except Refused as no:
            if not SUBSCRIBED_BEFORE.search(no.what):
                raise
            return Receipt(reference=waybill.waybill, detail={"subscription": "there before"})
        return Receipt(reference=waybill.waybill, detail={"UpdateTime": verdict.update_time or ""})

    async def track(self, waybill: Waybill) -> Sequence[News]:
        """One question is one billed query in the paid edition."""
        data = await self._ask({"OrderCode": waybill.order_no, **parcel_document(waybill)}, waybill.order_no)
        track = read_reply(Track, data, System.KDNIAO, order_no=waybill.order_no)
        if track.logistic_code != waybill.waybill:
            what = f"asked about waybill {waybill.waybill}, the reply is about {track.logistic_code}"
            raise NotUnderstood(System.KDNIAO, what, order_no=waybill.order_no)
        news = read_track(track, order_no=waybill.order_no, heard_at=self._clock.now(), codes=self.codes)
        return () if news.event is Event.NOTED and not track.traces else (news,)

    async def ping(self) -> str:
        """Asks about a number that no carrier gave out."""
        data = await self._ask({"OrderCode": "", "ShipperCode": "YTO", "LogisticCode": "YT0000000000000"}, "")
        return f"answers: {data.get('Reason') or 'ok'}"

    async def close(self) -> None:
        await self._http.close()

    async def _ask(self, document: Mapping[str, str], order_no: str) -> dict[str, Any]:
        form = self._form(self._settings.query_type, document)
        reply = await self._http.read("POST", self._settings.query_url, order_no=order_no, operation="query", data=form)
        data = reply_object(reply, System.KDNIAO, Unavailable, order_no=order_no)
        _check(data, order_no)
        return data

    def _form(self, request_type: str, document: Mapping[str, str]) -> dict[str, str]:
        """Plain values: the HTTP client does the one form encoding; a second one is a signature error there."""
        request_data = orjson.dumps(document).decode()
        return {
            "RequestData": request_data,
            "EBusinessID": self._settings.ebusiness_id,
            "RequestType": request_type,
            "DataSign": data_sign(request_data, self._api_key),
            "DataType": "2",
        }


def parcel_document(waybill: Waybill) -> dict[str, str]:
    """Ballast's carrier codes are Kdniao's, so there is no dialect here. Raises `Refused` for what cannot work."""
    if waybill.carrier in PHONE_TAIL_NEEDED and not waybill.phone_tail:
        what = f"{waybill.carrier} shows nothing without the last four digits of the receiver's mobile; add it, rerun"
        raise Refused(System.KDNIAO, what, order_no=waybill.order_no)
    document = {"ShipperCode": waybill.carrier, "LogisticCode": waybill.waybill}
    if waybill.carrier in PHONE_TAIL_WANTED and waybill.phone_tail:
        document["CustomerName"] = waybill.phone_tail
    return document


def _check(data: Mapping[str, Any], order_no: str) -> Verdict:
    verdict = read_reply(Verdict, data, System.KDNIAO, order_no=order_no)
    reason = verdict.reason or "no reason given"
    if verdict.success:
        return verdict
    if TOO_OFTEN.search(reason):
        raise Throttled(System.KDNIAO, reason, seconds=PAUSE_SECONDS)
    if BUSY.search(reason):
        raise Unavailable(System.KDNIAO, reason, order_no=order_no)
    raise Refused(System.KDNIAO, reason, order_no=order_no)
