"""What is done about a difference between our books and another system: through the doors that everything goes through.

Missed news acts as if it had come by webhook; a missed notice is sent again by the outbox, where it is looked for
first; what nobody can mend holds the order while its goods are still here, or rings once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import moves, news
from ballast.db.alerts import end_alerts
from ballast.db.case import Case
from ballast.db.outbox import send_again
from ballast.db.reconciling import open_keys
from ballast.domain.life_cycle import NoSuchMove
from ballast.domain.truth import STATE_OF, Books, Finding, Place, Verdict, Witness
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import News
from tasks.courier import unsigned
from tasks.listening import act
from tasks.wms import hand_over_again

UNDER_WAY: Final = "under way"
HERE: Final = frozenset({Place.PAID, Place.LOCKED})
"""The goods are still with us: a hold can keep them."""


@dataclass(slots=True)
class Look:
    """One system's word on one order, beside our books. `mended` is filled in as something is done about it."""

    case: Case
    witness: Witness
    books: Books
    answer: Sequence[News]
    finding: Finding
    mended: str = ""

    @property
    def said(self) -> str:
        """Their own words, for people."""
        words = [f"{one.field} {one.said} {one.waybill or ''}".rstrip() for one in self.answer]
        return ", ".join(words) or "knows nothing of it"

    @property
    def theirs(self) -> str:
        """Their word as a standard state; empty when it says none."""
        return STATE_OF[self.finding.theirs] if self.finding.theirs is not None else ""

    @property
    def alert_keys(self) -> str:
        """What the keys of all alerts about this order and system begin with."""
        return f"drift:{self.case.order_no}:{self.witness}:"

    @property
    def alert_key(self) -> str:
        """Stable: the same difference rings once, however many runs see it."""
        return f"{self.alert_keys}{self.finding.verdict}:{self.books.place}/{self.finding.theirs or 'nothing'}"


async def mend(tx: AsyncConnection, looks: Sequence[Look], run: str) -> None:
    """Do what can be done about these differences, on locked cases; nothing is written to the orders' rows here.

    What is under way is left alone: its own road ends before ours would.
    """
    open_ = [look for look in looks if not _is_under_way(look)]
    known = await _known(tx, open_)
    for look in sorted((one for one in open_ if one.finding.verdict is Verdict.AHEAD), key=_by_source):
        _hear(look, known)
    await _tell_again(tx, [look for look in open_ if look.finding.verdict is Verdict.BEHIND], run)
    for look in open_:
        if look.finding.verdict is Verdict.CONTRADICTS and (reason := _hold_reason(look, looks)):
            _hold(look, reason, run)


def _is_under_way(look: Look) -> bool:
    if look.finding.verdict in (Verdict.AHEAD, Verdict.BEHIND) and look.witness in look.books.under_way:
        look.mended = UNDER_WAY
    return look.mended == UNDER_WAY


_SOURCES: Final = (Witness.PAYMENT, Witness.WMS, Witness.COURIER, Witness.SHOP, Witness.ERP)
"""In the order of the way: what one says may be too early before the other is heard."""


def _by_source(look: Look) -> int:
    return _SOURCES.index(look.witness)


async def _known(tx: AsyncConnection, looks: Sequence[Look]) -> set[tuple[int, str]]:
    pairs = [(look.case.id, news.cause_of(one)) for look in looks for one in look.answer]
    return await moves.known_causes(tx, moves.by_order(pairs))


def _hear(look: Look, known: set[tuple[int, str]]) -> None:
    """Let all that the system said act. A courier whose push was missed is subscribed once more."""
    case, before, facts = look.case, len(look.case.events), _facts(look.case)
    told = sorted(look.answer, key=lambda one: one.happened_at)
    moved = [_act(case, one) for one in told if (case.id, news.cause_of(one)) not in known]
    if len(case.events) == before:
        return
    look.mended = "news applied" if any(moved) or _facts(case) != facts else "news noted"
    case.follow_again(set(unsigned(case)) & set(look.finding.waybills))


def _act(case: Case, one: News) -> bool:
    """A code may be mapped to what no order can take here: it does nothing, and the difference rings in the end."""
    try:
        return act(case, one)
    except NoSuchMove:
        return False


def _facts(case: Case) -> tuple[int, int, int]:
    """Charges, refunds and parcels are kept even where the order stays where it is."""
    return len(case.payments), len(case.refunds_told), sum(parcel.changed for parcel in case.parcels.values())


