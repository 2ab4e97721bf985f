"""Providers' statements in the books: each line once, matched with our charges and refunds by number, open until it is.

An open item becomes matched by itself: whoever looks at a statement has its open lines matched again before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.clock import SHANGHAI
from ballast.db.engine import dumps, rows, run
from ballast.domain.money import Money
from ballast.domain.statements import LineKind, Verdict
from ballast.ports.statements import Statement, StatementLine

_ADD: Final = """
insert into statement (provider, account, file, digest, first_day, last_day, covers_charges, covers_refunds, refused,
  imported_by, imported_at)
values (:provider, :account, :file, :digest, :first_day, :last_day, :charges, :refunds, :refused, :by, :now)
on conflict (digest) do nothing returning id
"""
_ADD_LINES: Final = """
insert into statement_line (statement_id, line_no, kind, provider, transaction_id, refund_no, named_order, amount,
  currency, fee, at, said, raw, verdict, our_order)
select :id, line_no, kind, :provider, transaction_id, refund_no, named_order, amount, currency, fee, at, said, raw,
  case kind when 'fee' then 'noted' else 'unknown' end, ''
from jsonb_to_recordset(cast(:rows as jsonb)) as r(line_no int, kind text, transaction_id text, refund_no text,
  named_order text, amount bigint, currency text, fee bigint, at timestamptz, said text, raw jsonb)
"""
_MATCH: Final = """
with said as (
  select l.id, l.amount, l.currency,
    exists (
      select from statement_line e where e.provider = l.provider and e.kind = l.kind
        and lower(e.transaction_id) = lower(l.transaction_id) and e.refund_no = l.refund_no and e.id < l.id
        and (e.amount, e.currency) = (l.amount, l.currency)
        and (l.kind = 'charge' or l.refund_no <> '' or e.at = l.at)) as repeated,
    m.order_no, m.amount as ours, m.currency as our_currency, m.state
  from statement_line l
  left join lateral (
    select o.order_no, p.amount, p.currency, p.state from payment p join sales_order o on o.id = p.order_id
    where l.kind = 'charge' and p.provider = l.provider and lower(p.transaction_id) = lower(l.transaction_id)
    union all
    select o.order_no, f.amount, f.currency, f.state from refund f join sales_order o on o.id = f.order_id
    where l.kind = 'refund' and f.refund_no = l.refund_no and f.provider = l.provider
    union all
    select o.order_no, f.amount, f.currency, f.state
    from payment p join refund f on f.order_id = p.order_id and f.provider = p.provider
      and lower(f.transaction_id) = lower(p.transaction_id)
    join sales_order o on o.id = f.order_id
    where l.kind = 'refund' and l.refund_no = '' and p.provider = l.provider
      and lower(p.transaction_id) = lower(l.transaction_id) and f.amount = l.amount
    union all
    select a.order_no, a.amount, a.currency, a.state from archived_money a
    where a.kind = case l.kind when 'charge' then 'captured' else 'refunded' end and a.provider = l.provider
      and lower(a.transaction_id) = lower(l.transaction_id)
      and (l.kind = 'charge' or a.refund_no = l.refund_no or (l.refund_no = '' and a.amount = l.amount))
    limit 1) m on true
  where l.verdict in ('unknown', 'differs', 'not_done') and l.statement_id = any(cast(:ids as bigint[])))
update statement_line l set our_order = coalesce(s.order_no, ''), our_amount = s.ours,
  verdict = case
    when s.repeated then 'repeated'
    when s.order_no is null then 'unknown'
    when s.ours <> s.amount or s.our_currency <> s.currency then 'differs'
    when s.state in ('failed', 'overtaken') then 'not_done'
    else 'matched' end
from said s where l.id = s.id
"""
_MISSING: Final = """
select o.order_no, 'charge' as kind, p.transaction_id, '' as refund_no, p.amount, p.currency, p.paid_at as at
from payment p join sales_order o on o.id = p.order_id
where :charges and p.provider = :provider and p.paid_at >= :since and p.paid_at < :until
  and (:account = '' or p.merchant in ('', :account))
  and not exists (select from statement_line l where l.provider = p.provider and l.kind = 'charge'
    and lower(l.transaction_id) = lower(p.transaction_id))
