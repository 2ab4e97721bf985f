"""The message in plain text: apprise turns it into what each service wants. Pure."""

import re
from typing import Final

from adapters.alerts.digests import Fitted, fit, more, one_line, unmarked
from ballast.ports import Digest

MOST_BYTES: Final = 20_000
LONGEST_TITLE: Final = 200
LONGEST_TEXT: Final = 1_500
LONGEST_LINK: Final = 1_000
ONE_ADDRESS: Final = re.compile(r"[^\s@<>(),;:\"]+@[^\s@<>(),;:\"]+")


def addresses(digest: Digest) -> list[str]:
    """Of the people who have one. A field that holds anything else than one address rings nobody."""
    return [person.email for person in digest.people if ONE_ADDRESS.fullmatch(person.email)]


def subject(digest: Digest) -> str:
    """One line: a line break in a subject would begin another header."""
    return one_line(digest.title, LONGEST_TITLE) or "Ballast"


def text(digest: Digest) -> Fitted:
    """One line per item, then whom it is meant for. Items that do not fit are counted at the end."""
    items = [f"- {unmarked(item, title=LONGEST_TITLE, text=LONGEST_TEXT, link=LONGEST_LINK)}" for item in digest.items]
    names = " ".join(f"@{one_line(person.name, 90)}" for person in digest.people[:50])

    def whole(shown: int) -> bytes:
        return "\n".join(part for part in (*items[:shown], more(len(items) - shown), names) if part).encode()

    return fit(len(items), whole, MOST_BYTES)
