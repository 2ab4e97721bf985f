"""The message as the bot takes it: a card, at most 20 KB, signed in the body. Pure. Source: the vendor sheet, §3."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence
from typing import Final

import orjson

from adapters.alerts.digests import Fitted, fit, marked, more, plain, ring
from ballast.ports import Digest

MOST_BYTES: Final = 20_000
LONGEST_TITLE: Final = 300
LONGEST_TEXT: Final = 1_500
LONGEST_LINK: Final = 1_000
MOST_MENTIONS: Final = 50


def sign(timestamp: str, secret: str) -> str:
    """`timestamp` in seconds. The joined string is the key and the message is empty: the opposite of DingTalk's."""
    key = f"{timestamp}\n{secret}"
    return b64encode(hmac.new(key.encode(), b"", hashlib.sha256).digest()).decode()


def card_body(digest: Digest, standing: Sequence[str], *, timestamp: str, secret: str) -> Fitted:
    """The request body. Items that do not fit are counted at the end; none is cut inside a character."""
    ids, others = ring(digest.people, lambda person: person.feishu, standing, MOST_MENTIONS)
    last = " ".join([*(f"<at id={one}></at>" for one in ids), others]).strip()
    items = [marked(item, title=LONGEST_TITLE, text=LONGEST_TEXT, link=LONGEST_LINK) for item in digest.items]
    title = {"tag": "plain_text", "content": plain(digest.title, LONGEST_TITLE) or "Ballast"}
    signed = {"timestamp": timestamp, "sign": sign(timestamp, secret), "msg_type": "interactive"}

    def body(shown: int) -> bytes:
        parts = ["\n".join(items[:shown]), more(len(items) - shown), last]
        texts = [{"tag": "lark_md", "content": part} for part in parts if part]
        elements = [{"tag": "div", "text": text} for text in texts]
        return orjson.dumps({**signed, "card": {"header": {"template": "red", "title": title}, "elements": elements}})

    return fit(len(items), body, MOST_BYTES)
