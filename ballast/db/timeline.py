"""All that is known of one order, without the receiver's personal data: for the order page and `ballast order show`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.archive import unpack
from ballast.db.archived_timeline import parts_of
from ballast.db.engine import rows
from ballast.domain.returns import ReturnKind, ReturnReason, ReturnState
from ballast.domain.words import HoldReason, State

At = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]
CONCEALED = "＊＊＊"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The order itself. Money in minor units."""

    order_no: str
    channel: str
    customer_no: str
    state: State
    held_from: State | None
    hold_reason: HoldReason | None
    due_step: str | None
    due_at: At | None
    attempts: int
    progress: str
    warehouse: str
    currency: str
    total: int
    freight: int
    discount: int
    placed_at: At
    paid_at: At | None
    locked_at: At | None
    outbound_at: At | None
    picked_up_at: At | None
    signed_at: At | None
    closed_at: At | None

    @property
    def place(self) -> State:
        """Where the order is on its way, whether held or not."""
        return self.held_from or self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSeen:
    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price: int
    amount: int
    shipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelSeen:
    """`said` is the courier's last code, `said_text` its words."""

    carrier: str
    waybill: str
    items: dict[str, int]
    shipped_at: At
    picked_up_at: At | None
    signed_at: At | None
    said: str
    said_text: str
    said_at: At | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySeen:
    """What one warehouse ships of the order, by line number. None of these: whole, from `Head.warehouse`."""

    code: str
    warehouse: str
    items: dict[str, int]
    shipped: dict[str, int]
    waybills: tuple[str, ...]
    state: str
    why: str
    promised_at: At | None
    made_at: At
    ended_at: At | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLineSeen:
    """Pieces of a line that come back; `amount`: asked back for them, None: not yet."""

    line_no: int
    sku: str
    quantity: int
    good: int
    damaged: int
    amount: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnSeen:
    """A return or an exchange of the order. Without lines: of everything, which is counted once it is agreed to."""

    return_no: str
    kind: ReturnKind
    state: ReturnState
    reason: ReturnReason
    why: str
    asked_by: str
    asked_at: At
    waybill: str | None
    exchange: dict[str, int]
    exchange_order_no: str | None
    answered_by: str | None
    answered_at: At | None
    rule: str
    note: str
    freight: bool
    refund_nos: tuple[str, ...]
    lines: tuple[ReturnLineSeen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSeen:
    reason: str
    evidence: str
    held_from: State
    held_at: At
    acknowledged_by: str | None
    acknowledged_at: At | None
    released_by: str | None
    released_at: At | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSeen:
    provider: str
    transaction_id: str
    method: str
    amount: int
    currency: str
    state: str
    paid_at: At


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSeen:
    refund_no: str
    provider: str
    transaction_id: str
    amount: int
    currency: str
    why: str
    state: str
    requested_at: At
    done_at: At | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidSeen:
    """What a system last said in one of its fields."""

    system: str
    part: str
    said: str
    event: str
    text: str
    happened_at: At


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSeen:
    """One row of the history, in the order in which things happened. `cause` tells repeats apart."""

    cause: str
    event: str
    from_state: State
    to_state: State
    moved: bool
    actor: str
    happened_at: At
    recorded_at: At
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSeen:
    """An outside effect. `reference` is the other system's own number for it."""

    key: str
    kind: str
    state: str
    attempts: int
    reference: str
    error: str
    begun_at: At
    done_at: At | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSeen:
    """A message on its way out. Without `due_at` it was given up, `note` says why."""

    key: str
    kind: str
    attempts: int
    due_at: At | None
    created_at: At
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterSeen:
    """A message from outside that was not applied yet. state: waiting, parked."""

    source: str
    state: str
    received_at: At
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One order, whole, as of one moment."""

    order: Head
    lines: tuple[LineSeen, ...]
    parcels: tuple[ParcelSeen, ...]
    holds: tuple[HoldSeen, ...]
    payments: tuple[PaymentSeen, ...]
    refunds: tuple[RefundSeen, ...]
    said: tuple[SaidSeen, ...]
    events: tuple[EventSeen, ...]
    effects: tuple[EffectSeen, ...]
    pending: tuple[PendingSeen, ...]
    letters: tuple[LetterSeen, ...]
    deliveries: tuple[DeliverySeen, ...] = ()
    returns: tuple[ReturnSeen, ...] = ()
    instead_of: str | None = None  # the return for whose goods this order is
    merged_into: str | None = None  # the order that carries its lines and money
    carries: tuple[str, ...] = ()  # the orders whose lines and money it carries
    archived_at: At | None = None  # since when it is in the archive

    @property
    def hold(self) -> HoldSeen | None:
        """The open hold."""
        return next((hold for hold in self.holds if hold.released_at is None), None)

    def as_dict(self) -> dict[str, Any]:
        """Ready for any JSON writer; times are ISO 8601 in UTC."""
        return dict(_TIMELINE.dump_python(self, mode="json"))


_TIMELINE = TypeAdapter(Timeline)
"""Builds the dataclasses from the row's JSON, times and words included."""


async def timeline(tx: AsyncConnection, order_no: str) -> Timeline | None:
    """One statement, so that everything is of the same moment; None when there is no such order.

    One that is not in the books may be in the archive.
    """
    found = await rows(tx, _SELECT, order_no=order_no) or await rows(tx, _ARCHIVED, order_no=order_no)
    if not found:
        return None
    parts = dict(found[0]._mapping)
    if packed := parts.pop("document", None):
        parts |= parts_of(unpack(packed))
    conceal = _concealer(parts.pop("personal"))
    for name, fields in FREE_TEXT.items():
        for row in parts[name]:
            row.update({field: conceal(row[field]) for field in fields})
    return _TIMELINE.validate_python(parts)


_ARCHIVED = "select document, archived_at from archived_order where order_no = :order_no"

FREE_TEXT = {
    "parcels": ("said_text",),
    "deliveries": ("why",),
    "returns": ("why", "note"),
    "holds": ("evidence", "note"),
    "said": ("text",),
    "events": ("text",),
    "effects": ("error",),
    "pending": ("note",),
    "letters": ("note",),
}
"""Where other systems' words stand: they may quote the receiver."""


def _concealer(personal: dict[str, str | None]) -> Callable[[str], str]:
    """Replaces the receiver's name, mobile and address wherever a text quotes them."""
    mobile = re.sub(r"\D", "", personal.pop("mobile", None) or "")[-11:]  # without the country's code
    patterns = [r"[ -]?".join(mobile)] if len(mobile) > 4 else []
    words = sorted({word.strip() for word in personal.values() if word}, key=len, reverse=True)
    patterns += [_pattern(word) for word in words if len(word) > 1]
    if not patterns:
        return str
    quoted = re.compile("|".join(patterns))
    return lambda text: quoted.sub(CONCEALED, text)


def _pattern(word: str) -> str:
    """Latin names only as whole words: `Li` is not a part of `delivery`."""
    return rf"(?<!\w){re.escape(word)}(?!\w)" if word.isascii() else re.escape(word)


_SELECT = """
select
  to_jsonb(o) - 'receiver' - 'openid' as "order",
  jsonb_build_object('name', o.receiver ->> 'name', 'mobile', o.receiver ->> 'mobile',
    'address', o.receiver ->> 'address', 'openid', o.openid) as personal,
  (select coalesce(jsonb_agg(to_jsonb(l) order by l.line_no), '[]') from order_line l where l.order_id = o.id) as lines,
  (select coalesce(jsonb_agg(to_jsonb(p) || jsonb_build_object('said_text', coalesce((
       select s.text from external_status s
       where s.order_id = o.id and right(s.part, length(p.waybill) + 1) = ' ' || p.waybill
       order by s.happened_at desc limit 1), '')) order by p.shipped_at, p.waybill), '[]')
     from parcel p where p.order_id = o.id) as parcels,
  (select coalesce(jsonb_agg(to_jsonb(d) order by d.number), '[]') from delivery d where d.order_id = o.id)
    as deliveries,
  (select coalesce(jsonb_agg(to_jsonb(c) || jsonb_build_object('lines', coalesce((
       select jsonb_agg(to_jsonb(l) order by l.line_no) from return_line l where l.return_no = c.return_no), '[]'))
     order by c.id), '[]') from return_case c where c.order_id = o.id) as returns,
  (select c.return_no from return_case c where c.exchange_order_no = o.order_no) as instead_of,
  (select m.leader from order_merge m where m.order_id = o.id) as merged_into,
  (select coalesce(jsonb_agg(f.order_no order by f.id), '[]') from order_merge m join sales_order f on f.id = m.order_id
     where m.leader = o.order_no) as carries,
  (select coalesce(jsonb_agg(to_jsonb(h) order by h.id), '[]') from hold h where h.order_id = o.id) as holds,
  (select coalesce(jsonb_agg(to_jsonb(y) order by y.paid_at, y.id), '[]')
     from payment y where y.order_id = o.id) as payments,
  (select coalesce(jsonb_agg(to_jsonb(r) order by r.requested_at, r.refund_no), '[]')
     from refund r where r.order_id = o.id) as refunds,
  (select coalesce(jsonb_agg(to_jsonb(s) order by s.system, s.part), '[]')
     from external_status s where s.order_id = o.id) as said,
  (select coalesce(jsonb_agg(to_jsonb(e) order by e.happened_at, e.id), '[]')
     from order_event e where e.order_id = o.id) as events,
  (select coalesce(jsonb_agg(to_jsonb(f) || jsonb_build_object('reference', coalesce(f.receipt ->> 'reference', ''))
       order by f.begun_at, f.key), '[]') from effect f where f.order_id = o.id) as effects,
  (select coalesce(jsonb_agg(to_jsonb(m) order by m.id), '[]')
     from outbox m where m.order_id = o.id and m.done_at is null) as pending,
  (select coalesce(jsonb_agg(to_jsonb(i) - 'payload' order by i.id), '[]') from (  -- each half has its own index
     select * from inbox where order_no = o.order_no and state = 'waiting'
     union all select * from inbox where order_no = o.order_no and state = 'parked') i) as letters
from sales_order o where o.order_no = :order_no
"""
