"""What every channel does with a digest before it writes it: foreign words made harmless, bytes counted. Pure.

Titles and texts hold words of other systems. None of them may ring people, hide a link behind other words or break
the bold type, so what would is spelt in a way that is only read.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
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
    return cut(one_line(text, most_bytes).replace("<", "＜").replace("](", "] (").replace("**", "*\u200a*"), most_bytes)


def marked(item: Item, *, title: int, text: int, link: int) -> str:
    """An item in markdown: bold title, text, link; each part at most that many bytes, a longer link left out."""
    words = [f"**{plain(item.title, title)}**" if item.title.strip() else "", plain(item.text, text)]
    whole = BREAKS_A_LINK.sub(lambda found: quote(found[0]), item.link)
    if whole and len(whole.encode("utf-8", "replace")) <= link:
        words.append(f"[{LINK_WORDS}]({whole})")
    return " ".join(word for word in words if word)


def more(left_out: int) -> str:
    """The last line of a list that was too long."""
    return f"… and {left_out} more / 另有 {left_out} 条" if left_out else ""


def how_many_fit(count: int, size: Callable[[int], int], most: int) -> int:
    """How many of `count` items are shown so that the message, of `size(shown)` bytes, has at most `most`."""
    if size(count) <= most:
        return count
    return max(bisect_left(range(count), True, key=lambda shown: size(shown) > most) - 1, 0)


def ring(
    people: Sequence[Person], handle: Callable[[Person], str], standing: Iterable[str], most: int
) -> tuple[list[str], str]:
    """Whom a message rings, by handle, and the names of those who are meant and have none here, for others to tell.

    Names nobody that can be rung: the standing handles are.
    """
    named = dict.fromkeys(found for person in people if (found := handle(person).strip()))
    others = " ".join(f"@{plain(person.name, LONGEST_NAME)}" for person in people if not handle(person).strip())
    return list(named or dict.fromkeys(standing))[:most], cut(others, LONGEST_NAMES)
