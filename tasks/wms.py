"""The warehouse: hand over what is locked, ask about what has gone quiet."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import OutsideError
from ballast.db import deliveries, effects
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.domain.deliveries import DeliveryOrder, DeliveryState, Need
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import News, Order, Receipt
from ballast.wiring import House, house
from tasks import gates, merging, sourcing
from tasks.chunks import Job, Outcome, Tally, carry_out, hold, open_chunk, raise_if_down, settle
from tasks.listening import Answer, ask_and_apply
from tasks.policy import CHUNK


@task(name="hand to warehouse", tags=["wms"], **CHUNK)
async def hand_to_warehouse(chunk: Chunk) -> Tally:
    """Create the delivery orders of a chunk; those handed over before and quiet since are asked about. What a warehouse
    would not ship is sourced from another one. An order with several deliveries comes again for each.
    """
    here = await house()
    cases = await open_chunk(here, chunk)
    needs = {case.id: _need(case) for case in cases}

    def due(need: Need) -> list[Case]:
        return [case for case in cases if needs[case.id] is need]

    tally = await _hand_over(here, chunk, due(Need.HAND_OVER))
    quiet = due(Need.ASK)
    questions = {case.id: ask_warehouses(here, case) for case in quiet}
    tally += await ask_and_apply(here, chunk, quiet, questions, also=_hand_over_again)
    tally += await merging.join_ready(here, chunk, [case for case in due(Need.CHANGE) if merging.is_merge(case)])
    changed = [case for case in due(Need.CHANGE) if not merging.is_merge(case)]
    tally += await sourcing.source_again(here, chunk, due(Need.SOURCE) + changed)
    tally += await sourcing.stop_refused(here, chunk, due(Need.STOP))
    carrying = {case.id for case in cases if any(one.in_erp for one in case.edits.followers)}
    told = due(Need.TELL_ERP)
    tally += await merging.wait_for_erp(here, chunk, [case for case in told if case.id in carrying])
    return tally + await sourcing.change_sale_orders(here, chunk, [case for case in told if case.id not in carrying])


def _need(case: Case) -> Need:
    """An order that is held is asked about only: a person, or better news, has to let it go on."""
    return Need.ASK if case.standing.state is State.ON_HOLD else deliveries.next_need(case)


async def _hand_over(here: House, chunk: Chunk, fresh: Sequence[Case]) -> Tally:
    async with here.transaction() as tx:
        untried = [case for case in fresh if "wms.create" not in case.begun]  # what may be there is past this gate
        suspected = await gates.before_shipping(here, tx, untried)
    planned = {case.id: one for case in fresh if (one := deliveries.first(case, DeliveryState.PLANNED))}
    jobs = [
        Job(f"wms.create:{planned[case.id].code}", case.id, deliveries.request_of(case, planned[case.id]), case.id)
        for case in fresh
        if case.id not in suspected
    ]

    async def create(order: Order, look_first: bool) -> Receipt:
        return await here.wms.create(order, look_first=look_first)

    outcomes = await carry_out(here, "wms.create", jobs, create, chunk=chunk)

    def decide(case: Case, outcome: Outcome) -> str:
        if case.id in suspected:
            gates.mark(case, gates.SHIPPING, suspected[case.id])
            return "held"
        one = planned[case.id]
        if outcome.receipt is None:
            return _refused(case, chunk, one, str(outcome.error or "refused"))
        _handed_over(case, one)
        case.take(
            Event.WAREHOUSE_PROGRESS,
            cause=f"ship_out:{one.code}",
            actor="ballast",
            text=f"delivery order {outcome.receipt.reference}" + (f", {one.warehouse}" if case.deliveries else ""),
        )
        return "handed over"

    stopped = dict.fromkeys(suspected, Outcome())
    tally = await settle(here, chunk, fresh, jobs, outcomes | stopped, decide)
    raise_if_down(jobs, outcomes)
    return tally


def _handed_over(case: Case, one: DeliveryOrder) -> None:
    if not case.deliveries:
        case.with_warehouse = True
    elif case.deliveries[one.code].state is DeliveryState.PLANNED:  # else the warehouse's own word was faster
        deliveries.put(case, replace(case.deliveries[one.code], state=DeliveryState.WITH_WAREHOUSE))


def _refused(case: Case, chunk: Chunk, one: DeliveryOrder, why: str) -> str:
    """The warehouse never took it: nothing is to be stopped there."""
    if case.edits.asked is not None:  # it was asked to change meanwhile
        deliveries.end(case, one.code, DeliveryState.TAKEN_BACK, why)
        text = f"{one.code}: {one.warehouse} does not take it ({why})"
        case.take(Event.NOTED, cause=f"source:refused:{one.code}", actor="ballast", text=text)
        case.reschedule()
        return "refused, to be changed"
    if case.standing.state is State.ON_HOLD or not deliveries.reroutes(case):
        return hold(case, chunk.step, HoldReason.WAREHOUSE_REFUSED, why)
    deliveries.end(case, one.code, DeliveryState.ENDED, f"{DeliveryState.REFUSED}: {why}")
    text = f"{one.code}: {one.warehouse} does not take it ({why}): sourced from elsewhere"
    case.take(Event.NOTED, cause=f"source:refused:{one.code}", actor="ballast", text=text)
    case.reschedule()
    return "refused, sourced again"


async def ask_warehouses(here: House, case: Case) -> Sequence[News]:
    """What the warehouses say of the deliveries by which the order stands where it does."""
    codes = deliveries.codes_asked_about(case)
    return [one for answer in await asyncio.gather(*map(here.wms.ask, codes)) for one in answer]


async def _hand_over_again(tx: AsyncConnection, cases: Sequence[Case], answers: Mapping[int, Answer]) -> None:
    """The warehouse said yes and knows nothing of them."""
    heard: dict[int, set[str]] = {}
    for case in cases:
        answer = answers[case.id]
        if not isinstance(answer, OutsideError):
            heard[case.id] = {one.delivery or one.order_no for one in answer}
    await hand_over_again(tx, [case for case in cases if case.id in heard], heard)


async def hand_over_again(
    tx: AsyncConnection, silent: Sequence[Case], heard: Mapping[int, set[str]] | None = None
) -> set[int]:
    """Deliveries that a warehouse knows nothing of are due at once, and looked for before they are sent; their orders.

    Not those that it ever spoke of: it had them, and may be shipping them. Not what a person has to look at first.
    `heard`: the codes of which it spoke just now, by order id.
    """
    unheard = {
        f"wms.create:{one.code}": (case, one)
        for case in silent
        if case.standing.state is State.STOCK_LOCKED
        for one in deliveries.never_spoken_of(case)
        if one.code not in (heard or {}).get(case.id, ())
    }
    again = await effects.reopen(tx, list(unheard))
    for key in sorted(again):
        case, one = unheard[key]
        if case.deliveries:
            deliveries.put(case, replace(one, state=DeliveryState.PLANNED))
        case.with_warehouse = False
        text = "the warehouse said yes and knows nothing of it: handed over again"
        cause = f"ship_out:unknown:v{case.version}" + (f":{one.code}" if one.number > 1 else "")
        case.take(Event.NOTED, cause=cause, actor="ballast", text=text)
        case.reschedule()
    return {unheard[key][0].id for key in again}
