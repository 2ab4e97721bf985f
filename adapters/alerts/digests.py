"""What every channel does with a digest before it writes it: foreign words made harmless, bytes counted. Pure.

Titles and texts hold words of other systems. None of them may ring people, hide a link behind other words or break
the bold type, so what would is spelt in a way that is only read.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from ballast.ports import Item, Person

LONGEST_NAME: Final = 90
LONGEST_NAMES: Final = 450
LINK_WORDS: Final = "处理 / Answer"
BREAKS_A_LINK: Final = re.compile(r"[\s()\[\]<>\"]")


def cut(text: str, most_bytes: int) -> str:
    """At most `most_bytes` of UTF-8, cut between two characters; what was cut ends in `…`."""
    whole = text.encode("utf-8", "replace")
    if len(whole) <= most_bytes:
        return whole.decode()
    return whole[: most_bytes - 3].decode("utf-8", "ignore") + "…"


def one_line(text: str, most_bytes: int) -> str:
    """One line of what can be seen: no control characters, half surrogates or turned-around writing."""
    seen = "".join(character if character.isprintable() else " " for character in text)
    return cut(" ".join(seen.split()), most_bytes)


def plain(text: str, most_bytes: int) -> str:
    """One line that rings nobody and links nowhere, wherever markdown is understood."""
    return cut(one_line(text, most_bytes).replace("<", "＜").replace("](", "] (").replace("*", "＊"), most_bytes)


def marked(item: Item, *, title: int, text: int, link: int) -> str:
    """An item in markdown: bold title, text, link; each part at most that many bytes, a longer link left out."""
    words = [f"**{plain(item.title, title)}**" if item.title.strip() else "", plain(item.text, text)]
    if whole := address(item.link, link):
        words.append(f"[{LINK_WORDS}]({whole})")
    return " ".join(word for word in words if word)


def unmarked(item: Item, *, title: int, text: int, link: int) -> str:
    """An item where markdown is not understood."""
    words = ": ".join(part for part in (one_line(item.title, title), one_line(item.text, text)) if part)
    return f"{words} {address(item.link, link)}".strip()


def address(link: str, most_bytes: int) -> str:
    """A link that ends where it ends; none when it is longer, for half a link leads nowhere."""
    whole = BREAKS_A_LINK.sub(lambda found: quote(found[0]), link)
    return whole if len(whole.encode("utf-8", "replace")) <= most_bytes else ""


def more(left_out: int) -> str:
    """The last line of a list that was too long."""
    return f"… and {left_out} more / 另有 {left_out} 条" if left_out else ""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A message within its limit, and how many of the digest's items it shows, the first ones."""

    body: bytes
    shown: int


def fit(count: int, message: Callable[[int], bytes], most: int) -> Fitted:
    """`message(shown)` with as many of `count` items as at most `most` bytes hold."""
    shown = count
    if len(message(count)) > most:
        shown = max(bisect_left(range(count), True, key=lambda few: len(message(few)) > most) - 1, 0)
    return Fitted(message(shown), shown)


def ring(
    people: Sequence[Person], handle: Callable[[Person], str], standing: Iterable[str], most: int
) -> tuple[list[str], str]:
    """Whom a message rings, by handle, and the names of those who are meant and have none here, for others to tell.

    Names nobody that can be rung: the standing handles are.
    """
    named = dict.fromkeys(found for person in people if (found := handle(person).strip()))
    others = " ".join(f"@{plain(person.name, LONGEST_NAME)}" for person in people if not handle(person).strip())
    return list(named or dict.fromkeys(standing))[:most], cut(others, LONGEST_NAMES)
