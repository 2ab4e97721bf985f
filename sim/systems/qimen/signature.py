"""QiMen's signature: MD5 over secret, sorted query parameters, raw body, secret."""

import hashlib
from collections.abc import Mapping


def sign(params: Mapping[str, str], body: str, secret: str) -> str:
    """`params`: the decoded query parameters; `sign` itself and empty values do not count."""
    pairs = "".join(f"{name}{value}" for name, value in sorted(params.items()) if name != "sign" and value)
    return hashlib.md5(f"{secret}{pairs}{body}{secret}".encode(), usedforsecurity=False).hexdigest().upper()
