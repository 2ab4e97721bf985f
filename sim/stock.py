"""Stock as each side keeps it: the ERP's book stock and reservations, the warehouse's physical stock and freezes."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sim.catalogue import ARTICLE, ARTICLES, DEFAULT_LEVEL, SCARCE_LEVEL, STOCK_OF_WAREHOUSE, Article

UNITS_PER_ORDER = 4.0  # mean units of an order's lines, rounded up: levels only need the right order of magnitude
GENEROSITY = 3


@dataclass(slots=True)
class Level:
    """`granted` is all stock there ever was; `oversold` is the most that was ever promised or shipped beyond it."""

    granted: int = DEFAULT_LEVEL
    on_hand: int = DEFAULT_LEVEL
    locked: int = 0
    shipped: int = 0
    oversold: int = 0
    now: Callable[[], float] = time.time
    changed_at: float = 0.0

    @property
    def available(self) -> int:
        return self.on_hand - self.locked

    def lock(self, quantity: int) -> None:
        self.locked += quantity
        self._note_change()

    def unlock(self, quantity: int) -> None:
        self.locked -= quantity
        self.changed_at = self.now()

    def regrant(self, quantity: int) -> None:
        self.granted = quantity
        self.on_hand = quantity - self.shipped
        self.changed_at = self.now()

    def ship(self, quantity: int, locked: int) -> None:
        self.on_hand -= quantity
        self.locked -= locked
        self.shipped += quantity
        self._note_change()

    def take_back(self, quantity: int) -> None:
        """Good pieces that came back: they were never gone."""
        self.on_hand += quantity
        self.shipped -= quantity
        self._note_change()

    def _note_change(self) -> None:
        self.changed_at = self.now()
        self.oversold = max(self.oversold, self.shipped + self.locked - self.granted)


@dataclass(slots=True)
class StockBook:
    """Levels per (place, sku); a place is a stock number in the ERP, a warehouse code in the WMS."""

    places: tuple[str, ...]
    now: Callable[[], float] = time.time
    levels: dict[tuple[str, str], Level] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.levels.update({(place, article.sku): Level(now=self.now) for place in self.places for article in ARTICLES})

    def level(self, place: str, sku: str) -> Level | None:
        return self.levels.get((place, sku))

    def shortages(self, place: str, wanted: Mapping[str, int]) -> list[str]:
        return [sku for sku, units in wanted.items() if self.levels[place, sku].available < units]

    def lock(self, place: str, wanted: Mapping[str, int]) -> None:
        for sku, units in wanted.items():
            self.levels[place, sku].lock(units)

    def unlock(self, place: str, held: Mapping[str, int]) -> None:
        for sku, units in held.items():
            self.levels[place, sku].unlock(units)

    def oversold(self) -> dict[str, int]:
        over: dict[str, int] = {}
        for (_, sku), level in self.levels.items():
            if level.oversold:
                over[sku] = over.get(sku, 0) + level.oversold
        return over


@dataclass(slots=True)
class Stocks:
    """`now`: the world's clock, which says when a level last changed."""

    now: Callable[[], float] = time.time
    erp: StockBook = field(init=False)
    wms: StockBook = field(init=False)
    articles: dict[str, Article] = field(default_factory=lambda: dict(ARTICLE))
    orders_planned: int = 0

    def __post_init__(self) -> None:
        self.erp = StockBook(tuple(STOCK_OF_WAREHOUSE.values()), self.now)
        self.wms = StockBook(tuple(STOCK_OF_WAREHOUSE), self.now)

    def list_article(self, article: Article, quantity: int) -> None:
        """Both books know it from now on, with so many pieces in every warehouse."""
        self.articles.setdefault(article.sku, article)
        for book in (self.erp, self.wms):
            for place in book.places:
                book.levels.setdefault((place, article.sku), Level(now=self.now))
        self.grant_everywhere(article.sku, quantity)

    def plan_for(self, orders: int, scarce: tuple[str, ...]) -> None:
        """Levels for that many orders in all; scarce articles stay scarce however many orders there are."""
        self.orders_planned = orders
        plenty = math.ceil(orders * UNITS_PER_ORDER * GENEROSITY / len(ARTICLES)) + 200
        for article in ARTICLES:
            self.grant_everywhere(article.sku, SCARCE_LEVEL if article.sku in scarce else plenty)

    def grant_everywhere(self, sku: str, quantity: int) -> None:
        for warehouse in STOCK_OF_WAREHOUSE:
            self.grant(warehouse, sku, quantity)

    def grant_only(self, only: str, sku: str) -> None:
        """The other warehouses have none of it."""
        for warehouse in STOCK_OF_WAREHOUSE:
            if warehouse != only:
                self.grant(warehouse, sku, 0)

    def has_all(self, warehouse: str, wanted: Mapping[str, int]) -> bool:
        """By both books."""
        erp = self.erp.shortages(STOCK_OF_WAREHOUSE[warehouse], wanted)
        return not erp and not self.wms.shortages(warehouse, wanted)

    def grant(self, warehouse: str, sku: str, quantity: int) -> None:
        self.erp.levels[STOCK_OF_WAREHOUSE[warehouse], sku].regrant(quantity)
        self.wms.levels[warehouse, sku].regrant(quantity)

    def oversold(self) -> dict[str, int]:
        """Per article the worse of the two books."""
        erp, wms = self.erp.oversold(), self.wms.oversold()
        return {sku: max(erp.get(sku, 0), wms.get(sku, 0)) for sku in sorted(erp | wms)}
