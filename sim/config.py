"""The CONFIG.json of one run, read once into frozen values."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from sim.clock import SetClock, WorldClock, read_instant


@dataclass(frozen=True, slots=True, repr=False)
class KingdeeKeys:
    acct_id: str
    user_name: str
    app_id: str
    app_secret: str
    org_num: str = "0"
    lcid: str = "2052"


@dataclass(frozen=True, slots=True, repr=False)
class QimenKeys:
    app_key: str
    secret: str
    customer_id: str


@dataclass(frozen=True, slots=True, repr=False)
class KdniaoKeys:
    ebusiness_id: str
    api_key: str


@dataclass(frozen=True, slots=True, repr=False)
class WechatKeys:
    app_id: str
    app_secret: str
    token: str
    encoding_aes_key: str
    mode: str = "safe"


@dataclass(frozen=True, slots=True, repr=False)
class WechatPayKeys:
    mchid: str
    app_id: str
    apiv3_key: str
    platform_private_key_pem: str
    platform_serial: str
    merchant_public_key_pem: str
    merchant_serial: str


@dataclass(frozen=True, slots=True, repr=False)
class DingtalkKeys:
    access_token: str
    secret: str


@dataclass(frozen=True, slots=True, repr=False)
class WecomKeys:
    key: str


@dataclass(frozen=True, slots=True, repr=False)
class FeishuKeys:
    token: str
    secret: str


@dataclass(frozen=True, slots=True, repr=False)
class DirectKeys:
    secret: str


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    kingdee: KingdeeKeys
    qimen: QimenKeys
    kdniao: KdniaoKeys
    wechat: WechatKeys
    wechatpay: WechatPayKeys
    dingtalk: DingtalkKeys
    wecom: WecomKeys
    feishu: FeishuKeys
    direct: DirectKeys

    @classmethod
    def read(cls, data: Mapping[str, Mapping[str, Any]]) -> Self:
        kingdee = {name: str(value) for name, value in data["kingdee"].items()}
        return cls(
            kingdee=KingdeeKeys(**kingdee),
            qimen=QimenKeys(**data["qimen"]),
            kdniao=KdniaoKeys(**data["kdniao"]),
            wechat=WechatKeys(**data["wechat"]),
            wechatpay=WechatPayKeys(**data["wechatpay"]),
            dingtalk=DingtalkKeys(**data["dingtalk"]),
            wecom=WecomKeys(**data["wecom"]),
            feishu=FeishuKeys(**data["feishu"]),
            direct=DirectKeys(**data["direct"]),
        )


@dataclass(frozen=True, slots=True)
class RobotLimits:
    """DingTalk's published limit: 20 messages a minute, then silence for ten minutes (real time)."""

    per_minute: int = 20
    mute_seconds: float = 600.0
    per_second: int = 1_000_000  # DingTalk names none


@dataclass(frozen=True, slots=True)
class Config:
    secrets: Secrets
    clock: WorldClock | SetClock
    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    hooks: str | None = None
    autopilot: bool = True
    prompt: bool = False  # every order goes well, and nobody lets anybody wait: for benchmarks
    robot: RobotLimits = field(default_factory=RobotLimits)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        listen = data.get("listen", {})
        return cls(
            secrets=Secrets.read(data["secrets"]),
            clock=read_clock(data.get("clock", {})),
            seed=int(data.get("seed", 1)),
            host=listen.get("host", "127.0.0.1"),
            port=int(listen.get("port", 0)),
            hooks=data.get("hooks"),
            autopilot=bool(data.get("autopilot", True)),
            prompt=bool(data.get("prompt", False)),
            robot=RobotLimits(**data.get("robot", {})),
        )


def read_clock(data: Mapping[str, Any]) -> WorldClock | SetClock:
    if data.get("set"):
        start = read_instant(data["start"])
        return SetClock(start, start)
    return WorldClock(
        start=read_instant(data["start"]) if "start" in data else time.time(),
        speed=float(data.get("speed", 1.0)),
        anchor=float(data.get("anchor", time.time())),
    )


def load_config(path: Path) -> Config:
    return Config.read(orjson.loads(path.read_bytes()))
