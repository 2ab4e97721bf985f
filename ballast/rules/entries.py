"""Reading a YAML file in which every mistake has a line: entries know where they stand."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import yaml

LARGEST: Final = 1_000_000
"""Bytes. A policy is a page or two; what is larger is another file."""

MOST_PROBLEMS: Final = 50

_PARTS: Final = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION: Final = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_LONGEST: Final = timedelta(days=3660)


class RulesError(Exception):
    """A file of rules is not usable; every line of the text names file, line and what to mend. Nothing was changed."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(slots=True)
class Findings:
    """What is wrong in a file, collected, so that people mend it in one go."""

    file: Path
    problems: list[str] = field(default_factory=list)

    def say(self, line: int, what: str) -> None:
        self.problems.append(f"{self.file}:{line}: {what}")

    def raise_if_any(self) -> None:
        if self.problems:
            more = len(self.problems) - MOST_PROBLEMS
            raise RulesError(self.problems[:MOST_PROBLEMS] + ([f"... and {more} more"] if more > 0 else []))


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the file. Methods that cannot read it say so in the findings and return what goes on: nothing."""

    node: yaml.Node
    findings: Findings
    line: int  # of its key, where it has one

    def problem(self, what: str) -> None:
        self.findings.say(self.line, what)

    def fields(self, *, needed: Sequence[str] = (), known: Sequence[str] = ()) -> dict[str, "Entry"]:
        """The keys of a mapping. A missing one, an unknown one and one that stands twice are problems."""
        if not isinstance(self.node, yaml.MappingNode):
            names = ", ".join((*needed, *known))
            self.problem("expected keys and values" + (f" ({names})" if names else ""))
            return {}
        found: dict[str, Entry] = {}
        for key, value in self._pairs():
            if (needed or known) and key not in {*needed, *known}:
                value.problem(f"unknown key {key!r}; known are {', '.join((*needed, *known))}")
            elif key in found:
                value.problem(f"{key!r} stands twice")
            else:
                found[key] = value
        for key in needed:
            if key not in found:
                self.problem(f"{key!r} is missing")
        return found

    def _pairs(self) -> Iterator[tuple[str, "Entry"]]:
        assert isinstance(self.node, yaml.MappingNode)
        for key, value in self.node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                yield str(key.value), Entry(value, self.findings, line)
            else:
                self.findings.say(line, "a key has to be a word")

    def items(self) -> list["Entry"]:
        """The entries of a list; a single value is a list of one."""
        if isinstance(self.node, yaml.SequenceNode):
            return [Entry(node, self.findings, node.start_mark.line + 1) for node in self.node.value]
        return [self]

    def word(self) -> str:
        """One value as text, without blanks around it; empty, and a problem, when it is none."""
        if isinstance(self.node, yaml.ScalarNode) and str(self.node.value).strip():
            return str(self.node.value).strip()
        self.problem("expected a value")
        return ""

    def words(self) -> list[str]:
        return [word for item in self.items() if (word := item.word())]

    def flag(self) -> bool:
        word = self.word().lower()
        if word not in ("true", "false", "yes", "no", ""):
            self.problem(f"expected yes or no, not {word!r}")
        return word in ("true", "yes")

    def duration(self) -> timedelta | None:
        """`90s`, `30m`, `48h`, `2d`, `1w` and together: `1d12h`. None, and a problem, when it is something else."""
        word = self.word()
        if not word:
            return None
        if word.startswith("-"):
            self.problem(f"{word!r} is negative: nothing is late before it began")
            return None
        parts = _DURATION.fullmatch(word)
        if not parts or not any(parts.groups()):
            self.problem(f"{word!r} is no duration; write 90s, 30m, 48h, 2d, 1w or 1d12h")
            return None
        values = zip(_PARTS.values(), parts.groups(), strict=True)
        if any(len(number or "") > 7 for number in parts.groups()):
            self.problem(f"{word!r} is longer than ten years")
            return None
        amount = timedelta(**{name: int(number or 0) for name, number in values})
        if amount > _LONGEST:
            self.problem(f"{word!r} is longer than ten years")
            return None
        return amount


def read_bytes(file: Path) -> bytes:
    """Raises `RulesError` when it cannot be read or is too large."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise RulesError([f"{file}: {error.strerror or 'cannot be read'}"]) from None
    if len(raw) > LARGEST:
        raise RulesError([f"{file}: larger than {LARGEST} bytes: this is no file of rules"])
    return raw


def read_entries(file: Path) -> Entry:
    """The top of a file. Raises `RulesError` when it cannot be read or is no YAML."""
    return entries_of(read_bytes(file), file)


def entries_of(raw: bytes, file: Path) -> Entry:
    """The top of what a file says, or would say: `file` is what findings call it. Raises `RulesError`: no YAML."""
    findings = Findings(file)
    try:
        text = raw.decode("utf-8-sig")
        if aliases := [
            token for token in yaml.scan(text, Loader=yaml.SafeLoader) if isinstance(token, yaml.AliasToken)
        ]:
            line = aliases[0].start_mark.line + 1
            raise RulesError([f"{file}:{line}: references (*{aliases[0].value}) are not used here: write it out"])
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise RulesError([f"{file}: not UTF-8; save it as UTF-8"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else f"{file}"
        raise RulesError([f"{where}: {getattr(error, 'problem', None) or 'no YAML'}"]) from None
    except RecursionError:
        raise RulesError([f"{file}: nested too deeply"]) from None
    if node is None:
        raise RulesError([f"{file}:1: the file is empty"])
    return Entry(node, findings, node.start_mark.line + 1)
