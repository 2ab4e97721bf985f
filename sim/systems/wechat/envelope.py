"""The message push envelope: plain with a token signature, or encrypted (safe mode)."""

import base64
import hashlib
import os

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK = 32


def sign(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def encrypt(message: bytes, encoding_aes_key: str, app_id: str, noise: bytes | None = None) -> str:
    """16 random bytes, length, message, app id, padded to blocks of 32, AES-256-CBC, Base64."""
    key = base64.b64decode(encoding_aes_key + "=")
    plain = (noise or os.urandom(16)) + len(message).to_bytes(4, "big") + message + app_id.encode()
    pad = BLOCK - len(plain) % BLOCK
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()


def wrap(to_user: str, encrypted: str) -> bytes:
    return orjson.dumps({"ToUserName": to_user, "Encrypt": encrypted})
