"""A report in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.domain.report import Report
from tasks.report_words import HEALTHY, Words


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
        table = Table(*part.columns, title=part.title, title_justify="left")
        for row in part.rows:
            table.add_row(*(_coloured(cell, colours) for cell in row))
        console.print(table)


def _coloured(cell: str, colours: dict[str, str]) -> str:
    colour = colours.get(cell)
    return f"[{colour}]{escape(cell)}[/{colour}]" if colour else escape(cell)
