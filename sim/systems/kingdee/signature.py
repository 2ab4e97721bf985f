"""The per-request signature of a third-party app: two chained HMACs over path, nonce and time."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from sim.config import KingdeeKeys

XOR_KEY = b"0054f397c6234378b09ca7d3e5debce7"
WINDOW = 15 * 60.0  # real seconds; the vendor's window is not documented
SIGNED_HEADERS = "x-api-timestamp,x-api-nonce"


def sign(key: bytes, text: str) -> str:
    """Base64 of the lower-case hex digest, as the vendor's own client does it."""
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).hexdigest().encode()).decode()


def derive_client_secret(app_id: str) -> bytes:
    """The client secret hidden in the second part of the app id, as Base64 text."""
    hidden = base64.b64decode(app_id.split("_", 1)[1])
    return base64.b64encode(bytes(a ^ b for a, b in zip(hidden, XOR_KEY, strict=False)))


def text_to_sign(path: str, nonce: str, timestamp: str) -> str:
    return f"POST\n{quote(path, safe='')}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{timestamp}\n"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What must arrive; everything that does not change with the request is worked out once."""

    client_secret: bytes
    fixed: Mapping[str, str]

    @classmethod
    def prepare(cls, keys: KingdeeKeys) -> Self:
        data = f"{keys.acct_id},{keys.user_name},{keys.lcid},{keys.org_num}"
        fixed = {
            "X-Api-ClientID": keys.app_id.split("_", 1)[0],
            "X-Api-Auth-Version": "2.0",
            "x-api-signheaders": SIGNED_HEADERS,
            "X-Kd-Appkey": keys.app_id,
            "X-Kd-Appdata": base64.b64encode(data.encode()).decode(),
            "X-Kd-Signature": sign(keys.app_secret.encode(), keys.app_id + data),
        }
        return cls(derive_client_secret(keys.app_id), fixed)

    def find_fault(self, headers: Mapping[str, str], path: str, now: float) -> str | None:
        """The first header that is wrong, None when all are right. `path` as on the wire; `now` is real time."""
        for name, wanted in self.fixed.items():
            if not hmac.compare_digest(headers.get(name, "").encode(), wanted.encode()):
                return name
        timestamp, nonce = headers.get("x-api-timestamp", ""), headers.get("x-api-nonce", "")
        if not nonce or not is_recent(timestamp, now):
            return "x-api-timestamp"
        wanted = sign(self.client_secret, text_to_sign(path, nonce, timestamp))
        if not hmac.compare_digest(headers.get("X-Api-Signature", "").encode(), wanted.encode()):
            return "X-Api-Signature"
        return None


def is_recent(timestamp: str, now: float) -> bool:
    """Seconds (the Python client) or milliseconds (the C# client)."""
    if not timestamp.isdigit():
        return False
    seconds = int(timestamp) / (1000 if len(timestamp) > 11 else 1)
    return abs(now - seconds) <= WINDOW
