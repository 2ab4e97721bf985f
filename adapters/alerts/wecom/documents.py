"""The message as the robot takes it, within its limits in BYTES. Pure. Source: the vendor sheet, §2.

Markdown (4,096 bytes) rings by `<@userid>` in the text and knows no mobiles; text (2,048 bytes) has lists of both. One
digest is one message, never one of each: of two, the second could get lost. So it is markdown, unless it has to ring
somebody of whom only the mobile is known.
"""

from collections.abc import Sequence
from typing import Final

import orjson

from adapters.alerts.digests import Fitted, fit, marked, more, one_line, plain, ring, unmarked
from ballast.ports import Digest, Person

MOST_BYTES: Final = 4096
MOST_TEXT_BYTES: Final = 2048
LONGEST_TITLE: Final = 200
LONGEST_TEXT: Final = 900
LONGEST_LINK: Final = 500
LONGEST_MENTIONS: Final = 1200
MOST_MENTIONS: Final = 50


def write(digest: Digest, standing: Sequence[str]) -> Fitted:
    """The request body. Items that do not fit are counted at the end; none is cut inside a character."""
    only_mobile = any(person.mobile.strip() and not person.wecom.strip() for person in digest.people)
    return _text(digest) if only_mobile else _markdown(digest, standing)


def _markdown(digest: Digest, standing: Sequence[str]) -> Fitted:
    userids, others = ring(digest.people, lambda person: person.wecom, standing, MOST_MENTIONS)
    last = " ".join(part for part in (_tags(userids), others) if part)
    title = f"### {plain(digest.title, LONGEST_TITLE)}"
    items = [f"> {marked(item, title=LONGEST_TITLE, text=LONGEST_TEXT, link=LONGEST_LINK)}" for item in digest.items]
    content = _fitting(title, items, last, MOST_BYTES)
    document = {"msgtype": "markdown", "markdown": {"content": content.body.decode()}}
    return Fitted(orjson.dumps(document), content.shown)


def _text(digest: Digest) -> Fitted:
    userids, _ = ring(digest.people, lambda person: person.wecom, (), MOST_MENTIONS)
    mobiles, _ = ring([one for one in digest.people if not one.wecom.strip()], _mobile, (), MOST_MENTIONS)
    _, others = ring(digest.people, lambda person: person.wecom or person.mobile, (), MOST_MENTIONS)
    items = [f"- {unmarked(item, title=150, text=450, link=LONGEST_LINK)}" for item in digest.items]
    content = _fitting(one_line(digest.title, LONGEST_TITLE), items, others, MOST_TEXT_BYTES)
    lists = {"mentioned_list": userids, "mentioned_mobile_list": mobiles}
    document = {"msgtype": "text", "text": {"content": content.body.decode(), **lists}}
    return Fitted(orjson.dumps(document), content.shown)


def _fitting(title: str, items: Sequence[str], last: str, most: int) -> Fitted:
    """The content alone: its bytes are what the robot counts."""

    def content(shown: int) -> bytes:
        parts = [title, "\n".join(items[:shown]), more(len(items) - shown), last]
        return "\n".join(part for part in parts if part).encode()

    return fit(len(items), content, most)


def _tags(userids: Sequence[str]) -> str:
    """As many as have room: a tag that is cut rings nobody."""
    tags: list[str] = []
    for userid in userids:
        tag = f"<@{userid}>"
        if len(" ".join([*tags, tag]).encode("utf-8", "replace")) <= LONGEST_MENTIONS:
            tags.append(tag)
    return " ".join(tags)


def _mobile(person: Person) -> str:
    return person.mobile
