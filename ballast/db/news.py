"""What news does to a case: the system's word is remembered, facts merge, the life cycle decides about the state."""

from collections import defaultdict
from datetime import datetime

from ballast.db import cancelling, deliveries, money_news, returning
from ballast.db.case import Case
from ballast.db.case_parts import ParcelCase, Trouble
from ballast.db.edit_requests import take_edit
from ballast.db.heard import cause_of as cause_of
from ballast.db.heard import evidence_of, record, take
from ballast.domain.life_cycle import EARLY, ENDS_WITH, HELD_BECAUSE, TooEarly, outweighs
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import GoodsBack, News, Parcel, ReturnAsked

AGES = frozenset(
    {
        Event.WAREHOUSE_PROGRESS,
        Event.WAREHOUSE_CANCELLED,
        Event.SCANNED,
        Event.HELD,
        Event.NOTED,
        Event.PAYMENT_ENDED,
    }
)
"""News that is worth nothing once the same system has said something newer. Facts (charges, refunds, parcels) never
age."""

ON_ITS_WAY = frozenset({State.OUTBOUND, State.IN_TRANSIT})


def apply(case: Case, news: News) -> bool:
    """Let one piece of news act on a case. Raises `TooEarly` when it overtook its predecessor: nothing was changed.

    Returns False for news that is late, older than what is known, or repeated: kept in the history, moves nothing.
    """
    if (case.place, news.event) in EARLY or _before_its_parcel(case, news) or _before_the_warehouse(case, news):
        raise TooEarly(f"{news.system} says {news.said} of {case.order_no}, which is only {case.place}")
    if _before_its_answer(case, news):
        raise TooEarly(f"{news.system} says {news.said} of {case.order_no}, whose return nobody agreed to yet")
    if news.goods_back is not None:  # of a return, which has a life of its own: it says nothing of the order
        return _goods_back(case, news, news.goods_back)
    if news.return_asked is not None:
        return _return_asked(case, news, news.return_asked)
    if news.edit_asked is not None:
        return take_edit(case, news, news.edit_asked)
    older = _is_older(case, news)
    case.remember(news)
    if (why := deliveries.beside_the_point(case, news)) is not None:
        return record(case, news, why)
    _first_scan(case, news)
    if news.refund is not None:
        return money_news.take_refund(case, news, news.refund)
    if older:
        return record(case, news, "older than what is known")
    if news.charge is not None:
        return money_news.take_charge(case, news)
    if news.event in (Event.CANCEL_ASKED, Event.CANCELLED):  # nobody outside can close an order for all the others
        return _cancel(case, news)
    if news.parcels or news.event in (Event.SHIPPED, Event.PARTLY_SHIPPED):
        return _shipped(case, news)
    if news.waybill is not None:
        return _courier(case, news, news.waybill)
    if deliveries.goes_elsewhere(case, news):
        return record(case, news, "to be stopped there, and sourced from elsewhere")
    if news.event is Event.WAREHOUSE_PROGRESS and not news.delivery:  # of the first: another one says nothing of it
        case.progress, case.touched = news.said, True
    return take(case, news, news.event)


def _before_its_parcel(case: Case, news: News) -> bool:
    """A scan of a parcel that the warehouse may still tell us of; of what is at rest nothing more is told."""
    if news.waybill is None or news.waybill in case.parcels:
        return False
    return case.place in (State.PENDING_PAYMENT, State.STOCK_LOCKED) or (case.place in ON_ITS_WAY and not case.parcels)


def _before_the_warehouse(case: Case, news: News) -> bool:
    """Its trouble with an order that is not locked here yet: the confirm that ends such a hold has to wait, too."""
    return case.place is State.PENDING_PAYMENT and _ends_with_the_confirm(news)


def _ends_with_the_confirm(news: News) -> bool:
    return news.event is Event.HELD and news.reason is not None and Event.SHIPPED in ENDS_WITH.get(news.reason, ())


def says_the_same(case: Case, news: News) -> bool:
    """Whether an answer only repeats what its system last said. Facts (charges, parcels) are merged all the same."""
    known = case.last_said.get((news.system, news.part))
    return news.event in AGES and known is not None and known[0] == news.said


def _is_older(case: Case, news: News) -> bool:
    key = (news.system, news.part)
    known = [case.last_said[key][1]] if key in case.last_said else []
    if heard := case.said.get(key):
        known.append(heard["happened_at"])
    if (parcel := case.parcels.get(news.waybill or "")) and parcel.said_at is not None:
        known.append(parcel.said_at)  # couriers say one thing in this field and the next in that
    if case.place in ON_ITS_WAY and _ends_with_the_confirm(news):  # a warehouse has a field for each kind of trouble
        known += [parcel.shipped_at for parcel in case.parcels.values()]
    return news.event in AGES and any(news.happened_at < at for at in known)


def _cancel(case: Case, news: News) -> bool:
    before = case.standing
    why, evidence = news.text or news.said, f"{news.system} {news.said}"
    cancelling.ask(case, cause=cause_of(news), actor=news.system, why=why, evidence=evidence, at=news.happened_at)
    return case.standing != before


def _before_its_answer(case: Case, news: News) -> bool:
    """The customer sent the goods before anybody agreed: they wait for that."""
    back = news.goods_back
    return back is not None and any(one.number == back.return_no and one.waits for one in case.known_returns)


