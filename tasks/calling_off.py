"""Calling off: what was cancelled, or refunded before it left, is stopped at the warehouse, in the ERP, then closed."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from prefect import task

from adapters.errors import OutsideError, Refused, Unavailable
from ballast.db import cancelling, deliveries, effects, moves, news, refunding
from ballast.db import cases as orders
from ballast.db.alerts import raise_alerts
from ballast.db.archive import say_where
from ballast.db.case import Case
from ballast.db.claims import Chunk, claim_one, give_back
from ballast.db.to_come import still_to_come
from ballast.domain.life_cycle import CALLED_OFF, TooEarly
from ballast.domain.money import Money
from ballast.domain.words import Event, HoldReason, State, Step
from ballast.points import Point, reached
from ballast.ports import Order, Receipt
from ballast.wiring import House, house
from tasks.alarms import hold_alerts, refund_alerts, return_alerts
from tasks.chunks import Job, Outcome, Tally, carry_out, is_down, open_chunk, raise_if_down, results
from tasks.listening import Answer, ask_all, nobody_answered
from tasks.policy import ALONE, CHUNK, SystemDown

WHY = "订单取消 order cancelled"
"""What the warehouse is told: it is nobody's business who cancelled and why."""


@dataclass(slots=True)
class Stage:
    """One system on the way of a chunk of cancellations: who has to be stopped there, and how that went."""

    kind: str
    jobs: list[Job[Order]]
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    @property
    def refusals(self) -> dict[int, OutsideError]:
        """Order id -> why it is not stopped there: rather that it is too late than that nobody knows."""
        ended = [(job.order_id, self.outcomes[job.id].error) for job in self.jobs if job.id in self.outcomes]
        found = {order_id: error for order_id, error in ended if error}
        return found | {order_id: error for order_id, error in ended if isinstance(error, Refused)}

    @property
    def stopped(self) -> set[str]:
        """Codes of what its warehouse let go."""
        return {job.request.code for job in self.jobs if job.id in self.outcomes and self.outcomes[job.id].receipt}


@dataclass(frozen=True, slots=True)
class Stops:
    """What warehouses made of a chunk: codes of deliveries that they let go, and orders for which it is too late."""

    codes: set[str]
    too_late: set[int]


@task(name="call off", tags=["orders"], **CHUNK)
async def call_off_chunk(chunk: Chunk) -> Tally:
    """Stop a chunk of orders one system after the other, each only where the one before let go; then close them."""
    here = await house()
    cases = [case for case in await open_chunk(here, chunk) if not cancelling.has_left(case)]
    answers = await ask_all({case.id: here.payment.ask(case.order_no) for case in cases if not case.charges})
    trouble = {order_id: answer for order_id, answer in answers.items() if isinstance(answer, OutsideError)}
    known = [case for case in cases if case.id not in trouble]
    at_warehouse = await _stop(here, chunk, "wms.cancel", [c for c in known if c.place is State.STOCK_LOCKED])
    let_go = [case for case in known if case.id not in at_warehouse.refusals]
    in_erp = await _stop(here, chunk, "erp.cancel", [c for c in let_go if c.place is State.STOCK_LOCKED or _in_erp(c)])
    trouble |= at_warehouse.refusals | in_erp.refusals
    asleep = [stage for stage in (at_warehouse, in_erp) if is_down(stage.jobs, stage.outcomes)]
    down = {job.order_id for stage in asleep for job in stage.jobs}
    down |= set(answers) if nobody_answered(answers) else set()
    too_late = {order_id for order_id, error in at_warehouse.refusals.items() if isinstance(error, Refused)}
    tally = await _settle(here, chunk, answers, trouble, Stops(at_warehouse.stopped, too_late), down)
    for stage in (at_warehouse, in_erp):
        raise_if_down(stage.jobs, stage.outcomes)
    if nobody_answered(answers):
        raise SystemDown(f"{next(iter(trouble.values()))}: {len(answers)} cancelled orders could not be asked about")
    return tally


