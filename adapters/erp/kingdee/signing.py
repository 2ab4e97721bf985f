"""Per-request signature headers of 金蝶云星空 (third-party app authorisation, no login). Sheet kingdee.md, 2B."""

import base64
import hashlib
import hmac
from functools import cache
from urllib.parse import quote, urlsplit

from ballast.settings import KingdeeSettings, SettingsError

KNOWN_KEY = b"0054f397c6234378b09ca7d3e5debce7"
"""Published in the vendor's own SDK: it hides the client secret inside the app id, it protects nothing."""


def sign_request(settings: KingdeeSettings, url: str, *, at: int, nonce: str) -> dict[str, str]:
    """Headers for one POST to `url`. `at` is machine time in unix seconds; `nonce` must never repeat."""
    client_id, client_secret = split_app_id(settings.app_id)
    identity = ",".join((settings.acct_id, settings.user_name, str(settings.lcid), settings.org_num))
    path = quote(urlsplit(url).path, safe="")
    to_sign = f"POST\n{path}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{at}\n"
    return {
        "X-Api-ClientID": client_id,
        "X-Api-Auth-Version": "2.0",
        "x-api-timestamp": str(at),
        "x-api-nonce": nonce,
        "x-api-signheaders": "x-api-timestamp,x-api-nonce",
        "X-Api-Signature": _sign(client_secret, to_sign),
        "X-Kd-Appkey": settings.app_id,
        "X-Kd-Appdata": base64.b64encode(identity.encode()).decode(),
        "X-Kd-Signature": _sign(settings.app_secret.get_secret_value(), settings.app_id + identity),
    }


@cache
def split_app_id(app_id: str) -> tuple[str, str]:
    """`<client id>_<32 characters>` -> client id and client secret. Raises `SettingsError` for another shape."""
    client_id, _, hidden = app_id.partition("_")
    try:
        masked = base64.b64decode(hidden, validate=True) if len(hidden) == 32 else b""
    except ValueError:
        masked = b""
    if not masked:
        raise SettingsError("BALLAST_KINGDEE__APP_ID must look like <client id>_<32 characters of Base64>")
    return client_id, base64.b64encode(bytes(a ^ b for a, b in zip(masked, KNOWN_KEY, strict=False))).decode()


def _sign(key: str, text: str) -> str:
    # Base64 of the hex text, not of the digest: the vendor's way
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest().encode()).decode()
