"""The simulated outside world for tests: one process, its control API, and settings that fit it."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from ballast.settings import (
    DingtalkSettings,
    DirectSettings,
    FeishuSettings,
    KdniaoSettings,
    KingdeeSettings,
    QimenSettings,
    WechatpaySettings,
    WechatSettings,
    WecomSettings,
)

START = "2026-01-05T01:00:00+00:00"
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM texts of one RSA key."""

    private: str = field(repr=False)
    public: str


@cache
def key_pair(owner: str) -> KeyPair:
    """One key per owner and test session ("merchant", "platform")."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode(), public.decode())


@cache
def secrets() -> dict[str, dict[str, str]]:
    """Made-up credentials of every system, in the form of the simulator's configuration."""
    merchant, platform = key_pair("merchant"), key_pair("platform")
    return {
        "kingdee": {
            "acct_id": "65a0000000000a",
            "user_name": "integration",
            "app_id": "200001_QWJjRGVmR2hpSmtsTW5vUHFyc1R1dld4",
            "app_secret": "0123456789abcdef0123456789abcdef",
            "org_num": "100",
            "lcid": "2052",
        },
        "qimen": {"app_key": "23000001", "secret": "qimensecret", "customer_id": "c1600000000000"},
        "kdniao": {"ebusiness_id": "1000001", "api_key": "11111111-2222-3333-4444-555555555555"},
        "wechat": {
            "app_id": "wx0000000000000001",
            "app_secret": "wechat-app-secret",
            "token": "wechattoken",
            "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
            "mode": "safe",
        },
        "wechatpay": {
            "mchid": "1900000001",
            "app_id": "wx0000000000000001",
            "apiv3_key": "0123456789abcdef0123456789ABCDEF",
            "platform_private_key_pem": platform.private,
            "platform_serial": "PUB_KEY_ID_0119000000012026010500000001",
            "merchant_public_key_pem": merchant.public,
            "merchant_serial": "3775B6A45ACD588826D15E583A95F5DD00000001",
        },
        "dingtalk": {"access_token": "dingtalk-access-token", "secret": "SECdingtalksecret"},
        "wecom": {"key": "wecom-robot-key"},
        "feishu": {"token": "feishu-bot-token", "secret": "feishu-bot-secret"},
        "direct": {"secret": "direct-secret"},
    }


@dataclass(frozen=True, slots=True)
class World:
    """A running simulator. Every method is one call of its control API (see sim/README.md)."""

    url: str
    process: subprocess.Popen[bytes]
    http: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        return self._body(await self.http.get(f"/world/{path}", params=query))

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._body(await self.http.post(f"/world/{path}", json=dict(body or {})))

    async def place(self, **spec: Any) -> Any:
        """Place one order; `spec` overrides parts of the order."""
        return await self.post("orders", spec)

    async def act(self, order_no: str, what: str, **details: Any) -> Any:
        """pay, ship, report, lack, scan, sign or receive: the webhook goes out now.

        Who ships says what is in each parcel: left to itself the warehouse now and then packs two.
        """
        assert what != "ship" or details.get("packages"), "say what is in each parcel: packages=[{'items': {sku: 2}}]"
        return await self.post(f"orders/{order_no}/{what}", details)

    async def faults(self, **faults: Any) -> None:
        await self.post("faults", faults)

    async def calm(self) -> None:
        await self.faults(preset="none")

    async def truth(self, order_no: str) -> dict[str, Any]:
        """What really happened to one order."""
        return dict(await self.get(f"orders/{order_no}"))

    async def duplicates(self) -> dict[str, int]:
        """Second accepted effects for one key, by kind; empty when all is well."""
        effects = await self.get("effects")
        return {kind: count for kind, count in effects["duplicates"].items() if count}

    async def stop(self) -> None:
        """End our own process, by its own id."""
        await self.http.aclose()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @staticmethod
    def _body(reply: httpx.Response) -> Any:
        assert reply.status_code < 300, f"the world answers {reply.status_code}: {reply.text[:500]}"
        return reply.json()


