"""What finance has to see: charges that were too much, and all money that went or goes back."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.money import Money
from ballast.domain.words import State

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)

_LIST = """
with touched as (
  (select order_id, provider, lower(transaction_id) as transaction from payment
   where state = 'surplus' and recorded_at >= :since order by recorded_at desc limit :most)
  union
  (select order_id, provider, lower(transaction_id) from refund
   where not :duplicates and requested_at >= :since order by requested_at desc limit :most))
select o.order_no, o.state as order_state, t.provider, coalesce(p.transaction_id, f.transaction_id) as transaction_id,
  p.amount as captured, coalesce(p.currency, f.currency) as currency, coalesce(p.state, 'unknown') as charge,
  coalesce(f.done, 0) as done, coalesce(f.under_way, 0) as under_way, coalesce(f.by_hand, 0) as by_hand,
  coalesce(f.failed, 0) as failed, coalesce(p.amount - p.refunding, 0) as rest, coalesce(f.why, '') as why,
  coalesce(f.numbers, '') as numbers, p.paid_at, f.asked_at, f.done_at
from touched t join sales_order o on o.id = t.order_id
left join payment p on p.order_id = t.order_id and p.provider = t.provider
  and lower(p.transaction_id) = t.transaction
left join lateral (
  select min(r.transaction_id) as transaction_id, min(r.currency) as currency,
    sum(r.amount) filter (where r.state = 'done') as done,
    sum(r.amount) filter (where r.state in ('asked', 'requested')) as under_way,
    sum(r.amount) filter (where r.state = 'by_hand') as by_hand,
    sum(r.amount) filter (where r.state = 'failed') as failed,
    string_agg(distinct r.why, '; ') as why, string_agg(r.refund_no, ', ' order by r.requested_at) as numbers,
    min(r.requested_at) as asked_at, max(r.done_at) as done_at, max(r.requested_at) as last_at
  from refund r where r.order_id = t.order_id and r.provider = t.provider
    and lower(r.transaction_id) = t.transaction) f on true
order by coalesce(f.last_at, p.recorded_at) desc, o.id, t.transaction limit :most
"""


@dataclass(frozen=True, slots=True)
class FinanceRow:
    """One charge and what goes back of it. Amounts in minor units of `currency`.

    charge: surplus (a second charge), counted, captured (not yet checked), unknown (a provider tells of a refund of a
    charge that is not in the books; then `captured` is None). under_way: asked for, no word yet whether it arrived.
    by_hand: a person has to do it. failed: never arrived. left: what of the charge is neither back nor on its way.
    """

    order_no: str
    order_state: State
    provider: str
    transaction_id: str
    charge: str
    captured: int | None
    currency: str
    done: int
    under_way: int
    by_hand: int
    failed: int
    left: int
    why: str
    refund_nos: str
    paid_at: datetime | None
    asked_at: datetime | None
    done_at: datetime | None

    def money(self, amount: int) -> Money:
        return Money(amount, self.currency)


async def finance_list(
    tx: AsyncConnection, *, since: datetime | None = None, duplicates: bool = False, most: int = 1000
) -> list[FinanceRow]:
    """Up to `most` charges, the newest first: second ones, and (without `duplicates`) all of which money goes back.

    `since`: only what was recorded or asked for from then on.
    """
    found = await rows(tx, _LIST, since=since or _ALWAYS, duplicates=duplicates, most=most)
    return [
        FinanceRow(
            r.order_no, State(r.order_state), r.provider, r.transaction_id, r.charge, r.captured, r.currency,
            int(r.done), int(r.under_way), int(r.by_hand), int(r.failed), r.rest, r.why, r.numbers,
            r.paid_at, r.asked_at, r.done_at,
        )
        for r in found
    ]  # fmt: skip
