"""Signatures of WeChat Pay v3 in both directions, and the encrypted resource. Source: the vendor sheet, §C1, C2, C4.

The primitives are those of `wechatpayv3`; around them stand the checks that its `callback()` does not make (§C5).
"""

import uuid
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from wechatpayv3.utils import aes_decrypt, rsa_sign, rsa_verify

from adapters.signing import recent
from ballast.settings import SettingsError, WechatpaySettings

SIGNATURE_TYPE: Final = "WECHATPAY2-SHA256-RSA2048"
PROBE: Final = "WECHATPAY/SIGNTEST/"
"""Signed wrongly on purpose, to see whether we look [M]."""

PlatformKeys = Mapping[str, RSAPublicKey]


def load_merchant_key(settings: WechatpaySettings) -> RSAPrivateKey:
    """Raises `SettingsError`, which never shows the key."""
    try:
        key = load_pem_private_key(settings.merchant_private_key.get_secret_value().encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise SettingsError("BALLAST_WECHATPAY__MERCHANT_PRIVATE_KEY is not the PEM text of an RSA private key")
    return key


def load_platform_keys(settings: WechatpaySettings) -> PlatformKeys:
    """By serial: public keys (`PUB_KEY_ID_...`) or platform certificates, both as PEM. Raises `SettingsError`."""
    if not settings.platform_keys:
        raise SettingsError("BALLAST_WECHATPAY__PLATFORM_KEYS is empty: no notice could be verified")
    return {serial: _load_public_key(serial, pem) for serial, pem in settings.platform_keys.items()}


def _load_public_key(serial: str, pem: str) -> RSAPublicKey:
    try:
        certificate = "BEGIN CERTIFICATE" in pem
        key = load_pem_x509_certificate(pem.encode()).public_key() if certificate else load_pem_public_key(pem.encode())
    except ValueError:
        key = None
    if not isinstance(key, RSAPublicKey):
        raise SettingsError(f"BALLAST_WECHATPAY__PLATFORM_KEYS: {serial} is not the PEM text of an RSA public key")
    return key


def load_apiv3_key(settings: WechatpaySettings) -> str:
    key = settings.apiv3_key.get_secret_value()
    if len(key.encode()) != 32:
        raise SettingsError("BALLAST_WECHATPAY__APIV3_KEY is not 32 characters long")
    return key


def is_genuine(headers: Mapping[str, str], body: bytes, keys: PlatformKeys, now: datetime) -> bool:
    """Whether WeChat Pay signed these bytes within five minutes of `now`. Header names are lower case."""
    signature, serial = headers.get("wechatpay-signature", ""), headers.get("wechatpay-serial", "")
    timestamp, nonce = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
    known_form = headers.get("wechatpay-signature-type", SIGNATURE_TYPE) == SIGNATURE_TYPE
    if not (known_form and signature and nonce and serial in keys) or signature.startswith(PROBE):
        return False
    try:
        text = body.decode()
        b64decode(signature, validate=True)  # the library's own reading passes over whatever follows
    except ValueError:
        return False
    return recent(timestamp, now) and bool(rsa_verify(timestamp, nonce, text, signature, keys[serial]))


def authorization(
    method: str, target: str, body: str, settings: WechatpaySettings, key: RSAPrivateKey, now: datetime
) -> str:
    """The Authorization header. `target` is path and query exactly as they go out.

    Not the library's `build_authorization`: that one reads the clock itself, ours is a parameter.
    """
    timestamp, nonce = str(int(now.timestamp())), uuid.uuid4().hex
    signature = rsa_sign(key, f"{method}\n{target}\n{timestamp}\n{nonce}\n{body}\n")
    return (
        f'{SIGNATURE_TYPE} mchid="{settings.mchid}",nonce_str="{nonce}",signature="{signature}",'
        f'timestamp="{timestamp}",serial_no="{settings.merchant_serial}"'
    )


def decrypt(nonce: str, ciphertext: str, associated_data: str, apiv3_key: str) -> bytes:
    """The resource inside a notice. Raises ValueError when it was not encrypted with this key."""
    plain = aes_decrypt(nonce, ciphertext, associated_data, apiv3_key)
    if plain is None:
        raise ValueError("cannot be decrypted")
    return str(plain).encode()
