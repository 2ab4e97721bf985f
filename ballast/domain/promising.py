"""What can be promised of an order that is wanted, line by line. Pure: the database locks and reads, this decides."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from ballast.domain.sourcing import Ask, SourcingSet, choose
from ballast.domain.stock import NO_ROWS, NOTHING_SAID, Place


class Why(StrEnum):
    """Why a line cannot be promised as it is wanted, or what is to be known of it."""

    SHORT = "short"  # fewer pieces are free than are wanted
    APART = "apart"  # enough pieces are free, but not in one warehouse together with the rest of the order
    STALE = "stale"  # pieces are there, but the figure is too old to sell on
    UNKNOWN = "unknown"  # nobody ever told a figure of this SKU


class Piece(NamedTuple):
    """One line that is wanted."""

    line_no: int
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Basket:
    """What one order wants. `held`: what is reserved for it already and has not expired; `ask`: what the sourcing rows
    may know of it.
    """

    order_no: str
    lines: Sequence[Piece]
    held: Mapping[Place, int] = field(default_factory=dict)
    ask: Ask = NOTHING_SAID

    @property
    def needs(self) -> dict[str, int]:
        """Pieces per SKU: two lines of one SKU would pass alone where both together do not."""
        wanted: Counter[str] = Counter()
        for line in self.lines:
            wanted[line.sku] += line.quantity
        return dict(wanted)

    def is_kept_by(self, held: Mapping[Place, int]) -> bool:
        """Whether that is all it wants."""
        kept: Counter[str] = Counter()
        for (sku, _), pieces in held.items():
            kept[sku] += pieces
        return all(kept[sku] >= pieces for sku, pieces in self.needs.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What may be promised of one SKU in one warehouse; reservations of the baskets themselves are not taken off.

    `reservable`: reservations count there. `stale`: pieces may be there, but the figure is too old to sell on.
    """

    sku: str
    warehouse: str
    free: int
    reservable: bool = True
    stale: bool = False


class Coming(NamedTuple):
    """Pieces that are expected to arrive."""

    sku: str
    warehouse: str
    quantity: int
    day: date  # of the warehouse's place


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """So many pieces of a SKU are expected in a warehouse. `reference`: the ASN or purchase order, its key with the
    SKU and the warehouse.
    """

    sku: str
    warehouse: str
    quantity: int
    expected_at: datetime
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAnswer:
    """What can be promised of one line. `can`: of its pieces, now, together with the rest of the order.

    `places`: where how many pieces of its SKU are free. `wanted` in all: `needed`, over all lines of the SKU.
    `day`: from when enough of them are expected to be there, where that is known.
    """

    line_no: int
    sku: str
    wanted: int
    needed: int
    can: int
    places: Mapping[str, int]
    why: Why | None = None
    day: date | None = None

    @property
    def short(self) -> bool:
        return self.can < self.wanted


@dataclass(frozen=True, slots=True)
class Answer:
    """What can be promised of one order. `takes`: what to keep for it, and where; nothing when it is short."""

    order_no: str
    ok: bool
    lines: Sequence[LineAnswer]
    takes: Mapping[Place, int]


def promise(
    baskets: Sequence[Basket],
    shelves: Iterable[Shelf],
    *,
    split: bool = False,
    lets_in_unknown: bool = True,
    rules: SourcingSet = NO_ROWS,
) -> list[Answer]:
    """First come, first served, in the order given; each basket whole or not at all. What a basket holds stays its own.

    `rules`: the sourcing rows; what they would ship can be promised, be it from several warehouses, or in part with the
    rest on backorder. Without rows one warehouse has to have all of it, or, with `split`, several together.
    """
    ground = _Ground.of(shelves, baskets)
    return [_answer(basket, ground, rules, split=split, lets_in_unknown=lets_in_unknown) for basket in baskets]


