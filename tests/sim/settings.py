"""A complete CONFIG.json with made-up secrets; keys are made once per run."""

import time
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

QIMEN = {"app_key": "23000001", "secret": "qimensecret", "customer_id": "c1600000000000"}
KDNIAO = {"ebusiness_id": "1000001", "api_key": "11111111-2222-3333-4444-555555555555"}
KINGDEE = {
    "acct_id": "65a0000000000a",
    "user_name": "integration",
    "app_id": "200001_QWJjRGVmR2hpSmtsTW5vUHFyc1R1dld4",
    "app_secret": "0123456789abcdef0123456789abcdef",
    "org_num": "0",
    "lcid": 2052,
}
WECHAT = {
    "app_id": "wx0000000000000001",
    "app_secret": "made-up",
    "token": "testtoken",
    "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "mode": "safe",
}
WECOM = {"key": "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"}
FEISHU = {"token": "bot-1", "secret": "demoFeishuSecret0001"}
DINGTALK = {"access_token": "robot-1", "secret": "SEC000000000000000000000000000000000000000000000000000000000000demo"}
DIRECT = {"secret": "direct-secret"}
MCHID, APIV3_KEY = "1900000001", "0123456789abcdef0123456789abcdef"
MERCHANT_SERIAL, PLATFORM_SERIAL = "MERCHANT01", "PLATFORM01"


@cache
def make_key(_: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(name: str) -> str:
    return make_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(name: str) -> str:
    return make_key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def make_settings(**changes: Any) -> dict[str, Any]:
    """`speed`, `start` and `mode` go where they belong, everything else to the top."""
    wechatpay = {
        "mchid": MCHID,
        "app_id": WECHAT["app_id"],
        "apiv3_key": APIV3_KEY,
        "platform_private_key_pem": private_pem("platform"),
        "platform_serial": PLATFORM_SERIAL,
        "merchant_public_key_pem": public_pem("merchant"),
        "merchant_serial": MERCHANT_SERIAL,
    }
    clock = {
        "start": changes.pop("start", "2026-01-05T01:00:00+00:00"),
        "speed": changes.pop("speed", 3600.0),
        "anchor": time.time(),
    }
    secrets = {
        "kingdee": KINGDEE,
        "qimen": QIMEN,
        "kdniao": KDNIAO,
        "wechat": {**WECHAT, "mode": changes.pop("mode", "safe")},
        "wechatpay": wechatpay,
        "dingtalk": DINGTALK,
        "wecom": WECOM,
        "feishu": FEISHU,
        "direct": DIRECT,
    }
    return {"seed": 1, "clock": clock, "hooks": None, "secrets": secrets, "autopilot": False, **changes}
