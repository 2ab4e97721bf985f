"""The simulated outside world as the demo uses it: made-up credentials for both sides, the process, its control API.

The simulators are talked to over HTTP only; nothing of theirs is imported.
"""

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deployments.processes import Child, StartFailed, child, modules

START = datetime(2026, 1, 5, 1, tzinfo=UTC)
"""Business time of the demo's beginning: a Monday morning in Shanghai."""

APP_ID, MCHID, SERIAL = "wx0000000000000001", "1900000001", "7777777777777777777777777777777777777777"


def _key_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets made for one demo: `world` for the simulators' side, `ours(port)` as settings of Ballast."""

    world: Mapping[str, Mapping[str, str]]
    merchant_key: str
    platform_public: str

    @classmethod
    def make(cls) -> "Credentials":
        merchant_private, merchant_public = _key_pair()
        platform_private, platform_public = _key_pair()
        world = {
            "kingdee": {
                "acct_id": "65a0000000000a",
                "user_name": "integration",
                "org_num": "100",
                "lcid": "2052",
                "app_id": "200001_QWJjRGVmR2hpSmtsTW5vUHFyc1R1dld4",
                "app_secret": secrets.token_hex(16),
            },
            "qimen": {"app_key": "23000001", "secret": secrets.token_hex(16), "customer_id": "c1600000000000"},
            "kdniao": {"ebusiness_id": "1000001", "api_key": secrets.token_hex(16)},
            "wechat": {
                "app_id": APP_ID,
                "app_secret": secrets.token_hex(16),
                "token": secrets.token_hex(8),
                "encoding_aes_key": secrets.token_hex(22)[:42] + "A",
                "mode": "safe",
            },
            "wechatpay": {
                "mchid": MCHID,
                "app_id": APP_ID,
                "apiv3_key": secrets.token_hex(16),
                "platform_private_key_pem": platform_private,
                "platform_serial": "PUB_KEY_ID_0000000001",
                "merchant_public_key_pem": merchant_public,
                "merchant_serial": SERIAL,
            },
            "dingtalk": {"access_token": secrets.token_hex(16), "secret": "SEC" + secrets.token_hex(16)},
            "wecom": {"key": secrets.token_hex(16)},
            "feishu": {"token": secrets.token_hex(16), "secret": secrets.token_hex(16)},
            "direct": {"secret": secrets.token_hex(16)},
        }
        return cls(world, merchant_private, platform_public)

    def ours(self, url: str) -> dict[str, dict[str, Any]]:
        """Ballast's settings for a world at `url`, by system."""
        w = self.world
        return {
            "kingdee": {**w["kingdee"], "server_url": f"{url}/kingdee/k3cloud/", "lcid": 2052},
            "qimen": {**w["qimen"], "url": f"{url}/qimen/router/qimen/service"},
            "kdniao": {
                **w["kdniao"],
                "query_url": f"{url}/kdniao/Ebusiness/EbusinessOrderHandle.aspx",
                "dist_url": f"{url}/kdniao/api/dist",
            },
            "wechat": {
                "api_url": f"{url}/wechat",
                "app_id": APP_ID,
                "mchid": MCHID,
                **{k: w["wechat"][k] for k in ("app_secret", "token", "encoding_aes_key")},
            },
            "wechatpay": {
                "api_url": f"{url}/wechatpay",
                "mchid": MCHID,
                "app_id": APP_ID,
                "merchant_serial": SERIAL,
                "merchant_private_key": self.merchant_key,
                "apiv3_key": w["wechatpay"]["apiv3_key"],
                "platform_keys": {w["wechatpay"]["platform_serial"]: self.platform_public},
            },
            "dingtalk": {"url": f"{url}/dingtalk/robot/send", **w["dingtalk"]},
            "wecom": {"url": f"{url}/wecom/cgi-bin/webhook/send", **w["wecom"]},  # the next one when DingTalk refuses
            "direct": dict(w["direct"]),
        }


@dataclass(frozen=True, slots=True)
class World:
    """The running world and its control API."""

    url: str
    anchor: float
    speed: float
    running: Child
    http: httpx.Client

    def get(self, path: str, **query: Any) -> Any:
        return self.http.get(f"{self.url}/world/{path}", params=query).raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        return self.http.post(f"{self.url}/world/{path}", json=body).raise_for_status().json()

    def truth(self) -> Iterator[Mapping[str, Any]]:
        """Every order as the outside knows it, page by page."""
        after = ""
        while page := self.get("truth", after=after, limit=1000)["orders"]:
            yield from page
            after = page[-1]["order_no"]

    def machine_seconds(self, at: datetime) -> float:
        """Unix seconds at which it was `at` in business time."""
        return self.anchor + (at - START).total_seconds() / self.speed


@contextmanager
def world(
    credentials: Credentials,
    *,
    seed: int,
    speed: float,
    hooks: str,
    home: Path,
    stands_at: datetime | None = None,
    prompt: bool = False,
) -> Iterator[World]:
    """Run the simulators until the context ends. `stands_at`: nothing happens by itself, and the clock is set.

    `prompt`: every order goes well, and nobody lets anybody wait.
    """
    anchor = time.time()
    config = {
        "seed": seed,
        "autopilot": stands_at is None,
        "prompt": prompt,
        "clock": {"start": START.isoformat(), "speed": speed, "anchor": anchor}
        if stands_at is None
        else {"start": stands_at.isoformat(), "set": True},
        "listen": {"host": "127.0.0.1", "port": 0},
        "hooks": hooks,
        "secrets": credentials.world,
    }
    file = home / "world.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(config))
    with (
        child("world", modules("sim", str(file)), env={}, logs=home / "logs") as running,
        httpx.Client(timeout=60, trust_env=False) as http,
    ):
        yield World(f"http://127.0.0.1:{_port(running)}", anchor, speed, running, http)


def _port(running: Child) -> int:
    """The world says its port in one line when it is ready."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        running.check()
        for line in running.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                return int(json.loads(line)["port"])
        time.sleep(0.05)
    raise StartFailed(f"the simulated world did not start within 30 s; see {running.log}")


def as_env(ours: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Settings as environment variables: `BALLAST_KINGDEE__APP_ID=...`."""
    return {
        f"BALLAST_{system.upper()}__{name.upper()}": json.dumps(value) if isinstance(value, dict) else str(value)
        for system, part in ours.items()
        for name, value in part.items()
    }
