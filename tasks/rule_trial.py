"""What-if: other rules over orders that are in the books. Reads only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.gates import Look, looks_at
from ballast.db.origins import read_facts
from ballast.db.past_orders import PastOrder, count_past, find_past, past_orders
from ballast.domain.rules.risk import Action
from ballast.rules.appraisal import Appraisal, Question, appraise
from ballast.rules.books import Kind, RuleSet
from ballast.rules.compiled import Compiled, compile_rules, read_stored
from ballast.rules.trial import Affected, Seen, Trial
from ballast.wiring import House
from tasks.gates import INTAKE, judge_intake, question_of
from tasks.rules import read_version

PAGE = 500


async def with_versions(here: House, tx: AsyncConnection, now: datetime, versions: Mapping[Kind, int]) -> Compiled:
    """What is in force now, with these versions in the place of theirs. Raises `PublicationRefused`, `RulesError`."""
    rules = await here.rules.current(tx, now)
    for kind, version in versions.items():
        if version != rules.versions[kind]:
            sheets = await read_version(here, tx, kind, version)
            rules = with_set(rules, kind, version, read_stored(kind, sheets))
    return rules


def with_set(rules: Compiled, kind: Kind, version: int, wanted: RuleSet) -> Compiled:
    """The same rules, but of one kind others."""
    return replace(rules, versions={**rules.versions, kind: version}, **compile_rules(wanted))


async def try_rules(
    here: House,
    now: Compiled,
    then: Compiled,
    *,
    since: datetime,
    until: datetime,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Trial:
    """Every order that was placed from `since` to before `until`, judged by both. `progress(orders done, in all)`.

    A page of orders is a transaction of its own, so nothing is kept waiting; risk windows are counted as of when each
    order was placed.
    """
    trial, after = Trial(), None
    windows, names = now.risk.windows | then.risk.windows, now.risk.reads | then.risk.reads
    async with here.transaction() as tx:
        total, trial.archived = await count_past(tx, since=since, until=until)
    progress(0, total)
    while True:
        async with here.transaction() as tx:
            page = await past_orders(tx, since=since, until=until, after=after, most=PAGE)
            ids = [past.id for past in page]
            facts = await read_facts(tx, ids, windows, names) if page else {}
        for past in page:
            trial.add(_compare(past, facts[past.id], now, then))
        progress(trial.orders, total)
        if len(page) < PAGE:
            return trial
        after = (page[-1].order.placed_at, page[-1].id)


def _compare(past: PastOrder, facts: dict[str, object], now: Compiled, then: Compiled) -> Affected:
    facts = facts | {name: past.facts[name] for name in ("tier", "first_order") if name in past.facts}
    return Affected(
        order_no=past.order.order_no,
        currency=past.order.total.currency,
        own_total=past.order.total.amount,
        now=_see(now, past, facts),
        then=_see(then, past, facts),
    )


def _see(rules: Compiled, past: PastOrder, facts: dict[str, object]) -> Seen:
    order, judged = past.order, judge_intake(rules, past.order, facts)
    held = str(judged.reason or "")
    if not held and judged.verdict.action is not Action.SCORE:
        held = "RISK_SUSPECTED before shipping"
    fired = tuple(rule.name for rule in judged.verdict.fired)
    if judged.price is None:
        return Seen(payable=order.total.amount, listed=order.total.amount, held=held, fired=fired)
    asked = question_of(order, facts)
    found = judged.price.appraisal
    listed = sum((one.price if one.price is not None else own.own_price or 0) * one.quantity
                 for one, own in zip(found.prices, asked.lines, strict=True))  # fmt: skip
    return Seen(
        payable=found.calculation.payable, listed=listed + order.freight.amount, held=held, fired=fired,
        appraisal=found,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why an order costs what it costs by our rules, and what the gates found of it. `looks`: the oldest first.

    The appraisal is worked out again with the versions of the look at intake, and what was known then; without such a
    look, with what is in force now.
    """

    order_no: str
    own_total: int
    rules: Compiled
    asked: Question
    appraisal: Appraisal
    looks: list[Look]


async def explain_order(here: House, order_no: str) -> Explained | None:
    """None: the order is not in the books."""
    now = here.clock.now()
    async with here.transaction() as tx:
        past = await find_past(tx, order_no)
        if past is None:
            return None
        looks = (await looks_at(tx, [past.id])).get(past.id, [])
        first = next((look for look in looks if look.stage == INTAKE), None)
        used = {Kind(kind): version for kind, version in first.versions.items() if version >= 0} if first else {}
        rules = await with_versions(here, tx, now, used)
        facts = await read_facts(tx, [past.id], names=())
    asked = question_of(past.order, facts[past.id] | dict(past.facts))
    return Explained(
        order_no=order_no,
        own_total=past.order.total.amount,
        rules=rules,
        asked=asked,
        appraisal=appraise(rules, asked, explain=True),
        looks=looks,
    )
