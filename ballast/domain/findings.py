"""What is wrong with something that people wrote, and where it stands: files of codes, books of rules."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"  # it cannot be published
    WARNING = "warning"  # look at it before it is published
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `place`: the file with line, or sheet and row; empty for the whole."""

    level: Level
    kind: str
    text: str
    place: str = ""
    column: str = ""

    def __str__(self) -> str:
        where = f"{self.place}, column {self.column}: " if self.column else f"{self.place}: " if self.place else ""
        return f"{self.level}: {where}{self.text}"