def _in_erp(case: Case) -> bool:
    """A sale order may have been written although the order did not get further."""
    return "erp.reserve" in case.begun


async def _stop(here: House, chunk: Chunk, kind: str, cases: Iterable[Case]) -> Stage:
    """Have one system let go. Its yes to an earlier cancellation is not enough: a person may have let the order go on
    since, and it is there again. What the system says of it now decides.
    """
    requests = [(case.id, order) for case in cases for order in _to_stop(kind, case)]
    stage = Stage(kind, [Job(f"{kind}:{order.code}", id, order, at) for at, (id, order) in enumerate(requests)])
    expected: frozenset[str] = frozenset()
    calls: Mapping[str, Callable[[Order, bool], Awaitable[Receipt]]] = {
        "wms.cancel": lambda order, look: here.wms.cancel(order, WHY, look_first=look, expected=order.code in expected),
        "erp.cancel": lambda order, look: here.erp.cancel(order, look_first=look),
    }
    async with here.transaction() as tx:
        if kind == "wms.cancel":
            ids, since = [job.order_id for job in stage.jobs], here.clock.now() - here.settings.patience.warehouse_quiet
            expected = await still_to_come(tx, ids, system=here.wms.system, since=since)
        await effects.reopen(tx, [job.key for job in stage.jobs], error="stopped before: asked whether it still is")
    stage.outcomes = await carry_out(here, kind, stage.jobs, calls[kind], chunk=chunk)
    async with here.moving(kind) as tx:
        await effects.finish(tx, results(stage.jobs, stage.outcomes), here.clock.now())
    return stage


def _to_stop(kind: str, case: Case) -> list[Order]:
    """What one system may have of an order: one sale order, and each delivery that is not over."""
    if kind == "erp.cancel" or not case.deliveries:
        return [case.order()]
    return [deliveries.request_of(case, one) for one in deliveries.to_stop(case)]


async def _settle(
    here: House,
    chunk: Chunk,
    answers: Mapping[int, Answer],
    trouble: Mapping[int, OutsideError],
    stops: Stops,
    down: set[int],
) -> Tally:
    """Close, or say why not. Orders whose system takes no call keep their lease for the retry of the task."""
    async with here.moving(chunk.step) as tx:
        ids = [order_id for order_id in chunk.ids if order_id not in down]
        held = await orders.load(tx, now=here.clock.now(), waits=here.waits, ids=ids, lease_owner=chunk.owner)
        tally = Tally()
        for case in held:
            tally[_decide(here, case, answers.get(case.id, ()), trouble.get(case.id), stops)] += 1
        await moves.write(tx, held)
        alerts = hold_alerts(held) + refund_alerts(held) + return_alerts(held) + _stuck_alerts(here, held, trouble)
        await raise_alerts(tx, alerts, here.clock.now())
    return tally


def _decide(here: House, case: Case, answer: Answer, trouble: OutsideError | None, stops: Stops) -> str:
    for one in () if isinstance(answer, OutsideError) else answer:
        try:
            news.apply(case, one)
        except TooEarly:
            continue
    if case.standing.state is not State.ON_HOLD:
        case.reschedule()
        return "settled meanwhile"
    if cancelling.has_left(case):
        return _outrun(case, "the goods were faster")
    if trouble is None:
        return _close(case)
    if not isinstance(trouble, Refused):
        case.again(here.back_off(case.attempts))
        return "again later"
    if case.id in stops.too_late:
        deliveries.call_off(case, stops.codes)
        return _outrun(case, str(trouble))
    text = f"could not be called off: {trouble}; stop it by hand there, then cancel it again"
    case.take(Event.NOTED, cause=f"call_off:refused:v{case.version}", actor="ballast", text=text)
    case.due, case.lease_owner, case.touched = None, None, True
    return "refused"


