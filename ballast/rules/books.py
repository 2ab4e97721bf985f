"""Books of rules: sheets that people wrote, understood as prices, promotions or risk rules, and written again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final, TypeAlias, TypeVar

from ballast.domain.findings import Finding, Level
from ballast.domain.rules.prices import PriceKind, PriceOptions, PriceRow, PriceSet, Product
from ballast.domain.rules.promotions import Choice, Promotion, PromotionKind, PromotionOptions, PromotionSet
from ballast.domain.rules.risk import Action, RiskOptions, RiskRule, RiskSet
from ballast.domain.sourcing import PlaceRow, SourcingOptions, SourcingSet, Strategy, StrategyRow
from ballast.rules.book_yaml import read_yaml_book
from ballast.rules.cells import NotReadable, find_doubt, is_empty, is_silent, read_cell, write_cell
from ballast.rules.columns import Column, Holds, Kind, SheetPlan, closest
from ballast.rules.current import find_rules
from ballast.rules.entries import RulesError
from ballast.rules.row_checks import check_price_row, check_promotion
from ballast.rules.sheet_plans import (
    OPTION_SHEET,
    OPTIONS,
    PLACES,
    PLANS,
    PRICES,
    PRODUCTS,
    PROMOTIONS,
    RULES,
    STRATEGIES,
    TIERS,
    find_option,
    find_sheet,
)
from ballast.rules.written import MOST_ROWS, WrittenBook, WrittenRow, bounded, read_header, unknown_sheet

__all__ = [
    "Kind", "RuleSet", "Sheets", "WrittenBook", "WrittenRow", "default_book", "read_book", "sheets_of", "written_of",
]  # fmt: skip

RuleSet: TypeAlias = PriceSet | PromotionSet | RiskSet | SourcingSet
Sheets: TypeAlias = Mapping[str, Sequence[Mapping[str, str]]]
"""Sheet -> rows: column -> canonical text. It is what the database stores, and what every file format is made of."""
_Options = TypeVar("_Options", PriceOptions, PromotionOptions, RiskOptions, SourcingOptions)
_Values: TypeAlias = dict[str, Any]

_WORDS: Final[Mapping[str, type]] = {
    "PriceRow.kind": PriceKind, "Promotion.kind": PromotionKind, "RiskRule.action": Action,
    "PromotionOptions.choice": Choice,
}  # fmt: skip
"""Which choices of a record are words of a vocabulary."""


def read_book(written: WrittenBook) -> tuple[RuleSet, list[Finding]]:
    """The rules of a book, and everything that is wrong with it, what the file's reader found included.

    Cells that cannot be read count as empty, rows without what they need are left out: with an error among the
    findings the rules are good for nothing but further checks.
    """
    reading = _Reading(written)
    reading.check_sheets()
    builders: Mapping[Kind, Callable[[_Reading], RuleSet]] = {
        Kind.PRICE: _price_set, Kind.PROMOTION: _promotion_set, Kind.RISK: _risk_set,
        Kind.SOURCING: _sourcing_set,
    }  # fmt: skip
    rules = builders[written.kind](reading)
    return rules, bounded([*written.findings, *reading.findings])


@dataclass(slots=True)
class _Reading:
    """One book while it is read."""

    book: WrittenBook
    findings: list[Finding] = field(default_factory=list)

    def wrong(self, sheet: str, row: WrittenRow, column: str, text: str, kind: str = "unreadable") -> None:
        where = self.book.title_of(sheet, column)
        self.findings.append(Finding(Level.ERROR, kind, text, row.place_of(column), where))

    def warn(self, sheet: str, row: WrittenRow, column: str, text: str, kind: str) -> None:
        where = self.book.title_of(sheet, column)
        self.findings.append(Finding(Level.WARNING, kind, text, row.place_of(column), where))

    def check_sheets(self) -> None:
        for plan in PLANS[self.book.kind]:
            if plan.name not in self.book.sheets:
                text = f"the sheet {plan.name} {plan.chinese} is missing; one without rows would do"
                self.findings.append(Finding(Level.ERROR, "missing sheet", text, self.book.file))
            elif len(self.book.sheets[plan.name]) > MOST_ROWS:
                text = f"the sheet {plan.name} has more than {MOST_ROWS:,} rows"
                self.findings.append(Finding(Level.ERROR, "too large", text, self.book.file))

    def rows(self, plan: SheetPlan) -> list[tuple[WrittenRow, _Values]]:
        """Every row that has something in it and all that it needs, as values by column. Empty cells are left out."""
        found = []
        for row in self.book.sheets.get(plan.name, ())[:MOST_ROWS]:
            if all(is_empty(value) for value in row.cells.values()):
                continue
            values = self._values(plan, row)
            if self._has_needed(plan, row, values):
                found.append((row, values))
        return found

    def _values(self, plan: SheetPlan, row: WrittenRow) -> _Values:
        filled = {name: value for name, value in row.cells.items() if not is_empty(value)}
        currency = str(filled.get("currency", "CNY")).strip().upper()
        values: _Values = {}
        for column in plan.columns:
            if column.name in filled and column.holds is not Holds.VALUE:
                value = self.read(plan.name, row, column.name, column, currency)
                if value is not None:
                    values[column.name] = value
        return values

    def read(self, sheet: str, row: WrittenRow, name: str, column: Column, currency: str = "CNY") -> Any:
        """None when the cell cannot be read, which is told."""
        value = row.cells[name]
        if doubt := find_doubt(value, column):
            self.warn(sheet, row, name, doubt, "full width")
        try:
            return read_cell(value, column, currency)
        except NotReadable as wrong:
            self.wrong(sheet, row, name, str(wrong))
            return None

    def _has_needed(self, plan: SheetPlan, row: WrittenRow, values: _Values) -> bool:
        missing = [column for column in plan.columns if column.needed and column.name not in values]
        header = self.book.headers.get(plan.name)
        for column in missing:
            there = header is None or column.name in header  # a column that is not there was told once
            if there and is_empty(row.cells.get(column.name)):
                self.wrong(plan.name, row, column.name, f"{column.name} {column.chinese} is missing", "missing")
        return not missing

    def once(
        self, plan: SheetPlan, name: str, rows: list[tuple[WrittenRow, _Values]]
    ) -> list[tuple[WrittenRow, _Values]]:
        """The first of those that have the same name; the others are errors."""
        seen: dict[str, WrittenRow] = {}
        kept = []
        for row, values in rows:
            if first := seen.get(values[name]):
                text = f"{values[name]!r} stands at {first.place_of(name)} already"
                self.wrong(plan.name, row, name, text, "duplicate")
                continue
            seen[values[name]] = row
            kept.append((row, values))
        return kept

    def options(self, record: type[_Options]) -> _Options:
        kind, plan = self.book.kind, OPTION_SHEET
        named = [(row, {"option": self._option_name(row, values)}) for row, values in self.rows(plan)]
        found: _Values = {}
        for row, values in self.once(plan, "option", [each for each in named if each[1]["option"]]):
            column = find_option(kind, values["option"])
            if column is not None and not is_empty(row.cells.get("value")):
                value = self.read(plan.name, row, "value", column)
                if value is not None:
                    found[column.name] = _word(record, column.name, value)
        return record(**found)

    def _option_name(self, row: WrittenRow, values: _Values) -> str:
        kind, said = self.book.kind, values["option"]
        column = find_option(kind, said)
        if column is None:
            names = [name for each in OPTIONS[kind] for name in (each.name, each.chinese)]
            there = ", ".join(f"{each.name} {each.chinese}" for each in OPTIONS[kind])
            self.wrong(
                "options",
                row,
                "option",
                f"{said[:40]!r} is no option; there are {there}{closest(said, names)}",
                "unknown",
            )
        return column.name if column else ""


def _word(record: type, name: str, value: Any) -> Any:
    if name == "precedence":
        return tuple(map(PriceKind, value))
    if record is StrategyRow and name == "order":
        return tuple(map(Strategy, value))
    vocabulary = _WORDS.get(f"{record.__name__}.{name}")
    return vocabulary(value) if vocabulary else value


def _record(record: type, row: WrittenRow, values: _Values) -> Any:
    return record(**{name: _word(record, name, value) for name, value in values.items()}, place=row.place)


# -- one kind each -------------------------------------------------------------------------------------------------


def _price_set(reading: _Reading) -> PriceSet:
    products = reading.once(PRODUCTS, "sku", reading.rows(PRODUCTS))
    tiers = reading.once(TIERS, "tier", reading.rows(TIERS))
    rows = [
        _record(PriceRow, row, values)
        for row, values in reading.once(PRICES, "row", reading.rows(PRICES))
        if check_price_row(row, values, lambda *told, row=row: reading.wrong("prices", row, *told))
    ]
    return PriceSet(
        products={values["sku"]: Product(**values) for _, values in products},
        tiers=tuple(values["tier"] for _, values in tiers),
        tier_notes={values["tier"]: values["note"] for _, values in tiers if "note" in values},
        rows=tuple(rows),
        options=reading.options(PriceOptions),
    )


def _promotion_set(reading: _Reading) -> PromotionSet:
    found = []
    for row, values in reading.once(PROMOTIONS, "name", reading.rows(PROMOTIONS)):
        check_promotion(
            row,
            values,
            lambda *told, row=row: reading.wrong("promotions", row, *told),
            lambda *told, row=row: reading.warn("promotions", row, *told),
        )
        found.append(_record(Promotion, row, values))
    return PromotionSet(promotions=tuple(found), options=reading.options(PromotionOptions))


def _risk_set(reading: _Reading) -> RiskSet:
    rules = [_record(RiskRule, row, values) for row, values in reading.once(RULES, "name", reading.rows(RULES))]
    return RiskSet(rules=tuple(rules), options=reading.options(RiskOptions))


def _sourcing_set(reading: _Reading) -> SourcingSet:
    strategies = []
    for row, values in reading.once(STRATEGIES, "name", reading.rows(STRATEGIES)):
        words = values.get("order", ())
        unknown = [word for word in words if word not in set(Strategy)]
        if unknown or len(set(words)) < len(words):
            there = ", ".join(Strategy)
            reading.wrong("strategies", row, "order", f"{', '.join(unknown or words)}: each of {there} once at most")
            continue
        strategies.append(_record(StrategyRow, row, values))
    places = [_record(PlaceRow, row, values) for row, values in reading.once(PLACES, "name", reading.rows(PLACES))]
    return SourcingSet(tuple(places), tuple(strategies), reading.options(SourcingOptions))


# -- and back ------------------------------------------------------------------------------------------------------


def sheets_of(rules: RuleSet) -> Sheets:
    """The canonical sheets of a rule set: read again they give an equal one."""
    if isinstance(rules, PriceSet):
        return {
            "products": _texts(PRODUCTS, rules.products.values()),
            "tiers": [
                {"tier": tier, **({"note": note} if (note := rules.tier_notes.get(tier, "")) else {})}
                for tier in rules.tiers
            ],
            "prices": _texts(PRICES, rules.rows),
            "options": _option_texts(Kind.PRICE, rules.options),
        }
    if isinstance(rules, PromotionSet):
        return {
            "promotions": _texts(PROMOTIONS, rules.promotions),
            "options": _option_texts(Kind.PROMOTION, rules.options),
        }
    if isinstance(rules, SourcingSet):
        return {
            "places": _texts(PLACES, rules.places),
            "strategies": _texts(STRATEGIES, rules.strategies),
            "options": _option_texts(Kind.SOURCING, rules.options),
        }
    return {"rules": _texts(RULES, rules.rules), "options": _option_texts(Kind.RISK, rules.options)}


def _texts(plan: SheetPlan, records: Any) -> list[dict[str, str]]:
    return [_row_texts(plan, record) for record in records]


def _row_texts(plan: SheetPlan, record: Any) -> dict[str, str]:
    defaults = {each.name: each.default for each in fields(record)}
    currency = getattr(record, "currency", "CNY")
    values = ((column, getattr(record, column.name)) for column in plan.columns)
    return {
        column.name: write_cell(value, column, currency)
        for column, value in values
        if not is_silent(value, defaults[column.name], column)
    }


def _option_texts(kind: Kind, options: Any) -> list[dict[str, str]]:
    """All of them, so that people see which there are."""
    values = ((column, getattr(options, column.name)) for column in OPTIONS[kind])
    return [
        {"option": column.name, **({} if value is None else {"value": write_cell(value, column)})}
        for column, value in values
    ]


def written_of(kind: Kind, sheets: Sheets, file: str = "") -> WrittenBook:
    """A book of canonical sheets. Its places are the cells that an exported workbook has, `prices!F7`."""
    book = WrittenBook(kind, file, None, {})
    found: dict[str, list[WrittenRow]] = {}
    for title, rows in sheets.items():
        plan = find_sheet(kind, title)
        if plan is None:
            book.findings.append(unknown_sheet(kind, title))
            continue
        known = {column.name for column in plan.columns}
        titles = dict.fromkeys(name for row in rows for name in row if name not in known)
        header = read_header(plan, list(titles), lambda _: "", "")
        told = [each for each in header.findings if each.kind == "unknown column"]
        book.findings.extend(replace(each, place=plan.name) for each in told)
        found[plan.name] = [_placed(plan, number, row) for number, row in enumerate(rows, start=2)]
    book.sheets = found
    return book


def _placed(plan: SheetPlan, number: int, row: Mapping[str, str]) -> WrittenRow:
    places = {
        column.name: f"{plan.name}!{letter}{number}" for column, letter in zip(plan.columns, _letters(), strict=False)
    }
    known = {column.name for column in plan.columns}
    return WrittenRow(f"{plan.name}!{number}", {name: row[name] for name in row if name in known}, places)


def _letters() -> list[str]:
    return [*ascii_uppercase, *(f"A{letter}" for letter in ascii_uppercase)]


def default_book(kind: Kind, file: Path | None = None) -> RuleSet:
    """The rules that hold where nobody published any, `rules/KIND.yaml`. Raises `RulesError`."""
    path = find_rules(file or Path("rules") / f"{kind}.yaml")
    rules, findings = read_book(read_yaml_book(path, kind))
    if errors := [str(each) for each in findings if each.level is Level.ERROR]:
        raise RulesError(errors)
    return rules
