"""The orders of a file, one by one, whole or refused. The main table is streamed; the tables beside it are indexed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.files.building import Group, Intake, OrderRejected, build_order
from adapters.files.cells import show
from adapters.files.index import Keys, count_keys, index_rows, scan
from adapters.files.mapping import FileMapping, OrdersSection, RelatedSection, Section
from adapters.files.past import FileOrder
from adapters.files.records import Record, RowError
from adapters.files.rows import Problem, Row
from adapters.files.tables import Table, open_table


@dataclass(slots=True)
class Related:
    """A table beside the main one, its rows by key."""

    table: Table
    section: RelatedSection
    keys: Keys = field(default_factory=Keys)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def column(self) -> str:
        assert self.section.key is not None
        return self.section.key

    def orphans(self, known: Keys, main: str) -> Iterator[Problem]:
        """Rows of orders that the main table does not have; they leave the index."""
        for key in [key for key in self.rows if key not in known.counts and key not in known.spoilt]:
            for row in self.rows.pop(key):
                yield Problem(row=row, column=self.column, reason=f"there is no order {show(key)} in {main}")


class OrderFile:
    """One main file with the files beside it. Everything is opened and checked before the first order comes."""

    def __init__(self, path: Path, mapping: FileMapping, intake: Intake) -> None:
        """Raises `FileError`."""
        self.intake = intake
        self.mapping = mapping
        self.path = path
        self.main = open_table(path, mapping.orders.sheet, mapping.format, self._main_columns())
        self.lines = self._open(mapping.lines)
        self.payments = self._open(mapping.payments)
        self.returns = self._open(mapping.returns)
        self.customers = self._open(mapping.customers)
        self.keys = Keys()

    @property
    def total(self) -> int:
        """How many orders the main table names."""
        return len(self.keys.counts.keys() | self.keys.spoilt.keys())

    @property
    def row_count(self) -> int:
        return self.keys.rows + sum(each.keys.rows for each in self._beside())

    def survey(self) -> Iterator[Problem]:
        """The first pass: count the orders, index what stands beside, say which rows belong to nobody. Once."""
        yield from count_keys(self.main, self._key, self.keys, per_row=self.lines is not None)
        for each in self._parts():
            known = self.keys.counts.keys() | self.keys.spoilt.keys()
            yield from index_rows(each.rows, each.table, each.column, each.keys, known=known)
            yield from each.orphans(self.keys, self.main.name)
        if self.customers is not None:
            beside = self.customers
            yield from index_rows(beside.rows, beside.table, beside.column, beside.keys, per_row=True)

    def orders(self) -> Iterator[FileOrder | OrderRejected]:
        """The second pass: every order of the main table, once its last row was seen."""
        for key in self.keys.spoilt.keys() - self.keys.counts.keys():
            yield OrderRejected(key, ())  # its only rows were told by the survey
        groups: dict[str, list[Row]] = {}
        for one in scan(self.main, self._key, Keys(), per_row=self.lines is not None):
            if isinstance(one, Problem):
                continue  # told by the survey
            key, row = one
            group = groups.setdefault(key, [])
            group.append(row)
            if len(group) == self.keys.counts.get(key):
                yield self._take(key, groups.pop(key))

    def _take(self, key: str, rows: Sequence[Row]) -> FileOrder | OrderRejected:
        try:
            self._refuse_unclear(key, rows)
            return build_order(self._group(key, rows), self.intake)
        except RowError as wrong:
            return OrderRejected(key, (wrong.problem,))
        except OrderRejected as rejected:
            return rejected

    def _refuse_unclear(self, key: str, rows: Sequence[Row]) -> None:
        """Two rows where one is meant, and rows that nobody could read."""
        if self.lines is not None and len(rows) > 1:
            places = ", ".join(row.line for row in rows)
            reason = f"it stands {len(rows)} times (lines {places}): which one is right?"
            raise OrderRejected(key, [Problem(row=row, column=self._key, reason=reason) for row in rows])
        for keys in (self.keys, *(each.keys for each in self._parts())):
            if place := keys.spoilt.get(key):
                reason = f"{place} cannot be read and may belong to this order"
                raise OrderRejected(key, [Problem(row=rows[0], column="", reason=reason)])

    def _group(self, key: str, rows: Sequence[Row]) -> Group:
        heads = [self._record(row, self.main, self.mapping.orders) for row in rows]
        lines = self._beside_order(self.lines, key, self.mapping.lines, rows)
        if not lines:
            assert self.lines is not None
            reason = f"has no line in {self.lines.table.name}"
            raise OrderRejected(key, [Problem(row=rows[0], column=self._key, reason=reason)])
        paid = self.mapping.payments
        payments = [] if paid is None else self._beside_order(self.payments, key, paid, rows[:1])
        back = self.mapping.returns
        returns = [] if back is None else self._beside_order(self.returns, key, back, rows)
        return Group(key, heads, self._customer(heads[0]), lines, payments, returns)

    def _beside_order(self, related: Related | None, key: str, section: Section, inline: Sequence[Row]) -> list[Record]:
        if related is None:
            return [self._record(row, self.main, section) for row in inline]
        return [self._record(row, related.table, section) for row in related.rows.get(key, ())]

    def _customer(self, head: Record) -> Record | None:
        """The order's row of the customers' table; several rows will do when they say the same."""
        if self.customers is None:
            return None
        section = self.mapping.customers
        assert section is not None
        joining = Record(head.row, head.table, OrdersSection(columns={"customer_no": section.joins}), self.mapping)
        key = joining.needed("customer_no")
        found = self.customers.rows.get(key, [])
        places = [self.customers.table.header[name] for name in section.columns.values()]
        said = {tuple(row.cells[place] for place in places) for row in found}
        if len(said) != 1 or key in self.customers.keys.spoilt:
            rows = f"{len(found)} different rows" if len(said) > 1 else "no usable row"
            raise joining.wrong(
                "customer_no", f"{self.customers.table.name} has {rows} with {section.key} = {show(key)}"
            )
        return self._record(found[0], self.customers.table, section)

    def _record(self, row: Row, table: Table, section: Section) -> Record:
        return Record(row, table, section, self.mapping)

    @property
    def _key(self) -> str:
        return self.mapping.orders.columns["order_no"]

    def _main_columns(self) -> list[str]:
        columns = dict.fromkeys(self.mapping.orders.columns.values())
        for section in (self.mapping.lines, self.mapping.payments, self.mapping.returns):
            if section is not None and not section.apart:
                columns |= dict.fromkeys(section.columns.values())
        if self.mapping.customers is not None:
            columns[self.mapping.customers.joins] = None
        return list(columns)

    def _open(self, section: RelatedSection | None) -> Related | None:
        if section is None or not section.apart:
            return None
        path = self.path if section.file is None else self.path.parent / section.file
        needed = [section.key or "", *section.columns.values()]
        return Related(open_table(path, section.sheet, self.mapping.format, needed), section)

    def _parts(self) -> list[Related]:
        """Tables beside the main one that hold parts of its orders."""
        return [each for each in (self.lines, self.payments, self.returns) if each is not None]

    def _beside(self) -> Iterable[Related]:
        return [*self._parts(), *([self.customers] if self.customers is not None else [])]
