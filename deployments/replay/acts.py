"""What a record says that happened, as acts of the world outside, and in which order they come. Pure."""

import hashlib
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any, Final, TypeAlias

from adapters.files.past import FileOrder, Passage, RecordedCharge
from ballast.domain.words import Event, System
from ballast.ports import Order
from deployments.replay.coming_back import ways_back

NOT_SAID: Final = "-"
"""Where the record has no province and no city: a warehouse takes no address without."""


WECHAT_PAY: Final = frozenset({"wechatpay", "wechat pay", "wechat", "微信支付", "微信"})
"""Payment methods of a record that mean WeChat Pay; it pays in CNY only."""


class Kind(StrEnum):
    """Acts, in the order in which they happen to an order."""

    PLACE = "place"
    CHARGE = "charge"  # one of perhaps several
    SHIP = "ship"  # the warehouse hands everything over
    SCAN = "scan"  # the courier has it
    SIGN = "sign"  # the customer has it
    RETURN = "return"  # the customer wants to send something back
    COME_BACK = "come_back"  # the warehouse has it again
    CANCEL = "cancel"


DECIDES: Final = frozenset({Kind.CHARGE, Kind.CANCEL})
"""Acts to which our side answers at once, and whose answer carries the time of our own clock."""

LEAVING: Final = (Kind.SHIP, Kind.SCAN, Kind.SIGN)
"""Acts of goods, one after the other."""

COMING_BACK: Final = (Kind.RETURN, Kind.COME_BACK)
"""Acts of a return. Our side has to know everything before them, and answers each before the next."""

_KINDS: Final = {Event.SHIPPED: Kind.SHIP, Event.SCANNED: Kind.SCAN, Event.SIGNED: Kind.SIGN}
_GIVEN_UP: Final = (Event.CANCELLED, Event.REFUNDED)

