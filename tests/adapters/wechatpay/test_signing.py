"""The sheet's vectors, and keys that refuse to start."""

import hashlib
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import SecretStr

from adapters.payments.wechatpay.signing import (
    authorization,
    decrypt,
    is_genuine,
    load_apiv3_key,
    load_merchant_key,
    load_platform_keys,
)
from ballast.settings import SettingsError, WechatpaySettings
from tests.adapters.wire import MACHINE, sample
from tests.contracts.outside import key_pair

SERIAL = "PUB_KEY_ID_0119000000012026010200000001"
APIV3_KEY = "0123456789abcdef0123456789abcdef"
SETTINGS = WechatpaySettings(
    mchid="1900000001",
    app_id="wx0000000000000001",
    merchant_serial="3775B6A45ACD588826D15E583A95F5DD00000001",
    merchant_private_key=SecretStr(key_pair("merchant").private),
    apiv3_key=SecretStr(APIV3_KEY),
    platform_keys={SERIAL: sample("wechatpay/platform_public_key.pem").decode(), "MINE": key_pair("platform").public},
)
KEYS = load_platform_keys(SETTINGS)
BODY = sample("wechatpay/transaction_success.json")
HEADERS = {
    "wechatpay-timestamp": "1767315361",
    "wechatpay-nonce": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
    "wechatpay-signature": sample("wechatpay/transaction_success.signature").decode(),
    "wechatpay-serial": SERIAL,
    "wechatpay-signature-type": "WECHATPAY2-SHA256-RSA2048",
}
NOW = datetime.fromtimestamp(1767315361, UTC)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in HEADERS.items() if key != name}


def test_the_message_is_the_one_of_the_sheet() -> None:
    message = b"1767315361\n5K8264ILTKCH16CQ2502SI8ZNMTM67VS\n" + BODY + b"\n"
    expected = "8ddd066fa582415d675160359b83594e2380d5eb5849c457a92c70b4e1c6347e"
    assert hashlib.sha256(message).hexdigest() == expected


def test_the_signature_vector_of_the_sheet() -> None:
    assert is_genuine(HEADERS, BODY, KEYS, NOW)


@pytest.mark.parametrize("name", [name for name in HEADERS if not name.endswith("-type")])
def test_every_header_is_needed(name: str) -> None:
    assert not is_genuine(without(name), BODY, KEYS, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"},
        {"wechatpay-signature-type": ""},
        {"wechatpay-serial": "PUB_KEY_ID_UNKNOWN"},
        {"wechatpay-serial": "MINE"},
        {"wechatpay-nonce": "5K8264ILTKCH16CQ2502SI8ZNMTM67VT"},
        {"wechatpay-timestamp": "1767315362"},
        {"wechatpay-timestamp": "soon"},
        {"wechatpay-signature": "WECHATPAY/SIGNTEST/" + HEADERS["wechatpay-signature"]},
        {"wechatpay-signature": "!!!"},
        {"wechatpay-signature": "签名"},
        {"wechatpay-signature": HEADERS["wechatpay-signature"][:-4]},
    ],
)
def test_forged_headers_are_not_genuine(changes: dict[str, str]) -> None:
    assert not is_genuine({**HEADERS, **changes}, BODY, KEYS, NOW)


@pytest.mark.parametrize("body", [BODY + b" ", BODY.replace(b"SUCCESS", b"FAILURE"), b"", b"\xff"])
def test_forged_bodies_are_not_genuine(body: bytes) -> None:
    assert not is_genuine(HEADERS, body, KEYS, NOW)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_the_window_is_five_minutes(seconds: int) -> None:
    assert not is_genuine(HEADERS, BODY, KEYS, NOW + timedelta(seconds=seconds))
    assert is_genuine(HEADERS, BODY, KEYS, NOW + timedelta(seconds=299))


def test_our_requests_are_signed_over_method_target_time_nonce_and_body() -> None:
    key = load_merchant_key(SETTINGS)
    header = authorization("GET", "/v3/pay/x?mchid=1900000001", "", SETTINGS, key, MACHINE)
    scheme, _, fields = header.partition(" ")
    values = dict(part.split("=", 1) for part in fields.replace('"', "").split(","))
    assert scheme == "WECHATPAY2-SHA256-RSA2048"
    assert (values["mchid"], values["serial_no"]) == ("1900000001", SETTINGS.merchant_serial)
    message = f"GET\n/v3/pay/x?mchid=1900000001\n1767319200\n{values['nonce_str']}\n\n"
    public: Any = load_pem_public_key(key_pair("merchant").public.encode())
    public.verify(b64decode(values["signature"]), message.encode(), PKCS1v15(), SHA256())


@pytest.mark.parametrize(
    ("nonce", "ciphertext", "aad"),
    [("fdasflkja484", "AAAA" * 20, "transaction"), ("fdasflkja484", "%%", ""), ("", "AAAA" * 20, ""), ("n", "", "")],
)
def test_what_was_not_encrypted_for_us_is_a_value_error(nonce: str, ciphertext: str, aad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decrypt(nonce, ciphertext, aad, APIV3_KEY)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"merchant_private_key": SecretStr("nonsense-key")}, "MERCHANT_PRIVATE_KEY"),
        ({"merchant_private_key": SecretStr(key_pair("merchant").public)}, "MERCHANT_PRIVATE_KEY"),
        ({"apiv3_key": SecretStr("short-key")}, "APIV3_KEY"),
        ({"platform_keys": {}}, "PLATFORM_KEYS"),
        ({"platform_keys": {"S1": "nonsense-key"}}, "S1"),
        ({"platform_keys": {"S1": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"}}, "S1"),
    ],
)
def test_wrong_keys_refuse_to_start_and_are_not_shown(changes: dict[str, Any], words: str) -> None:
    settings = SETTINGS.model_copy(update=changes)
    with pytest.raises(SettingsError, match=words) as refused:
        load_merchant_key(settings)
        load_platform_keys(settings)
        load_apiv3_key(settings)
    assert "short-key" not in str(refused.value) and "nonsense-key" not in str(refused.value)
