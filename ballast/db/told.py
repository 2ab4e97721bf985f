"""What our books say of orders as far as other systems should know it, and their answers in the same words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import money_news, news
from ballast.db.case import Case
from ballast.db.case_parts import ParcelCase
from ballast.db.effects import BEFORE_IMPORT
from ballast.db.engine import rows
from ballast.domain.payments import all_went_back, transaction_key
from ballast.domain.truth import Books, ParcelBooks, Place, Witness, Word, place_of
from ballast.domain.words import State, Step
from ballast.ports import News

OF_NOTICE: Final = {
    "erp": Witness.ERP,
    "shop": Witness.SHOP,
    "courier": Witness.COURIER,
    "parcel": Witness.COURIER,
    "payment": Witness.PAYMENT,
}
"""The first part of a notice's kind -> who gets it."""

AT_WORK: Final[Mapping[Step, frozenset[Witness]]] = {
    Step.CONFIRM_PAYMENT: frozenset({Witness.PAYMENT}),
    Step.LOCK_STOCK: frozenset({Witness.ERP}),
    Step.SHIP_OUT: frozenset({Witness.WMS}),
    Step.TRACK_TRANSIT: frozenset({Witness.COURIER}),
    Step.SIGN_OFF: frozenset(),
    Step.CALL_OFF: frozenset({Witness.ERP, Witness.WMS, Witness.PAYMENT}),
}
"""Whom a step speaks with while it holds an order."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message of the outbox. Neither sent nor due: it was given up."""

    kind: str
    part: str  # a waybill, a refund
    sent: bool
    due: bool

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.part}" if self.kind == "courier.subscribe" else self.kind


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went, goes and comes between us and the others about one order."""

    dealt: frozenset[str] = frozenset()  # kinds of effects that were begun here
    notices: tuple[Notice, ...] = ()
    unread: frozenset[str] = frozenset()  # systems whose messages wait to be read


_TRAFFIC = """
with unread as (
  select order_no, source from inbox where state = 'new' and order_no = any(cast(:nos as text[]))
  union select order_no, source from inbox where state = 'waiting' and order_no = any(cast(:nos as text[])))
select o.id, o.order_no,
  (select array_agg(e.kind) from effect e where e.order_id = o.id
     and not (e.state = 'done' and coalesce(e.receipt ->> 'reference', '') = :elsewhere)) as dealt,
  (select jsonb_agg(jsonb_build_array(m.kind, m.key, m.done_at is not null, m.due_at is not null)) from outbox m
     where m.order_id = o.id) as notices,
  (select array_agg(u.source) from unread u where u.order_no = o.order_no) as unread
from sales_order o where o.order_no = any(cast(:nos as text[]))
"""


async def read_traffic(tx: AsyncConnection, order_nos: Sequence[str]) -> dict[int, Traffic]:
    """Order id -> what goes between us and the others about it, in one statement."""
    found = await rows(tx, _TRAFFIC, nos=list(order_nos), elsewhere=BEFORE_IMPORT)
    return {
        row.id: Traffic(
            frozenset(row.dealt or ()),
            tuple(
                Notice(kind, key.removeprefix(f"{kind}:{row.order_no}").removeprefix(":"), sent, due)
                for kind, key, sent, due in row.notices or ()
            ),
            frozenset(row.unread or ()),
        )
        for row in found
    }


def books_of(case: Case, traffic: Traffic, systems: Mapping[str, Witness]) -> Books:
    """What our books say of a case. `systems`: whose messages are whose, such as {"qimen": WMS}."""
    provider = next((name for name, witness in systems.items() if witness is Witness.PAYMENT), "")
    ours = [charge for charge in case.charges if charge.provider == provider]
    return Books(
        state=case.standing.state,
        place=place_of(
            case.standing.state,
            case.standing.held_from,
            paid=case.milestones["paid_at"] is not None,
            left=case.milestones["outbound_at"] is not None or case.milestones["signed_at"] is not None,
        ),
        held_for=case.standing.reason,
        all_shipped=case.all_shipped,
        parcels={waybill: _parcel(case, parcel) for waybill, parcel in case.parcels.items()},
        dealt=traffic.dealt,
        handed_over=case.with_warehouse,
        decided=frozenset(notice.name for notice in traffic.notices),
        given_up=frozenset(notice.name for notice in traffic.notices if not (notice.sent or notice.due)),
        to_pay=bool(case.head["total"]),
        charges=frozenset(charge.key[1] for charge in ours),
        charged_elsewhere=len(ours) < len(case.charges),
        refunds={number: refund.state for number, refund in case.refunds.items()},
        all_back=all_went_back(money_news.paying(case)),
        under_way=frozenset(_under_way(case, traffic, systems)),
    )


def _parcel(case: Case, parcel: ParcelCase) -> ParcelBooks:
    moving = parcel.picked_up_at is not None or (parcel.said_at is not None and case.place is State.IN_TRANSIT)
    place = Place.ARRIVED if parcel.signed_at else Place.MOVING if moving else Place.LEFT
    return ParcelBooks(place, parcel.trouble.reason if parcel.trouble else None)


def _under_way(case: Case, traffic: Traffic, systems: Mapping[str, Witness]) -> Iterable[Witness]:
    for notice in traffic.notices:
        if notice.due:
            yield OF_NOTICE[notice.kind.split(".")[0]]
    yield from (systems[name] for name in traffic.unread if name in systems)
    if is_leased(case):
        assert case.due is not None
        yield from AT_WORK[case.due[0]]


def is_leased(case: Case) -> bool:
    """Whether a step holds the order at this moment."""
    return case.lease_owner is not None and case.due is not None and case.due[1] > case.now


def word_of(case: Case, one: News, known: set[tuple[int, str]]) -> Word:
    """What was said, in the words that are compared. `known`: (order id, cause) of what the history has."""
    charge = one.charge
    provider = (charge.provider or one.system) if charge else ""
    return Word(
        event=one.event,
        state=one.state,
        reason=one.reason,
        said=f"{one.field} {one.said}",
        known=(case.id, news.cause_of(one)) in known or news.says_the_same(case, one),
        waybill=one.waybill or "",
        parcels=frozenset(parcel.waybill for parcel in one.parcels),
        waybills=one.waybills,
        transaction=transaction_key(provider, charge.transaction_id)[1] if charge else "",
        refund_no=one.refund.refund_no if one.refund else "",
    )


async def still_moving(tx: AsyncConnection, order_ids: Sequence[int], now: datetime) -> bool:
    """Whether a message to or from others, or a step, has still to do with one of these orders."""
    found = await rows(
        tx,
        """
        select exists (select from outbox where order_id = any(cast(:ids as bigint[])) and due_at is not null)
          or exists (select from sales_order where id = any(cast(:ids as bigint[]))
            and (lease_owner is not null or due_at <= :now))
          or exists (select from inbox i where i.state = 'new'
            and i.order_no in (select order_no from sales_order where id = any(cast(:ids as bigint[])))) as moving""",
        ids=list(order_ids),
        now=now,
    )
    return bool(found[0].moving)
