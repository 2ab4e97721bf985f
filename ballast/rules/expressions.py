"""What people may write as a condition: the part of the ZEN language that cannot run for long, read into its tokens.

Facts, numbers, texts, comparisons, `and`, `or`, `not`, `in`, a few functions. Ranges stand behind `in` only, where they
are compared and never unrolled; `some`, `all`, `none`, `one`, `count` do not stand within each other.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

MOST_CHARACTERS: Final = 500
MOST_DEPTH: Final = 40

WORDS: Final = frozenset({"and", "or", "not", "in", "true", "false", "null"})
OVER_LISTS: Final = frozenset({"some", "all", "none", "one", "count"})
FUNCTIONS: Final = OVER_LISTS | frozenset(
    {"contains", "startsWith", "endsWith", "upper", "lower", "trim", "len", "abs", "round", "floor", "ceil", "min",
     "max", "sum"}
)  # fmt: skip

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<text>"[^"]*"|'[^']*')
    |(?P<number>[0-9]+(?:\.[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>\.\.|==|!=|<=|>=|\?\?|[<>+\-*/%()\[\],?:!\#])""",
    re.VERBOSE,
)
_FULL_WIDTH: Final[Mapping[str, str]] = {
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("‘’", "'"),
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "、": ",",
    "，": ",",
    "。": ".",
    "【": "[",
    "】": "]",
    "×": "*",
    "÷": "/",
    "\u3000": " ",
    "\u00a0": " ",
}
_ADVICE: Final = (
    ("=", "= sets a value: to compare, write =="),
    ("&", "& is not known here: write and"),
    ("|", "| is not known here: write or"),
    ("`", "` is not known here: put texts between quotes"),
    (";", "; is not known here: write one condition"),
    ("$", "$ is not known here: write the names of facts"),
    (".", "a point stands in numbers and ranges only: facts have no parts"),
)


class NotAllowed(Exception):
    """This text is no condition; the message says why, for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word of an expression. `kind`: text, number, name, sign; `at`: where it begins, from 0."""

    kind: str
    said: str
    at: int

    @property
    def is_fact(self) -> bool:
        return self.kind == "name" and self.said not in WORDS

    @property
    def value(self) -> float | str:
        """Of a number or a text."""
        return float(self.said) if self.kind == "number" else self.said[1:-1]


def read_tokens(text: str) -> tuple[Token, ...]:
    """The words of an expression within bounds. Raises `NotAllowed`."""
    if not text.strip():
        raise NotAllowed("it is empty")
    if len(text) > MOST_CHARACTERS:
        raise NotAllowed(f"it has {len(text)} characters, at most {MOST_CHARACTERS} are taken: make two rules of it")
    tokens = tuple(_split(text))
    _check_brackets(tokens)
    for before, token, after in zip((None, *tokens), tokens, (*tokens[1:], None), strict=False):
        _check_call(token, after)
        if token.said == "[" and before is not None and (before.said in (")", "]") or before.is_fact):
            raise NotAllowed(f"[ behind {before.said}: parts of a fact cannot be taken out, write contains(...)")
        if before is not None and before.kind == token.kind == "number":
            raise NotAllowed(f"{before.said} {token.said}: two numbers without a sign between them")
    return tokens


def facts_of(tokens: Sequence[Token]) -> frozenset[str]:
    """The names of facts that it reads: names that are no words of the language and no functions."""
    after = [*tokens[1:], Token("sign", "", 0)]
    return frozenset(
        token.said for token, behind in zip(tokens, after, strict=True) if token.is_fact and behind.said != "("
    )


def _split(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotAllowed(_unknown_sign(text, at))
        if found.lastgroup != "space":
            assert found.lastgroup is not None
            yield Token(found.lastgroup, found[0], at)
        at = found.end()


def _unknown_sign(text: str, at: int) -> str:
    sign, place = text[at], f"character {at + 1}"
    if sign in _FULL_WIDTH:
        return f"{place} is {sign!r}, a full-width or typographic sign: write {_FULL_WIDTH[sign]!r}"
    if sign in "\"'":
        return f"{place}: this quote {sign} is not closed"
    for known, advice in _ADVICE:
        if sign == known:
            return f"{place}: {advice}"
    if sign.isalpha():
        return f"{place} is {sign!r}: names of facts are English, and texts stand between quotes"
    return f"{place}: {sign!r} has no meaning here"


@dataclass(slots=True)
class _Open:
    """A bracket that is open: its sign, the function that it calls, whether `in` stands before it, within a list's."""

    said: str
    function: str
    behind_in: bool
    over_list: bool


def _check_brackets(tokens: Sequence[Token]) -> None:
    """Every bracket is closed (a range's by either kind), none too deep; ranges and functions over lists stand where
    they cost little.
    """
    stack: list[_Open] = []
    ranged = False
    for before, token in zip((Token("sign", "", 0), *tokens), tokens, strict=False):
        if token.said in ("(", "[") and token.kind == "sign":
            stack.append(_opened(before, token, over_list=bool(stack) and stack[-1].over_list))
            if len(stack) > MOST_DEPTH:
                raise NotAllowed(f"its brackets are more than {MOST_DEPTH} deep")
        elif token.said == ".." and token.kind == "sign":
            if not stack or not stack[-1].behind_in or stack[-1].over_list:
                raise NotAllowed("a range stands behind in only: amount in [100..200]")
            ranged = True
        elif token.said == "#" and token.kind == "sign" and not (stack and stack[-1].over_list):
            raise NotAllowed("# stands within some, all, none, one and count only")
        elif token.said in (")", "]") and token.kind == "sign":
            _close(stack, token, ranged)
            ranged = False
    if stack:
        raise NotAllowed(f"a bracket {stack[-1].said} is not closed")


def _opened(before: Token, token: Token, *, over_list: bool) -> _Open:
    function = before.said if token.said == "(" and before.is_fact else ""
    if over_list and function in OVER_LISTS:
        raise NotAllowed(f"{function} within another of {', '.join(sorted(OVER_LISTS))} is not taken")
    return _Open(token.said, function, before.said == "in", over_list or function in OVER_LISTS)


def _close(stack: list[_Open], token: Token, ranged: bool) -> None:
    if not stack:
        raise NotAllowed(f"character {token.at + 1}: {token.said} closes no bracket")
    opened = stack.pop()
    if not ranged and opened.said + token.said not in ("()", "[]"):
        raise NotAllowed(f"character {token.at + 1}: {token.said} closes a bracket {opened.said}")


def _check_call(token: Token, after: Token | None) -> None:
    calls = after is not None and after.said == "(" and after.kind == "sign"
    if not token.is_fact:
        return
    if calls and token.said not in FUNCTIONS:
        close = closest(token.said, FUNCTIONS)
        raise NotAllowed(f"there is no function {token.said}" + (f", did you mean {close}?" if close else ""))
    if not calls and token.said in FUNCTIONS:
        raise NotAllowed(f"{token.said} is a function: write {token.said}(...)")


def closest(name: str, known: Sequence[str] | frozenset[str]) -> str:
    """The known name that was probably meant; empty: none is near."""
    lower = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return lower[found[0]] if found else ""
