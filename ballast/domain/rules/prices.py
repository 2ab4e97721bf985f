"""The price matrix: which row gives the price of a line, and why the others do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

WHOLE: Final = 10_000
"""Shares of a price are counted in ten-thousandths: 9折 pays 9,000."""


class PriceKind(StrEnum):
    """What a row of the matrix is."""

    CONTRACT = "contract"  # agreed with one customer, or with a tier
    TIER = "tier"  # the price of a customer tier, by quantity
    LIMITED = "limited"  # for a time: a price, or a share of the price that holds otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One SKU of the price book. Amounts are minor units of `currency` per piece.

    `list_price`: what holds when no row does; None: then it has no price. `floor`: nothing may sell it for less.
    `place` is where people wrote it (sheet and row).
    """

    sku: str
    name: str = ""
    series: str = ""
    list_price: int | None = None
    floor: int = 0
    currency: str = "CNY"
    tax_included: bool = True
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """One row: for whom (`customer` or `tier`, both empty: everybody), for what (`sku`, else `series`; both empty:
    everything), from how many pieces, when (`starts` <= at < `ends`, aware UTC, None: open), and for how much.

    Exactly one of `price` (minor units per piece) and `pays` (ten-thousandths of the price that holds without LIMITED
    rows; only LIMITED) is set. `row` is its name, unique; `place` is where people wrote it (sheet and row).
    """

    row: str
    kind: PriceKind
    customer: str = ""
    tier: str = ""
    sku: str = ""
    series: str = ""
    from_quantity: int = 1
    starts: datetime | None = None
    ends: datetime | None = None
    price: int | None = None
    pays: int | None = None
    currency: str = "CNY"
    tax_included: bool = True
    note: str = field(default="", compare=False)
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOptions:
    """How the gate judges an order's own prices.

    A line's price may differ from the quote by `tolerance` minor units per piece or by `tolerance_share`
    ten-thousandths of it, whichever is more. `unpriced`: what becomes of a line without a price: `accept` its own, or
    `hold` the order. `precedence`: which kind wins where several rows hold.
    """

    gate: bool = True
    tolerance: int = 0
    tolerance_share: int = 0
    unpriced: str = "accept"
    precedence: tuple[PriceKind, ...] = (PriceKind.CONTRACT, PriceKind.LIMITED, PriceKind.TIER)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSet:
    """One version of the price book. `tier_notes`: what people noted beside a tier."""

    products: Mapping[str, Product] = field(default_factory=dict)
    tiers: tuple[str, ...] = ()
    tier_notes: Mapping[str, str] = field(default_factory=dict, compare=False)
    rows: tuple[PriceRow, ...] = ()
    options: PriceOptions = field(default_factory=PriceOptions)


@dataclass(slots=True, kw_only=True)  # made by the thousand: frozen it would take three times as long
class Wanted:
    """One line to be priced. `own_price`: what the order itself says, minor units per piece; None: it says nothing."""

    line_no: int
    sku: str
    quantity: int
    own_price: int | None = None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A row that did not give the price, and why, in words for people."""

    row: str
    why: str


@dataclass(slots=True, kw_only=True)  # made by the thousand: frozen it would take three times as long
class LinePrice:
    """The price of one line, minor units per piece, before promotions.

    `price` is None when nothing prices it. `row`: the row that gave it, `list` for the list price, empty for none.
    `unfloored`: what the row says, where that is below the floor and the floor is the price therefore.
    """

    line_no: int
    sku: str
    quantity: int
    price: int | None
    row: str = ""
    kind: str = ""
    series: str = ""
    floor: int = 0
    currency: str = "CNY"
    tax_included: bool = True
    unfloored: int | None = None
    passed_over: tuple[PassedOver, ...] = ()
