"""Is it true? What Ballast says of every order beside what the outside world knows, counted without mercy."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ballast.domain.words import State
from deployments.rehearsal.twice import came_back, for_returns, refunded_twice, restocked_twice, shipped_twice

FOLLOWED_AGAIN = 2
"""So often a courier may say yes to a subscription and make none: it cannot be read back, and polling goes on."""

TWICE: dict[str, Callable[[Mapping[str, Any]], Iterable[str]]] = {
    "refunded_twice": refunded_twice,
    "restocked_twice": restocked_twice,
    "shipped_twice": shipped_twice,
}
"""What must never be done twice, and how it is seen."""

AT_REST = frozenset({State.SIGNED, State.CLOSED, State.ON_HOLD})


@dataclass(slots=True)
class Verdict:
    """The counts that must be 0, with the orders behind them."""

    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    overrefunded: list[str] = field(default_factory=list)
    twice: dict[str, dict[str, list[str]]] = field(default_factory=lambda: {name: {} for name in TWICE})
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
            **{name: len(orders) for name, orders in self.twice.items()},
            "disagreeing": len(self.disagreeing),
            "stuck": len(self.stuck),
        }

    @property
    def clean(self) -> bool:
        return not any(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What Ballast shows of one order. `unfinished`: something of it is still under way.

    `returns`: return number -> its state, of those that count.
    """

    state: str
    reason: str = ""
    unfinished: bool = False
    returns: Mapping[str, str] = field(default_factory=dict)


def judge(shown: Mapping[str, Shown], truth: Iterable[Mapping[str, Any]], effects: Mapping[str, Any]) -> Verdict:
    """Compare. `shown` is what Ballast shows of each order number, `truth` and `effects` are the world's answers.

    Lost is what Ballast does not know; stuck is what did not come to rest.
    """
    verdict = Verdict(duplicate_effects=sum(effects["duplicates"].values()), oversold=sum(effects["oversold"].values()))
    for order in truth:
        number, found = order["order_no"], shown.get(order["order_no"])
        if _gone_back(order) > _captured(order) or _refunded_too_much(order):
            verdict.overrefunded.append(number)
        for name, look in TWICE.items():
            if wrong := list(look(order)):
                verdict.twice[name][number] = wrong
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
    if state == "CLOSED" and not arrived and not _called_off(order, left):
        yield "closed, but paid or shipped"
    if left:
        yield from _unbooked(order)
    yield from _not_given_back(shown, order)


def _called_off(order: Mapping[str, Any], left: bool) -> bool:
    """Nothing of it is outside: it never left, or all of it came back; all of the money did, or what that is worth."""
    if left:
        return came_back(order) and _gone_back(order) >= sum(one["worth"] for one in order["returns"])
    return _gone_back(order) == _captured(order)


def _not_given_back(shown: Shown, order: Mapping[str, Any]) -> Iterable[str]:
    """A return that is over has its good pieces in the ERP's books, and its money with the customer."""
    over = [one for one in order["returns"] if shown.returns.get(one["return_no"]) == "closed"]
    money, good = for_returns(order), Counter[str]()
    for one in over:
        good.update(one["good"])
        if money[one["return_no"]] < one["worth"] - len(order["lines"]):  # each line is exact to one minor unit
            yield f"{one['return_no']} is closed, but {money[one['return_no']]} of {one['worth']} went back"
    booked: Counter[str] = Counter()
    for bill in order["erp"]["returns"]:
        if bill["status"] == "C":
            booked.update(bill["quantities"])
    if missing := good - booked:
        yield f"returns are closed, but the ERP has not {dict(missing)}"


def _unfinished(order: Mapping[str, Any], arrived: bool) -> Iterable[str]:
    if not arrived:
        yield "signed, but a parcel did not arrive"
    if _captured(order) - _gone_back(order) + for_returns(order).total() != order["total"]:
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
