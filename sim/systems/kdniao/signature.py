"""Kdniao's DataSign: Base64 of the hex text of an MD5."""

import base64
import hashlib


def sign(request_data: str, api_key: str) -> str:
    digest = hashlib.md5(f"{request_data}{api_key}".encode(), usedforsecurity=False).hexdigest()
    return base64.b64encode(digest.encode()).decode()