union all
select o.order_no, 'refund', f.transaction_id, f.refund_no, f.amount, f.currency, f.requested_at
from refund f join sales_order o on o.id = f.order_id
where :refunds and f.provider = :provider and f.state in ('requested', 'done')
  and f.requested_at >= :since and f.requested_at < :until
  and not exists (select from statement_line l where l.provider = f.provider and l.kind = 'refund'
    and lower(l.transaction_id) = lower(f.transaction_id)
    and (l.refund_no = f.refund_no or (l.refund_no = '' and l.amount = f.amount)))
union all
select a.order_no, case a.kind when 'captured' then 'charge' else 'refund' end, a.transaction_id, a.refund_no,
  a.amount, a.currency, a.at
from archived_money a
where a.kind = 'captured' and :charges and a.provider = :provider and a.at >= :since and a.at < :until
  and not exists (select from statement_line l where l.provider = a.provider and l.kind = 'charge'
    and lower(l.transaction_id) = lower(a.transaction_id))
order by at, transaction_id, refund_no limit :most
"""
_LIST: Final = """
select s.*, n.* from statement s
left join lateral (
  select count(*) as lines, count(*) filter (where verdict = 'matched') as matched,
    count(*) filter (where verdict in ('unknown', 'differs', 'not_done')) as open,
    count(*) filter (where verdict = 'repeated') as repeated,
    coalesce(sum(l.amount) filter (where kind = 'charge'), 0) as charged,
    coalesce(sum(l.amount) filter (where kind = 'refund'), 0) as refunded,
    coalesce(sum(l.fee), 0) as fee, min(l.currency) as currency, count(distinct l.currency) as currencies
  from statement_line l where l.statement_id = s.id) n on true
where s.last_day >= :since and s.first_day <= :until and (:id = 0 or s.id = :id)
order by s.first_day desc, s.id desc limit :most
"""
_LINES: Final = """
select l.* from statement_line l
where l.statement_id = any(cast(:ids as bigint[])) and (not :open or l.verdict in ('unknown', 'differs', 'not_done'))
order by l.statement_id, l.line_no limit :most
"""
_STILL_OPEN: Final = """
select distinct statement_id from statement_line where verdict in ('unknown', 'differs', 'not_done')
"""


class UnknownStatement(Exception):
    """There is no such statement: `ballast finance statement list` shows those that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of an import. `known`: this very file was here before, nothing was written."""

    id: int
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHead:
    """One statement with the counts of its lines. `charged` and `refunded` in minor units, `fee` in thousandths."""

    id: int
    provider: str
    account: str
    file: str
    first_day: date
    last_day: date
    covers_charges: bool
    covers_refunds: bool
    imported_at: datetime
    imported_by: str
    lines: int
    refused: int
    matched: int
    open: int
    repeated: int
    charged: int
    refunded: int
    fee: int
    currency: str
    currencies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line with our word on it; or (`missing`) money of ours that the statement does not know, without a line."""

    statement_id: int
    line_no: int | None
    kind: LineKind
    transaction_id: str
    refund_no: str
    named_order: str
    amount: Money
    at: datetime
    said: str
    verdict: Verdict
    our_order: str
    our_amount: int | None


