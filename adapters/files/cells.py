"""One cell into one value. Whatever is not plainly what it should be is refused with a reason; nothing is guessed."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from adapters.files.mapping import MoneyRules, TimeRules
from ballast.domain.money import Money

Cell: TypeAlias = str | int | float | datetime | date | time | timedelta | None
"""What CSV (text only) and XLSX cells hold."""

MOST_TEXT = 64 * 1024
MOST_MONEY = 10**11
"""Minor units. A thousand million yuan is a mistake, not an amount."""
EXACT_DIGITS = 10**15
"""Excel keeps 15 digits of a number; a longer order number was rounded before we saw it."""

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is a formula to a spreadsheet program: nothing from outside may be written like that."""

_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?")
_COUNT = re.compile(r"([0-9]{1,9})(\.0{1,9})?")
_CENTS = re.compile(r"(-?[0-9]{1,15})(\.0+)?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_YEARS = range(1990, 2200)


class CellError(Exception):
    """A cell that cannot be used. The text is the reason, for the rejects file."""


class NoZone(CellError):
    """A local time, and nobody says of where: it is so in the whole file, and no matter of one row."""


def is_empty(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def show(cell: Cell) -> str:
    """A cell as it may stand in a reason: short, on one line."""
    text = repr(cell) if isinstance(cell, str) else str(cell)
    return text if len(text) <= 60 else text[:57] + "..."


def read_text(cell: Cell, encoding: str = "utf-8") -> str:
    """Text without the blanks around it; an order number that a sheet made a number is text again."""
    if cell is None:
        return ""
    if isinstance(cell, bool | date | time | timedelta):
        raise CellError(f"{show(cell)} is a {type(cell).__name__}, not a text: format the column as text")
    if isinstance(cell, int | float):
        return _number_as_text(cell)
    if len(cell) > MOST_TEXT:
        raise CellError(f"longer than {MOST_TEXT // 1024} KB")
    if "\0" in cell:
        raise CellError("holds a NUL character")
    if not cell.isascii() and any("\ud800" <= letter <= "\udfff" for letter in cell):
        raise CellError(f"holds bytes that are not {encoding}: mend the file, or `format.encoding` of the mapping")
    return cell.strip()


def _number_as_text(cell: float) -> str:
    if cell != cell or abs(cell) >= EXACT_DIGITS:
        raise CellError(f"{show(cell)} has more than 15 digits and was rounded by the sheet: format the column as text")
    return str(int(cell)) if cell == int(cell) else repr(cell)


def read_count(cell: Cell) -> int:
    """A number of pieces, or a sequence."""
    found = _COUNT.fullmatch(read_text(cell))
    if found is None:
        raise CellError(f"{show(cell)} is not a whole number")
    return int(found[1])


def read_money(cell: Cell, money: MoneyRules, decimal: str = ".") -> int:
    """Minor units. Refuses what has more decimals than the currency, and floats that are not exact."""
    text = repr(cell) if isinstance(cell, float) else read_text(cell)
    if isinstance(cell, str) and decimal != ".":
        text = text.replace(".", "?").replace(decimal, ".")
    if not _AMOUNT.fullmatch(text):
        raise CellError(f"{show(cell)} is not an amount: digits, with {decimal!r} before decimals, and nothing else")
    try:
        amount = _minor(text) if money.minor else Money.from_major(text, money.currency).amount
    except ValueError as wrong:
        exact = ": round it in the sheet" if isinstance(cell, float) else ""
        raise CellError(f"{wrong}{exact}") from None
    if abs(amount) > MOST_MONEY:
        raise CellError(f"{show(cell)} is more than an order can have")
    return amount


def _minor(text: str) -> int:
    found = _CENTS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} has decimals, but the mapping says cents")
    return int(found[1])


def read_time(cell: Cell, rules: TimeRules) -> datetime:
    """Aware UTC. A local time that the clocks skipped is refused; one that they showed twice as the mapping says."""
    if isinstance(cell, datetime):
        parsed = cell
    elif isinstance(cell, date):
        parsed = datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001  # the zone is put on below
    elif isinstance(cell, str):
        parsed = _parse(read_text(cell), rules.formats)
    else:
        raise CellError(f"{show(cell)} is a {type(cell).__name__}, not a time: format the cell as date and time")
    if parsed.year not in _YEARS:
        raise CellError(f"the year of {show(cell)} cannot be right")
    if parsed.tzinfo is None:
        parsed = _in_zone(parsed, rules)
    return parsed.astimezone(UTC)


def _parse(text: str, formats: tuple[str, ...]) -> datetime:
    for form in formats:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007  # the zone is put on by the caller
        except ValueError:
            continue
    iso = text.replace("/", "-")
    if formats or not _TIME.fullmatch(iso):
        wanted = " or ".join(formats) or "2026-01-31 18:30:00"
        raise CellError(f"{show(text)} is not a time written as {wanted}")
    try:
        return datetime.fromisoformat(iso)
    except ValueError as wrong:
        raise CellError(f"{show(text)} is not a time: {wrong}") from None


def _in_zone(local: datetime, rules: TimeRules) -> datetime:
    if rules.zone is None:
        raise NoZone(f"{local} has no zone: nobody knows when that was")
    zone = ZoneInfo(rules.zone)
    first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise CellError(f"{local} never was in {rules.zone}: the clocks went forward over it")
    if rules.ambiguous == "reject":
        both = f"{first.astimezone(UTC):%H:%M} and {second.astimezone(UTC):%H:%M} UTC"
        raise CellError(
            f"{local} was twice in {rules.zone}, at {both}: the clocks went back; "
            "say in the mapping, times.ambiguous, which one is meant (earlier or later)"
        )
    return first if rules.ambiguous == "earlier" else second
