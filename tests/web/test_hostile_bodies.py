"""Every webhook under bent samples: signed as the vendor signs, so that what lies behind the signature is met too."""

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tasks.inbox
import tasks.orders
from ballast.clock import to_local
from ballast.db import inbox
from ballast.domain.words import State
from ballast.ports import Hook, HookRequest, Message
from ballast.settings import LimitSettings
from ballast.wiring import House, hooks
from sim.systems.wechatpay import signature as wechatpay_signature
from tests.adapters.wire import sample
from tests.contracts.outside import secrets
from tests.db.stage import bring, column, make_order
from tests.web.mutations import bent, spoilt
from tests.web.senders import (
    ACCEPTED,
    REFUSED,
    Call,
    direct_numbered,
    direct_order,
    wechat,
    wechat_safe,
    wechatpay,
)
from tests.web.stage import Stage, make_house
from web.hooks.door import receive
from web.hooks.refusals import Refusal

ORDER_NO = "SO20260102001"
"""The order that the samples speak of."""


def kdniao_of(body: bytes) -> Call:
    """Signed over any bytes, text or not."""
    digest = hashlib.md5(body + secrets()["kdniao"]["api_key"].encode(), usedforsecurity=False).hexdigest()
    form = {"RequestData": body, "RequestType": "102", "DataSign": b64encode(digest.encode())}
    return Call("kdniao", urlencode(form).encode())


def qimen_of(method: str) -> Callable[[bytes], Call]:
    """Signed over any bytes, text or not."""

    def seal(body: bytes) -> Call:
        mine = secrets()["qimen"]
        query = {"app_key": mine["app_key"], "customerId": mine["customer_id"], "method": method,
                 "timestamp": to_local(datetime.now(UTC)), "v": "2.0"}  # fmt: skip
        pairs = "".join(f"{name}{value}" for name, value in sorted(query.items()))
        text = f"{mine['secret']}{pairs}".encode() + body + mine["secret"].encode()
        sign = hashlib.md5(text, usedforsecurity=False).hexdigest().upper()
        return Call("qimen", body, {**query, "sign": sign}, {"Content-Type": "text/xml; charset=utf-8"})

    return seal


def resource_of(event_type: str) -> Callable[[bytes], Call]:
    """The body is what stands encrypted inside a notice."""

    def seal(body: bytes) -> Call:
        cipher = wechatpay_signature.encrypt_resource(
            secrets()["wechatpay"]["apiv3_key"], "n" * 12, "transaction", body
        )
        notice: dict[str, Any] = orjson.loads(sample("wechatpay/transaction_success.json"))
        notice["id"], notice["event_type"] = hashlib.sha256(body).hexdigest(), event_type
        notice["resource"] |= {"ciphertext": cipher, "nonce": "n" * 12}
        return wechatpay(orjson.dumps(notice))

    return seal


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of message of one source, and how it is signed."""

    path: str
    seal: Callable[[bytes], Call] = field(repr=False)

    @property
    def source(self) -> str:
        return self.path.partition("/")[0]

    @property
    def sample(self) -> bytes:
        """The vendor's; of a notice of payment the one that is encrypted with our key."""
        return wechatpay().body if self.seal is wechatpay else sample(self.path)


TARGETS = {
    "kdniao": Target("kdniao/push_102.json", kdniao_of),
    "kdniao-free": Target("kdniao/push_101.json", kdniao_of),
    "qimen-confirm": Target("qimen/confirm.xml", qimen_of("deliveryorder.confirm")),
    "qimen-head": Target("qimen/confirm_without_packages.xml", qimen_of("deliveryorder.confirm")),
    "qimen-batch": Target("qimen/batch_confirm.xml", qimen_of("deliveryorder.batchconfirm")),
    "qimen-process": Target("qimen/process.xml", qimen_of("orderprocess.report")),
    "qimen-lack": Target("qimen/lack.xml", qimen_of("itemlack.report")),
    "wechat": Target("wechat/settlement_confirmed.json", wechat),
    "wechat-xml": Target("wechat/settlement_confirmed.xml", wechat),
    "wechat-safe": Target("wechat/remind_shipping.json", wechat_safe),
    "wechatpay": Target("wechatpay/transaction_success.json", wechatpay),
    "wechatpay-charge": Target("wechatpay/transaction_resource.json", resource_of("TRANSACTION.SUCCESS")),
    "wechatpay-refund": Target("wechatpay/refund_resource.json", resource_of("REFUND.SUCCESS")),
    "direct-placed": Target("direct/order_placed.json", direct_order),
    "direct-paid": Target("direct/order_paid.json", direct_order),
    "direct-cancelled": Target("direct/order_cancelled.json", direct_order),
}
targets = pytest.mark.parametrize("name", TARGETS)


