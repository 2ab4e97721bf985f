"""Merging open orders of one customer and address: the leader carries lines and money of its followers, which close.

    ask -> at once, or: asked of each -> every warehouse lets go of each -> `join`; one that does not: refused for all

Afterwards a follower is told of in the shop by the leader's parcels, and what is said of its money is the leader's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import editing
from ballast.db.case import Case
from ballast.db.case_parts import LineCase
from ballast.db.deliveries import next_need, take_back
from ballast.db.edits import Asked, Follower, read_lines
from ballast.db.engine import dumps, rows, run
from ballast.db.stock import end_locks
from ballast.domain.deliveries import Need
from ballast.domain.editing import ADDRESS, Change, NotChanged, Refusal
from ballast.domain.merging import Places, merged_bill
from ballast.domain.money import Money
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import News, Order, Parcel

FEWEST: Final = 2
MOST: Final = 20
"""Orders that become one at a time."""


@dataclass(frozen=True, slots=True)
class Merged:
    """One follower that was just taken in, and where its lines are now."""

    leader: Case
    follower: Case
    places: Places
    by: str


# -- asking --------------------------------------------------------------------------------------------------------


def ask(cases: Sequence[Case], change: Change, *, by: str) -> tuple[str, list[Merged]]:
    """Ask that the orders of `change.merge`, locked, become one: what comes of it in a sentence, and what has to be
    stored (`store`) before the cases are written. Raises `NotChanged`, and nothing was touched.
    """
    leader, *followers = members(cases, change)
    if all(case.edits.asked is not None and case.edits.asked.change == change for case in cases):
        return "asked for already: their warehouses have to let go first", []
    for case in (leader, *followers):
        _check(case, leader)
    if followers_of := [case.order_no for case in followers if case.edits.followers]:
        what = f"{followers_of[0]} carries another order already: name it first, and merge the others into it"
        raise NotChanged(Refusal.MERGED, what)
    if leader.place is State.PENDING_PAYMENT:
        for case in (leader, *followers):
            case.edits.asked = Asked(change, by, case.now, fresh=True)
        return join(cases, change)
    asked = [editing.recall(case, change, by) for case in (leader, *followers)]
    return asked[0], []


def members(cases: Sequence[Case], change: Change) -> list[Case]:
    """The cases in the order of the wish, the leader first."""
    known = {case.order_no: case for case in cases}
    return [known[number] for number in change.merge]


def _check(case: Case, leader: Case) -> None:
    """Raises `NotChanged` with what of this order is in the way."""
    no = case.order_no
    editing.may_change(case, "it is not merged any more")
    if case.milestones["paid_at"] is None or any(charge.state == "captured" for charge in case.charges):
        raise NotChanged(Refusal.NOT_THERE, f"{no} is not paid, or its payment is not checked yet")
    if _lacks_stock(case) is not _lacks_stock(leader):
        one, other = (no, leader.order_no) if _lacks_stock(case) else (leader.order_no, no)
        raise NotChanged(Refusal.NOT_THERE, f"{one} waits for stock, and would hold up {other}, which does not")
    if case.place is State.PENDING_PAYMENT and case.standing.reason not in (None, HoldReason.STOCK_SHORT):
        raise NotChanged(Refusal.HELD, f"{no} is on hold ({case.standing.reason}): release it first")
    if case.place is State.PENDING_PAYMENT and "erp.reserve" in case.begun and case is not leader:
        raise NotChanged(Refusal.UNDER_WAY, f"{no} is in the ERP and its stock is not locked: wait until it is")
    if _money_moves(case):
        raise NotChanged(Refusal.STOPPED, f"money of {no} is going back: wait until it has, `ballast finance list`")
    if not case.head["total"]:
        raise NotChanged(Refusal.NOT_ALIKE, f"{no} costs nothing: it goes by itself")
    for what, mine, theirs in zip(_ALIKE, _likeness(case), _likeness(leader), strict=True):
        if mine != theirs or not mine:
            raise NotChanged(Refusal.NOT_ALIKE, f"{no} and {leader.order_no} are not of one {what}")


def _money_moves(case: Case) -> bool:
    """Whether a refund of it is under way, or waits for a person: its message names the order that asked for it."""
    return any(refund.state not in ("done", "overtaken") for refund in case.refunds.values())


def _lacks_stock(case: Case) -> bool:
    return case.place is State.PENDING_PAYMENT


_ALIKE: Final = ("customer", "address", "channel", "currency")


def _likeness(case: Case) -> tuple[object, ...]:
    head, receiver = case.head, case.head["receiver"]
    where = tuple("".join(str(receiver.get(part, "")).split()) for part in ADDRESS)
    return head["customer_no"] or head["openid"], where, head["channel"], head["currency"]


# -- joining -------------------------------------------------------------------------------------------------------


def is_ready(case: Case) -> bool:
    """Whether no warehouse has anything of it, and none of its money moves."""
    return case.standing.state is State.STOCK_LOCKED and next_need(case) is Need.CHANGE and not _money_moves(case)


def join(cases: Sequence[Case], change: Change) -> tuple[str, list[Merged]]:
    """Nobody outside but the ERP has anything of them: the leader takes lines and money, the others close."""
    leader, *followers = members(cases, change)
    asked = leader.edits.asked
    assert asked is not None
    bill, places = merged_bill([editing.bill_of(case) for case in (leader, *followers)])
    made = [Merged(leader, case, own, asked.by) for case, own in zip(followers, places[1:], strict=True)]
    names = ", ".join(f"{case.order_no} ({_worth(case)})" for case in followers)
    text = f"carries {names} from now on, total {Money(bill.total, leader.head['currency'])}"
    for one in made:
        _close(one)
    if leader.place is State.STOCK_LOCKED:
        take_back(leader, f"merged, {asked.by}")
    leader.head = {**leader.head, "total": bill.total, "freight": bill.freight, "discount": bill.discount}
    shipped = {line.line.line_no: line.shipped for line in leader.lines}
    leader.lines = [LineCase(line, shipped.get(line.line_no, 0)) for line in bill.lines]
    leader.charges += [charge for case in followers for charge in case.charges]
    leader.edits.followers += tuple(map(_follower, made))
    leader.edits.bill_changed = leader.edits.done = True
    editing.end(leader, "done", text)
    leader.take(Event.NOTED, cause=f"merge:v{leader.version}", actor=f"person:{asked.by}", text=text)
    if leader.standing.reason is HoldReason.STOCK_SHORT:
        note = f"merged by {asked.by}"
        leader.take(Event.RELEASED, cause=f"merge:released:v{leader.version}", actor="ballast", text=note, note=note)
    leader.reschedule()
    return text, made


def _close(one: Merged) -> None:
    case, number = one.follower, one.leader.order_no
    text = f"merged into {number}, which carries its lines and its money"
    if case.place is State.STOCK_LOCKED:
        take_back(case, f"merged into {number}")
    editing.end(case, "done", text)
    case.edits.leader = number
    if "erp.reserve" in case.begun:
        case.send("erp.void")
    case.take(Event.MERGED, cause=f"merged:{number}", actor=f"person:{one.by}", text=text)


def _follower(one: Merged) -> Follower:
    return Follower(
        order_no=one.follower.order_no, lines=_lines(one), transaction_id=_paid_by(one.follower),
        in_erp="erp.reserve" in one.follower.begun,
    )  # fmt: skip


def _lines(one: Merged) -> dict[int, tuple[int, int]]:
    return {line.line.line_no: (one.places[line.line.line_no], line.line.quantity) for line in one.follower.lines}


def _paid_by(case: Case) -> str | None:
    return next((charge.transaction_id for charge in case.charges if charge.state == "counted"), None)


def _worth(case: Case) -> str:
    return str(Money(case.head["total"], case.head["currency"]))


async def store(tx: AsyncConnection, made: Sequence[Merged], now: datetime) -> None:
    """Before the cases are written: locks, charges and refunds are the leader's, and who was merged is on record.

    No piece is free for a moment: the locks change their order, and end nowhere.
    """
    if not made:
        return
    values = [
        {
            "order_id": one.follower.id, "leader_id": one.leader.id, "leader": one.leader.order_no,
            "lines": {str(number): list(place) for number, place in _lines(one).items()},
            "transaction_id": _paid_by(one.follower), "merged_by": one.by, "merged_at": now,
        }
        for one in made
    ]  # fmt: skip
    for statement in (_RECORD, _MOVE_LOCKS, _MOVE_CHARGES, _MOVE_REFUNDS):
        await run(tx, statement, rows=dumps(values))
    unlocked = {one.leader.id for one in made if one.leader.place is State.PENDING_PAYMENT}
    if unlocked:  # what an earlier attempt left, of the lines as they were
        await end_locks(tx, sorted(unlocked), now)


_PAIRS: Final = (
    "jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, leader_id bigint, merged_at timestamptz)"
)
_RECORD: Final = """
insert into order_merge (order_id, leader, lines, transaction_id, merged_by, merged_at)
select order_id, leader, lines, transaction_id, merged_by, merged_at
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, leader text, lines jsonb, transaction_id text,
  merged_by text, merged_at timestamptz)
