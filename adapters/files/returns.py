"""What a record says came back: read row by row and held against its order.

A row that cannot be (returned before it was signed for, more than was delivered, more money than was paid) is told with
its figures and left out; the order and its other returns are not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from adapters.files.mapping import REASONS
from adapters.files.past import FileOrder, RecordedReturn
from adapters.files.records import Record, RowError
from adapters.files.rows import Problem
from ballast.domain.money import Money
from ballast.domain.returns import ReturnReason


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that could be read. `lines`: whose pieces it is about; `quantity` None: all that is left of them."""

    record: Record
    told: RecordedReturn
    lines: tuple[int, ...]
    quantity: int | None


def read_returns(records: Sequence[Record], past: FileOrder) -> tuple[tuple[RecordedReturn, ...], tuple[Problem, ...]]:
    """The returns of an order by their time, rows of the same moment and reason together; and the rows left out."""
    rows, kept, problems = list[_Row](), list[RecordedReturn](), list[Problem]()
    for number, record in enumerate(records, start=1):
        try:
            rows += _read(number, record, past)
        except RowError as wrong:
            problems.append(wrong.problem)
    account = _Account(past)
    for row in sorted(rows, key=lambda row: row.told.returned_at):
        try:
            kept.append(account.take(row))
        except RowError as wrong:
            problems.append(wrong.problem)
    prefix = f"a return of order {past.order.order_no} is left out: "
    return _together(kept), tuple(replace(one, reason=prefix + one.reason) for one in problems)


def _read(number: int, record: Record, past: FileOrder) -> list[_Row]:
    """One row; nothing where the main row says nothing of a return."""
    returned_at, requested_at = record.time("returned_at"), record.time("requested_at")
    quantity, refunded = record.count("quantity"), record.money("refunded")
    inline = record.mapping.returns is not None and not record.mapping.returns.apart
    if inline and returned_at is None and requested_at is None and not quantity and not refunded:
        return []
    if returned_at is None:
        raise record.wrong("returned_at", "is empty: when were the goods back? Without a time they are not played")
    if quantity == 0:
        raise record.wrong("quantity", "a return of no pieces: money that went back without goods is not played")
    if refunded is not None and refunded < 0:
        raise record.wrong("refunded", "is negative: write what went back without a sign")
    own = number if inline and not record.mapping.lines.apart else None
    reason, said = _reason(record)
    told = RecordedReturn(
        returned_at=returned_at, requested_at=requested_at, refunded=refunded, pieces={}, reason=reason, said=said
    )
    return [_Row(record, told, _lines(record, past, own), quantity)]


def _reason(record: Record) -> tuple[ReturnReason, str]:
    said = record.text("reason")
    mapped = record.mapping.returns.reasons if record.mapping.returns is not None else {}
    return (REASONS | mapped).get(said, ReturnReason.OTHER), said


def _lines(record: Record, past: FileOrder, own: int | None) -> tuple[int, ...]:
    """Numbers of the lines that a row is about: the one it names, those of its article, its own, or all."""
    numbers = tuple(line.line_no for line in past.order.lines)
    if named := record.count("line"):
        if named not in numbers:
            raise record.wrong("line", f"the order has no line {named}: it has {len(numbers)}")
        return (named,)
    if sku := record.text("sku"):
        found = tuple(line.line_no for line in past.order.lines if line.sku == sku)
        if not found:
            raise record.wrong("sku", f"the order has no line with {sku}")
        return found
    return (own,) if own else numbers


class _Account:
    """Pieces and money of an order that can still come back, row after row in the order of time."""

    def __init__(self, past: FileOrder) -> None:
        self._past = past
        self._delivered = {line.line_no: line.quantity for line in past.order.lines}
        self._left = dict(self._delivered)
        self._paid = past.paid or past.order.total.amount
        self._refunded = 0

    def take(self, row: _Row) -> RecordedReturn:
        """What the row stands for. Raises `RowError` with the figures."""
        self._refuse_undelivered(row)
        pieces = self._pieces(row)
        refunded = row.told.refunded or 0
        if self._refunded + refunded > self._paid:
            before, paid = self._money(self._refunded), self._money(self._paid)
            reason = f"{self._money(refunded)} went back: {paid} was paid, {before} went back before"
            raise row.record.wrong("refunded", reason)
        self._refunded += refunded
        for line, count in pieces.items():
            self._left[line] -= count
        return replace(row.told, pieces=pieces)

    def _refuse_undelivered(self, row: _Row) -> None:
        if not self._past.delivered:
            reason = f"{self._said(row)}, but by its record (status {self._past.said}) the order was never signed for"
            raise row.record.wrong("returned_at", reason)
        signed_at = self._past.milestones["signed_at"]
        if row.told.returned_at < signed_at:
            zone = row.record.mapping.times.zone
            times = f"at {_local(row.told.returned_at, zone)}, before the order was signed for at"
            raise row.record.wrong("returned_at", f"{self._said(row)} {times} {_local(signed_at, zone)}")

    def _said(self, row: _Row) -> str:
        pieces = "everything" if row.quantity is None else f"{row.quantity} of {_named(row)}"
        money = "" if row.told.refunded is None else f" ({self._money(row.told.refunded)} refunded)"
        return f"{pieces} came back{money}"

    def _pieces(self, row: _Row) -> dict[int, int]:
        """Handed to its lines in their order; more than is left of them cannot come back, nor a part of nobody knows
        which lines."""
        there = sum(self._left[line] for line in row.lines)
        wanted = there if row.quantity is None else row.quantity
        if not 0 < wanted <= there:
            delivered = sum(self._delivered[line] for line in row.lines)
            what = "all" if row.quantity is None else wanted
            reason = f"{what} of {_named(row)} came back: {delivered} delivered, {delivered - there} came back before"
            raise row.record.wrong("quantity", reason)
        several = len({self._sku(line) for line in row.lines}) > 1
        if several and wanted < there:
            raise row.record.wrong("quantity", f"{wanted} of {there} pieces of several articles came back: of which?")
        pieces = {}
        for line in row.lines:
            pieces[line] = min(wanted, self._left[line])
            wanted -= pieces[line]
        return {line: count for line, count in pieces.items() if count}

    def _sku(self, line_no: int) -> str:
        return next(line.sku for line in self._past.order.lines if line.line_no == line_no)

    def _money(self, amount: int) -> Money:
        return Money(amount, self._past.order.total.currency)


def _named(row: _Row) -> str:
    return f"line{'s' if len(row.lines) > 1 else ''} {', '.join(map(str, row.lines))}"


def _local(at: datetime, zone: str | None) -> str:
    """As the file writes it, more or less."""
    return f"{at.astimezone(ZoneInfo(zone or 'UTC')):%Y-%m-%d %H:%M:%S}"


def _together(returns: Iterable[RecordedReturn]) -> tuple[RecordedReturn, ...]:
    """Rows of one moment and one reason are one return."""
    found: dict[tuple[datetime, datetime | None, ReturnReason, str], RecordedReturn] = {}
    for one in returns:
        key = (one.returned_at, one.requested_at, one.reason, one.said)
        found[key] = _add(found[key], one) if key in found else one
    return tuple(found.values())


def _add(one: RecordedReturn, more: RecordedReturn) -> RecordedReturn:
    pieces = dict(one.pieces)
    for line, count in more.pieces.items():
        pieces[line] = pieces.get(line, 0) + count
    known = [each.refunded for each in (one, more) if each.refunded is not None]
    return replace(one, pieces=pieces, refunded=sum(known) if known else None)
