"""The message-push envelope: URL signature, safe-mode signature and decryption. Pure. Source: the vendor sheet, §B."""

import hashlib
import struct
from base64 import b64decode

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from ballast.settings import SettingsError

BLOCK = 32  # PKCS#7 over 32 bytes, not over AES's 16
RANDOM_BYTES = 16


def sign(*parts: str) -> str:
    """sha1 hex of the sorted parts: token, timestamp, nonce and in safe mode the ciphertext."""
    text = "".join(sorted(parts)).encode("utf-8", "surrogatepass")
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def read_key(encoding_aes_key: str) -> bytes:
    """43 characters of the console -> 32 bytes. Raises `SettingsError`."""
    try:
        key = b64decode(encoding_aes_key + "=", validate=True)
    except ValueError:
        key = b""
    if len(encoding_aes_key) != 43 or len(key) != 32:
        raise SettingsError("BALLAST_WECHAT__ENCODING_AES_KEY is not the 43 characters of the message-push console")
    return key


def decrypt(encrypted: str, key: bytes, app_id: str) -> bytes:
    """The message inside. Raises ValueError without saying which part was wrong."""
    data = b64decode(encrypted, validate=True)
    if not data or len(data) % BLOCK:
        raise ValueError("not a message of ours")
    decryptor = Cipher(AES256(key), CBC(key[:16])).decryptor()
    plain = _unpad(decryptor.update(data) + decryptor.finalize())
    (length,) = struct.unpack_from(">I", plain.ljust(RANDOM_BYTES + 4, b"\0"), RANDOM_BYTES)
    start = RANDOM_BYTES + 4
    if plain[start + length :] != app_id.encode():
        raise ValueError("not a message of ours")
    return plain[start : start + length]


def _unpad(padded: bytes) -> bytes:
    count = padded[-1]
    if not 1 <= count <= BLOCK or padded[-count:] != bytes([count]) * count:
        raise ValueError("not a message of ours")
    return padded[:-count]
