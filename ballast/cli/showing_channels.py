"""Channel return in the terminal: a measure per row, a channel per column, for channels are few."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.domain.channels import ChannelReport, Compared, Measure
from tasks.channel_words import LABELS, ChannelWords

COLOURS = {True: "green", False: "red", None: "dim"}


def show_channels(report: ChannelReport, language: str, console: Console) -> None:
    """Title, table, then what the figures are made of."""
    words = ChannelWords(language)
    console.print(f"[bold]{escape(words.title(report))}[/bold]")
    of = [*report.channels, *words.sums(report)]
    if not of:
        console.print(words.of(("no orders, no costs", "没有订单, 没有成本")))
        return
    table = Table()
    table.add_column("")
    for one in of:
        table.add_column(f"{escape(words.name(one))}\n{one.now.currency}", justify="right")
    for name in Measure:
        table.add_row(words.of(LABELS[name]), *(_cell(words, name, one) for one in of))
    console.print(table)
    for note in words.notes(report):
        console.print(f"  {escape(note)}", highlight=False)


def _cell(words: ChannelWords, name: Measure, one: Compared) -> str:
    value, moved = escape(words.value(name, one.now)), escape(words.moved(name, one))
    colour = COLOURS[words.better(name, one)]
    return f"{value}\n[{colour}]{moved}[/{colour}]" if moved else value