def _outrun(case: Case, why: str) -> str:
    cancelling.outrun(case, cause=f"call_off:outrun:v{case.version}", why=why)
    if case.standing.reason is HoldReason.REFUNDED_ON_THE_WAY:  # a person stops it at the courier
        case.due, case.lease_owner, case.touched = None, None, True
    return "return opened"


def _close(case: Case) -> str:
    """Everybody who knew of it let go: all money goes back, and the stock with the closing."""
    back = Money(sum(charge.amount - case.returned(charge) for charge in case.charges), case.head["currency"])
    for charge in case.charges:
        refunding.give_back(case, charge, why="order cancelled")
    deliveries.call_off(case)
    text = "called off" + (f"; {back} goes back to the customer" if back.amount else "")
    case.take(Event.CANCELLED, cause=f"call_off:{case.order_no}", actor="ballast", text=text)
    if case.charges and not back.amount:  # no notice of a refund is still to come that would tell the shop
        case.send("shop.refunded")
    return "called off"


def _stuck_alerts(here: House, held: Iterable[Case], trouble: Mapping[int, OutsideError]) -> list[dict[str, object]]:
    """One alert for each order that a system refuses to stop or will not answer about."""
    return [
        {
            "key": f"call_off:{case.order_no}",
            "level": "urgent",
            "order_id": case.id,
            "title": f"{case.order_no} could not be called off",
            "text": f"{trouble[case.id]}; stop it by hand there, then cancel it again",
        }
        for case in held
        if case.id in trouble and case.standing.state is State.ON_HOLD and not case.returns
        if case.due is None or case.attempts >= here.settings.patience.attempts
    ]


@task(name="cancel order", task_run_name="cancel {order_no}", tags=["cancel"], **ALONE)
async def cancel_order(order_no: str, why: str, by: str, dry_run: bool) -> str:
    """Ask for one cancellation and carry it out at once; a sentence that says what came of it."""
    here = await house()
    reached("cancel", Point.BEFORE)
    async with here.moving("cancel") as tx:
        found = await orders.load(tx, now=here.clock.now(), waits=here.waits, order_nos=[order_no])
        if not found:
            return await say_where(tx, order_no)
        case, asked_at = found[0], here.clock.now()
        cause = f"cancel:v{case.version}:{by}"
        said = cancelling.ask(case, cause=cause, actor=f"person:{by}", why=why, evidence=f"{by}: {why}", at=asked_at)
        if dry_run:
            return f"would be: {said}"
        await moves.write(tx, found)
        await raise_alerts(tx, hold_alerts(found) + return_alerts(found), asked_at)
    return said if case.standing.reason is not HoldReason.CANCEL_ASKED else await _carry_out_now(here, order_no)


async def _carry_out_now(here: House, order_no: str) -> str:
    async with here.transaction() as tx:
        owner = f"cancel:{uuid4().hex[:12]}"
        now, until = here.clock.now(), here.lease()
        chunk = await claim_one(tx, order_no, owner=owner, now=now, until=until, step=Step.CALL_OFF)
    tally = Tally()
    if chunk is not None:
        try:
            tally = await call_off_chunk.fn(chunk)
        except (SystemDown, Unavailable) as down:
            async with here.transaction() as tx:
                await give_back(tx, chunk, here.back_off(1))
            return f"it is being stopped, tried again later: {down}"
    async with here.transaction() as tx:
        [case] = await orders.load(tx, now=here.clock.now(), waits=here.waits, order_nos=[order_no], lock=False)
        last = await moves.last_text(tx, case.id)
    if chunk is None and case.standing.reason in CALLED_OFF:
        return "a step is at work on it: it is stopped when that has ended, within about a minute"
    if tally["again later"]:
        last = "it is being stopped: no clear answer yet, tried again later"
    reason = f" ({case.standing.reason})" if case.standing.reason else ""
    return f"{last or 'let go meanwhile'}; now {case.standing.state}{reason}"
