"""Conditions that people write, evaluated by the ZEN engine. The only module that knows the engine.

All conditions of a set are one expression, a list of them: facts are handed over once, which is most of the cost.
When that fails, each is evaluated by itself, so that one that cannot be computed takes no other with it.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import zen

from ballast.domain.rules.facts import Kind, kind_of, least
from ballast.rules.expressions import WORDS, NotAllowed, Token, closest, facts_of, read_tokens

_SAMPLES: Final = 60
_NOBODY: Final[frozenset[str]] = frozenset()


class _Cannot(Exception):
    """The engine cannot compile or compute it; the text says why, in words."""


def _asked(work: Callable[[], Any]) -> Any:
    """What the engine answers. Raises `_Cannot` for whatever it throws, a panic of its core too: orders go on."""
    try:
        return work()
    except Exception as wrong:  # noqa: BLE001  # the engine names none of its errors
        raise _Cannot(_plainly(wrong)) from None
    except BaseException as wrong:  # a panic is no Exception, and is one rule's matter all the same
        if type(wrong).__name__ != "PanicException":
            raise
        raise _Cannot("the engine broke down over it") from None


class Conditions:
    """Compiled expressions by name. Nothing here raises: what is wrong makes its own condition not met.

    `troubles`: name -> what was last wrong with it, in words: for an alert. At most one per condition.
    """

    def __init__(self, expressions: Mapping[str, str]) -> None:
        self.troubles: dict[str, str] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._each: dict[str, Any] = {}
        texts = {name: text for name, text in expressions.items() if self._takes(name, text)}
        self._reads = frozenset().union(*self._names.values())
        self._all: Any = None
        whole = "[" + ",\n".join(f"({text})" for text in texts.values()) + "]"
        with suppress(_Cannot):  # each of them was taken; should they not go together, they are evaluated one by one
            self._all = _asked(lambda: zen.compile_expression(whole))

    def _takes(self, name: str, text: str) -> bool:
        try:
            names = facts_of(read_tokens(text))
            self._each[name] = _asked(lambda: zen.compile_expression(text))
        except NotAllowed as wrong:
            self.troubles[name] = str(wrong)
        except _Cannot as wrong:
            self.troubles[name] = str(wrong)
        else:
            self._names[name] = names
        return name in self._names

    @property
    def reads(self) -> frozenset[str]:
        """The facts that any of them reads."""
        return self._reads

    def reads_of(self, name: str) -> frozenset[str]:
        """The facts that one of them reads."""
        return self._names.get(name, frozenset())

    def met(self, facts: Mapping[str, object]) -> frozenset[str]:
        """The names of those that hold. A fact that is missing, None or of another kind: its conditions do not."""
        if not self._each:
            return _NOBODY
        given = {name: facts.get(name) for name in self._reads}
        if None in given.values() or self._all is None:
            return self._met_one_by_one({name: fact for name, fact in given.items() if fact is not None})
        try:
            results = _asked(lambda: self._all.evaluate(given))
        except _Cannot:
            return self._met_one_by_one(given)
        if {*map(type, results)} == {bool} and True not in results:  # as with most orders
            return _NOBODY
        return frozenset(name for name, said in zip(self._each, results, strict=True) if self._holds(name, said))

    def _met_one_by_one(self, given: Mapping[str, object]) -> frozenset[str]:
        found = set()
        for name, expression in self._each.items():
            if missing := self._names[name] - given.keys():
                self.troubles[name] = f"{', '.join(sorted(missing))} is not known of an order"
                continue
            read = {fact: given[fact] for fact in self._names[name]}
            try:
                said = _asked(partial(expression.evaluate, read))
            except _Cannot as wrong:
                self.troubles[name] = str(wrong)
                continue
            if self._holds(name, said):
                found.add(name)
        return frozenset(found)

    def _holds(self, name: str, said: object) -> bool:
        if said is not True and said is not False:
            self.troubles[name] = f"it gives {type(said).__name__}, not yes or no"
        return said is True


def names_in(text: str) -> frozenset[str]:
    """The facts that an expression reads; empty when it cannot be read."""
    try:
        return facts_of(read_tokens(text))
    except NotAllowed:
        return frozenset()


def check_expression(text: str, known: Collection[str]) -> str:
    """What is wrong with a condition, in words for the person who wrote it; empty: nothing. Never raises."""
    try:
        tokens = read_tokens(text)
    except NotAllowed as wrong:
        return str(wrong)
    names = facts_of(tokens)
    if unknown := sorted(names - set(known)):
        return "; ".join(_unknown(name, known) for name in unknown)
    try:
        expression = _asked(lambda: zen.compile_expression(text))
    except _Cannot as wrong:
        return f"it cannot be read: {wrong}"
    for sample in _samples(tokens, sorted(names)):
        try:
            said = _asked(partial(expression.evaluate, sample))
        except _Cannot as wrong:
            return f"it cannot be computed, for example where {_said(sample)}: {wrong}"
        if said is not True and said is not False:
            return f"it is not yes or no: where {_said(sample)} it gives {json.dumps(said, ensure_ascii=False)[:60]}"
    return ""


def _unknown(name: str, known: Collection[str]) -> str:
    close = closest(name, frozenset(known) | WORDS)
    return f"there is no fact {name}" + (f", did you mean {close}?" if close else "")


def _samples(tokens: Collection[Token], names: list[str]) -> Iterator[dict[str, Any]]:
    """Facts of the right kinds, with the figures and texts of the expression among them: so every branch is tried."""
    figures = [float(token.value) for token in tokens if token.kind == "number"]
    texts = ["", "x", *(str(token.value) for token in tokens if token.kind == "text")]
    numbers = sorted({0.0, 1.0, 0.5, 1e7, *(figure + step for figure in figures for step in (-1, 0, 1, 0.5))})

    def pick(name: str, number: int) -> Any:
        match kind_of(name):
            case Kind.TEXT:
                return texts[number % len(texts)]
            case Kind.YES_NO:
                return number % 2 == 0
            case Kind.TEXTS:
                return texts[: number % (len(texts) + 1)]
        possible = [one for one in numbers if one >= least(name)]
        return possible[number % len(possible)]

    for turn in range(_SAMPLES):
        # a stride of its own for each fact, so that they do not go in step
        yield {name: pick(name, turn // (place + 1) + turn * (place % 3)) for place, name in enumerate(names)}


def _said(sample: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{name} is {json.dumps(value, ensure_ascii=False)}" for name, value in sample.items())
    return shown[:160] or "nothing is read"


def _plainly(wrong: Exception) -> str:
    """The engine's words without the stack that stands behind them, at most 160 characters."""
    first = str(wrong).partition("\n")[0]
    try:
        said = json.loads(first)["source"]
    except (ValueError, TypeError, KeyError):
        said = first or type(wrong).__name__
    return _IN_WORDS.get(str(said), str(said))[:160]


_IN_WORDS: Final = {
    "Opcode Compare: Unsupported type": "two things of different kinds, or nothing, are compared",
    "Opcode Not: Unsupported type": "not stands before something that is not yes or no: put the comparison in brackets",
    "Opcode In: Unsupported type": "behind in stands neither a list nor a range",
    "Incomplete parser output": "the parts do not fit together: a sign, an and, or a comma is missing or too much",
}