@dataclass(slots=True)
class _Ground:
    """What is left while baskets are answered: without what they hold, which is given to each in its turn."""

    left: dict[Place, int]
    counted: frozenset[Place]  # where reservations count
    stale: frozenset[str]  # SKUs with a figure that is too old to sell on
    by_sku: dict[str, list[str]]

    @classmethod
    def of(cls, shelves: Iterable[Shelf], baskets: Iterable[Basket]) -> "_Ground":
        left, by_sku, counted, stale = dict[Place, int](), defaultdict[str, list[str]](list), set[Place](), set[str]()
        for shelf in sorted(shelves, key=lambda shelf: (shelf.sku, shelf.warehouse)):
            left[shelf.sku, shelf.warehouse] = shelf.free
            by_sku[shelf.sku].append(shelf.warehouse)
            if shelf.reservable:
                counted.add((shelf.sku, shelf.warehouse))
            if shelf.stale:
                stale.add(shelf.sku)
        ground = cls(left, frozenset(counted), frozenset(stale), dict(by_sku))
        for basket in baskets:
            ground.take(basket.held)
        return ground

    def take(self, pieces: Mapping[Place, int], sign: int = 1) -> None:
        for place, quantity in pieces.items():
            if place in self.counted:
                self.left[place] -= sign * quantity

    def free(self, sku: str) -> dict[str, int]:
        """Warehouse -> pieces, of those that have any."""
        return {w: self.left[sku, w] for w in self.by_sku.get(sku, ()) if self.left[sku, w] > 0}


def _answer(basket: Basket, ground: _Ground, rules: SourcingSet, *, split: bool, lets_in_unknown: bool) -> Answer:
    ground.take(basket.held, -1)
    unknown = [sku for sku in basket.needs if sku not in ground.by_sku]
    needs = {sku: pieces for sku, pieces in basket.needs.items() if sku in ground.by_sku}
    if needs and (rules.strategies or rules.places):
        takes = _source(needs, ground, basket.ask, rules)
    else:
        takes = _choose(needs, ground, basket.held, split=split)
    ok = takes is not None and (lets_in_unknown or not unknown)
    lines = _lines(basket, ground, _reach(needs, ground, split=split), takes, lets_in_unknown=lets_in_unknown)
    ground.take(takes if ok and takes is not None else basket.held)
    return Answer(basket.order_no, ok, lines, takes if ok and takes is not None else {})


def _source(needs: Mapping[str, int], ground: _Ground, ask: Ask, rules: SourcingSet) -> dict[Place, int] | None:
    """What the rows would ship now."""
    left: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for sku in needs:
        for warehouse in ground.by_sku[sku]:
            left[warehouse][sku] = max(0, ground.left[sku, warehouse])
    chosen = choose(needs, left, ask, rules)
    return {(sku, part.warehouse): count for part in chosen.parts for sku, count in part.pieces.items()} or None


def _choose(
    needs: Mapping[str, int], ground: _Ground, held: Mapping[Place, int], *, split: bool
) -> dict[Place, int] | None:
    """From one warehouse, first from where pieces are kept for it already; else, with `split`, from several."""
    kept = {warehouse for _, warehouse in held}
    warehouses = {warehouse for sku in needs for warehouse in ground.by_sku[sku]}
    for warehouse in sorted(warehouses, key=lambda one: (one not in kept, one)):
        if all(ground.left.get((sku, warehouse), 0) >= pieces for sku, pieces in needs.items()):
            return {(sku, warehouse): pieces for sku, pieces in needs.items()}
    if not needs:
        return {}
    return _gather(needs, ground) if split else None


def _gather(needs: Mapping[str, int], ground: _Ground) -> dict[Place, int] | None:
    """Of each SKU from the fullest warehouse first, so that an order has few parcels."""
    takes: dict[Place, int] = {}
    for sku, pieces in needs.items():
        for warehouse, free in sorted(ground.free(sku).items(), key=lambda one: (-one[1], one[0])):
            if some := min(pieces, free):
                takes[sku, warehouse] = some
                pieces -= some
        if pieces:
            return None
    return takes


