"""The deliveries of a case: what its warehouses were given, in memory, and their rows.

A case without deliveries is one delivery, of its own number from its own warehouse; it is written down when it gets
company.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.case import Case
from ballast.db.engine import dumps, run
from ballast.domain.deliveries import (
    AT_WAREHOUSE,
    GIVEN_UP,
    OVER,
    STOPPING,
    DeliveryOrder,
    DeliveryState,
    Need,
    Pieces,
    by_line,
    code_of,
    left_of,
    need,
    unplaced,
)
from ballast.domain.life_cycle import HELD_BECAUSE
from ballast.domain.money import Money
from ballast.domain.sourcing import Ask, Part
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import News, Order

_UPSERT = """
insert into delivery (order_id, number, code, warehouse, items, shipped, waybills, state, why, promised_at, made_at,
  ended_at)
select order_id, number, code, warehouse, items, shipped, waybills, state, why, promised_at, made_at, ended_at
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, number int, code text, warehouse text, items jsonb,
  shipped jsonb, waybills jsonb, state text, why text, promised_at timestamptz, made_at timestamptz,
  ended_at timestamptz)
on conflict (order_id, number) do update set warehouse = excluded.warehouse, items = excluded.items,
  shipped = excluded.shipped, waybills = excluded.waybills, state = excluded.state, why = excluded.why,
  promised_at = excluded.promised_at, ended_at = excluded.ended_at
"""


async def write_deliveries(tx: AsyncConnection, cases: Iterable[Case]) -> None:
    """Store what changed; no statement when nothing did."""
    values = [_row(case.id, case.deliveries[code]) for case in cases for code in sorted(case.changed_deliveries)]
    if values:
        await run(tx, _UPSERT, rows=dumps(values))


def _row(order_id: int, one: DeliveryOrder) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "number": one.number,
        "code": one.code,
        "warehouse": one.warehouse,
        "items": _written(one.items),
        "shipped": _written(one.shipped),
        "waybills": list(one.waybills),
        "state": one.state,
        "why": one.why,
        "promised_at": one.promised_at,
        "made_at": one.made_at,
        "ended_at": one.ended_at,
    }


def _written(pieces: Pieces) -> dict[str, int]:
    return {str(line_no): count for line_no, count in pieces.items()}


def _read(pieces: Mapping[str, int]) -> dict[int, int]:
    return {int(line_no): count for line_no, count in pieces.items()}


def take_up(case: Case, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put stored deliveries into their case."""
    for row in rows:
        case.deliveries[row["code"]] = DeliveryOrder(
            number=row["number"],
            code=row["code"],
            warehouse=row["warehouse"],
            items=_read(row["items"]),
            shipped=_read(row["shipped"]),
            waybills=tuple(row["waybills"]),
            state=DeliveryState(row["state"]),
            why=row["why"],
            promised_at=datetime.fromisoformat(row["promised_at"]) if row["promised_at"] else None,
            made_at=datetime.fromisoformat(row["made_at"]),
            ended_at=datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None,
        )
    case.with_warehouse = next_need(case) is Need.ASK


# -- looking -------------------------------------------------------------------------------------------------------


def wanted(case: Case) -> dict[int, int]:
    """Line number -> pieces that were ordered."""
    return {line.line.line_no: line.line.quantity for line in case.lines}


def deliveries_of(case: Case) -> list[DeliveryOrder]:
    """All deliveries of an order, in their order; the one of its own number where none was written down."""
    if case.deliveries:
        return sorted(case.deliveries.values(), key=lambda one: one.number)
    state = DeliveryState.WITH_WAREHOUSE if case.with_warehouse else DeliveryState.PLANNED
    shipped = {line.line.line_no: line.shipped for line in case.lines if line.shipped}
    return [
        DeliveryOrder(
            number=1, code=case.order_no, warehouse=case.warehouse, items=wanted(case), shipped=shipped,
            waybills=tuple(case.parcels), state=state, made_at=case.milestones["locked_at"] or case.now,
        )
    ]  # fmt: skip


def next_need(case: Case) -> Need:
    """What a step has to do next for an order that is locked. One that is to be changed goes to no warehouse before."""
    found = need(deliveries_of(case), wanted(case))
    return Need.CHANGE if case.edits.asked is not None and found is not Need.STOP else found


def first(case: Case, *states: DeliveryState) -> DeliveryOrder | None:
    """The delivery with the lowest number that is so far."""
    return next((one for one in deliveries_of(case) if one.state in states), None)


def never_spoken_of(case: Case) -> list[DeliveryOrder]:
    """What was handed over and of which the warehouse has said nothing since. Any progress counts for the first one."""
    silent = []
    for one in deliveries_of(case):
        named = any(part.endswith(f" {one.code}") for _, part in case.last_said)
        spoken = named if one.number > 1 else bool(case.progress)
        if one.state is DeliveryState.WITH_WAREHOUSE and not spoken and not one.waybills:
            silent.append(one)
    return silent


