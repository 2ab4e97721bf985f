"""What-if reports and the gates' looks, in the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.clock import to_local
from ballast.db.gates import Look
from ballast.domain.money import Money
from ballast.rules.trial import Affected, Figures, Trial


def show_trial(trial: Trial) -> None:
    """The counts, the sums side by side, and the most affected orders with their reasons."""
    console = Console()
    if not trial.orders:
        console.print("no order was placed in that time" + _archived(trial))
        return
    console.print(
        f"{trial.orders} orders, {trial.changed} would be different: {trial.dearer} dearer, {trial.cheaper} cheaper, "
        f"{trial.newly_held} held that are not now, {trial.let_go} let go{_archived(trial)}"
    )
    table = Table("", "now 现行", "then 试算", "difference 差额")
    for name, now, then, difference in _sums(trial.now, trial.then):
        table.add_row(name, now, then, difference)
    console.print(table)
    for place, one in enumerate(trial.most_affected, 1):
        console.print(escape(f"{place}. {_headline(one)}"))
        for why in one.why():
            console.print(escape(f"   {why}"))


def _archived(trial: Trial) -> str:
    return f"; {trial.archived} more are in the archive and were not looked at" if trial.archived else ""


def _sums(now: Figures, then: Figures) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for name, before, after in (("revenue", now.revenue, then.revenue), ("discounts", now.discounts, then.discounts)):
        for currency in sorted(before.keys() | after.keys()):
            was, becomes = Money(before[currency], currency), Money(after[currency], currency)
            rows.append((f"{name} {currency}", was.major(), becomes.major(), (becomes - was).major()))
    for prefix, old, new in (("held", now.holds, then.holds), ("rule fired", now.fired, then.fired)):
        for what in sorted(old.keys() | new.keys()):
            rows.append((f"{prefix}: {what}", str(old[what]), str(new[what]), f"{new[what] - old[what]:+}"))
    return rows


def _headline(one: Affected) -> str:
    now, then = Money(one.now.payable, one.currency).major(), Money(one.then.payable, one.currency).major()
    return f"{one.order_no}: {now} now, {then} then (its own total {Money(one.own_total, one.currency).major()})"


def look_row(look: Look) -> dict[str, Any]:
    """JSON-able."""
    return {
        "stage": look.stage, "looked_at": look.looked_at, "versions": dict(look.versions), "facts": dict(look.facts),
        "outcome": dict(look.outcome),
    }  # fmt: skip


def show_looks(looks: Sequence[Look]) -> None:
    """Each look of the gates: when, by which versions, what fired, whether it was held."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if not looks:
        console.print("the gates never looked at it")
    for look in looks:
        risk = look.outcome.get("risk", {})
        fired = ", ".join(risk.get("fired", [])) or "no risk rule"
        held = look.outcome.get("held")
        versions = ", ".join(f"{kind} v{version}" for kind, version in look.versions.items())
        console.print(f"{to_local(look.looked_at)}  {look.stage}: {fired}; {'held ' + held if held else 'passed'}"
                      f"  ({versions})")  # fmt: skip
        if facts := {name: value for name, value in look.facts.items() if name not in ("tier", "first_order")}:
            console.print("    " + "; ".join(f"{name} {value}" for name, value in sorted(facts.items())))
