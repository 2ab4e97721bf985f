"""The gates: prices and risk when an order comes in, risk again before it is shipped. Whole chunks at a time.

facts of the chunk -> judge each order -> write down what was found -> stop those that a person has to see
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases as books
from ballast.db import gates, moves
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.intake import Inserted
from ballast.db.origins import read_facts, read_new_facts
from ballast.domain.rules import price_gate, risk
from ballast.domain.rules.prices import Wanted
from ballast.domain.rules.risk import Action, Verdict
from ballast.domain.words import Event, HoldReason
from ballast.ports import Order
from ballast.rules.appraisal import PriceVerdict, Question, judge
from ballast.rules.books import Kind
from ballast.rules.compiled import Compiled
from ballast.wiring import House
from tasks.alarms import hold_alerts
from tasks.rules import rule_alerts, trouble_alerts

log = logging.getLogger("ballast.gates")
INTAKE: Final = "intake"
SHIPPING: Final = "shipping"
GATES: Final = frozenset({HoldReason.PRICE_MISMATCH.value, HoldReason.RISK_SUSPECTED.value})


@dataclass(slots=True)
class Judged:
    """What the gates found of one order. `reason` is set when a person has to see it; `evidence`: what is to be told.

    `evidence` without a reason: rules fired, and the order goes on.
    """

    verdict: Verdict
    facts: Mapping[str, Any]
    price: PriceVerdict | None = None
    reason: HoldReason | None = None
    evidence: str = ""


def question_of(order: Order, facts: Mapping[str, Any]) -> Question:
    """The order as price book and promotions see it. `facts` say what the customer was when it was placed."""
    return Question(
        lines=[
            Wanted(line_no=line.line_no, sku=line.sku, quantity=line.quantity, own_price=line.unit_price)
            for line in order.lines
        ],
        at=order.placed_at,
        currency=order.total.currency,
        freight=order.freight.amount,
        channel=order.channel,
        customer=order.customer_no,
        tier=str(facts.get("tier", "")),
        first_order=bool(facts.get("first_order")),
        coupons=tuple(order.coupons),
        province=order.receiver.province,
        city=order.receiver.city,
    )


def judge_intake(rules: Compiled, order: Order, facts: Mapping[str, Any]) -> Judged:
    """Prices and risk of a new order. Pure. The evidence of both stands together: one release answers both."""
    found = Judged(rules.risk.judge(facts), facts)
    said = [risk.evidence(found.verdict, rules.versions[Kind.RISK])] if found.verdict.fired else []
    if found.verdict.action is Action.REVIEW:
        found.reason = HoldReason.RISK_SUSPECTED
    if rules.has_prices:
        found.price = judge(rules, question_of(order, facts), order.lines, order.total.amount)
        if not found.price.agrees:
            found.reason = HoldReason.PRICE_MISMATCH
            said.append(_figures(rules, found.price, order))
    found.evidence = "; ".join(said)
    return found


def _figures(rules: Compiled, price: PriceVerdict, order: Order) -> str:
    return price_gate.evidence(
        price.lines,
        price.total,
        price_version=rules.versions[Kind.PRICE],
        promotion_version=rules.versions[Kind.PROMOTION],
        currency=order.total.currency,
    )


async def at_intake(here: House, tx: AsyncConnection, orders: Sequence[Order], put: Inserted) -> frozenset[int]:
    """Look at new orders in the transaction that writes them; the ids of those that are on hold now.

    `put`: which of `orders` are new.
    """
    now, new = here.clock.now(), {put.ids[order.order_no]: order for order in orders if order.order_no in put.ids}
    rules = await here.rules.current(tx, now)
    await raise_alerts(tx, rule_alerts(here.rules.problems), now)
    if not new or not (rules.has_prices or rules.judges_risk):
        return frozenset()
    windows, names = rules.risk.windows, rules.risk.reads
    facts = await read_new_facts(tx, new, windows, names, new_customers=put.new_customers)
    judged, failed = _each(new, lambda order_id: judge_intake(rules, new[order_id], facts[order_id]))
    await gates.record(tx, INTAKE, now, _versions(rules), [*_found(judged)])
    await raise_alerts(tx, trouble_alerts(rules) + [_failure(rules, *one) for one in failed.items()], now)
    marked = {order_id: one for order_id, one in judged.items() if one.evidence}
    if not marked:
        return frozenset()
    stopped = await books.load(tx, now=now, waits=here.waits, ids=marked, lock=False)  # nobody else sees them yet
    for case in stopped:
        mark(case, INTAKE, marked[case.id])
    await moves.write(tx, stopped)
    await raise_alerts(tx, hold_alerts(stopped), now)
    return frozenset(order_id for order_id, one in marked.items() if one.reason is not None)


def _each(ids: Collection[int], judge_one: Callable[[int], Judged]) -> tuple[dict[int, Judged], dict[int, str]]:
    """What was found of each order, and why some could not be judged: those pass, for rules never stop the orders."""
    judged: dict[int, Judged] = {}
    failed: dict[int, str] = {}
    for order_id in ids:
        try:
            judged[order_id] = judge_one(order_id)
        except Exception as problem:  # of whatever kind: it is told, and the order goes on
            log.exception("order %s could not be judged by the rules", order_id)
            failed[order_id] = f"{type(problem).__name__}: {problem}"
    return judged, failed


def _failure(rules: Compiled, order_id: int, why: str) -> dict[str, Any]:
    versions = ", ".join(f"{kind} v{version}" for kind, version in rules.versions.items())
    return {
        "key": f"rules:not-judged:{order_id}",
        "level": "urgent",
        "order_id": order_id,
        "title": "an order could not be judged by the rules 订单无法按规则核对",
        "text": f"{why[:300]}. It goes on unjudged: look at its prices by hand ({versions}).",
    }


async def before_shipping(here: House, tx: AsyncConnection, cases: Sequence[Case]) -> dict[int, Judged]:
    """Judge risk once more, of what is about to leave: what has changed since, and what was to be held until now.

    Only looks that found something else than the one before are written down. What a person let pass for this order
    does not stop it again, though the figures went on.
    """
    now = here.clock.now()
    rules = await here.rules.current(tx, now)
    if not cases or not rules.judges_risk:
        return {}
    ids = [case.id for case in cases]
    facts = await read_facts(tx, ids, rules.risk.windows, rules.risk.reads)
    before = await gates.last_looks(tx, ids)
    by_id = {case.id: case for case in cases}
    judged, failed = _each(by_id, lambda order_id: _judge_shipping(rules, by_id[order_id], facts[order_id]))
    await raise_alerts(tx, trouble_alerts(rules) + [_failure(rules, *one) for one in failed.items()], now)
    fresh = {order_id: one for order_id, one in judged.items() if _differs(before.get(order_id), one, rules)}
    await gates.record(tx, SHIPPING, now, _versions(rules), [*_found(fresh)])
    return {order_id: one for order_id, one in judged.items() if one.reason is not None}


def _judge_shipping(rules: Compiled, case: Case, facts: Mapping[str, Any]) -> Judged:
    found = Judged(rules.risk.judge(facts), facts)
    released = (rule for reason, said in case.overridden if reason in GATES for rule in risk.rules_in(said))
    found.verdict = risk.still_new(found.verdict, released)
    if found.verdict.action is not Action.SCORE:
        found.reason = HoldReason.RISK_SUSPECTED
        found.evidence = risk.evidence(found.verdict, rules.versions[Kind.RISK])
    return found


def mark(case: Case, stage: str, found: Judged) -> None:
    """Put the order on hold, or note in its timeline which rules fired."""
    cause, said = f"gate:{stage}:v{case.version}", found.evidence
    if found.reason is None:
        case.take(Event.NOTED, cause=cause, actor="ballast", text=said)
    else:
        case.take(Event.HELD, cause=cause, actor="ballast", reason=found.reason, text=said, evidence=said)


def _versions(rules: Compiled) -> dict[str, int]:
    return {str(kind): version for kind, version in rules.versions.items()}


def _found(judged: Mapping[int, Judged]) -> Iterator[gates.Found]:
    for order_id, one in judged.items():
        facts = {"tier": one.facts["tier"], "first_order": one.facts["first_order"]}
        facts |= {name: value for name, value in one.verdict.facts.items() if name not in risk.PERSONAL}
        yield gates.Found(order_id, facts, _outcome(one))


def _outcome(found: Judged) -> dict[str, Any]:
    verdict = found.verdict
    said: dict[str, Any] = {"held": found.reason}
    if verdict.fired:
        said["risk"] = {
            "fired": [rule.name for rule in verdict.fired],
            "score": verdict.score,
            "tags": list(verdict.tags),
            "action": verdict.action,
        }
    if found.price is not None:
        calculation = found.price.appraisal.calculation
        said["price"] = {"payable": calculation.payable, "agrees": found.price.agrees}
    return said


def _differs(last: gates.LastLook | None, found: Judged, rules: Compiled) -> bool:
    """Whether this look says anything that the last one did not."""
    fired = [rule.name for rule in found.verdict.fired]
    return last is None or last != (rules.versions[Kind.RISK], fired, found.reason)