def to_stop(case: Case) -> list[DeliveryOrder]:
    """What a warehouse has, or may have been given: it must not ship once the order is called off."""
    return [one for one in deliveries_of(case) if one.state in AT_WAREHOUSE or one.state is DeliveryState.PLANNED]


def codes_asked_about(case: Case) -> list[str]:
    """What the warehouses are asked about: what may still leave; once all of it has, what left."""
    if not case.deliveries:
        return [case.order_no]
    left = [one.code for one in deliveries_of(case) if one.state is DeliveryState.LEFT]
    return [one.code for one in to_stop(case)] or left


def is_open(case: Case) -> bool:
    """Whether a delivery of it may still ship."""
    return any(one.state not in OVER for one in case.deliveries.values())


def more_to_come(case: Case) -> bool:
    """Whether anything of the order may still leave: by a delivery, or because it is sourced again."""
    return is_open(case) or bool(unplaced(case.deliveries.values(), wanted(case)))


def ask_of(case: Case) -> Ask:
    """What the sourcing rows may know of an order. A warehouse that ended a delivery of it gets no other one."""
    head = case.head
    ended = {DeliveryState.ENDED, DeliveryState.REFUSED, DeliveryState.SHORT}
    refused = {one.warehouse for one in case.deliveries.values() if one.state in ended}
    return Ask(head["channel"], head.get("tier") or "", head["receiver"].get("province", ""), frozenset(refused))


def pieces_by_sku(case: Case, pieces: Pieces) -> list[tuple[str, int]]:
    """(SKU, pieces) of each line."""
    skus = {line.line.line_no: line.line.sku for line in case.lines}
    return [(skus[line_no], count) for line_no, count in sorted(pieces.items())]


