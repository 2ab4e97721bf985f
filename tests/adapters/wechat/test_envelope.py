"""Signature and decryption: the sheet's vectors, and everything that must not be taken."""

import struct
from base64 import b64decode, b64encode

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from adapters.storefronts.wechat.envelope import decrypt, read_key, sign
from ballast.settings import SettingsError
from tests.adapters.wire import sample

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
KEY = read_key(AES_KEY)
APP_ID = "wx0000000000000001"


def vector() -> str:
    return str(orjson.loads(sample("wechat/settlement_shipped_safe.json"))["Encrypt"])


def encrypt(message: bytes, app_id: str = APP_ID, *, padding: bytes | None = None, length: int | None = None) -> str:
    plain = b"0123456789abcdef" + struct.pack(">I", len(message) if length is None else length)
    plain += message + app_id.encode()
    count = 32 - len(plain) % 32
    plain += bytes([count]) * count if padding is None else padding
    encryptor = Cipher(AES256(KEY), CBC(KEY[:16])).encryptor()
    return b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def test_the_signature_vectors_of_the_sheet() -> None:
    assert sign("testtoken", "1767319200", "nonce123") == "d2d0c6b42ed464940dae931d450e5411018e5736"
    assert sign("testtoken", "1767319200", "nonce123", vector()) == "91c6b3327ae070e65705fd51a9e425345aa4c2e2"


def test_the_decryption_vector_of_the_sheet() -> None:
    """The ciphertext printed in the sheet is the tail of its WeChat Pay one, a slip of the pen.

    The sample holds the ciphertext that its own parameters give; the sheet's msg_signature, above, agrees with it.
    """
    assert decrypt(vector(), KEY, APP_ID) == sample("wechat/settlement_shipped.json")


def test_our_own_encryption_is_the_vectors_inverse() -> None:
    assert encrypt(sample("wechat/settlement_shipped.json")) == vector()


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 28, 29, 100])
def test_every_length_of_padding(length: int) -> None:
    assert decrypt(encrypt(b"x" * length), KEY, APP_ID) == b"x" * length


@pytest.mark.parametrize(
    "encrypted",
    [
        "",
        "not base64!",
        b64encode(b"x" * 16).decode(),
        b64encode(b"x" * 32).decode(),
        b64encode(b64decode(vector())[:-32]).decode(),
        encrypt(b"{}", "wx0000000000000002"),
        encrypt(b"{}", length=1),
        encrypt(b"{}", length=2**31),
        encrypt(b"x" * 26, padding=b""),
        encrypt(b"x" * 25, padding=b"\0"),
        encrypt(b"x" * 24, padding=b"\1\2"),
        encrypt(b"x" * 25, padding=b"\x21"),
        encrypt(b"x" * 25, padding=b"\x21" * 33),
    ],
)
def test_what_is_not_ours_is_refused_without_saying_why(encrypted: str) -> None:
    with pytest.raises(ValueError, match=r"not a message of ours|base64|padding|characters|string"):
        decrypt(encrypted, KEY, APP_ID)


@pytest.mark.parametrize("key", ["", AES_KEY[:-1], AES_KEY + "A", "!" * 43])
def test_a_wrong_key_refuses_to_start(key: str) -> None:
    with pytest.raises(SettingsError, match="ENCODING_AES_KEY") as caught:
        read_key(key)
    assert not key or key not in str(caught.value)
