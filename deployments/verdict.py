"""Is it true? What Ballast says of every order beside what the outside world knows, counted without mercy."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ballast.domain.words import State

AT_REST = frozenset({State.SIGNED, State.CLOSED, State.ON_HOLD})


@dataclass(slots=True)
class Verdict:
    """The four counts that must be 0, with the orders behind them."""

    lost: list[str] = field(default_factory=list)
    disagreeing: dict[str, list[str]] = field(default_factory=dict)
    duplicate_effects: int = 0
    oversold: int = 0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.disagreeing or self.duplicate_effects or self.oversold)


def judge(states: Mapping[str, str], truth: Iterable[Mapping[str, Any]], effects: Mapping[str, Any]) -> Verdict:
    """Compare. `states` is what Ballast shows of each order number, `truth` and `effects` are the world's answers."""
    verdict = Verdict(duplicate_effects=sum(effects["duplicates"].values()), oversold=sum(effects["oversold"].values()))
    for order in truth:
        state = states.get(order["order_no"], "")
        if state not in AT_REST:
            verdict.lost.append(order["order_no"])
        elif wrong := list(_differences(state, order)):
            verdict.disagreeing[order["order_no"]] = wrong
    return verdict


def _differences(state: str, order: Mapping[str, Any]) -> Iterable[str]:
    """Every sentence is one thing that Ballast's state claims and the world denies."""
    arrived = bool(order["parcels"]) and all(parcel["outcome"] == "signed" for parcel in order["parcels"])
    left = order["wms"]["status"] == "DELIVERED"
    if state == "SIGNED":
        yield from _unfinished(order, arrived)
    if state == "ON_HOLD" and order["script"] in ("normal", "exception_resolves") and arrived:
        yield "on hold, but every parcel arrived"
    if state == "ON_HOLD" and order["script"] == "normal" and not arrived and order["at_rest"]:
        yield "on hold without a cause in the world"
    if state == "CLOSED" and (left or order["payments"]) and not arrived:
        yield "closed, but paid or shipped"
    if left:
        yield from _unbooked(order)


def _unfinished(order: Mapping[str, Any], arrived: bool) -> Iterable[str]:
    if not arrived:
        yield "signed, but a parcel did not arrive"
    if sum(payment["amount"] for payment in order["payments"]) != order["total"]:
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
    if any(not parcel["subscribed"] for parcel in order["parcels"]):
        yield "a parcel is not followed"
