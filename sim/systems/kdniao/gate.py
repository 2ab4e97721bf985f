"""Kdniao's door: query (1002 free, 8001 paid) and subscription (1008, 8008); HTTP 200 whatever happens."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sim.clock import local_text
from sim.faults import Call
from sim.records import Parcel
from sim.replies import Unreadable, answer_json, read_object
from sim.systems.kdniao.news import KdniaoNews
from sim.systems.kdniao.signature import sign
from sim.systems.kdniao.tracks import NEEDS_PHONE, SHIPPERS, write_track
from sim.world import World

QUERIES = {"1002", "8001"}
SUBSCRIPTIONS = {"1008", "8008"}


@dataclass(frozen=True, slots=True)
class Subscription:
    order_code: str
    callback: str


class Refusal(Exception):
    """Success:false with this Reason."""


class KdniaoGate:
    def __init__(self, world: World, news: KdniaoNews) -> None:
        self._world = world
        self._news = news
        self._keys = world.config.secrets.kdniao
        self._early: dict[str, Subscription] = {}

    def mount(self, app: web.Application) -> None:
        app.router.add_post("/kdniao/Ebusiness/EbusinessOrderHandle.aspx", self.handle_query)
        app.router.add_post("/kdniao/api/dist", self.handle_subscription)

    async def handle_query(self, request: web.Request) -> web.StreamResponse:
        return await self._handle(request, QUERIES, self._query)

    async def handle_subscription(self, request: web.Request) -> web.StreamResponse:
        return await self._handle(request, SUBSCRIPTIONS, self._subscribe)

    async def _handle(
        self, request: web.Request, types: set[str], act: Callable[[str, dict[str, Any], bool], dict[str, Any]]
    ) -> web.StreamResponse:
        self._world.tally.requests["kdniao"] += 1
        form = {name: str(value) for name, value in (await request.post()).items()}
        kind = form.get("RequestType", "")
        try:
            self._check(form, types)
            data = read_object(form["RequestData"].encode())
        except (Refusal, Unreadable) as error:
            return self._refuse(str(error))
        call = Call("kdniao", kind, str(data.get("LogisticCode", "")), types is SUBSCRIPTIONS)
        return await self._world.faults.serve(request, call, lambda real: self._answer(act, kind, data, real))

    def _check(self, form: Mapping[str, str], types: set[str]) -> None:
        if form.get("EBusinessID") != self._keys.ebusiness_id:
            raise Refusal("非法参数:用户ID不存在")
        wanted = sign(form.get("RequestData", ""), self._keys.api_key)
        if not hmac.compare_digest(form.get("DataSign", "").encode(), wanted.encode()):
            raise Refusal("非法参数:数据签名DataSign验证不通过")
        if form.get("RequestType") not in types or form.get("DataType") != "2":
            raise Refusal("非法参数:请求指令RequestType或DataType无效")

    def _answer(
        self, act: Callable[[str, dict[str, Any], bool], dict[str, Any]], kind: str, data: dict[str, Any], real: bool
    ) -> web.Response:
        try:
            return answer_json(act(kind, data, real))
        except Refusal as error:
            return self._refuse(str(error))

    def _refuse(self, reason: str) -> web.Response:
        now = local_text(self._world.clock.now())
        return answer_json(
            {"EBusinessID": self._keys.ebusiness_id, "UpdateTime": now, "Success": False, "Reason": reason}
        )

    def _query(self, kind: str, data: dict[str, Any], _: bool) -> dict[str, Any]:
        parcel = self._find(data)
        user, order_code = self._keys.ebusiness_id, str(data.get("OrderCode") or "")
        if parcel is None:
            return nothing_yet(user, order_code, data)
        track = write_track(parcel, user, order_code, paid=kind == "8001")
        if kind == "1002":
            track["State"] = int(track["State"])  # seen as text and as a number; this edition sends a number
        return track

    def _subscribe(self, _: str, data: dict[str, Any], real: bool) -> dict[str, Any]:
        parcel = self._find(data)
        if real:
            callback = str(data.get("CallBack") or data.get("Callback") or "")
            self._register(parcel, str(data["LogisticCode"]), Subscription(str(data.get("OrderCode") or ""), callback))
        elif parcel is not None:
            parcel.empty_yes += 1
        now = local_text(self._world.clock.now())
        answer = {"EBusinessID": self._keys.ebusiness_id, "UpdateTime": now, "Success": True}
        return {**answer, "Reason": "", "EstimatedDeliveryTime": ""}

    def _register(self, parcel: Parcel | None, waybill: str, wish: Subscription) -> None:
        self._world.tally.effect("subscription")
        if parcel is None:
            self._early[waybill] = wish
            return
        if parcel.subscribed:
            self._world.tally.repeat("subscription")
        parcel.subscribed += 1
        parcel.order_code, parcel.callback = wish.order_code, wish.callback
        if parcel.scans:
            self._news.tell(parcel)

    def welcome(self, parcel: Parcel) -> None:
        """A new parcel takes over the subscription that came before it."""
        wish = self._early.pop(parcel.waybill, None)
        if wish:
            self._register(parcel, parcel.waybill, wish)

    def _find(self, data: Mapping[str, Any]) -> Parcel | None:
        shipper, waybill = str(data.get("ShipperCode") or ""), str(data.get("LogisticCode") or "")
        if not waybill or shipper not in self._world.shippers:
            raise Refusal("快递公司编码或运单号有误")
        parcel = self._world.parcels.get(waybill)
        if parcel is None:
            return None
        if shipper != SHIPPERS.get(parcel.carrier, parcel.carrier):
            raise Refusal("快递公司编码与运单号不符")
        tails = {phone[-4:] for phone in parcel.phones if phone}
        if shipper in NEEDS_PHONE and str(data.get("CustomerName") or "") not in tails:
            raise Refusal("顺丰需提供寄件人或收件人手机尾号后四位")
        return parcel


def nothing_yet(user: str, order_code: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "EBusinessID": user,
        "OrderCode": order_code,
        "ShipperCode": data["ShipperCode"],
        "LogisticCode": data["LogisticCode"],
        "Success": True,
        "Reason": "暂无轨迹信息",
        "State": "0",
        "StateEx": "0",
        "Location": "",
        "Traces": [],
    }