async def add_statement(
    tx: AsyncConnection, read: Statement, *, file: str, digest: str, days: tuple[date, date], refused: int, by: str,
    now: datetime,
) -> Kept:  # fmt: skip
    """Write a statement and match its lines. `digest`: of the file's bytes; the same file twice is one statement."""
    covers = read.covers
    found = await rows(
        tx, _ADD, provider=read.provider, account=read.account, file=file[:200], digest=digest, first_day=days[0],
        last_day=days[1], charges=LineKind.CHARGE in covers, refunds=LineKind.REFUND in covers, refused=refused, by=by,
        now=now,
    )  # fmt: skip
    if not found:
        [known] = await rows(tx, "select id from statement where digest = :digest", digest=digest)
        return Kept(id=known.id, known=True)
    lines = [_row(line) for line in read.lines]
    for begin in range(0, len(lines), 5000):
        await run(tx, _ADD_LINES, id=found[0].id, provider=read.provider, rows=dumps(lines[begin : begin + 5000]))
    await match(tx, [found[0].id])
    return Kept(id=found[0].id, known=False)


def _row(line: StatementLine) -> dict[str, Any]:
    return {
        "line_no": line.line_no, "kind": line.kind, "transaction_id": line.transaction_id,
        "refund_no": line.refund_no, "named_order": line.order_no, "amount": line.amount.amount,
        "currency": line.amount.currency, "fee": line.fee, "at": line.at, "said": line.said, "raw": dict(line.raw),
    }  # fmt: skip


async def match(tx: AsyncConnection, statement_ids: Sequence[int]) -> int:
    """Look for the open lines of these statements in our books once more; how many were looked for."""
    return await run(tx, _MATCH, ids=list(statement_ids)) if statement_ids else 0


async def match_all_open(tx: AsyncConnection) -> int:
    """The same for every statement that has an open line."""
    return await match(tx, [row.statement_id for row in await rows(tx, _STILL_OPEN)])


async def statements(
    tx: AsyncConnection, *, since: date, until: date, id: int = 0, most: int = 1000
) -> list[StatementHead]:
    """Those that touch these days, the newest first; `id`: only that one."""
    found = await rows(tx, _LIST, since=since, until=until, id=id, most=most)
    return [StatementHead(**{name: _plain(row, name) for name in StatementHead.__slots__}) for row in found]


def _plain(row: Any, name: str) -> Any:
    value = row._mapping[name]
    return int(value) if name in ("charged", "refunded", "fee") else (value or "") if name == "currency" else value


async def one_statement(tx: AsyncConnection, id: int) -> StatementHead:
    """Raises `UnknownStatement`."""
    found = await statements(tx, since=date.min, until=date.max, id=id)
    if not found:
        raise UnknownStatement(f"there is no statement {id}: see `ballast finance statement list`")
    return found[0]


async def items(tx: AsyncConnection, heads: Sequence[StatementHead], *, only_open: bool, most: int) -> list[Item]:
    """The lines of these statements in their order, then what each of them lacks; at most `most` of each."""
    found = await rows(tx, _LINES, ids=[head.id for head in heads], open=only_open, most=most)
    listed = [_item(row.statement_id, row._mapping) for row in found]
    for head in heads:
        listed += await _missing(tx, head, most)
    return listed


async def _missing(tx: AsyncConnection, head: StatementHead, most: int) -> list[Item]:
    found = await rows(
        tx, _MISSING, charges=head.covers_charges, refunds=head.covers_refunds, provider=head.provider,
        account=head.account, since=midnight(head.first_day), until=midnight(head.last_day + timedelta(days=1)),
        most=most,
    )  # fmt: skip
    more: dict[str, Any] = {"line_no": None, "named_order": "", "said": "", "verdict": "missing"}
    return [
        _item(head.id, {**row._mapping, **more, "our_order": row.order_no, "our_amount": row.amount}) for row in found
    ]


def _item(statement_id: int, row: Mapping[str, Any]) -> Item:
    return Item(
        statement_id=statement_id, line_no=row["line_no"], kind=LineKind(row["kind"]),
        transaction_id=row["transaction_id"], refund_no=row["refund_no"], named_order=row["named_order"],
        amount=Money(row["amount"], row["currency"]), at=row["at"], said=row["said"], verdict=Verdict(row["verdict"]),
        our_order=row["our_order"], our_amount=row["our_amount"],
    )  # fmt: skip


def midnight(day: date) -> datetime:
    """When a day begins in China."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
