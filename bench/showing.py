"""The tables that a bench ends with."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.rounds import Rounds, Spread, ratios, speeds


def show_contest(console: Console, title: str, rounds: Rounds, ours: str = "ballast") -> None:
    """Orders per second of every contestant, Ballast's ratio to it, and what each process spent in the last round."""
    table = Table(title=title)
    for column in ("contestant", "orders/s", f"{ours} : it"):
        table.add_column(column)
    for name in rounds[0]:
        ratio = "" if name == ours else str(ratios(rounds, ours, name))
        table.add_row(name, _whole(speeds(rounds, name)), ratio)
    console.print(table)
    show_costs(console, rounds)


def show_costs(console: Console, rounds: Rounds) -> None:
    """CPU and memory of every process, of the last round: per 1,000 orders, so that contestants can be compared."""
    processes = list(dict.fromkeys(process for turn in rounds[-1].values() for process in turn.costs))
    table = Table(title="CPU seconds per 1,000 orders / peak MB")
    for column in ("contestant", *processes):
        table.add_column(column, justify="left" if column == "contestant" else "right")
    for name, turn in rounds[-1].items():
        cells = [
            f"{cost.cpu_s * 1000 / turn.orders:.1f} / {cost.peak_mb:.0f}" if (cost := turn.costs.get(process)) else ""
            for process in processes
        ]
        table.add_row(name, *cells)
    console.print(table)


def show_rows(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Any other table: the first column left, figures right."""
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _whole(spread: Spread) -> str:
    return f"{spread.median:.0f} ({spread.least:.0f}-{spread.most:.0f})"
