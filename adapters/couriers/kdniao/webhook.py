"""In from Kdniao: tracking pushes (101, 102). Source: the vendor sheet, §6."""

import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import orjson
from pydantic import Field

from adapters.couriers.kdniao.signing import data_sign
from adapters.couriers.kdniao.status import CODES
from adapters.couriers.kdniao.tracks import Document, Track, read_track
from adapters.errors import BadSignature, NotUnderstood
from adapters.json_text import read_object
from adapters.replies import read_reply
from adapters.signing import reveal, same
from ballast.clock import from_local, to_local
from ballast.domain.words import System
from ballast.ports import Codes, Delivery, HookAnswer, HookRequest, Message, News
from ballast.settings import KdniaoSettings

TRACKING = frozenset({"101", "102"})  # 103 (pickup) and 107 (cash on delivery) are not Ballast's business
MOST_FIELDS = 16


class Push(Document):
    """The envelope of one push. `data` stays raw: every parcel is kept as it came."""

    push_time: str
    ebusiness_id: str = Field(alias="EBusinessID")
    data: tuple[dict[str, Any], ...] = Field(max_length=100)


class PushedTrack(Track):
    """One parcel of a push, as it lies in the inbox."""

    push_time: str


class KdniaoHook:
    """Implements `ports.Hook`. There is no timestamp in the signature: a replayed push meets its own event id."""

    source = System.KDNIAO
    codes: Codes = CODES

    def __init__(self, settings: KdniaoSettings) -> None:
        self._id = settings.ebusiness_id
        self._api_key = reveal(settings.api_key, "BALLAST_KDNIAO__API_KEY")

    def receive(self, request: HookRequest, now: datetime) -> Delivery:
        form = _read_form(request.body)
        request_data = form.get("RequestData", "")
        if not same(data_sign(request_data, self._api_key), form.get("DataSign", "")):
            raise BadSignature(System.KDNIAO, "the push is not signed with our key")
        if form.get("RequestType") not in TRACKING:
            raise NotUnderstood(System.KDNIAO, f"RequestType {form.get('RequestType')!r} is no tracking push")
        push = read_reply(Push, read_object(request_data.encode(), System.KDNIAO), System.KDNIAO)
        if push.ebusiness_id != self._id:
            raise NotUnderstood(System.KDNIAO, f"EBusinessID {push.ebusiness_id!r} is not ours ({self._id})")
        messages = [_message(item, push.push_time, form["RequestType"]) for item in push.data]
        return Delivery(messages=tuple({message.event_id: message for message in messages}.values()))

    def read(self, message: Message, codes: Codes) -> News | None:
        track = read_reply(PushedTrack, message.payload, System.KDNIAO, order_no=message.order_no)
        try:
            heard_at = from_local(track.push_time)
        except ValueError:
            what = f"PushTime {track.push_time!r} is no time"
            raise NotUnderstood(System.KDNIAO, what, order_no=message.order_no) from None
        return read_track(track, order_no=message.order_no, heard_at=heard_at, codes=codes)

    def accepted(self, now: datetime) -> HookAnswer:
        return self._answer(200, now, success=True, reason="")

    def refused(self, status: int, why: str, now: datetime) -> HookAnswer:
        return self._answer(status, now, success=False, reason=why)

    def _answer(self, status: int, now: datetime, *, success: bool, reason: str) -> HookAnswer:
        body = {"EBusinessID": self._id, "UpdateTime": to_local(now), "Success": success, "Reason": reason}
        return HookAnswer(status=status, body=orjson.dumps(body), media_type="application/json")


def _read_form(body: bytes) -> dict[str, str]:
    """Form values, decoded once. Raises `BadSignature`: nothing of it can be verified."""
    try:
        form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        form = {}
    if not form or any(len(values) != 1 for values in form.values()):
        raise BadSignature(System.KDNIAO, "the body is not one signed form")
    return {name: values[0] for name, values in form.items()}


def _message(item: dict[str, Any], push_time: str, topic: str) -> Message:
    """One parcel. What cannot be read still gets a message: it is parked alone and its nine neighbours go on."""
    try:
        track = read_reply(Track, item, System.KDNIAO)
        event_id = f"{track.logistic_code}:{track.said[1]}:{track.last_accept_time}"
        order_no = track.order_code or ""
    except NotUnderstood:
        event_id = "unreadable:" + hashlib.sha256(orjson.dumps(item, option=orjson.OPT_SORT_KEYS)).hexdigest()
        order_no = str(item.get("OrderCode") or "")
    return Message(event_id=event_id, topic=topic, order_no=order_no, payload={**item, "PushTime": push_time})
