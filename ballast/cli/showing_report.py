"""A report in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.domain.report import Report
from tasks.report_words import HEALTHY, Part, Words


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
        for note in part.notes:
            console.print(f"  {escape(note)}", highlight=False)


def _table(part: Part, colours: dict[str, str]) -> Table:
    """Words of the first column stay whole."""
    longest = max(len(word) for row in part.rows for word in row[0].split() or [""])
    table = Table(title=part.title, title_justify="left")
    for index, column in enumerate(part.columns):
        table.add_column(column, overflow="fold", min_width=0 if index else longest)
    for row in part.rows:
        table.add_row(*(_coloured(cell, colours) for cell in row))
    return table


def _coloured(cell: str, colours: dict[str, str]) -> str:
    colour = colours.get(cell)
    return f"[{colour}]{escape(cell)}[/{colour}]" if colour else escape(cell)
