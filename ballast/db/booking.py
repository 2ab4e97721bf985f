"""A charge that only the provider's statement knows, put into the books as if its notice had come."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases, moves, news
from ballast.db.case import Case
from ballast.db.engine import rows
from ballast.db.statements import UnknownStatement, match
from ballast.domain.life_cycle import TooEarly
from ballast.domain.money import Money
from ballast.domain.schedule import Waits
from ballast.domain.words import Event, System
from ballast.ports import Charge, News

_LINES: Final = """
select l.line_no, l.transaction_id, l.provider, l.amount, l.currency, l.at, l.named_order, o.id as order_id, s.account
from statement_line l join statement s on s.id = l.statement_id
left join sales_order o on o.order_no = l.named_order
where l.statement_id = :id and l.kind = 'charge' and l.verdict = 'unknown'
  and (cast(:lines as int[]) is null or l.line_no = any(cast(:lines as int[]))) order by l.named_order, l.line_no
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """A charge of a statement that names an order of ours, of which no notice came."""

    line_no: int
    provider: str
    transaction_id: str
    amount: Money
    order_no: str
    order_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What became of it: the case with the charge in it, and a sentence."""

    case: Case
    text: str


async def unheard(tx: AsyncConnection, statement_id: int) -> list[Unheard]:
    """Charges of this statement that our orders lack, by the number of the order that the provider names."""
    return [
        Unheard(
            line_no=row.line_no, provider=row.provider, transaction_id=row.transaction_id,
            amount=Money(row.amount, row.currency), order_no=row.named_order, order_id=row.order_id,
        )
        for row in await rows(tx, _LINES, id=statement_id, lines=None) if row.order_id is not None
    ]  # fmt: skip


async def book(
    tx: AsyncConnection, statement_id: int, lines: list[int], *, by: str, now: datetime, waits: Waits
) -> list[Booked]:
    """Book these lines, or (none named) every one that names an order in the books. A second charge goes back at once,
    as if its notice had come; a line twice is one charge.

    Raises `UnknownStatement` for a line that is no open charge, or names no order in the books.
    """
    found = await rows(tx, _LINES, id=statement_id, lines=lines or None)
    if absent := sorted(set(lines) - {row.line_no for row in found if row.order_id is not None}):
        raise UnknownStatement(
            f"statement {statement_id}, line {', '.join(map(str, absent))}: is no open charge of an order in the books"
            f"; see `ballast finance statement show {statement_id}`"
        )
    mine = [row for row in found if row.order_id is not None]
    loaded = {case.id: case for case in await cases.load(tx, now=now, waits=waits, ids={row.order_id for row in mine})}
    booked = []
    for row in mine:
        case, amount = loaded[row.order_id], Money(row.amount, row.currency)
        text = f"{amount} of charge {row.transaction_id}, by statement {statement_id} line {row.line_no}, {by} says"
        charge = Charge(
            transaction_id=row.transaction_id, amount=amount, merchant=row.account, paid_at=row.at,
            provider=row.provider,
        )  # fmt: skip
        told = News(
            system=System.PERSON, order_no=case.order_no, happened_at=row.at, field="statement", said="captured",
            event=Event.PAYMENT_CAPTURED, text=text, charge=charge,
        )  # fmt: skip
        try:
            news.apply(case, told)
        except TooEarly as early:
            raise UnknownStatement(f"{case.order_no}: {early}") from None
        booked.append(Booked(case=case, text=f"{case.order_no}: {text}; {_comes(case, row.transaction_id)}"))
    await moves.write(tx, [*loaded.values()])
    await match(tx, [statement_id])
    return booked


def _comes(case: Case, transaction: str) -> str:
    state = next(charge.state for charge in case.charges if charge.transaction_id == transaction)
    return "it is too much, and goes back" if state == "surplus" else "confirm-payment checks it against the order"
