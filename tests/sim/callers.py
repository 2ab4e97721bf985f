"""Raw callers of the six systems, written from the vendors' rules with nothing but hashes and HTTP."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from yarl import URL

from sim.clock import local_text
from tests.sim.settings import DINGTALK, FEISHU, KDNIAO, KINGDEE, MCHID, MERCHANT_SERIAL, QIMEN, WECHAT, WECOM, make_key

SERVICE = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService"


class Callers:
    """Each method returns what the system said; `base` is the simulator's address."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.session = session
        self.base = base
        self._token = ""

    async def world(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        async with self.session.post(f"{self.base}/world/{path}", data=json.dumps(body or {})) as answer:
            return await answer.json()

    async def ask(self, path: str) -> Any:
        async with self.session.get(f"{self.base}/world/{path}") as answer:
            return await answer.json()

    async def kingdee(self, operation: str, body: Mapping[str, Any]) -> Any:
        path = f"/kingdee/k3cloud/{SERVICE}.{operation}.common.kdsvc"
        headers = sign_kingdee(path, str(int(time.time())))
        async with self.session.post(self.base + path, data=json.dumps(body), headers=headers) as answer:
            assert answer.status == 200
            return await answer.json()

    async def kingdee_query(self, form: str, keys: str, condition: str, **more: Any) -> Any:
        data = {"FormId": form, "FieldKeys": keys, "FilterString": condition, "StartRow": 0, "Limit": 100, **more}
        return await self.kingdee("ExecuteBillQuery", {"data": data})

    async def qimen(self, method: str, body: str, **changes: str) -> str:
        params = {
            "method": method,
            "timestamp": local_text(time.time()),
            "format": "xml",
            "app_key": QIMEN["app_key"],
            "v": "2.0",
            "sign_method": "md5",
            "customerId": QIMEN["customer_id"],
            **changes,
        }
        params.setdefault("sign", sign_qimen(params, body))
        url = f"{self.base}/qimen/router/qimen/service"
        async with self.session.post(url, params=params, data=body.encode()) as answer:
            return await answer.text()

    async def kdniao(self, path: str, kind: str, data: Mapping[str, Any], **changes: str) -> Any:
        text = json.dumps(data, ensure_ascii=False)
        form = {
            "RequestData": text,
            "EBusinessID": KDNIAO["ebusiness_id"],
            "RequestType": kind,
            "DataSign": sign_kdniao(text),
            "DataType": "2",
            **changes,
        }
        async with self.session.post(f"{self.base}/kdniao/{path}", data=form) as answer:
            return await answer.json()

    async def wechat(self, operation: str, body: Mapping[str, Any]) -> Any:
        url = f"{self.base}/wechat/wxa/sec/order/{operation}"
        raw = json.dumps(body, ensure_ascii=False).encode()
        async with self.session.post(url, params={"access_token": await self.token()}, data=raw) as answer:
            return await answer.json()

    async def token(self) -> str:
        if not self._token:
            wish = {"grant_type": "client_credential", "appid": WECHAT["app_id"], "secret": WECHAT["app_secret"]}
            async with self.session.post(f"{self.base}/wechat/cgi-bin/stable_token", data=json.dumps(wish)) as answer:
                self._token = (await answer.json())["access_token"]
        return self._token

    async def wechatpay(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        raw = json.dumps(body) if body else ""
        headers = {"Authorization": authorize(method, path, raw)}
        async with self.session.request(
            method, f"{self.base}/wechatpay{path}", data=raw or None, headers=headers
        ) as answer:
            return answer.status, await answer.json()

    async def dingtalk(self, body: Mapping[str, Any], at: float | None = None, **changes: str) -> Any:
        timestamp = str(int((at or time.time()) * 1000))
        params = {"access_token": DINGTALK["access_token"], "timestamp": timestamp, "sign": sign_dingtalk(timestamp)}
        url = URL(f"{self.base}/dingtalk/robot/send").with_query({**params, **changes})
        async with self.session.post(url, data=json.dumps(body)) as answer:
            return await answer.json()

    async def wecom(self, body: Mapping[str, Any], **changes: str) -> Any:
        url = URL(f"{self.base}/wecom/cgi-bin/webhook/send").with_query({**WECOM, **changes})
        async with self.session.post(url, data=json.dumps(body)) as answer:
            assert answer.status == 200
            return await answer.json()

    async def feishu(
        self, body: Mapping[str, Any], at: float | None = None, token: str = FEISHU["token"], **changes: Any
    ) -> Any:
        timestamp = str(int(at or time.time()))
        signed = {"timestamp": timestamp, "sign": sign_feishu(timestamp), **body, **changes}
        url = f"{self.base}/feishu/open-apis/bot/v2/hook/{token}"
        async with self.session.post(url, data=json.dumps(signed)) as answer:
            assert answer.status == 200
            return await answer.json()


def sign_kingdee(path: str, timestamp: str) -> dict[str, str]:
    client, hidden = str(KINGDEE["app_id"]).split("_")
    key = base64.b64encode(
        bytes(a ^ b for a, b in zip(base64.b64decode(hidden), b"0054f397c6234378b09ca7d3e5debce7", strict=False))
    )
    data = f"{KINGDEE['acct_id']},{KINGDEE['user_name']},{KINGDEE['lcid']},{KINGDEE['org_num']}"
    text = f"POST\n{quote(path, safe='')}\n\nx-api-nonce:{timestamp}\nx-api-timestamp:{timestamp}\n"
    return {
        "X-Api-ClientID": client,
        "X-Api-Auth-Version": "2.0",
        "x-api-timestamp": timestamp,
        "x-api-nonce": timestamp,
        "x-api-signheaders": "x-api-timestamp,x-api-nonce",
        "X-Api-Signature": hmac_text(key, text),
        "X-Kd-Appkey": str(KINGDEE["app_id"]),
        "X-Kd-Appdata": base64.b64encode(data.encode()).decode(),
        "X-Kd-Signature": hmac_text(str(KINGDEE["app_secret"]).encode(), f"{KINGDEE['app_id']}{data}"),
    }


def hmac_text(key: bytes, text: str) -> str:
    return base64.b64encode(hmac.new(key, text.encode(), "sha256").hexdigest().encode()).decode()


def sign_qimen(params: Mapping[str, str], body: str) -> str:
    text = "".join(name + params[name] for name in sorted(params) if name != "sign" and params[name])
    return hashlib.md5((QIMEN["secret"] + text + body + QIMEN["secret"]).encode()).hexdigest().upper()


def sign_kdniao(text: str) -> str:
    return base64.b64encode(hashlib.md5((text + KDNIAO["api_key"]).encode()).hexdigest().encode()).decode()


def sign_dingtalk(timestamp: str) -> str:
    secret = DINGTALK["secret"]
    return base64.b64encode(hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), "sha256").digest()).decode()


def sign_feishu(timestamp: str) -> str:
    key = f"{timestamp}\n{FEISHU['secret']}".encode()
    return base64.b64encode(hmac.new(key, b"", "sha256").digest()).decode()


def authorize(method: str, path: str, body: str) -> str:
    timestamp, nonce = str(int(time.time())), "nonce0123456789"
    message = f"{method}\n{path}\n{timestamp}\n{nonce}\n{body}\n"
    signature = base64.b64encode(make_key("merchant").sign(message.encode(), PKCS1v15(), SHA256())).decode()
    return (
        f'WECHATPAY2-SHA256-RSA2048 mchid="{MCHID}",nonce_str="{nonce}",signature="{signature}",'
        f'timestamp="{timestamp}",serial_no="{MERCHANT_SERIAL}"'
    )
