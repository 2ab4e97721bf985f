"""How a seller counts a SKU in a warehouse: lines, reserves, what is taken off, how old a figure may be."""

from dataclasses import dataclass

from ballast.domain.stock import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One row of limits. An empty SKU or warehouse means every one; None: a less exact row says it.

    Pieces; `most_age` in seconds. A row that says nothing at all is none.
    """

    sku: str
    warehouse: str
    safety_line: int | None = None
    safety_reserve: int | None = None
    counts_locks: bool | None = None
    counts_reservations: bool | None = None
    most_age: int | None = None
    sells_stale: bool | None = None

    @property
    def place(self) -> Place:
        return self.sku, self.warehouse

    @property
    def says_nothing(self) -> bool:
        said = (self.safety_line, self.safety_reserve, self.counts_locks, self.counts_reservations, self.most_age)
        return all(one is None for one in (*said, self.sells_stale))