def _goods_back(case: Case, news: News, back: GoodsBack) -> bool:
    """What came acts on its return when the case is stored."""
    if not any(one.number == back.return_no for one in case.known_returns):
        case.puzzles.append(f"the warehouse tells of goods for {back.return_no}, which is no return of this order")
        return record(case, news, "no return of this order has this number")
    case.goods_back.append(back)
    if not back.so_far:  # what it says when it is asked is in the history as far as it is new: see the return
        case.touched = True
        record(case, news, "see the return")
    return True


def _return_asked(case: Case, news: News, asked: ReturnAsked) -> bool:
    """A refusal is told with its figures: here, and to people, who answer the customer."""
    wanted = returning.Wanted(
        lines=asked.lines, reason=asked.reason, by=news.system, why=asked.why, customer_no=asked.customer_no,
        exchange=asked.exchange,
    )  # fmt: skip
    try:
        returning.ask(case, wanted, cause=cause_of(news), at=news.happened_at)
    except returning.ReturnRefused as no:
        case.puzzles.append(f"a return was asked for and refused: {no}")
        return record(case, news, f"refused: {no}")
    return True


def _shipped(case: Case, news: News) -> bool:
    """Waybills merge; the state follows from the quantities that left, not from the word `shipped`."""
    fresh = [parcel for parcel in news.parcels if _merge(case, parcel, news.happened_at)]
    text = "parcels " + ", ".join(f"{p.carrier} {p.waybill}" for p in news.parcels)
    if case.deliveries:
        if (again := deliveries.count_shipment(case, news)) is not None:
            return case.take(
                Event.HELD,
                cause=cause_of(news),
                actor=news.system,
                happened_at=news.happened_at,
                text=f"{text}: {again}",
                reason=HoldReason.SHIPPED_TWICE,
                evidence=again,
            )
    else:
        _count_pieces(case, everything=news.final and not any(parcel.items for parcel in case.parcels.values()))
    if case.all_shipped and not deliveries.is_open(case):
        left_at = max((parcel.shipped_at for parcel in case.parcels.values()), default=news.happened_at)
        return take(case, news, Event.SHIPPED, text=text, at=left_at)
    if news.final and news.event is Event.SHIPPED:
        missing = {
            line.line.sku: line.line.quantity - line.shipped for line in case.lines if line.shipped < line.line.quantity
        }
        if not deliveries.rest_follows(case, news):
            return take(case, news, Event.HELD, reason=HoldReason.SHIPPED_SHORT, text=f"not shipped: {missing}")
    moved = take(case, news, Event.PARTLY_SHIPPED, text=text)
    return moved or bool(fresh)


def _merge(case: Case, parcel: Parcel, at: datetime) -> bool:
    known = case.parcels.get(parcel.waybill)
    if known is None:
        case.parcels[parcel.waybill] = ParcelCase(
            parcel.carrier, parcel.waybill, dict(parcel.items), shipped_at=at, changed=True, fresh=True
        )
        case.send("courier.subscribe", parcel.waybill)
        return True
    merged = {sku: max(known.items.get(sku, 0), parcel.items.get(sku, 0)) for sku in {*known.items, *parcel.items}}
    known.changed = known.changed or merged != known.items
    known.items = merged
    return False


def _count_pieces(case: Case, *, everything: bool) -> None:
    """Hand the pieces in all parcels to the lines, in line order; a warehouse that lists none shipped everything."""
    left: defaultdict[str, int] = defaultdict(int)
    for parcel in case.parcels.values():
        for sku, pieces in parcel.items.items():
            left[sku] += pieces
    for line in case.lines:
        pieces = line.line.quantity if everything else min(line.line.quantity, left[line.line.sku])
        left[line.line.sku] -= pieces
        line.changed = line.changed or pieces != line.shipped
        line.shipped = pieces


def _first_scan(case: Case, news: News) -> None:
    """A fact: the earliest one told stands, however late it is told."""
    parcel, at = case.parcels.get(news.waybill or ""), news.first_scan_at
    if parcel is None or at is None:
        return
    parcel.picked_up_at = min(parcel.picked_up_at or at, at)
    case.milestones["picked_up_at"] = min(case.milestones["picked_up_at"] or at, at)
    parcel.changed = case.touched = True


def _courier(case: Case, news: News, waybill: str) -> bool:
    parcel = case.parcels.get(waybill)
    if parcel is None:
        return record(case, news, "no parcel of this order has this waybill")
    if parcel.said_at is None or news.happened_at >= parcel.said_at:
        parcel.said, parcel.said_at = news.said, news.happened_at
    parcel.changed = True
    if news.event is Event.PARCEL_SIGNED:
        parcel.signed_at = parcel.signed_at or news.happened_at
    _trouble(case, parcel, news)
    return take(case, news, news.event)


def _trouble(case: Case, parcel: ParcelCase, news: News) -> None:
    """What is wrong with this parcel stays with it until something better is told of it, and of no other."""
    known = parcel.trouble
    if known is not None and case.overrode(known.reason, known.evidence):
        known = None
    if known is not None and news.event in ENDS_WITH.get(known.reason, frozenset()):
        parcel.trouble = None
    if news.event is Event.HELD:
        told = Trouble(news.reason or HELD_BECAUSE[Event.HELD], evidence_of(news))
        parcel.trouble = known if known is not None and outweighs(known.reason, told.reason) else told
        returning.parcel_comes_back(case, parcel, news.reason, why=news.text or news.said, by=news.system)
