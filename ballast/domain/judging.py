"""The verdict on one answer: the table of `domain/truth.py`, and what facts of the one order make of it."""

from collections.abc import Sequence
from typing import Final

from ballast.domain.truth import DRIFT, TABLE, Books, Finding, Place, Verdict, Witness, Word
from ballast.domain.words import Event, HoldReason


def is_concerned(witness: Witness, books: Books) -> bool:
    """Whether the witness has to do with the order at all. What a file reports was dealt with under other numbers."""
    left = books.place in _GONE
    match witness:
        case Witness.ERP:
            return "erp.outbound" in books.decided if left else "erp.reserve" in books.dealt
        case Witness.WMS:
            return "wms.create" in books.dealt
        case Witness.COURIER:
            return books.place in (Place.LOCKED, *_GONE[:3]) and bool(followed(books))
        case Witness.SHOP:
            return "shop.shipped" in books.decided if left else books.to_pay
        case Witness.PAYMENT:
            return bool(books.charges) or (books.to_pay and not books.charged_elsewhere)


_GONE: Final = (Place.LEFT, Place.MOVING, Place.ARRIVED, Place.FINISHED)


def followed(books: Books) -> tuple[str, ...]:
    """The parcels whose courier was to be asked for pushes."""
    return tuple(waybill for waybill in books.parcels if f"courier.subscribe:{waybill}" in books.decided)


def judge(witness: Witness, books: Books, words: Sequence[Word]) -> Finding:
    """The verdict on one answer. Pure, and defined for every state and every answer."""
    if witness is Witness.COURIER:
        return _judge_courier(books, words)
    if witness is Witness.PAYMENT and (refund := _judge_refunds(books, words)):
        return refund
    said = [word for word in words if not word.refund_no]
    places = [word.place for word in said if word.place is not None]
    if said and not places:
        return Finding(Verdict.NOT_ASKED)
    aside = Place.TROUBLE if Place.TROUBLE in places else None
    main = [place for place in places if place is not Place.TROUBLE]
    findings = [_judge_place(witness, books, said, place) for place in ([_farthest(main)] if main or not aside else [])]
    if aside:
        findings.append(_judge_place(witness, books, said, aside))
    return max(findings, key=lambda finding: _WORSE.index(finding.verdict))


_WORSE: Final = (Verdict.NOT_ASKED, Verdict.AGREES, Verdict.BEHIND, Verdict.AHEAD, Verdict.CONTRADICTS)


def _farthest(places: Sequence[Place]) -> Place:
    order = list(Place)
    return max(places, key=order.index, default=Place.NOTHING)


def _judge_place(witness: Witness, books: Books, said: Sequence[Word], theirs: Place) -> Finding:
    verdict = _but(witness, books, said, theirs) or TABLE.get((witness, theirs, books.place), Verdict.CONTRADICTS)
    if verdict is Verdict.AGREES and witness is Witness.SHOP and _lacks_waybills(books, said):
        verdict = Verdict.BEHIND
    lacks = _lacking(witness, books, theirs) if verdict is Verdict.BEHIND else ()
    return Finding(verdict, theirs, lacks)


def _but(witness: Witness, books: Books, said: Sequence[Word], theirs: Place) -> Verdict | None:
    """Facts of this order that the table does not have; None: it stands."""
    match witness, theirs:
        case ((Witness.ERP | Witness.WMS), (Place.OFF | Place.NOTHING)) if books.being_called_off:
            return Verdict.AGREES if books.place in (Place.PAID, Place.LOCKED) else None
        case _, Place.TROUBLE:
            return _trouble(books, said)
        case Witness.WMS, _:
            return _warehouse(books, said, theirs)
        case Witness.PAYMENT, _:
            return _money(books, said, theirs)
        case Witness.ERP, Place.OFF if books.held_for is HoldReason.ERP_REFUSED:
            return Verdict.AGREES  # that is what it is held for
        case Witness.SHOP, Place.OFF:
            return Verdict.AGREES if books.all_back or books.held_for is HoldReason.REFUNDED_ON_THE_WAY else None
        case Witness.SHOP, Place.LOCKED if books.place is Place.UNPAID:
            return Verdict.AGREES if books.charges or books.charged_elsewhere else None  # being checked here
        case Witness.SHOP, Place.LOCKED if books.place is Place.OFF:
            return Verdict.AGREES if books.going_back and not books.all_back else None
        case _:
            return None


def _trouble(books: Books, said: Sequence[Word]) -> Verdict | None:
    """Told before, or what the order is held for in other words: a shortage is an exception, too."""
    told = [word for word in said if word.event is Event.HELD]
    if all(word.known or word.reason is books.held_for for word in told):
        return Verdict.AGREES
    theirs = {word.reason for word in told}
    return Verdict.AGREES if books.held_for in _AT_THE_WAREHOUSE and theirs <= _AT_THE_WAREHOUSE else None


_AT_THE_WAREHOUSE: Final[frozenset[HoldReason | None]] = frozenset(
    {
        HoldReason.WAREHOUSE_EXCEPTION,
        HoldReason.WAREHOUSE_REFUSED,
        HoldReason.WAREHOUSE_SHORT,
        HoldReason.SHIPPED_SHORT,
    }
)


