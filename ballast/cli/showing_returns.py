"""Returns in the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.cli.showing import local
from ballast.db.return_report import StepTime
from ballast.db.returns import ReturnRow
from ballast.domain.money import Money
from ballast.rules.returns import ReturnRules


def table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    made = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column == "return")  # whole, for whoever copies it
    for row in rows:
        made.add_row(*map(escape, row))
    console.print(made)


def show_returns(rows: Sequence[ReturnRow], console: Console) -> None:
    if not rows:
        console.print("nothing has to come back")
        return
    table(
        console,
        f"{len(rows)} return(s)",
        ("return", "is", "pieces", "why", "asked by", "since"),
        [
            (
                row.return_no,
                f"{row.kind} {row.state}",
                str(row.pieces or "all"),
                f"{row.reason} {row.why}".strip(),
                row.asked_by,
                local(row.asked_at),
            )
            for row in rows
        ],
    )


def show_return(one: Mapping[str, Any], console: Console) -> None:
    """One return, whole."""
    console.print(f"{one['return_no']} of order {one['order_no']}: {one['kind']}, {one['state']}", markup=False)
    steps = [(name.removesuffix("_at"), str(at)) for name, at in one.items() if name.endswith("_at") and at]
    table(console, "Steps", ("step", "time (UTC)"), sorted(steps, key=lambda step: step[1]))
    table(
        console,
        "Lines",
        ("line", "SKU", "asked", "good", "damaged", "refund"),
        [
            (
                str(line["line_no"]),
                line["sku"],
                str(line["quantity"]),
                str(line["good"]),
                str(line["damaged"]),
                "" if line["amount"] is None else str(Money(line["amount"], one["currency"])),
            )
            for line in one["lines"]
        ],
    )
    table(
        console,
        "Refunds",
        ("refund", "amount", "state"),
        [(back["refund_no"], str(Money(back["amount"], one["currency"])), back["state"]) for back in one["refunds"]],
    )
    told = {"why": one["why"], "answered by": one["answered_by"], "rule": one["rule"], "note": one["note"]}
    told |= {"exchanged for": one["exchange_order_no"]}
    for name, words in told.items():
        if words:
            console.print(f"{name}: {words}", markup=False)


def show_times(times: Sequence[StepTime], states: Mapping[str, int], console: Console) -> None:
    if not states:
        console.print("no returns in this time")
        return
    table(
        console,
        "Hours to each step",
        ("step", "returns", "half within", "9 of 10 within", "longest"),
        [(one.step, str(one.returns), f"{one.median:g}", f"{one.p90:g}", f"{one.longest:g}") for one in times],
    )
    table(console, "Returns by state", ("state", "returns"), [(state, str(count)) for state, count in states.items()])


def said_of_windows(rules: ReturnRules, setting: timedelta) -> Iterator[str]:
    """The windows that a file of rules comes to, and its categories, a line each."""
    yield f"window: {(rules.window or setting).days} days" + (
        "" if rules.window else " (BALLAST_PATIENCE__RETURN_WINDOW)"
    )
    for name, skus in rules.windows.categories.listed.items():
        lasts = rules.windows.of_category.get(name)
        window = "the same window" if lasts is None else f"{lasts.days} days" if lasts else "only by the seller's fault"
        yield f"category {name}: {', '.join(skus)}: {window}"
