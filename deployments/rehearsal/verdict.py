"""Is it true? What Ballast says of every order beside what the outside world knows, counted without mercy."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ballast.domain.words import State

FOLLOWED_AGAIN = 2
"""So often a courier may say yes to a subscription and make none: it cannot be read back, and polling goes on."""

AT_REST = frozenset({State.SIGNED, State.CLOSED, State.ON_HOLD})


@dataclass(slots=True)
class Verdict:
    """The counts that must be 0, with the orders behind them."""

    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    overrefunded: list[str] = field(default_factory=list)
    disagreeing: dict[str, list[str]] = field(default_factory=dict)
    duplicate_effects: int = 0
    oversold: int = 0

    @property
    def counts(self) -> dict[str, int]:
        return {
            "lost": len(self.lost),
            "duplicate_effects": self.duplicate_effects,
            "oversold": self.oversold,
            "overrefunded": len(self.overrefunded),
            "disagreeing": len(self.disagreeing),
            "stuck": len(self.stuck),
        }

    @property
    def clean(self) -> bool:
        return not any(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What Ballast shows of one order. `unfinished`: something of it is still under way."""

    state: str
    reason: str = ""
    unfinished: bool = False


def judge(shown: Mapping[str, Shown], truth: Iterable[Mapping[str, Any]], effects: Mapping[str, Any]) -> Verdict:
    """Compare. `shown` is what Ballast shows of each order number, `truth` and `effects` are the world's answers.

    Lost is what Ballast does not know; stuck is what did not come to rest.
    """
    verdict = Verdict(duplicate_effects=sum(effects["duplicates"].values()), oversold=sum(effects["oversold"].values()))
    for order in truth:
        number, found = order["order_no"], shown.get(order["order_no"])
        if _gone_back(order) > _captured(order) or _refunded_too_much(order):
            verdict.overrefunded.append(number)
        if found is None:
            if not order.get("refused"):  # at the door: the shop heard it, and took no money
                verdict.lost.append(number)
        elif found.state not in AT_REST or found.unfinished:
            verdict.stuck.append(number)
        elif wrong := list(_differences(found, order)):
            verdict.disagreeing[number] = wrong
    return verdict


def _captured(order: Mapping[str, Any]) -> int:
    return sum(payment["amount"] for payment in order["payments"])


def _gone_back(order: Mapping[str, Any]) -> int:
    return sum(refund["amount"] for refund in order["refunds"] if refund["status"] in ("SUCCESS", "PROCESSING"))


def _refunded_too_much(order: Mapping[str, Any]) -> bool:
    """More went back of one charge than it brought."""
    left = {payment["transaction_id"]: payment["amount"] for payment in order["payments"]}
    for refund in order["refunds"]:
        if refund["status"] in ("SUCCESS", "PROCESSING"):
            left[refund["transaction_id"]] = left.get(refund["transaction_id"], 0) - refund["amount"]
    return min(left.values(), default=0) < 0


def _differences(shown: Shown, order: Mapping[str, Any]) -> Iterable[str]:
    """Every sentence is one thing that Ballast's state claims and the world denies."""
    state = shown.state
    arrived = bool(order["parcels"]) and all(parcel["outcome"] == "signed" for parcel in order["parcels"])
    left = order["wms"]["status"] == "DELIVERED"
    if state == "SIGNED":
        yield from _unfinished(order, arrived)
    if state == "ON_HOLD" and order["script"] in ("normal", "exception_resolves") and arrived:
        yield "on hold, but every parcel arrived"
    if state == "ON_HOLD" and not shown.reason:
        yield "on hold without a reason"
    if state == "ON_HOLD" and order["script"] == "normal" and not arrived and order["at_rest"]:
        yield f"on hold ({shown.reason}) without a cause in the world"
    if state == "CLOSED" and (left or _gone_back(order) != _captured(order)) and not arrived:
        yield "closed, but paid or shipped"
    if left:
        yield from _unbooked(order)


def _unfinished(order: Mapping[str, Any], arrived: bool) -> Iterable[str]:
    if not arrived:
        yield "signed, but a parcel did not arrive"
    if _captured(order) - _gone_back(order) != order["total"]:
        yield "signed, but not paid exactly once"
    if not order["erp"]["receipt_told"]:
        yield "the ERP does not know that it arrived"
    if order["shop"]["order_state"] < 2:
        yield f"the shop shows order_state {order['shop']['order_state']}"


def _unbooked(order: Mapping[str, Any]) -> Iterable[str]:
    """What left the warehouse has to stand in the ERP's books and in the customer's order, exactly once."""
    bought: Counter[str] = Counter()
    for line in order["lines"]:
        bought[line["sku"]] += line["quantity"]
    booked: Counter[str] = Counter()
    for bill in order["erp"]["outstock"]:
        if bill["status"] == "C":
            booked.update(bill["quantities"])
    if dict(booked) != dict(bought):
        yield f"the ERP booked {dict(booked)} of {dict(bought)}"
    if sorted(order["shop"]["tracking"]) != sorted(parcel["waybill"] for parcel in order["parcels"]):
        yield f"the shop shows waybills {order['shop']['tracking']}"
    if any(not parcel["subscribed"] and parcel["empty_yes"] < FOLLOWED_AGAIN for parcel in order["parcels"]):
        yield "a parcel is not followed"
