"""DataSign: Base64 of the hex text of an MD5. Pure. Source: the vendor sheet, §3."""

import hashlib
from base64 import b64encode


def data_sign(request_data: str, api_key: str) -> str:
    """Sign the exact JSON text that goes out or came in, before form encoding."""
    digest = hashlib.md5((request_data + api_key).encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return b64encode(digest.hexdigest().encode()).decode()