def start_world(**overrides: Any) -> World:
    """Start `python -m sim` on a free port and wait until it listens. Stop it with `await world.stop()`."""
    config: dict[str, Any] = {
        "seed": 1,
        "clock": {"start": START, "speed": 1.0, "anchor": time.time()},
        "listen": {"host": "127.0.0.1", "port": 0},
        "hooks": None,
        "secrets": secrets(),
        "autopilot": False,
    } | overrides
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "stderr").open("w+b") as stderr:
        path = Path(folder) / "world.json"
        path.write_text(json.dumps(config))
        process = subprocess.Popen(
            [sys.executable, "-m", "sim", str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(os.environ),
        )
        url = f"http://127.0.0.1:{_read_port(process, stderr)}"
    return World(url, process, httpx.AsyncClient(base_url=url, timeout=60.0, verify=False))


def _read_port(process: subprocess.Popen[bytes], stderr: Any) -> int:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    line = process.stdout.readline() if ready else b""
    if not line:
        process.kill()
        process.wait()
        process.stdout.close()
        stderr.seek(0)
        raise RuntimeError(f"the simulator did not start: {stderr.read().decode(errors='replace')[-2000:]}")
    return int(json.loads(line)["port"])


@dataclass(frozen=True, slots=True)
class OutsideSettings:
    """Settings of every system, as `.env` would give them. DingTalk is the only channel."""

    kingdee: KingdeeSettings
    qimen: QimenSettings
    kdniao: KdniaoSettings
    wechat: WechatSettings
    wechatpay: WechatpaySettings
    dingtalk: DingtalkSettings
    direct: DirectSettings


def settings_for(world: World | str) -> OutsideSettings:
    """Settings that reach this world. A string is its URL: unit tests without a world give any."""
    url = world if isinstance(world, str) else world.url
    mine = secrets()
    return OutsideSettings(
        kingdee=_kingdee(url, mine["kingdee"]),
        qimen=QimenSettings(
            url=f"{url}/qimen/router/qimen/service",
            app_key=mine["qimen"]["app_key"],
            secret=SecretStr(mine["qimen"]["secret"]),
            customer_id=mine["qimen"]["customer_id"],
        ),
        kdniao=KdniaoSettings(
            query_url=f"{url}/kdniao/Ebusiness/EbusinessOrderHandle.aspx",
            dist_url=f"{url}/kdniao/api/dist",
            ebusiness_id=mine["kdniao"]["ebusiness_id"],
            api_key=SecretStr(mine["kdniao"]["api_key"]),
        ),
        wechat=_wechat(url, mine["wechat"]),
        wechatpay=_wechatpay(url, mine["wechatpay"]),
        dingtalk=DingtalkSettings(
            url=f"{url}/dingtalk/robot/send",
            access_token=SecretStr(mine["dingtalk"]["access_token"]),
            secret=SecretStr(mine["dingtalk"]["secret"]),
        ),
        direct=DirectSettings(secret=SecretStr(mine["direct"]["secret"])),
    )


def wecom_for(world: World) -> WecomSettings:
    """A second channel, for those who want to see it used."""
    return WecomSettings(url=f"{world.url}/wecom/cgi-bin/webhook/send", key=SecretStr(secrets()["wecom"]["key"]))


def feishu_for(world: World) -> FeishuSettings:
    """A third one."""
    mine = {name: SecretStr(value) for name, value in secrets()["feishu"].items()}
    return FeishuSettings(url=f"{world.url}/feishu/open-apis/bot/v2/hook", **mine)


def _kingdee(url: str, mine: Mapping[str, str]) -> KingdeeSettings:
    return KingdeeSettings(
        server_url=f"{url}/kingdee/k3cloud/",
        acct_id=mine["acct_id"],
        user_name=mine["user_name"],
        app_id=mine["app_id"],
        app_secret=SecretStr(mine["app_secret"]),
        org_num=mine["org_num"],
        lcid=int(mine["lcid"]),
    )


def _wechat(url: str, mine: Mapping[str, str]) -> WechatSettings:
    return WechatSettings(
        api_url=f"{url}/wechat",
        app_id=mine["app_id"],
        app_secret=SecretStr(mine["app_secret"]),
        token=SecretStr(mine["token"]),
        encoding_aes_key=SecretStr(mine["encoding_aes_key"]),
        mchid=secrets()["wechatpay"]["mchid"],
        plain_push=True,
    )


def _wechatpay(url: str, mine: Mapping[str, str]) -> WechatpaySettings:
    return WechatpaySettings(
        api_url=f"{url}/wechatpay",
        mchid=mine["mchid"],
        app_id=mine["app_id"],
        merchant_serial=mine["merchant_serial"],
        merchant_private_key=SecretStr(key_pair("merchant").private),
        apiv3_key=SecretStr(mine["apiv3_key"]),
        platform_keys={mine["platform_serial"]: key_pair("platform").public},
    )
