"""One cell of a book of rules into one value, and back. Nothing is guessed: what may mean two things is asked about.

Values: amounts are minor units, shares ten-thousandths, times aware UTC."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from ballast.domain.money import MINOR_DIGITS, Money
from ballast.domain.rules.prices import WHOLE
from ballast.rules.columns import Column, Holds, closest, plain

CHINA: Final = ZoneInfo("Asia/Shanghai")
MOST_MONEY: Final = 10**11
"""Minor units. A thousand million yuan is a mistake, not an amount."""
MOST_TEXT: Final = {Holds.NAME: 200, Holds.PROSE: 2_000, Holds.EXPRESSION: 4_000}
MOST_WORDS: Final = 30_000
"""Characters of a list: a cell of a spreadsheet holds 32,767."""

_FULL_WIDTH: Final = re.compile("[\uff01-\uff5e]")
_FULL_WIDTH_WORD: Final = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?")
_GROUPED: Final = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_COUNT: Final = re.compile(r"([0-9]{1,9})(\.0{1,9})?")
_NUMBER: Final = r"([0-9]{1,5}(?:\.[0-9]{1,6})?)"
_ZHE: Final = re.compile(rf"打?\s*{_NUMBER}\s*折")
_PERCENT: Final = re.compile(rf"{_NUMBER}\s*%")
_PERCENT_OFF: Final = re.compile(rf"(?:{_NUMBER}\s*%\s*off|(?:减|off)\s*{_NUMBER}\s*%)", re.IGNORECASE)
_TIME: Final = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})(?:[ T]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?")
_YEARS: Final = range(2000, 2200)
_SEPARATORS: Final = re.compile(r"[,，、;；\n]")
_YES: Final = ("yes", "true", "是")
_NO: Final = ("no", "false", "否")
_TO_HALF_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


class NotReadable(Exception):
    """A cell that cannot be used. The text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A cell of which the file itself holds no value, such as a formula's error. `why` for people."""

    why: str


