"""What a book of rules is made of: its sheets, their columns, and what a person may write there, in both languages.

Every file format and the database have the same sheets. This is the only place that says which there are."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """Which rules a book holds."""

    PRICE = "price"  # 价格
    PROMOTION = "promotion"  # 促销
    RISK = "risk"  # 风控
    SOURCING = "sourcing"  # 选仓


KIND_CHINESE: Final = {Kind.PRICE: "价格", Kind.PROMOTION: "促销", Kind.RISK: "风控", Kind.SOURCING: "选仓"}


class Holds(StrEnum):
    """What the cells of a column hold. `ballast/rules/cells.py` reads and writes each."""

    NAME = "name"  # one line of text by which something is found: a SKU, a name, a code
    PROSE = "prose"  # text for people, line breaks allowed
    WORDS = "words"  # names with , ， 、 ; ； or line breaks between them
    MONEY = "money"  # major units of the row's currency, 399.00
    COUNT = "count"  # a whole number
    SHARE = "share"  # what is paid of a price: 9折, 90%, 10% off
    PART = "part"  # a percentage of a price: 1%
    TIME = "time"  # local time of China; a bare date begins with its midnight
    END = "end"  # the same, exclusive; a bare date ends with its last moment
    FLAG = "flag"  # yes or no
    CHOICE = "choice"  # one of the column's words
    CHOICES = "choices"  # all of the column's words, in an order
    EXPRESSION = "expression"  # a condition over facts, in the ZEN language
    VALUE = "value"  # what the option of this row holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`name` is the field of the record too. `choices`: our word -> its Chinese name. `shown`: written even where it
    is what an empty cell means. `least`, `most`: of a count. `also`: other names that people use."""

    name: str
    chinese: str
    holds: Holds
    help: str
    help_chinese: str
    example: str = ""
    needed: bool = False
    shown: bool = False
    choices: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    least: int = 0
    most: int = 999_999_999
    also: tuple[str, ...] = ()

    def title(self, *, chinese: bool) -> str:
        return self.chinese if chinese else self.name


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """One sheet: its columns in the order in which they are written."""

    name: str
    chinese: str
    columns: tuple[Column, ...]
    also: tuple[str, ...] = ()

    def title(self, *, chinese: bool) -> str:
        return self.chinese if chinese else self.name

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def find(self, header: str) -> Column | None:
        """The column that a header means, in whatever language, case and spelling of blanks."""
        said = plain(header)
        return next((each for each in self.columns if said in map(plain, (each.name, each.chinese, *each.also))), None)


def plain(text: str) -> str:
    """A header or a word without what people vary: case, blanks, underscores."""
    return re.sub(r"[\s_\-*]+", "", text).casefold()


def closest(said: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or nothing when nothing is near."""
    names = list(known)
    near = difflib.get_close_matches(said.strip().casefold(), [name.casefold() for name in names], n=1, cutoff=0.6)
    return next((f"; did you mean {name}?" for name in names if near and name.casefold() == near[0]), "")
