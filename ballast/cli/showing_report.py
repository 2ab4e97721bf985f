"""A report in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.domain.report import Report
from tasks.report_words import HEALTHY, Part, Words

NUMBERS, BASIS = "numbers", 2
"""The table of the three numbers, and its column that says what each is made of."""


def show_report(report: Report, language: str, console: Console) -> None:
    """Title, the three numbers, then the tables; a table without rows is one line."""
    words = Words(language)
    colours = {words.of(HEALTHY[True]): "green", words.of(HEALTHY[False]): "red", words.of(HEALTHY[None]): "yellow"}
    console.print(f"[bold]{escape(words.title(report))}[/bold]")
    console.print(escape(words.states(report)))
    for part in words.parts(report):
        if not part.rows:
            console.print(f"{escape(part.title)}: {escape(part.empty)}")
            continue
        console.print(_table(part, colours))
        if part.name == NUMBERS:
            for row in part.rows:
                console.print(f"  {escape(row[0])}: {escape(row[BASIS])}", highlight=False)


def _table(part: Part, colours: dict[str, str]) -> Table:
    """Words of the first column stay whole. What the three numbers are made of is told below: it fits no column."""
    shown = [index for index in range(len(part.columns)) if part.name != NUMBERS or index != BASIS]
    longest = max(len(word) for row in part.rows for word in row[0].split() or [""])
    table = Table(title=part.title, title_justify="left")
    for index in shown:
        table.add_column(part.columns[index], overflow="fold", min_width=0 if index else longest)
    for row in part.rows:
        table.add_row(*(_coloured(row[index], colours) for index in shown))
    return table


def _coloured(cell: str, colours: dict[str, str]) -> str:
    colour = colours.get(cell)
    return f"[{colour}]{escape(cell)}[/{colour}]" if colour else escape(cell)