async def _tell_again(tx: AsyncConnection, looks: Sequence[Look], run: str) -> None:
    silent = [look for look in looks if look.witness is Witness.WMS]
    handed_over = await hand_over_again(tx, [look.case for look in silent])
    given_up: list[Look] = []
    for look in looks:
        if look.case.id in handed_over and look.witness is Witness.WMS:
            look.mended = "handed over again"
        elif look.case.standing.reason is HoldReason.REFUSED_BY_SYSTEM:
            look.mended = "waits for a person: REFUSED_BY_SYSTEM"  # who looks at just that already
        elif look.finding.lacks:
            _send_once_more(look, run)
            given_up += [look] if set(look.finding.lacks) & look.books.given_up else []
    if given_up:
        kinds = {notice.partition(":")[0] for look in given_up for notice in look.finding.lacks}
        await send_again(tx, [look.case.id for look in given_up], given_up[0].case.now, sorted(kinds))


def _send_once_more(look: Look, run: str) -> None:
    """The notice was taken and is not there, or was given up: its effect is made again, and looked for first."""
    case, lacks = look.case, look.finding.lacks
    for notice in lacks:
        kind, _, part = notice.partition(":")
        case.send_once_more(kind, part)
    look.mended = f"sent again: {', '.join(lacks)}"
    text = f"{look.witness} does not show it ({look.said}): {', '.join(lacks)} sent again"
    case.take(Event.NOTED, cause=f"{run}:{look.witness}", actor="ballast", text=text)


def _hold_reason(look: Look, looks: Sequence[Look]) -> HoldReason | None:
    """What has to wait for a person because money or goods are at risk; None where a hold would keep nothing."""
    match look.witness, look.finding.theirs:
        case Witness.PAYMENT, (Place.NOTHING | Place.UNPAID) if look.books.place in HERE:
            return HoldReason.PAYMENT_MISMATCH
        case Witness.ERP, Place.OFF if look.books.place is Place.LOCKED:
            return HoldReason.ERP_REFUSED
        case Witness.SHOP, Place.OFF if look.books.place in (*HERE, Place.LEFT, Place.MOVING):
            return HoldReason.REFUNDED_ON_THE_WAY if _provider_says_so(look, looks) else None
        case _:
            return None


def _provider_says_so(look: Look, looks: Sequence[Look]) -> bool:
    """The shop shows it as refunded, and the provider confirms that money went back: all of it."""
    return any(
        other.case is look.case
        and other.witness is Witness.PAYMENT
        and (other.finding.verdict, other.finding.theirs) == (Verdict.CONTRADICTS, Place.OFF)
        for other in looks
    )


def _hold(look: Look, reason: HoldReason, run: str) -> None:
    case = look.case
    held = case.take(
        Event.HELD,
        cause=f"{run}:{look.witness}",
        actor="ballast",
        reason=reason,
        text=f"{look.witness} contradicts our books: {look.said}",
        evidence=f"{look.witness} {look.said}",
    )
    if held and case.standing.state is State.ON_HOLD and case.standing.reason is reason:
        look.mended = f"held: {reason}"


def drift_alerts(looks: Sequence[Look]) -> list[dict[str, Any]]:
    """One alert per order and difference that nothing was done about; urgent where goods or money may be lost."""
    return [
        {
            "key": look.alert_key,
            "level": "urgent" if _costs(look) else "warning",
            "order_id": look.case.id,
            "title": f"{look.case.order_no}: {look.witness} and Ballast differ",
            "text": f"Ballast {look.case.standing.state}, {look.witness} {look.theirs or 'nothing'} ({look.said}): "
            f"{look.finding.verdict}; see `ballast order show {look.case.order_no}` and that system",
        }
        for look in looks
    ]


async def end_drift_alerts(tx: AsyncConnection, looks: Sequence[Look]) -> None:
    """Who agrees again has nobody climbing a ladder for what is over."""
    over = tuple(look.alert_keys for look in looks if look.finding.verdict is Verdict.AGREES)
    if not over:
        return
    open_ = await open_keys(tx, sorted({look.case.id for look in looks}), "drift:")
    if ended := [key for key in open_ if key.startswith(over)]:
        await end_alerts(tx, looks[0].case.now, keys=ended)


def _costs(look: Look) -> bool:
    """Goods leave that nobody wants, or money went that nobody knows of."""
    if look.finding.verdict is not Verdict.CONTRADICTS:
        return False
    off = look.books.place is Place.OFF or look.finding.theirs is Place.OFF
    return look.witness is Witness.PAYMENT or (off and look.witness in (Witness.WMS, Witness.SHOP))
