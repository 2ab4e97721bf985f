"""Our side as the simulators see it: takes every webhook, checks its signature by the sheet, keeps it, says yes."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256

from tests.sim.callers import sign_kdniao, sign_qimen
from tests.sim.settings import APIV3_KEY, DIRECT, PLATFORM_SERIAL, WECHAT, make_key

QIMEN_YES = "<response><flag>success</flag><code>0</code><message>OK</message></response>"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One webhook: whose, its content as a dict or (QiMen) an element, and when it came."""

    source: str
    event: str
    content: Any
    at: float


@dataclass(slots=True)
class Receiver:
    """`refuse` names sources answered with a refusal; `listener` hears every arrival and may refuse it."""

    arrivals: list[Arrival] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    listener: Callable[[Arrival], Awaitable[bool]] | None = None

    def of(self, source: str, event: str = "") -> list[Arrival]:
        return [a for a in self.arrivals if a.source == source and event in ("", a.event)]

    def mount(self, app: web.Application) -> None:
        for source in ("direct", "wechatpay", "qimen", "kdniao", "wechat"):
            app.router.add_post(f"/hooks/{source}", getattr(self, f"take_{source}"))

    async def _keep(self, source: str, event: str, content: Any) -> bool:
        arrival = Arrival(source, event, content, time.time())
        self.arrivals.append(arrival)
        if source in self.refuse:
            return False
        return await self.listener(arrival) if self.listener else True

    async def take_direct(self, request: web.Request) -> web.Response:
        raw, timestamp = await request.read(), request.headers["X-Ballast-Timestamp"]
        assert abs(time.time() - int(timestamp)) < 5
        wanted = hmac.new(DIRECT["secret"].encode(), timestamp.encode() + b"." + raw, "sha256").hexdigest()
        assert request.headers["X-Ballast-Signature"] == wanted
        body = json.loads(raw)
        return web.Response(status=200 if await self._keep("direct", body["event"], body) else 500)

    async def take_wechatpay(self, request: web.Request) -> web.Response:
        raw, headers = await request.read(), request.headers
        message = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode() + raw + b"\n"
        signature = base64.b64decode(headers["Wechatpay-Signature"])
        make_key("platform").public_key().verify(signature, message, PKCS1v15(), SHA256())
        assert headers["Wechatpay-Serial"] == PLATFORM_SERIAL
        body = json.loads(raw)
        body["resource"]["plain"] = decrypt_resource(body["resource"])
        return web.Response(status=204 if await self._keep("wechatpay", body["event_type"], body) else 500)

    async def take_qimen(self, request: web.Request) -> web.Response:
        raw = (await request.read()).decode()
        assert request.query["sign"] == sign_qimen(request.query, raw)
        yes = await self._keep("qimen", request.query["method"], fromstring(raw))
        return web.Response(text=QIMEN_YES if yes else QIMEN_YES.replace("success", "failure"))

    async def take_kdniao(self, request: web.Request) -> web.Response:
        form = await request.post()
        text = str(form["RequestData"])
        assert form["DataSign"] == sign_kdniao(text)
        yes = await self._keep("kdniao", str(form["RequestType"]), json.loads(text))
        return web.json_response({"EBusinessID": "1000001", "UpdateTime": "", "Success": yes, "Reason": ""})

    async def take_wechat(self, request: web.Request) -> web.Response:
        body, query = await request.json(), request.query
        parts = [str(WECHAT["token"]), query["timestamp"], query["nonce"]]
        assert query["signature"] == sha1_sorted(parts)
        if "Encrypt" in body:
            assert query["msg_signature"] == sha1_sorted([*parts, body["Encrypt"]])
            body = decrypt_message(body["Encrypt"])
        yes = await self._keep("wechat", body["Event"], body)
        return web.Response(text="success" if yes else "fail")


def sha1_sorted(parts: list[str]) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def decrypt_resource(resource: dict[str, str]) -> Any:
    cipher = AESGCM(APIV3_KEY.encode())
    data = base64.b64decode(resource["ciphertext"])
    return json.loads(cipher.decrypt(resource["nonce"].encode(), data, resource["associated_data"].encode()))


def decrypt_message(encrypted: str) -> Any:
    key = base64.b64decode(str(WECHAT["encoding_aes_key"]) + "=")
    decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
    plain = decryptor.update(base64.b64decode(encrypted)) + decryptor.finalize()
    plain = plain[: -plain[-1]]
    length = int.from_bytes(plain[16:20], "big")
    assert plain[20 + length :].decode() == WECHAT["app_id"]
    return json.loads(plain[20 : 20 + length])


def read(element: Element, path: str) -> str:
    return element.findtext(path) or ""
