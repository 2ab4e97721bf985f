"""RSA signatures both ways and the encrypted resource of a notice."""

import base64
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

SCHEME = "WECHATPAY2-SHA256-RSA2048"
WINDOW = 300.0  # real seconds
PART = re.compile(r'(\w+)="([^"]*)"')


def load_private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the platform key is not an RSA key")
    return key


def load_public_key(pem: str) -> RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise TypeError("the merchant key is not an RSA public key")
    return key


def notice_message(timestamp: str, nonce: str, body: bytes) -> bytes:
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def request_message(method: str, path: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    return f"{method}\n{path}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def sign(key: RSAPrivateKey, message: bytes) -> str:
    return base64.b64encode(key.sign(message, PKCS1v15(), SHA256())).decode()


def verifies(key: RSAPublicKey, message: bytes, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature), message, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def encrypt_resource(apiv3_key: str, nonce: str, associated_data: str, plain: bytes) -> str:
    cipher = AESGCM(apiv3_key.encode())
    return base64.b64encode(cipher.encrypt(nonce.encode(), plain, associated_data.encode())).decode()


@dataclass(frozen=True, slots=True)
class Authorization:
    mchid: str
    nonce: str
    signature: str
    timestamp: str
    serial: str


def read_authorization(header: str) -> Authorization | None:
    scheme, _, rest = header.partition(" ")
    parts = dict(PART.findall(rest))
    names = ("mchid", "nonce_str", "signature", "timestamp", "serial_no")
    if scheme != SCHEME or any(not parts.get(name) for name in names) or not parts["timestamp"].isdigit():
        return None
    return Authorization(*(parts[name] for name in names))
