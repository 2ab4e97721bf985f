"""Pushes: subscribed waybills gathered for a moment, ten at most in one, every push with all scans so far."""

import asyncio

import orjson
from yarl import URL

from sim.clock import local_text
from sim.records import Order, Parcel
from sim.systems.kdniao.signature import sign
from sim.systems.kdniao.tracks import write_track
from sim.webhooks import Outgoing, Webhook
from sim.world import World

GATHER_SECONDS = 0.25  # real
BATCH = 10
PUSH_TYPE = "102"


class KdniaoNews:
    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = world.config.secrets.kdniao
        self._waiting: dict[str, Parcel] = {}
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, parcel: Parcel) -> None:
        """Nothing happens for a waybill nobody subscribed to."""
        if not parcel.subscribed or parcel.waybill in self._waiting:
            return
        self._waiting[parcel.waybill] = parcel
        parcel.order.open += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self.flush)

    def flush(self) -> list[Webhook]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        parcels = list(self._waiting.values())
        self._waiting.clear()
        hooks = [self._push(parcels[start : start + BATCH]) for start in range(0, len(parcels), BATCH)]
        for parcel in parcels:
            parcel.order.open -= 1
        return hooks

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _push(self, parcels: list[Parcel]) -> Webhook:
        user = self._keys.ebusiness_id
        tracks = [write_track(parcel, user, parcel.order_code, paid=True) for parcel in parcels]
        push_time = local_text(self._world.clock.now())
        data = {"PushTime": push_time, "EBusinessID": user, "Count": str(len(tracks)), "Data": tracks}
        outgoing = sign_push(orjson.dumps(data).decode(), self._keys.api_key)
        orders: tuple[Order, ...] = tuple({id(parcel.order): parcel.order for parcel in parcels}.values())
        key = f"{parcels[0].waybill}/{len(parcels[0].scans)}"
        hook = Webhook("kdniao", "push", key, lambda: outgoing, says_success, orders)
        return self._world.sender.post(hook)


def sign_push(text: str, api_key: str) -> Outgoing:
    form = {"RequestData": text, "RequestType": PUSH_TYPE, "DataSign": sign(text, api_key)}
    headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
    # A query string is a form body; yarl writes it ten times faster than urllib.
    return Outgoing("/kdniao", headers, URL.build(query=form).raw_query_string.encode())


def says_success(status: int, body: bytes) -> bool:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return status == 200 and isinstance(answer, dict) and answer.get("Success") is True