def _reach(needs: Mapping[str, int], ground: _Ground, *, split: bool) -> dict[str, int]:
    """How many pieces of each SKU one warehouse could give together, or all of them.

    Of the warehouses the one that has most SKUs in full, then most pieces.
    """
    if split:
        return {sku: min(pieces, sum(ground.free(sku).values())) for sku, pieces in needs.items()}
    warehouses = sorted({warehouse for sku in needs for warehouse in ground.by_sku[sku]})
    offers = [
        {sku: max(0, min(pieces, ground.left.get((sku, warehouse), 0))) for sku, pieces in needs.items()}
        for warehouse in warehouses
    ]

    def closeness(offer: Mapping[str, int]) -> tuple[int, int]:
        return sum(offer[sku] >= pieces for sku, pieces in needs.items()), sum(offer.values())

    return max(offers, key=closeness, default={})


def _lines(
    basket: Basket,
    ground: _Ground,
    reach: Mapping[str, int],
    takes: Mapping[Place, int] | None,
    *,
    lets_in_unknown: bool,
) -> list[LineAnswer]:
    """What can be had of a SKU goes to its lines in their order."""
    needs = basket.needs
    left = dict(reach) if takes is None else _by_sku(takes)
    made: list[LineAnswer] = []
    for line in basket.lines:
        known = line.sku in ground.by_sku
        places, why = ground.free(line.sku), None
        can = min(line.quantity, left.get(line.sku, 0)) if known else line.quantity * lets_in_unknown
        left[line.sku] = left.get(line.sku, 0) - can
        if not known:
            why = Why.UNKNOWN
        elif can < line.quantity:
            why = _why(line.sku, needs[line.sku], places, ground)
        made.append(
            LineAnswer(
                line_no=line.line_no,
                sku=line.sku,
                wanted=line.quantity,
                needed=needs[line.sku],
                can=can,
                places=places,
                why=why,
            )
        )
    return made


def _by_sku(takes: Mapping[Place, int]) -> dict[str, int]:
    """In part, where the rest goes on backorder."""
    pieces: Counter[str] = Counter()
    for (sku, _), count in takes.items():
        pieces[sku] += count
    return dict(pieces)


def _why(sku: str, needed: int, places: Mapping[str, int], ground: _Ground) -> Why:
    if max(places.values(), default=0) >= needed:
        return Why.APART
    return Why.STALE if sku in ground.stale else Why.SHORT


def with_days(answers: Sequence[Answer], coming: Iterable[Coming], *, split: bool = False) -> list[Answer]:
    """The same answers; a short line says when enough pieces are expected, where that is known."""
    by_sku: defaultdict[str, list[Coming]] = defaultdict(list)
    for one in sorted(coming, key=lambda one: one.day):
        by_sku[one.sku].append(one)
    return [
        replace(answer, lines=[_with_day(line, by_sku[line.sku], split=split) for line in answer.lines])
        for answer in answers
    ]


def _with_day(line: LineAnswer, coming: Sequence[Coming], *, split: bool) -> LineAnswer:
    if line.why is not Why.SHORT:
        return line
    there = Counter(line.places)
    for one in coming:
        there[one.warehouse] += one.quantity
        if (there.total() if split else there[one.warehouse]) >= line.needed:
            return replace(line, day=one.day)
    return line


def said_of(answer: Answer) -> str:
    """The lines that cannot be promised, in one sentence each: the evidence of a hold, the words of a refusal."""
    return "; ".join(_said(line) for line in answer.lines if line.short)


def _said(line: LineAnswer) -> str:
    where = ", ".join(f"{pieces} in {warehouse}" for warehouse, pieces in line.places.items()) or "none anywhere"
    words = {
        Why.APART: f"there are {where}, but not in one warehouse with the rest of the order",
        Why.STALE: "the stock figure is too old to sell on",
        Why.UNKNOWN: "no stock figure is known of it",
    }
    said = words.get(line.why, f"free are {where}") if line.why else ""
    day = f", enough from {line.day}" if line.day else ""
    return f"line {line.line_no} wants {line.wanted} x {line.sku}, {line.can} can be promised: {said}{day}"
