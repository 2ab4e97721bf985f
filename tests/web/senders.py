"""Webhooks as the vendors sign them, with the simulators' signatures: ours are not asked whether ours are right."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ballast.clock import to_local
from sim.systems import direct
from sim.systems.kdniao.signature import sign as sign_kdniao
from sim.systems.qimen.signature import sign as sign_qimen
from sim.systems.wechat import envelope
from sim.systems.wechatpay import signature as wechatpay_signature
from tests.adapters.wire import sample
from tests.contracts.outside import secrets


@dataclass(frozen=True, slots=True)
class Call:
    """One webhook request."""

    source: str
    body: bytes = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    async def post(self, http: httpx.AsyncClient) -> httpx.Response:
        return await http.post(f"/hooks/{self.source}", params=dict(self.query), headers=dict(self.headers),
                               content=self.body)  # fmt: skip

    def forged(self) -> "Call":
        """Signed with something else."""
        flipped = self.body.replace(b"DataSign=", b"DataSign=A")
        query = {name: _spoil(value) if "sign" in name and name != "sign_method" else value
                 for name, value in self.query.items()}  # fmt: skip
        headers = {name: _spoil(value) if name.lower().endswith("-signature") else value
                   for name, value in self.headers.items()}  # fmt: skip
        return replace(self, body=flipped, query=query, headers=headers)


def _spoil(signature: str) -> str:
    return ("B" if signature[0] == "A" else "A") + signature[1:]


def _now() -> int:
    return int(time.time())


def kdniao(body: bytes | None = None) -> Call:
    text = (sample("kdniao/push_102.json") if body is None else body).decode().strip()
    sign = sign_kdniao(text, secrets()["kdniao"]["api_key"])
    return Call("kdniao", urlencode({"RequestData": text, "RequestType": "102", "DataSign": sign}).encode())


def qimen(body: bytes | None = None, method: str = "deliveryorder.confirm") -> Call:
    text = sample("qimen/confirm.xml") if body is None else body
    mine = secrets()["qimen"]
    query = {
        "method": method, "timestamp": to_local(datetime.now(UTC)), "format": "xml",
        "app_key": mine["app_key"], "v": "2.0", "sign_method": "md5", "customerId": mine["customer_id"],
    }  # fmt: skip
    signed = {**query, "sign": sign_qimen(query, text.decode(), mine["secret"])}
    return Call("qimen", text, signed, {"Content-Type": "text/xml; charset=utf-8"})


def wechat(body: bytes | None = None, *, safe: bool = False) -> Call:
    text = sample("wechat/settlement_shipped.json") if body is None else body
    mine, timestamp = secrets()["wechat"], str(_now())
    query = {"signature": envelope.sign(mine["token"], timestamp, "n1"), "timestamp": timestamp, "nonce": "n1"}
    if safe:
        encrypted = envelope.encrypt(text, mine["encoding_aes_key"], mine["app_id"])
        text = envelope.wrap("gh_test", encrypted)
        more = {"encrypt_type": "aes", "msg_signature": envelope.sign(mine["token"], timestamp, "n1", encrypted)}
        query = {**query, **more}
    return Call("wechat", text, query, {"Content-Type": "application/json"})


def wechat_safe(body: bytes | None = None) -> Call:
    return wechat(body, safe=True)


@cache
def _platform_key() -> RSAPrivateKey:
    return wechatpay_signature.load_private_key(secrets()["wechatpay"]["platform_private_key_pem"])


def wechatpay(body: bytes | None = None) -> Call:
    mine, timestamp = secrets()["wechatpay"], str(_now())
    if body is None:
        resource = sample("wechatpay/transaction_resource.json")
        cipher = wechatpay_signature.encrypt_resource(mine["apiv3_key"], "fdasflkjak48", "transaction", resource)
        notice: dict[str, Any] = orjson.loads(sample("wechatpay/transaction_success.json"))
        notice["resource"] |= {"ciphertext": cipher, "nonce": "fdasflkjak48"}
        body = orjson.dumps(notice)
    message = wechatpay_signature.notice_message(timestamp, "n1", body)
    headers = {
        "Wechatpay-Timestamp": timestamp, "Wechatpay-Nonce": "n1", "Wechatpay-Serial": mine["platform_serial"],
        "Wechatpay-Signature": wechatpay_signature.sign(_platform_key(), message),
        "Wechatpay-Signature-Type": wechatpay_signature.SCHEME, "Content-Type": "application/json",
    }  # fmt: skip
    return Call("wechatpay", body, {}, headers)


def direct_order(body: bytes | None = None) -> Call:
    text, timestamp = sample("direct/order_placed.json") if body is None else body, str(_now())
    headers = {"X-Ballast-Timestamp": timestamp, "Content-Type": "application/json",
               "X-Ballast-Signature": direct.sign(timestamp, text, secrets()["direct"]["secret"])}  # fmt: skip
    return Call("direct", text, {}, headers)


def direct_numbered(number: int) -> Call:
    """An order of its own."""
    pushed = orjson.loads(sample("direct/order_placed.json"))
    pushed["event_id"] = f"E{number}"
    pushed["order"]["order_no"] = f"SO{number}"
    return direct_order(orjson.dumps(pushed))


SENDERS: dict[str, Callable[[bytes | None], Call]] = {
    "kdniao": kdniao,
    "qimen": qimen,
    "wechat": wechat,
    "wechat_safe": wechat_safe,
    "wechatpay": wechatpay,
    "direct": direct_order,
}
"""Each signs the given bytes, or its own sample."""

ACCEPTED: dict[str, Callable[[httpx.Response], bool]] = {
    "kdniao": lambda answer: answer.status_code == 200 and answer.json()["Success"] is True,
    "qimen": lambda answer: answer.status_code == 200 and "<flag>success</flag>" in answer.text,
    "wechat": lambda answer: answer.status_code == 200 and answer.text == "success",
    "wechatpay": lambda answer: answer.status_code in (200, 204),
    "direct": lambda answer: answer.status_code == 200 and answer.json() == {"ok": True},
}
"""Whether the vendor takes the answer for: stored."""

REFUSED: dict[str, Callable[[httpx.Response], bool]] = {
    "kdniao": lambda answer: answer.json()["Success"] is False and bool(answer.json()["Reason"]),
    "qimen": lambda answer: "<flag>failure</flag>" in answer.text and "<message>" in answer.text,
    "wechat": lambda answer: "success" not in answer.text and bool(answer.text),
    "wechatpay": lambda answer: answer.json()["code"] == "FAIL",
    "direct": lambda answer: answer.json()["ok"] is False and bool(answer.json()["error"]),
}
"""Whether the vendor reads in the answer: not stored."""
