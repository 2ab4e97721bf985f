"""The signature of both directions, over sorted query values and the exact body. Sheet qimen.md, 2."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from adapters.signing import same
from ballast.clock import from_local

WINDOW: Final = timedelta(minutes=10)


def sign(query: Mapping[str, str], body: bytes, secret: str) -> str:
    """`query` holds decoded values; `sign` itself and empty values do not count. MD5 is the vendor's choice."""
    pairs = "".join(f"{name}{value}" for name, value in sorted(query.items()) if name != "sign" and value)
    text = f"{secret}{pairs}".encode("utf-8", "surrogatepass") + body + secret.encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest().upper()


def is_genuine(query: Mapping[str, str], body: bytes, secret: str, now: datetime) -> bool:
    """Signed with `secret` and fresh. Every parameter counts: some WMS sign extra ones of their own."""
    if not same(sign(query, body, secret), query.get("sign", "")):
        return False
    try:
        return abs(now - from_local(query.get("timestamp", ""))) <= WINDOW
    except (ValueError, OverflowError):
        return False