"""
_MOVE_LOCKS: Final = f"""
with given as (
  update stock_lock k set state = 'released', ended_at = r.merged_at from {_PAIRS}
  where k.order_id = r.order_id and k.state = 'held'
  returning r.leader_id, k.sku, k.warehouse, k.quantity, r.merged_at),
sums as (
  select leader_id, sku, warehouse, sum(quantity) as quantity, max(merged_at) as at from given group by 1, 2, 3)
insert into stock_lock as k (order_id, sku, warehouse, quantity, state, locked_at)
select leader_id, sku, warehouse, quantity, 'held', at from sums
on conflict (order_id, sku, warehouse) do update set state = 'held', ended_at = null, locked_at = excluded.locked_at,
  quantity = excluded.quantity + case when k.state = 'held' then k.quantity else 0 end
"""  # noqa: S608  # made of constants of this file
_MOVE_CHARGES: Final = f"update payment p set order_id = r.leader_id from {_PAIRS} where p.order_id = r.order_id"  # noqa: S608
_MOVE_REFUNDS: Final = f"update refund f set order_id = r.leader_id from {_PAIRS} where f.order_id = r.order_id"  # noqa: S608


# -- afterwards ----------------------------------------------------------------------------------------------------


def as_shop_knows_it(case: Case, number: str) -> Order:
    """The order under the number that the shop knows: itself, or one that it carries, with the parcels that have its
    goods. A warehouse that does not say what is in a parcel: every parcel may.
    """
    whole = case.order()
    one = next((follower for follower in case.edits.followers if follower.order_no == number), None)
    if one is None:
        return whole
    ours = {line.line_no: line for line in whole.lines}
    lines = tuple(
        replace(ours[place], line_no=line_no, quantity=pieces)
        for line_no, (place, pieces) in one.lines.items()
        if place in ours
    )
    parcels = tuple(found for parcel in whole.parcels if (found := _with(parcel, {line.sku for line in lines})))
    return replace(
        whole, order_no=number, lines=lines, parcels=parcels or whole.parcels, transaction_id=one.transaction_id
    )


def _with(parcel: Parcel, skus: Collection[str]) -> Parcel | None:
    items = {sku: pieces for sku, pieces in parcel.items.items() if sku in skus}
    return replace(parcel, items=items) if items or not parcel.items else None


@dataclass(frozen=True, slots=True)
class Led:
    """Who carries an order, and where its lines are: its line number -> (the leader's, pieces)."""

    leader: str
    lines: Mapping[int, tuple[int, int]]

    def wanted(self, lines: Sequence[tuple[int, int]] | None) -> tuple[tuple[int, int], ...] | None:
        """(line, pieces) as the leader has them; all of the order where None is given. None: it has no such line."""
        asked = list(lines) if lines is not None else [(line_no, pieces) for line_no, (_, pieces) in self.lines.items()]
        if any(line_no not in self.lines for line_no, _ in asked):
            return None
        return tuple((self.lines[line_no][0], pieces) for line_no, pieces in asked)


async def leaders_of(tx: AsyncConnection, order_nos: Collection[str]) -> dict[str, Led]:
    """Order number -> who carries it, of those that were merged."""
    found = await rows(
        tx,
        """
        select o.order_no, m.leader, m.lines from order_merge m join sales_order o on o.id = m.order_id
        where o.order_no = any(cast(:nos as text[]))""",
        nos=sorted(order_nos),
    )
    return {row.order_no: Led(row.leader, read_lines(row.lines)) for row in found}


async def leaders_by_id(tx: AsyncConnection, order_ids: Collection[int]) -> list[str]:
    """Numbers of the orders that carry these."""
    found = await rows(
        tx, "select distinct leader from order_merge where order_id = any(cast(:ids as bigint[]))", ids=list(order_ids)
    )
    return [row.leader for row in found]


def is_the_leaders(news: News) -> bool:
    """Whether it would be the leader's if its order was merged: money, and goods that are to come back."""
    return news.charge is not None or news.refund is not None or news.return_asked is not None


def redirected(news: News, led: Mapping[str, Led]) -> News:
    """The same news of the order that carries its lines and its money."""
    one = led.get(news.order_no)
    if one is None or not is_the_leaders(news):
        return news
    if news.return_asked is None:
        return replace(news, order_no=one.leader)
    lines = one.wanted(news.return_asked.lines)
    if lines is None:
        return news  # refused with the figures of the order that was named
    return replace(news, order_no=one.leader, return_asked=replace(news.return_asked, lines=lines))


# -- which could be merged -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alike:
    """Open orders of one customer and address, the oldest first."""

    customer: str
    channel: str
    order_nos: tuple[str, ...]


async def mergeable(tx: AsyncConnection, *, most: int = 200) -> list[Alike]:
    """Paid orders that have not left and could be one parcel; whether they can be merged, `ask` finds."""
    found = await rows(tx, _MERGEABLE, most=most)
    return [Alike(row.customer, row.channel, tuple(row.numbers)) for row in found]


_MERGEABLE: Final = """
select customer, channel, array_agg(order_no order by placed_at, order_no) as numbers
from (select o.order_no, o.placed_at, o.channel, o.currency, o.receiver, coalesce(o.held_from, o.state) as place,
        coalesce(nullif(o.customer_no, ''), o.openid) as customer
      from sales_order o
      where o.state in ('PENDING_PAYMENT', 'STOCK_LOCKED', 'OUTBOUND', 'IN_TRANSIT', 'ON_HOLD')
        and coalesce(o.held_from, o.state) in ('PENDING_PAYMENT', 'STOCK_LOCKED')
        and o.paid_at is not null and o.total > 0
        and coalesce(o.hold_reason, '') not in ('CANCEL_ASKED', 'REFUNDED_ON_THE_WAY')
        and not exists (select from parcel p where p.order_id = o.id)) open
where customer <> '' group by customer, channel, currency, receiver, place having count(*) > 1
order by min(placed_at), customer limit :most
"""


def change_of(order_nos: Sequence[str]) -> Change:
    """The wish that these become one. Raises `NotChanged`: too few, too many, one that is named twice."""
    numbers = tuple(number.strip() for number in order_nos if number.strip())
    if len(set(numbers)) != len(numbers) or not FEWEST <= len(numbers) <= MOST:
        raise NotChanged(Refusal.NOTHING, f"name {FEWEST} to {MOST} orders, each once, the one that carries them first")
    return Change(merge=numbers)