def is_empty(value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def read_cell(value: object, column: Column, currency: str = "CNY") -> Any:
    """What a filled cell says. Raises `NotReadable`. The type goes with `column.holds`."""
    if isinstance(value, Broken):
        raise NotReadable(value.why)
    return _READERS[column.holds](value, column, currency)


def find_doubt(value: object, column: Column) -> str:
    """What should be looked at in a cell that can be read; empty: nothing."""
    if column.holds not in (Holds.NAME, Holds.WORDS) or not isinstance(value, str):
        return ""
    if not _FULL_WIDTH_WORD.search(value):
        return ""
    half = value.strip().translate(_TO_HALF_WIDTH)
    return f"{_show(value)} has full-width letters or digits: is it meant, or is it {_show(half)}?"


def write_cell(value: Any, column: Column, currency: str = "CNY", *, chinese: bool = False) -> str:
    """The canonical text of a value; with `chinese` the same as a Chinese reader writes it. Both are read alike."""
    return _WRITERS[column.holds](value, column, currency, chinese)


def is_silent(value: Any, default: object, column: Column) -> bool:
    """Whether an empty cell says the same."""
    return value is None or value in ("", ()) or (value == default and not column.shown)


# -- texts ---------------------------------------------------------------------------------------------------------


def _show(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _number_text(value: float) -> str:
    """A number of a spreadsheet as it is shown there: without what floats add after ten decimals."""
    if value != value or abs(value) >= 10**15:
        raise NotReadable(f"{value} has more digits than a spreadsheet keeps: format the column as text")
    return str(value) if isinstance(value, int) else _digits(Decimal(repr(round(value, 10))))


def _digits(number: Decimal) -> str:
    """Without exponent, and without zeros that say nothing."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text(value: object, column: Column, *_: object) -> str:
    prose = column.holds in (Holds.PROSE, Holds.EXPRESSION)
    if isinstance(value, bool):
        if column.holds is Holds.EXPRESSION:  # a spreadsheet makes a truth value of a typed `true`
            return str(value).lower()
        raise NotReadable(f"{value} is a truth value, not a text: format the column as text")
    if isinstance(value, int | float):
        return _number_text(value)
    if isinstance(value, date):
        raise NotReadable(f"{value} is a date, not a text: format the column as text and write it again")
    if not isinstance(value, str):
        raise NotReadable(f"a text has to stand here, not {_show(value)}")
    text = value.replace("\r\n", "\n").strip()
    _refuse_letters(text, prose=prose)
    if len(text) > MOST_TEXT.get(column.holds, MOST_WORDS):
        raise NotReadable(f"longer than {MOST_TEXT.get(column.holds, MOST_WORDS):,} characters")
    return text


def _refuse_letters(text: str, *, prose: bool) -> None:
    """What nobody sees makes two names of one."""
    for letter in text if not text.isprintable() else "":
        kind = unicodedata.category(letter)
        if kind in ("Cc", "Cs", "Zl", "Zp") and not (prose and letter == "\n"):
            what = "a line break" if letter == "\n" else f"a control character (U+{ord(letter):04X})"
            raise NotReadable(f"holds {what}: take it out")
        if not prose and (kind == "Cf" or (kind == "Zs" and letter not in " \u3000")):
            raise NotReadable(f"holds a character that nobody sees (U+{ord(letter):04X}): write it anew")


def _words(value: object, column: Column, *_: object) -> tuple[str, ...]:
    """Each once, in their order."""
    if isinstance(value, list):
        parts = [_text(each, column) for each in value]
        if broken := next((each for each in parts if _SEPARATORS.search(each)), None):
            raise NotReadable(f"{_show(broken)} holds a separator: write its parts as items of their own")
        return _together(parts)
    if isinstance(value, str):
        value = value.replace("\r\n", "\n").replace("\r", "\n")
        return _together([_text(each, column) for each in _SEPARATORS.split(value)])
    return _together([_text(value, column)])


def _together(parts: list[str]) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(part for part in parts if part))
    if sum(map(len, words)) + 2 * len(words) > MOST_WORDS:
        raise NotReadable(f"longer than {MOST_WORDS:,} characters in all")
    if long := next((word for word in words if len(word) > MOST_TEXT[Holds.NAME]), None):
        raise NotReadable(f"{_show(long)} is longer than {MOST_TEXT[Holds.NAME]} characters")
    return words


def _typed(value: object, wanted: str) -> str:
    """The text of a number, a share or a time. Full-width signs are asked about: they may be more than one slip."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise NotReadable(f"{_show(value)} is not {wanted}")
    text = value.strip() if isinstance(value, str) else _number_text(value)
    if _FULL_WIDTH.search(text):
        what = "digits" if re.search("[\uff10-\uff19]", text) else "signs"
        raise NotReadable(f"{_show(text)} has full-width {what}: write {text.translate(_TO_HALF_WIDTH)[:40]}")
    return text


# -- numbers -------------------------------------------------------------------------------------------------------


def _money(value: object, _: Column, currency: str) -> int:
    text = _typed(value, "an amount")
    if _GROUPED.fullmatch(text):
        raise NotReadable(f"{_show(text)} has separators in it: write {text.replace(',', '')}")
    if not _AMOUNT.fullmatch(text):
        raise NotReadable(f"{_show(text)} is text, not an amount: write digits only, such as 399.00")
    if text.startswith("-"):
        raise NotReadable(f"{text} is negative: an amount here is 0 or more")
    known = currency if currency in MINOR_DIGITS else "CNY"
    if Decimal(text).scaleb(MINOR_DIGITS[known]) > MOST_MONEY:
        raise NotReadable(f"{text} is more than anything costs")
    try:
        return Money.from_major(text, known).amount
    except ValueError:
        raise NotReadable(f"{text} has more decimals than {known} has ({MINOR_DIGITS[known]}): round it") from None


def _count(value: object, column: Column, *_: object) -> int:
    text = _typed(value, "a whole number")
    found = _COUNT.fullmatch(text)
    if found is None:
        what = "is not a whole number" if _AMOUNT.fullmatch(text) else "is text, not a whole number"
        raise NotReadable(f"{_show(text)} {what}: write digits only, such as {column.example or 3}")
    if not column.least <= int(found[1]) <= column.most:
        raise NotReadable(f"{text} is not between {column.least:,} and {column.most:,}")
    return int(found[1])


def _share(value: object, *_: object) -> int:
    """Ten-thousandths that are paid. A bare number is asked about: 9 is 9折 to one reader and 9 % to the other."""
    text = _typed(value, "a share such as 9折 or 90%")
    if text.casefold() in ("免费", "free", "0"):
        return 0
    if found := _ZHE.fullmatch(text):
        return _paid_of_ten(text, Decimal(found[1]))
    if found := _PERCENT.fullmatch(text):
        return _tenths(text, Decimal(found[1]) * 100)
    if found := _PERCENT_OFF.fullmatch(text):
        return WHOLE - _tenths(text, Decimal(found[1] or found[2]) * 100)
    if re.fullmatch(_NUMBER, text):
        raise NotReadable(_ask(text, Decimal(text)))
    raise NotReadable(f"{_show(text)} is not a share: write 9折, 90% or 10% off")


def _paid_of_ten(text: str, number: Decimal) -> int:
    if number >= 10:
        wanted = _digits(number / 10)
        raise NotReadable(f"{text} is more than the whole price: write {wanted}折, which pays {_digits(number)} %")
    return _tenths(text, number * 1000)


def _tenths(text: str, number: Decimal) -> int:
    if number > WHOLE:
        raise NotReadable(f"{text} is more than the whole price")
    if number != int(number):
        raise NotReadable(f"{text} is finer than a hundredth of a percent: round it")
    return int(number)


def _ask(text: str, number: Decimal) -> str:
    """What a bare number may have meant, each way written so that it can be read only so."""
    if number >= 100:
        return f"{text} alone is not a share: write 9折 (pays 90 %), 90% or 10% off"
    if number >= 10:
        zhe = _digits(number / 10)
        return f"{text} alone would be {text}折: write {zhe}折 or {text}% (pays {text} %), or {text}% off"
    percent = _digits(number * 10)
    if number > 1:
        return f"{text} alone can be read in two ways: write {text}折 (pays {percent} %), or {text}%"
    whole = "100%" if number == 1 else f"{_digits(number * 10)}折 (pays {_digits(number * 100)} %)"
    return f"{text} alone can be read in two ways: write {whole} or {text}折 (pays {percent} %)"


def _part(value: object, *_: object) -> int:
    text = _typed(value, "a percentage such as 1%")
    if text == "0":
        return 0
    found = _PERCENT.fullmatch(text)
    if found is None:
        asked = f": write {text}%, or {_digits(Decimal(text) * 100)}%" if re.fullmatch(_NUMBER, text) else ": write 1%"
        raise NotReadable(f"{_show(text)} is not a percentage{asked}")
    return _tenths(text, Decimal(found[1]) * 100)


# -- times, flags, words of a list ---------------------------------------------------------------------------------


def _time(value: object, column: Column, *_: object) -> datetime:
    if isinstance(value, date):
        value = value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else value.isoformat()
    text = _typed(value, "a time") if isinstance(value, str) else ""
    found = _TIME.fullmatch(text)
    if found is None:
        raise NotReadable(
            f"{_show(value)} is not a time: write 2026-12-12 or 2026-12-12 08:00, local time of China, no zone"
        )
    try:
        local = datetime(*(int(part or 0) for part in found.groups()), tzinfo=CHINA)  # type: ignore[arg-type, misc]  # six parts
    except ValueError as wrong:
        raise NotReadable(f"{_show(text)} is not a time: {wrong}") from None
    if local.year not in _YEARS:
        raise NotReadable(f"the year of {_show(text)} cannot be right")
    if column.holds is Holds.END and found[4] is None:
        local += timedelta(days=1)
    return local.astimezone(UTC)


def _flag(value: object, *_: object) -> bool:
    if isinstance(value, bool):
        return value
    text = _typed(value, "yes or no")
    if text.casefold() in (*_YES, *_NO):
        return text.casefold() in _YES
    raise NotReadable(f"{_show(text)} is neither yes nor no: write yes or no, 是 or 否")


def _choice(value: object, column: Column, *_: object) -> str:
    text = _text(value, column)
    for word, chinese in column.choices.items():
        if plain(text) in (plain(word), *map(plain, chinese.split("/"))):
            return word
    names = [name for pair in column.choices.items() for name in (pair[0], *pair[1].split("/")) if name]
    there = ", ".join(f"{word} {chinese.split('/')[0]}".strip() for word, chinese in column.choices.items())
    raise NotReadable(f"{_show(text)} is none of {there}{closest(text, names)}")


def _choices(value: object, column: Column, *_: object) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(_choice(word, column) for word in _words(value, column)))
    if missing := [f"{word} {column.choices[word].split('/')[0]}" for word in column.choices if word not in found]:
        raise NotReadable(f"has to name each once; {', '.join(missing)} is missing")
    return found


# -- writing -------------------------------------------------------------------------------------------------------


def _write_time(at: datetime, column: Column, *_: object) -> str:
    local = at.astimezone(CHINA)
    midnight = (local.hour, local.minute, local.second) == (0, 0, 0)
    if column.holds is Holds.END and midnight:
        local -= timedelta(days=1)
    if midnight:
        return f"{local:%Y-%m-%d}"
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def _write_share(share: int, _: Column, __: str, chinese: bool) -> str:
    if chinese and 0 < share < WHOLE:
        return f"{_digits(Decimal(share) / 1000)}折"
    return f"{_digits(Decimal(share) / 100)}%"


def _write_choice(word: str, column: Column, _: str, chinese: bool) -> str:
    return (column.choices[word].split("/")[0] if chinese else "") or str(word)


def _write_choices(words: tuple[str, ...], column: Column, _: str, chinese: bool) -> str:
    return ", ".join(_write_choice(word, column, "", chinese) for word in words)


def _write_flag(flag: bool, _: Column, __: str, chinese: bool) -> str:
    return ("是" if flag else "否") if chinese else ("yes" if flag else "no")


_READERS: Final[Mapping[Holds, Callable[..., Any]]] = {
    Holds.NAME: _text, Holds.PROSE: _text, Holds.EXPRESSION: _text, Holds.WORDS: _words, Holds.MONEY: _money,
    Holds.COUNT: _count, Holds.SHARE: _share, Holds.PART: _part, Holds.TIME: _time, Holds.END: _time,
    Holds.FLAG: _flag, Holds.CHOICE: _choice, Holds.CHOICES: _choices,
}  # fmt: skip
_WRITERS: Final[Mapping[Holds, Callable[..., str]]] = {
    **dict.fromkeys((Holds.NAME, Holds.PROSE, Holds.EXPRESSION, Holds.COUNT), lambda value, *_: str(value)),
    Holds.WORDS: lambda words, _, __, chinese: ("、" if chinese else ", ").join(words),
    Holds.MONEY: lambda amount, _, currency, __: Money(amount, currency).major(),
    Holds.SHARE: _write_share,
    Holds.PART: lambda share, *_: f"{_digits(Decimal(share) / 100)}%",
    Holds.TIME: _write_time,
    Holds.END: _write_time,
    Holds.FLAG: _write_flag,
    Holds.CHOICE: _write_choice,
    Holds.CHOICES: _write_choices,
}