def _warehouse(books: Books, said: Sequence[Word], theirs: Place) -> Verdict | None:
    shipped = frozenset(waybill for word in said for waybill in word.parcels)
    if shipped - books.parcels.keys():
        return Verdict.AHEAD
    match theirs, books.place:
        case Place.NOTHING, Place.LOCKED if not books.handed_over:
            return Verdict.AGREES
        case Place.OFF, Place.LOCKED if books.held_for in _AT_THE_WAREHOUSE:
            return Verdict.AGREES
        case Place.LEFT, Place.LOCKED if books.held_for is HoldReason.SHIPPED_SHORT:
            return Verdict.AGREES
        case Place.LOCKED, (Place.LEFT | Place.MOVING | Place.ARRIVED | Place.FINISHED) if not books.all_shipped:
            return Verdict.AGREES  # a person accepted what left
        case _:
            return None


def _money(books: Books, said: Sequence[Word], theirs: Place) -> Verdict | None:
    if any(word.transaction and word.transaction not in books.charges for word in said):
        return Verdict.AHEAD
    went_back = theirs is Place.OFF and not any(word.event is Event.PAYMENT_ENDED for word in said)
    if went_back:
        explained = books.going_back or books.held_for is HoldReason.REFUNDED_ON_THE_WAY
        return Verdict.AGREES if explained else Verdict.CONTRADICTS
    match theirs, books.place:
        case Place.PAID, Place.UNPAID:
            return Verdict.AGREES  # captured here, too; the next step checks it against the order
        case Place.PAID, Place.OFF:
            return Verdict.AGREES if books.going_back else None
        case ((Place.NOTHING | Place.UNPAID | Place.OFF), _) if books.charges:
            return Verdict.AGREES if books.held_for is HoldReason.PAYMENT_MISMATCH else Verdict.CONTRADICTS
        case _:
            return None


def _judge_refunds(books: Books, words: Sequence[Word]) -> Finding | None:
    """The first refund that stands otherwise there than here; None when all stand alike."""
    theirs = {Event.REFUNDED: Place.OFF, Event.HELD: Place.TROUBLE}
    for word in words:
        ended_here = books.refunds.get(word.refund_no) in ("done", "failed")
        if word.refund_no and word.event in theirs and not ended_here:
            return Finding(Verdict.AHEAD, theirs[word.event])
    return None


def _judge_courier(books: Books, words: Sequence[Word]) -> Finding:
    """Parcel by parcel; the worst decides. What is shown is where the parcel is that is least far."""
    findings: list[Finding] = []
    for waybill in followed(books):
        told = [word for word in words if word.waybill == waybill]
        places = [word.place for word in told if word.place is not None]
        if told and not places:
            return Finding(Verdict.NOT_ASKED)
        findings.append(_judge_parcel(books, waybill, told, _farthest(places)))
    if not findings:
        return Finding(Verdict.NOT_ASKED)
    order = list(Place)
    worst = max(findings, key=lambda one: _WORSE.index(one.verdict))
    least = min((one.theirs or Place.NOTHING for one in findings), key=order.index)
    drifting = tuple(name for one in findings if one.verdict in DRIFT for name in one.waybills)
    lacks = tuple(notice for one in findings for notice in one.lacks)
    return Finding(worst.verdict, worst.theirs if worst.verdict in DRIFT else least, lacks, drifting)


def _judge_parcel(books: Books, waybill: str, told: Sequence[Word], theirs: Place) -> Finding:
    parcel, subscription = books.parcels[waybill], f"courier.subscribe:{waybill}"
    here = parcel.place if books.place in (Place.LOCKED, Place.LEFT, Place.MOVING) else books.place
    verdict = TABLE.get((Witness.COURIER, theirs, here), Verdict.CONTRADICTS)
    if theirs is Place.TROUBLE and any(w.known or w.reason in (parcel.trouble, books.held_for) for w in told):
        verdict = Verdict.AGREES
    if verdict is Verdict.AHEAD and told and all(word.known for word in told):
        verdict = Verdict.AGREES  # heard, and too small a thing to move the order
    if theirs is Place.MOVING and parcel.trouble and not any(word.known for word in told):
        verdict = Verdict.AHEAD  # it moves again
    if verdict is Verdict.AGREES and subscription in books.given_up:
        return Finding(Verdict.BEHIND, theirs, (subscription,), (waybill,))
    return Finding(verdict, theirs, (), (waybill,))


def _lacks_waybills(books: Books, said: Sequence[Word]) -> bool:
    shown = next((word.waybills for word in said if word.waybills is not None), None)
    return shown is not None and books.place in _GONE and not books.parcels.keys() <= shown


def _lacking(witness: Witness, books: Books, theirs: Place) -> tuple[str, ...]:
    """The notices that would tell it, of those that were decided; none when no notice can (a person has to look)."""
    wanted: tuple[str, ...] = ()
    if witness is Witness.ERP and books.place in _GONE:
        wanted = ("erp.receipt",) if theirs is Place.LEFT else ("erp.outbound", "erp.receipt")
    if witness is Witness.SHOP:
        wanted = ("shop.refunded",) if books.place is Place.OFF else ("shop.shipped",)
    return tuple(notice for notice in wanted if notice in books.decided)
