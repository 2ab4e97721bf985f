"""What of a replay's orders came back: the record's own sums beside those of the books, in pieces and to the cent."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.files.past import FileOrder, RecordedReturn
from ballast.db.engine import rows
from deployments.replay.acts import Kind
from deployments.replay.playing import Played


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The same figure twice: by the record, and by the books."""

    recorded: int
    books: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedMoney:
    """What went back for returns, or is to go back, minor units, of orders whose record has the amounts.

    `unrecorded`: what the books have of the other orders with returns.
    """

    currency: str
    recorded: int
    books: int
    unrecorded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnDiffers:
    """An order of which the books have other returns than its record. Money is in minor units, `recorded` None: the
    record has no amount, and only the pieces are compared.
    """

    order_no: str
    currency: str
    recorded_pieces: int
    pieces: int
    recorded: int | None
    refunded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """delivered = kept + back, in pieces. `returns`: those that the file has and that can be, and those whose goods are
    back; `open`: of the latter, those that are not closed; `refused`: rows of these orders that are left out.
    """

    returns: Sides
    open: int
    refused: int
    delivered: Sides
    back: Sides
    kept: Sides
    money: Sequence[ReturnedMoney]
    differs: Sequence[ReturnDiffers]


async def read_returned(tx: AsyncConnection, orders: Sequence[FileOrder], played: Played) -> Returned:
    """Both sides of everything that came back."""
    found = {row.order_no: row for row in await rows(tx, _RETURNED)}
    (whole,) = await rows(tx, _DELIVERED)
    recorded = [back for past in orders for back in past.returns]
    delivered = Sides(recorded=_delivered(orders, played), books=int(whole.delivered))
    back = Sides(recorded=_pieces(recorded), books=sum(row.pieces for row in found.values()))
    return Returned(
        returns=Sides(recorded=len(recorded), books=sum(row.came for row in found.values())),
        open=sum(row.open for row in found.values()),
        refused=sum(len(past.refused) for past in orders),
        delivered=delivered,
        back=back,
        kept=Sides(recorded=delivered.recorded - back.recorded, books=delivered.books - back.books),
        money=_money(orders, found),
        differs=[one for past in orders if (one := _differs(past, found.get(past.order.order_no)))],
    )


def _delivered(orders: Iterable[FileOrder], played: Played) -> int:
    """Pieces of orders that were signed for by their record, and of which that could be played."""
    never = {one.order_no for one in played.late if one.act is Kind.SIGN and one.happened_at is None}
    return sum(
        line.quantity
        for past in orders
        if past.delivered and past.order.order_no not in never
        for line in past.order.lines
    )


def _pieces(returns: Iterable[RecordedReturn]) -> int:
    return sum(sum(one.pieces.values()) for one in returns)


def _money(orders: Iterable[FileOrder], found: Mapping[str, Any]) -> list[ReturnedMoney]:
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for past in orders:
        row, amount = found.get(past.order.order_no), _recorded(past)
        went_back = row.refunded if row is not None else 0
        if past.returns:
            said = {"unrecorded": went_back} if amount is None else {"recorded": amount, "books": went_back}
            sums[past.order.total.currency].update(said)
    return [
        ReturnedMoney(currency=name, **{side: one[side] for side in ("recorded", "books", "unrecorded")})
        for name, one in sorted(sums.items())
    ]


def _recorded(past: FileOrder) -> int | None:
    """What went back for all returns of an order; None: the record does not say it of each."""
    amounts = [one.refunded for one in past.returns if one.refunded is not None]
    return sum(amounts) if len(amounts) == len(past.returns) else None


def _differs(past: FileOrder, row: Any) -> ReturnDiffers | None:
    """None: record and books say the same."""
    pieces, refunded = (row.pieces, row.refunded) if row is not None else (0, 0)
    recorded = _recorded(past)
    if pieces == _pieces(past.returns) and recorded in (refunded, None):
        return None
    return ReturnDiffers(
        order_no=past.order.order_no,
        currency=past.order.total.currency,
        recorded_pieces=_pieces(past.returns),
        pieces=pieces,
        recorded=recorded,
        refunded=refunded,
    )


_RETURNED = """
select o.order_no, o.currency, count(*) filter (where l.pieces > 0) as came,
  count(*) filter (where l.pieces > 0 and r.state <> 'closed') as open,
  cast(coalesce(sum(l.pieces), 0) as bigint) as pieces, cast(coalesce(sum(m.refunded), 0) as bigint) as refunded
from return_case r join sales_order o on o.id = r.order_id
left join lateral (
  select sum(good + damaged) as pieces from return_line where return_no = r.return_no) l on true
left join lateral (
  select sum(amount) as refunded from refund f where f.order_id = r.order_id and f.refund_no = any(r.refund_nos)
    and f.state in ('asked', 'requested', 'by_hand', 'done', 'overtaken')) m on true
group by o.order_no, o.currency order by o.order_no
"""
_DELIVERED = """
select cast(coalesce(sum(l.shipped), 0) as bigint) as delivered
from order_line l join sales_order o on o.id = l.order_id where o.signed_at is not null
"""
