"""`categories:` and `window:` of `rules/returns.yaml`: which articles belong together, and how long each may come back.

categories: {fresh: [SKU-F*, FRESH-001], made_to_order: [CUSTOM-*]}
window: {default: 7, fresh: 2, made_to_order: 0}
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from ballast.domain.return_window import ANY_REST, Categories
from ballast.rules.entries import Entry
from ballast.rules.expressions import NotAllowed, Token, read_tokens

DEFAULT: Final = "default"
"""The window of what is in no category that has its own; so no category is called that."""

MOST_DAYS: Final = 3650
_QUOTES: Final = frozenset("\"'")


def categories_of(entry: Entry | None) -> Categories:
    """Name -> SKUs; where they cannot be read, and that is a finding, without them."""
    return Categories({name: tuple(_skus(value)) for name, value in _named(entry) if name != DEFAULT})


def _named(entry: Entry | None) -> Iterator[tuple[str, Entry]]:
    for name, value in (entry.fields() if entry else {}).items():
        if not name.strip() or name == DEFAULT or _QUOTES & set(name):
            value.problem(f"{name!r} is no name of a category: any word without quotes, but {DEFAULT}")
        yield name, value


def _skus(entry: Entry) -> Iterator[str]:
    if not entry.items():
        entry.problem("a category without articles: list their SKUs, such as [SKU-F*, FRESH-001]")
    for word in entry.words():
        if ANY_REST in word[:-1] or any(sign.isspace() for sign in word):
            entry.problem(f"{word!r} is no SKU: {ANY_REST} stands at its end only, and there are no blanks in it")
        else:
            yield word


def windows_of(entry: Entry | None, categories: Collection[str]) -> tuple[timedelta | None, Mapping[str, timedelta]]:
    """The default, None where the file has none, and that of each category which has one."""
    fields = entry.fields(known=(DEFAULT, *sorted(categories))) if entry else {}
    found = {name: days for name, value in fields.items() if (days := _days(value, least=name == DEFAULT)) is not None}
    return found.pop(DEFAULT, None), found


def _days(entry: Entry, *, least: int) -> timedelta | None:
    word = entry.word()
    if word.isascii() and word.isdecimal() and len(word) <= len(str(MOST_DAYS)) and least <= int(word) <= MOST_DAYS:
        return timedelta(days=int(word))
    if word:
        entry.problem(f"{word!r} is no number of days: write a whole one, {int(least)} to {MOST_DAYS}")
    return None


def no_category(name: str, known: Collection[str]) -> str:
    """What is wrong with a condition that looks for this one."""
    return f"there is no category {name!r}; " + (f"known are {', '.join(sorted(known))}" if known else "none is listed")


def named_in(text: str, fact: str) -> frozenset[str]:
    """The texts that a condition looks for in a list of texts: `"x" in fact`, `contains(fact, "x")`,
    `some(fact, # == "x")`. Empty when it cannot be read."""
    try:
        tokens = read_tokens(text)
    except NotAllowed:
        return frozenset()
    places = [place for place, token in enumerate(tokens) if token.is_fact and token.said == fact]
    return frozenset(str(token.value) for place in places for token in _beside(tokens, place) if token.kind == "text")


def _beside(tokens: Sequence[Token], place: int) -> Sequence[Token]:
    """The text that is looked for in the list at this place, or whatever stands there instead."""
    said = ["", "", *(token.said for token in tokens), "", "", ""]
    first, second, _, *after = said[place:]
    if second == "in":
        at = place - (3 if first == "not" else 2)
    elif after[:2] == [",", "#"] and after[2] in ("==", "!="):
        at = place + 4
    elif (first, second, after[0]) == ("contains", "(", ","):
        at = place + 2
    else:
        return ()
    return tokens[at : at + 1]
