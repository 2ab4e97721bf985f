"""The message as the robot takes it: markdown, at most 20,000 bytes. Pure. Source: the vendor sheet, §1."""

import hashlib
import hmac
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import orjson

from ballast.ports import Digest

MOST_BYTES: Final = 20_000
LONGEST_LINE: Final = 500
LONGEST_TITLE: Final = 100
MOST_MENTIONS: Final = 50


def sign(timestamp: str, secret: str) -> str:
    """Base64, not quoted: the HTTP client quotes query values, and a second quoting is `sign not match`."""
    text = f"{timestamp}\n{secret}"
    return b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def markdown_body(digest: Digest, mentions: Sequence[str]) -> bytes:
    """The request body. Lines that do not fit are counted at the end; no line is cut inside a character."""
    whole = _body(digest, mentions, len(digest.lines))
    if len(whole) <= MOST_BYTES:
        return whole
    too_many = bisect_left(range(len(digest.lines)), True, key=lambda n: len(_body(digest, mentions, n)) > MOST_BYTES)
    return _body(digest, mentions, max(too_many - 1, 0))


def _body(digest: Digest, mentions: Sequence[str], shown: int) -> bytes:
    """With the first `shown` lines. Mobiles stand in the text too: in markdown nobody is rung otherwise."""
    title = _shorten(digest.title, LONGEST_TITLE)
    rung = list(dict.fromkeys(mentions))[:MOST_MENTIONS]
    listed = [f"- {_shorten(line, LONGEST_LINE)}" for line in digest.lines[:shown]]
    left_out = len(digest.lines) - shown
    parts = [f"#### {title}", "\n".join(listed), f"… and {left_out} more" if left_out else ""]
    parts.append(" ".join(f"@{mobile}" for mobile in rung))
    document = {
        "msgtype": "markdown",
        "markdown": {"title": title, "text": "\n\n".join(part for part in parts if part)},
        "at": {"atMobiles": rung, "isAtAll": False},
    }
    return orjson.dumps(document)


def _shorten(text: str, longest: int) -> str:
    """One line, at most `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
