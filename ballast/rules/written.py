"""A book of rules as it was written, before anything in it is understood: rows of cells, each with its place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ballast.domain.findings import Finding, Level
from ballast.rules.columns import Column, Kind, SheetPlan, closest
from ballast.rules.sheet_plans import PLANS

MOST_ROWS: Final = 20_000
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_FINDINGS: Final = 100


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """`cells`: our column -> what stands there. `cell_places`: where, as far as that is more exact than `place`."""

    place: str
    cells: Mapping[str, object]
    cell_places: Mapping[str, str] = field(default_factory=dict)

    def place_of(self, column: str) -> str:
        return self.cell_places.get(column, self.place)


@dataclass(slots=True)
class WrittenBook:
    """`base`: the version that it was made from, if it says so. `findings`: what was wrong with the file as such.

    `headers`: sheet -> our column -> what the file calls it, for files that have header rows.
    """

    kind: Kind
    file: str
    base: int | None
    sheets: Mapping[str, Sequence[WrittenRow]]
    findings: list[Finding] = field(default_factory=list)
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def title_of(self, sheet: str, column: str) -> str:
        return self.headers.get(sheet, {}).get(column, column)


@dataclass(slots=True)
class Header:
    """The first row of a table, understood. `columns`: our column for each place, None for what is not read; `titles`:
    what the file calls them; `named`: the places that have a title at all."""

    columns: list[Column | None]
    titles: dict[str, str]
    findings: list[Finding]
    named: set[int] = field(default_factory=set)

    def has_title(self, index: int) -> bool:
        return index in self.named


def read_header(plan: SheetPlan, titles: Sequence[str], place: Callable[[int], str], whole: str) -> Header:
    """`place(index)`: where a title stands; `whole`: where the sheet does. Missing needed ones, ones that stand twice
    are errors; unknown ones are warnings, for nothing reads them."""
    header = Header([], {}, [], {index for index, title in enumerate(titles) if title})
    at: dict[str, int] = {}
    for index, title in enumerate(titles):
        column = plan.find(title) if title else None
        if title and column is None:
            text = f"the column {title[:40]!r} is not read{closest(title, _names(plan))}"
            header.findings.append(Finding(Level.WARNING, "unknown column", text, place(index), title[:40]))
        if column is not None and column.name in at:
            text = f"{column.name} {column.chinese} stands twice, at {place(at[column.name])} too: which one is meant?"
            header.findings.append(Finding(Level.ERROR, "column twice", text, place(index), title[:40]))
            column = None
        if column is not None:
            at[column.name], header.titles[column.name] = index, title
        header.columns.append(column)
    for column in plan.columns:
        if column.needed and column.name not in at:
            text = f"the column {column.name} {column.chinese} is missing"
            header.findings.append(Finding(Level.ERROR, "missing column", text, whole, column.name))
    return header


def _names(plan: SheetPlan) -> list[str]:
    return [name for column in plan.columns for name in (column.name, column.chinese)]


def sheet_names(kind: Kind) -> str:
    """`products 商品, tiers 客户等级, ...`, for texts."""
    return ", ".join(f"{plan.name} {plan.chinese}" for plan in PLANS[kind])


def unknown_sheet(kind: Kind, title: str, place: str = "") -> Finding:
    near = closest(title, [name for plan in PLANS[kind] for name in (plan.name, plan.chinese)])
    text = f"the sheet {title[:40]!r} is not read; a book of this kind has {sheet_names(kind)}{near}"
    return Finding(Level.WARNING, "unknown sheet", text, place or title[:40])


def at_cells(book: WrittenBook, findings: Sequence[Finding]) -> list[Finding]:
    """Findings about rows, told by cell and by what the file calls the column."""
    rows = {row.place: (sheet, row) for sheet, each in book.sheets.items() for row in each}
    return [_at_cell(book, *rows[one.place], one) if one.place in rows and one.column else one for one in findings]


def _at_cell(book: WrittenBook, sheet: str, row: WrittenRow, one: Finding) -> Finding:
    return replace(one, place=row.place_of(one.column), column=book.title_of(sheet, one.column))


def bounded(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first, and no more of them than a person reads."""
    kept = sorted(findings, key=lambda each: list(Level).index(each.level))
    if len(kept) <= MOST_FINDINGS:
        return kept
    left = kept[MOST_FINDINGS:]
    more = Finding(left[0].level, "more", f"... and {len(left)} more")
    return [*kept[:MOST_FINDINGS], more]
