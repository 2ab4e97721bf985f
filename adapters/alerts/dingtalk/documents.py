"""The message as the robot takes it: markdown, at most 20,000 bytes. Pure. Source: the vendor sheet, §1."""

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
    """Base64, not quoted: the HTTP client quotes query values, and a second quoting is `sign not match`."""
    text = f"{timestamp}\n{secret}"
    return b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def markdown_body(digest: Digest, standing: Sequence[str]) -> Fitted:
    """The request body. Items that do not fit are counted at the end; none is cut inside a character.

    Mobiles stand in the text too: in markdown nobody is rung otherwise.
    """
    title = plain(digest.title, LONGEST_TITLE) or "Ballast"
    mobiles, others = ring(digest.people, lambda person: person.mobile, standing, MOST_MENTIONS)
    last = " ".join([*(f"@{mobile}" for mobile in mobiles), others]).strip()
    items = [f"- {marked(item, title=LONGEST_TITLE, text=LONGEST_TEXT, link=LONGEST_LINK)}" for item in digest.items]

    def body(shown: int) -> bytes:
        parts = [f"#### {title}", "\n".join(items[:shown]), more(len(items) - shown), last]
        markdown = {"title": title, "text": "\n\n".join(part for part in parts if part)}
        at = {"atMobiles": mobiles, "isAtAll": False}
        return orjson.dumps({"msgtype": "markdown", "markdown": markdown, "at": at})

    return fit(len(items), body, MOST_BYTES)