@pytest.fixture
async def house(a_house: House, database_url: str) -> AsyncIterator[House]:
    """Strangers are not stopped: it is the bodies that are tried here."""
    here = make_house(database_url, limits=LimitSettings(forgeries_per_minute=10**6))
    yield here
    await here.close()


@pytest.fixture
def reading(house: House) -> Iterator[None]:
    """The tasks that read the inbox work in this house."""

    async def this_house() -> House:
        return house

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.inbox, "house", this_house)
        patch.setattr(tasks.orders, "house", this_house)
        yield


async def read_inbox() -> None:
    """As the flows do it. Whatever was stored is read, waits, or is parked; nothing is raised."""
    while await tasks.orders.take_in.fn(100):
        pass
    while await tasks.inbox.read_messages.fn(100):
        pass


def through_the_door(doors: Mapping[str, Hook], call: Call) -> tuple[Message, ...]:
    """What the inbox would get; nothing when the door refuses it."""
    headers = {name.lower(): value for name, value in call.headers.items()}
    request = HookRequest(method="POST", query=dict(call.query), headers=headers, body=call.body)
    try:
        return receive(doors[call.source], request, datetime.now(UTC)).messages
    except Refusal as refusal:
        assert refusal.status in (400, 401)
        return ()


def is_refused(call: Call, answer: httpx.Response, *statuses: int) -> bool:
    """Refused with one of these statuses, in the vendor's own words."""
    return answer.status_code in statuses and REFUSED[call.source](answer)


async def offer(stage: Stage, call: Call) -> bool:
    """Send a signed body and read what is stored of it. Whether it was taken; if not, nothing was stored."""
    before = len(await stage.inbox())
    answer = await call.post(stage.http)
    taken = not is_refused(call, answer, 400, 401, 413)
    if taken:
        assert ACCEPTED[call.source](answer), (answer.status_code, answer.text)
    else:
        assert len(await stage.inbox()) == before, answer.text
    await read_inbox()
    assert [row for row in await stage.inbox() if row.state == "new"] == []
    return taken


async def offer_forged(stage: Stage, call: Call) -> None:
    forged = await call.forged().post(stage.http)
    assert is_refused(call, forged, 401, 413), (forged.status_code, forged.text)
    assert await stage.inbox() == []


few = settings(max_examples=12, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=300, derandomize=False, print_blob=True)


@pytest.fixture
async def order(house: House, name: str) -> None:
    """The samples' order, where their news moves it: at the warehouse, or with the courier."""
    there = State.OUTBOUND if name.startswith("kdniao") else State.STOCK_LOCKED
    await bring(house, there, order=make_order(ORDER_NO))


@targets
@few
@given(data=st.data())
async def test_bent_samples_are_refused_or_read(
    stage: Stage, reading: None, order: None, name: str, data: st.DataObject
) -> None:
    await offer(stage, TARGETS[name].seal(data.draw(bent(TARGETS[name].sample))))


@targets
async def test_no_value_in_any_place_stops_the_inbox(house: House, reading: None, order: None, name: str) -> None:
    """All that a vendor could sign and the door would take lies in the inbox at once, with a good order behind it."""
    bodies = spoilt(TARGETS[name].sample)
    doors = hooks(house.settings)
    taken = [message for body in bodies for message in through_the_door(doors, TARGETS[name].seal(body))]
    assert taken
    good = through_the_door(doors, direct_numbered(1))
    letters = [(TARGETS[name].source, replace(one, event_id=f"E-{n}")) for n, one in enumerate(taken)]
    async with house.transaction() as tx:
        await inbox.store(tx, [*letters, *(("direct", one) for one in good)], house.clock.now())
    await read_inbox()
    assert await column(house, "select id from inbox where state = 'new'") == []
    assert await column(house, "select order_no from sales_order where order_no = 'SO1'") == ["SO1"]


@targets
@few
@given(data=st.data())
async def test_bent_samples_that_are_not_signed_leave_nothing(stage: Stage, name: str, data: st.DataObject) -> None:
    await offer_forged(stage, TARGETS[name].seal(data.draw(bent(TARGETS[name].sample))))


@pytest.mark.slow
@targets
@many
@given(data=st.data())
async def test_many_bent_samples(stage: Stage, reading: None, order: None, name: str, data: st.DataObject) -> None:
    call = TARGETS[name].seal(data.draw(bent(TARGETS[name].sample)))
    await offer(stage, call)
