"""What a replay came to in money and in pieces: the file's own sums beside those of the books, to the last cent."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.files.past import FileOrder
from ballast.db.engine import rows
from ballast.domain.stock_check import Finding
from deployments.replay.acts import Act, Kind
from deployments.replay.playing import Played
from deployments.replay.returned import Returned, read_returned


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """All orders of one currency, minor units. `recorded`: what the file's payments say; the rest is of the books.

    captured = counted + surplus + unchecked = kept + refunded + to_refund: what went back, and what is to go back.
    """

    currency: str
    orders: int
    several_lines: int
    several_charges: int
    due: int
    recorded: int
    captured: int
    counted: int
    surplus: int
    unchecked: int
    refunded: int
    to_refund: int
    kept: int


@dataclass(frozen=True, slots=True)
class Differs:
    """An order of which the books have other money than its file, minor units."""

    order_no: str
    recorded: int
    captured: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """All pieces of what was ordered: granted + back = on_hand + left, where `back` are those on the shelf again.

    `findings`: what the detector of `check-stock` says.
    """

    granted: int
    ordered: int
    left: int
    back: int
    locked: int
    on_hand: int
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Money by currency, the orders whose money differs, the stock, and what came back."""

    money: Sequence[Money]
    differs: Sequence[Differs]
    pieces: Pieces
    returns: Returned


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the file says: its orders, and the acts that they became."""

    orders: Sequence[FileOrder]
    acts: Sequence[Act]


def recorded_charges(acts: Iterable[Act], played: Played) -> Counter[str]:
    """Order number -> what its record says was paid, of the payments that could be played."""
    never = {one.order_no for one in played.late if one.act is Kind.CHARGE and one.happened_at is None}
    sums: Counter[str] = Counter()
    for act in acts:
        if act.kind is Kind.CHARGE and act.order_no not in never:
            sums[act.order_no] += act.details["amount"]
    return sums


async def read_accounts(
    tx: AsyncConnection, told: Recorded, played: Played, granted: int, findings: Sequence[Finding]
) -> Accounts:
    """`granted`: pieces at the beginning; `findings`: of the stock check."""
    recorded = recorded_charges(told.acts, played)
    found = await rows(tx, _ORDERS)
    differs = [
        Differs(row.order_no, recorded.get(row.order_no, 0), row.captured)
        for row in found
        if recorded.get(row.order_no, 0) != row.captured
    ]
    currencies = sorted({row.currency for row in found})
    money = [_money(name, [row for row in found if row.currency == name], recorded) for name in currencies]
    returned = await read_returned(tx, told.orders, played)
    return Accounts(money, differs, await _pieces(tx, granted, findings), returned)


def _money(currency: str, found: Sequence[Any], recorded: Mapping[str, int]) -> Money:
    sums = {
        name: sum(getattr(row, name) for row in found)
        for name in ("due", "captured", "counted", "surplus", "unchecked", "refunded", "to_refund")
    }
    return Money(
        currency=currency,
        orders=len(found),
        several_lines=sum(row.lines > 1 for row in found),
        several_charges=sum(row.charges > 1 for row in found),
        recorded=sum(recorded.get(row.order_no, 0) for row in found),
        kept=sums["captured"] - sums["refunded"] - sums["to_refund"],
        **sums,
    )


async def read_on_hand(tx: AsyncConnection, skus: Collection[str]) -> int:
    """Pieces of these articles in all warehouses."""
    found = await rows(
        tx,
        "select coalesce(sum(on_hand), 0) as pieces from stock_level where sku = any(cast(:skus as text[]))",
        skus=list(skus),
    )
    return int(found[0].pieces)


async def _pieces(tx: AsyncConnection, granted: int, findings: Sequence[Finding]) -> Pieces:
    (row,) = await rows(
        tx,
        """
        select (select coalesce(sum(quantity), 0) from order_line) as ordered,
          (select coalesce(sum(shipped), 0) from order_line) as left,
          (select coalesce(sum(good), 0) from return_line) as back,
          coalesce(sum(locked), 0) as locked, coalesce(sum(on_hand), 0) as on_hand
        from stock_level where sku in (select sku from order_line)""",
    )
    said = tuple(f"{one.rule}: {one.sku} in {one.warehouse}: {one.found}, should be {one.expected}" for one in findings)
    return Pieces(granted=granted, findings=said, **{name: int(value) for name, value in row._mapping.items()})


_ORDERS = """
select o.order_no, o.currency, o.total as due,
  (select count(*) from order_line l where l.order_id = o.id) as lines, coalesce(p.charges, 0) as charges,
  coalesce(p.captured, 0) as captured, coalesce(p.counted, 0) as counted, coalesce(p.surplus, 0) as surplus,
  coalesce(p.unchecked, 0) as unchecked, coalesce(r.refunded, 0) as refunded, coalesce(r.to_refund, 0) as to_refund
from sales_order o
left join (
  select order_id, count(*) as charges, cast(sum(amount) as bigint) as captured,
    cast(sum(amount) filter (where state = 'counted') as bigint) as counted,
    cast(sum(amount) filter (where state = 'surplus') as bigint) as surplus,
    cast(sum(amount) filter (where state = 'captured') as bigint) as unchecked
  from payment group by order_id) p on p.order_id = o.id
left join (
  select order_id, cast(sum(amount) filter (where state = 'done') as bigint) as refunded,
    cast(sum(amount) filter (where state in ('asked', 'requested', 'by_hand')) as bigint) as to_refund
  from refund group by order_id) r on r.order_id = o.id
order by o.order_no
"""