_Step: TypeAlias = tuple[Kind, datetime, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that happened to one order at its recorded time. `details`: what the world has to be told besides.

    `due`: not before it; later than `at` where the record has a station before the one that leads to it.
    """

    order_no: str
    kind: Kind
    at: datetime
    due: datetime
    details: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """As the world's control room takes it."""
        return {"do": self.kind.value, "at": self.at.isoformat(), "order_no": self.order_no, **self.details}


def acts_of(past: FileOrder) -> list[Act]:
    """Everything that the record says of an order, in the order of the life cycle; nothing after its last time.

    What must have happened before a recorded act and has no time of its own comes with it: a payment when the order was
    placed, a hand-over at the first time after it. A word without a time (delivered, nobody says when) is not played:
    the time would be an invention. Only a cancellation is: it takes the last time that there is.
    """
    steps: list[_Step] = [(Kind.PLACE, past.order.placed_at, {"order": _document(past)})]
    way = past.passages()
    last = max((number for number, each in enumerate(way) if each.recorded or each.event in _GIVEN_UP), default=-1)
    for number, passage in enumerate(way[: last + 1]):
        steps += _steps(past, passage, _time(way, number))
    for one in ways_back(past):
        steps += [(Kind.RETURN, one.asked_at, one.asked), (Kind.COME_BACK, one.back_at, one.back)]
    dues = _dues([(kind, at) for kind, at, _ in steps])
    return [
        Act(order_no=past.order.order_no, kind=kind, at=at, due=due, details=details)
        for (kind, at, details), due in zip(steps, dues, strict=True)
    ]


def _dues(steps: Sequence[tuple[Kind, datetime]]) -> list[datetime]:
    """Everything comes after the order was placed, a scan after the hand-over, a signature after both, a return after
    the signature, its goods after it.

    Whether an order is paid when it is handed over is not settled here: our side decides that.
    """
    left_at = asked_at = placed_at = steps[0][1]
    dues = []
    for kind, at in steps:
        if kind in LEAVING:
            due = left_at = max(left_at, at)
        elif kind is Kind.RETURN:
            due = asked_at = max(left_at, at)
        else:
            due = max(asked_at if kind is Kind.COME_BACK else placed_at, at)
        dues.append(due)
    return dues


def untimed(past: FileOrder) -> list[str]:
    """Milestones that the status implies and of which the file has no time."""
    unplayed = [each for each in past.passages() if not each.recorded and each.event not in _GIVEN_UP]
    return [each.milestone for each in unplayed if each.milestone not in ("", "locked_at")]


def given_up_untimed(past: FileOrder) -> bool:
    """Cancelled, and the file has no time for it."""
    return any(each.event in _GIVEN_UP and not each.recorded for each in past.passages())


def _time(way: list[Passage], number: int) -> datetime:
    passage = way[number]
    if passage.recorded or passage.event not in _KINDS:
        return passage.at
    return next((each.at for each in way[number + 1 :] if each.recorded), passage.at)


def _steps(past: FileOrder, passage: Passage, at: datetime) -> Iterator[_Step]:
    if passage.event is Event.PAYMENT_CONFIRMED:
        for charge in past.charges or _whole(past):
            yield Kind.CHARGE, charge.paid_at or at, _charge(past.order, charge)
    elif passage.event in _GIVEN_UP:
        yield Kind.CANCEL, at, {"reason": f"recorded as {past.said}"[:200]}
    elif passage.event in _KINDS:
        yield _KINDS[passage.event], at, _parcels(past, passage.event)


def _whole(past: FileOrder) -> tuple[RecordedCharge, ...]:
    """The file has no payments: the order was paid in one sum."""
    amount = past.order.total.amount
    return (RecordedCharge(sequence=1, method="", amount=amount, paid_at=None),) if amount else ()


def _charge(order: Order, charge: RecordedCharge) -> dict[str, Any]:
    """Through WeChat Pay where the record says so: there it can be refunded. What else it names is the shop's own."""
    method = charge.method.lower().strip()
    if method in WECHAT_PAY and order.total.currency == "CNY":
        return {"provider": System.WECHATPAY.value, "amount": charge.amount}
    name = re.sub(r"[^a-z0-9_-]+", "-", method)[:32].strip("-")
    provider = name if name and name not in list(System) else "recorded"
    return {"provider": provider, "transaction_id": f"{order.order_no}-{charge.sequence}", "amount": charge.amount}


def _parcels(past: FileOrder, event: Event) -> dict[str, Any]:
    if event is not Event.SHIPPED:
        return {}
    return {"packages": [{"waybill": waybill, "carrier": carrier} for waybill, carrier in past.parcels]}


def _document(past: FileOrder) -> dict[str, Any]:
    """The order as a shop's backend would push it; who buys without a WeChat id gets one that nobody has."""
    order = past.order
    to = order.receiver
    made_up = "replay-" + hashlib.sha256(order.customer_no.encode()).hexdigest()[:20]
    return {
        "order_no": order.order_no, "channel": order.channel, "currency": order.total.currency,
        "freight": order.freight.amount, "discount": order.discount.amount,
        "customer": {"no": order.customer_no, "name": "", "openid": order.openid or made_up,
                     "tier": order.customer_tier},
        "receiver": {"name": to.name, "mobile": to.mobile, "province": to.province or NOT_SAID,
                     "city": to.city or NOT_SAID, "district": to.district, "address": to.address},
        "lines": [{"line_no": line.line_no, "sku": line.sku, "name": line.name, "quantity": line.quantity,
                   "unit_price": line.unit_price, "amount": line.amount} for line in order.lines],
    }  # fmt: skip


RANK: Final = {kind: number for number, kind in enumerate(Kind)}
"""The place of an act on the way."""


class Agenda:
    """Acts of many orders by time; of those at the same moment, the earlier station of the way first."""

    def __init__(self, acts: Iterable[Act]) -> None:
        self._numbers = count()
        self._heap: list[tuple[datetime, int, int, Act]] = []
        self.put_back(acts)

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_at(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None

    @property
    def next_kind(self) -> Kind | None:
        return self._heap[0][3].kind if self._heap else None

    def put_back(self, acts: Iterable[Act]) -> None:
        """What was taken and not tried."""
        for act in acts:
            heapq.heappush(self._heap, (act.due, RANK[act.kind], next(self._numbers), act))

    def take(self, until: datetime, company: timedelta) -> list[Act]:
        """The next acts up to `until`. They end where our side has to answer: with the first act that `DECIDES` and
        what follows it within `company`. An act of a return comes alone.
        """
        taken: list[Act] = []
        answering = False
        while self._heap and self._heap[0][0] <= until:
            if answering and self._heap[0][3].kind is Kind.CANCEL:
                break  # who cancels at the moment of the payment cancels a paid order
            if taken and self._heap[0][3].kind in COMING_BACK:
                break
            act = heapq.heappop(self._heap)[3]
            taken.append(act)
            if act.kind in COMING_BACK:
                break
            if act.kind in DECIDES and not answering:
                answering, until = True, min(until, act.due + company)
        return taken
