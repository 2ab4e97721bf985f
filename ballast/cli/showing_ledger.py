"""A day's money and statements as people see them in the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.files.xlsx_table import Sheet
from ballast.db.ledger import OrderMoney
from tasks.ledger import DayLedger
from tasks.ledger_words import DayWords, as_texts, text_of


def show_day_in_words(found: DayLedger, language: str, xlsx: Path | None) -> None:
    words = DayWords(language)
    show_sheets([words.summary(found)], "")
    show_sheets([words.standing(found)], words.say("nothing moved on this day"))
    show_sheets([words.findings(found.seen)], words.say("all money agrees with its orders"))
    if found.statements:
        sheets = [words.statements(found.statements), words.items(found.open_items)]
        show_sheets(sheets, words.say("every line agrees, and nothing is missing"))
    if xlsx is not None:
        print(xlsx)


def show_account(found: Sequence[OrderMoney], words: DayWords) -> None:
    """One order, a line for each figure that is not nothing."""
    console, sheet = Console(), words.orders(found)
    for row in sheet.rows:
        for name, value in zip(sheet.columns, row, strict=True):
            if text := text_of(value):
                console.print(f"{name}: {text}", markup=False, highlight=False, soft_wrap=True)
    for one in found:
        for finding in words.findings([one]).rows:
            console.print(
                ": ".join(str(part) for part in (finding[1], finding[-1]) if part),
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


def show_sheets(sheets: Sequence[Sheet], empty: str) -> None:
    """What fits a terminal as a table, the rest as paragraphs: numbers stay whole for whoever copies them."""
    console = Console()
    for sheet in sheets:
        rows = as_texts(sheet)
        names = [name for name in sheet.columns if any(row[name] for row in rows)]
        widths = (max(cell_len(text) for text in (name, *(row[name] for row in rows))) + 3 for name in names)
        if not rows:
            console.print(f"{sheet.title}: {empty}" if empty else "", highlight=False)
        elif sum(widths) < console.width:
            _table(console, sheet.title, names, rows)
        else:
            _paragraphs(console, sheet.title, names, rows)


def _table(console: Console, title: str, names: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*(escape(row[name]) for name in names))
    console.print(table)


def _paragraphs(console: Console, title: str, names: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    """The first three cells of a row say what it is of; what is empty is left out."""
    console.print(title, style="bold")
    for row in rows:
        head = " ".join(row[name] for name in names[:3] if row[name])
        console.print(head, markup=False, highlight=False, style="bold")
        if said := ", ".join(f"{name} {row[name]}" for name in names[3:] if row[name]):
            console.print(f"  {said}", markup=False, highlight=False, soft_wrap=True)
