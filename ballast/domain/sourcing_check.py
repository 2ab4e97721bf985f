"""What is wrong with sourcing rows that can be read: rows that no order reaches, strategies with nothing to go by."""

from collections.abc import Iterator

from ballast.domain.findings import Finding, Level
from ballast.domain.sourcing import SourcingSet, Strategy, StrategyRow


def check_sourcing(rules: SourcingSet) -> list[Finding]:
    """Warnings only: every set of rows can be worked with."""
    return [*_unreached_strategies(rules), *_unreached_places(rules), *_nothing_to_go_by(rules)]


def _warn(kind: str, text: str, place: str, column: str) -> Finding:
    return Finding(Level.WARNING, kind, text, place, column)


def _unreached_strategies(rules: SourcingSet) -> Iterator[Finding]:
    taken = ""
    for row in rules.strategies:
        if taken and row.on:
            yield _warn("unreached", f"{row.name}: {taken} stands before it and fits every order", row.place, "name")
        elif row.on and _fits_all(row):
            taken = row.name


def _fits_all(row: StrategyRow) -> bool:
    return not (row.channels or row.tiers or row.provinces or row.skus)


def _unreached_places(rules: SourcingSet) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for row in rules.places:
        if before := taken.get(row.warehouse):
            text = f"{row.name}: {before} stands before it and is about all provinces of {row.warehouse}"
            yield _warn("unreached", text, row.place, "warehouse")
        elif not row.provinces:
            taken[row.warehouse] = row.name


def _nothing_to_go_by(rules: SourcingSet) -> Iterator[Finding]:
    ranked = any(row.rank for row in rules.places)
    priced = any(row.parcel_cost is not None or row.piece_cost is not None for row in rules.places)
    for row in rules.strategies:
        if Strategy.NEAREST in row.order and not ranked:
            yield _warn("no ranks", f"{row.name} goes by nearest, and no place row has a rank", row.place, "order")
        if Strategy.CHEAPEST in row.order and not priced:
            yield _warn("no costs", f"{row.name} goes by cheapest, and no place row has a cost", row.place, "order")