def request_of(case: Case, delivery: DeliveryOrder) -> Order:
    """The order as the warehouse of one delivery gets it. Amounts of a part are the part's share of its lines."""
    whole = case.order()
    if not case.deliveries:
        return whole
    lines = tuple(
        replace(line, quantity=count, amount=line.amount * count // line.quantity)
        for line in whole.lines
        if (count := delivery.items.get(line.line_no, 0))
    )
    order = replace(whole, warehouse=delivery.warehouse, lines=lines, delivery=delivery.code, sources=(), parcels=())
    if lines == whole.lines:
        return order
    nothing, goods = Money(0, whole.total.currency), sum(line.amount for line in lines)
    return replace(order, total=Money(goods, whole.total.currency), freight=nothing, discount=nothing)


# -- changing ------------------------------------------------------------------------------------------------------


def put(case: Case, *changed: DeliveryOrder) -> None:
    """Take new or changed deliveries into a case; what has none yet gets the one of its own number first."""
    if not case.deliveries:
        for one in deliveries_of(case):
            case.deliveries[one.code] = one
            case.changed_deliveries.add(one.code)
    for one in changed:
        case.deliveries[one.code] = one
        case.changed_deliveries.add(one.code)
    case.touched = True
    case.with_warehouse = next_need(case) is Need.ASK


def add(
    case: Case,
    parts: Sequence[Part],
    pieces: Pieces,
    state: DeliveryState,
    why: str,
    *,
    promised_at: datetime | None = None,
) -> list[DeliveryOrder]:
    """New deliveries of these pieces, one for each part; what no part has is backordered until `promised_at`."""
    skus = {line.line.line_no: line.line.sku for line in case.lines}
    items = by_line(parts, [(line_no, skus[line_no], count) for line_no, count in sorted(pieces.items())])
    made = [(part.warehouse, some, state) for part, some in zip(parts, items, strict=True)]
    rest = {
        line_no: left for line_no, count in pieces.items() if (left := count - sum(i.get(line_no, 0) for i in items))
    }
    if rest:
        made.append(("", rest, DeliveryState.BACKORDERED))
    number = max((one.number for one in case.deliveries.values()), default=0)
    fresh = [
        DeliveryOrder(
            number=number + at, code=code_of(case.order_no, number + at), warehouse=warehouse, items=some, state=how,
            made_at=case.now, why=why, promised_at=promised_at if how is DeliveryState.BACKORDERED else None,
        )
        for at, (warehouse, some, how) in enumerate(made, 1)
    ]  # fmt: skip
    for one in fresh:
        case.deliveries[one.code] = one
    put(case, *fresh)
    return fresh


def end(case: Case, code: str, state: DeliveryState, why: str) -> None:
    """A delivery is over, or to be stopped."""
    known = {one.code: one for one in deliveries_of(case)}
    put(case, known[code].end(state, why, case.now))


def take_back(case: Case, why: str) -> None:
    """The order is changed: what no warehouse has is taken back, and all of it is sourced anew."""
    for one in deliveries_of(case):
        if one.state not in OVER | AT_WAREHOUSE:
            end(case, one.code, DeliveryState.TAKEN_BACK, why)


def call_off(case: Case, codes: Collection[str] | None = None) -> None:
    """Nothing more comes of the deliveries with these codes, or of all that are not over."""
    for one in list(case.deliveries.values()):
        if one.state not in OVER and (codes is None or one.code in codes):
            end(case, one.code, DeliveryState.CANCELLED, "called off")


def count_left(case: Case, code: str, waybills: Iterable[str], *, final: bool) -> DeliveryOrder:
    """What left with one delivery, by its parcels; it is over when all of it did. The lines follow."""
    before = case.deliveries[code]
    named = tuple(dict.fromkeys((*before.waybills, *waybills)))
    parcels = [case.parcels[waybill].items for waybill in named]
    skus = {line.line.line_no: line.line.sku for line in case.lines}
    now = replace(
        before,
        shipped=left_of(_still_ordered(before.items, skus), skus, parcels, everything=final and not any(parcels)),
        waybills=named,
    )
    if now.all_left:
        now = now.end(DeliveryState.LEFT, before.why, case.now)
    put(case, now)
    for line in case.lines:
        left = sum(one.shipped.get(line.line.line_no, 0) for one in case.deliveries.values())
        pieces = min(line.line.quantity, left)
        line.changed = line.changed or pieces != line.shipped
        line.shipped = pieces
    return now


def _still_ordered(items: Pieces, lines: Collection[int]) -> Pieces:
    """Without the lines that a change removed: who ships them all the same ships what nobody ordered."""
    return {line_no: count for line_no, count in items.items() if line_no in lines}


# -- what warehouses say -------------------------------------------------------------------------------------------


def reroutes(case: Case) -> bool:
    """Whether the sourcing rows want another warehouse asked when one does not ship."""
    skus = [line.line.sku for line in case.lines]
    return case.waits.sourcing.strategy(ask_of(case), skus).reroute


def beside_the_point(case: Case, news: News) -> str | None:
    """Why a warehouse's word moves nothing: of a delivery that is over, or is being stopped already, or is none.

    That pieces left is a fact, whatever was said before.
    """
    if not case.deliveries or not (news.delivery or _of_warehouse(news)):
        return None
    one = case.deliveries.get(news.delivery or case.order_no)
    if one is None:
        return "no delivery of this order has this code"
    left = news.parcels or news.event in (Event.SHIPPED, Event.PARTLY_SHIPPED)
    return f"{one.code} is {one.state} already" if one.state in OVER | STOPPING and not left else None


def _of_warehouse(news: News) -> bool:
    return news.event in (Event.WAREHOUSE_PROGRESS, Event.WAREHOUSE_CANCELLED) or news.reason in _WAREHOUSE_TROUBLE


def goes_elsewhere(case: Case, news: News) -> bool:
    """A warehouse refuses a delivery, or lacks pieces of it: it is to be stopped there, where the rows want that."""
    state = _ENDING.get(news.reason or HELD_BECAUSE.get(news.event, HoldReason.BY_HAND))
    code = news.delivery or case.order_no
    if state is None or case.place is not State.STOCK_LOCKED or not reroutes(case):
        return False
    end(case, code, state, f"{news.said} {news.text}".rstrip())
    case.reschedule()
    return True


def count_shipment(case: Case, news: News) -> str | None:
    """What a confirm says of its delivery; in words, when pieces left that another delivery is to ship, too."""
    code = news.delivery or case.order_no
    before = case.deliveries[code]
    count_left(case, code, (parcel.waybill for parcel in news.parcels), final=news.final)
    bound = Counter[int]()
    for one in case.deliveries.values():
        bound.update(one.binds)
    if before.state not in GIVEN_UP or all(bound[no] <= count for no, count in wanted(case).items()):
        return None
    others = [one for one in case.deliveries.values() if one.code != code and one.state not in GIVEN_UP]
    also = ", ".join(f"{one.code} at {one.warehouse} ({one.state})" for one in others)
    return f"{code} left {before.warehouse} after it was given up ({before.why}); the same pieces are in {also}"


def rest_follows(case: Case, news: News) -> bool:
    """A confirm was the last one of its delivery and some of the order has not left: whether anything more comes.

    Its own rest is sourced from elsewhere where the rows want that; else the delivery is closed short.
    """
    code, again = news.delivery or case.order_no, reroutes(case)
    if not case.deliveries and not again:
        return False
    known = {one.code: one for one in deliveries_of(case)}
    if known[code].state not in OVER:
        state = DeliveryState.ENDED if again else DeliveryState.CANCELLED
        end(case, code, state, f"{news.said}, and not all of it left")
        case.reschedule()
    return more_to_come(case)


_ENDING: Mapping[HoldReason, DeliveryState] = {
    HoldReason.WAREHOUSE_REFUSED: DeliveryState.REFUSED,
    HoldReason.WAREHOUSE_SHORT: DeliveryState.SHORT,
}
_WAREHOUSE_TROUBLE = frozenset({*_ENDING, HoldReason.WAREHOUSE_EXCEPTION})
