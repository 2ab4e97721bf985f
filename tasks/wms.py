"""The warehouse: hand over what is locked, ask about what has gone quiet."""

from collections.abc import Mapping, Sequence

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import effects
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Order, Receipt
from ballast.wiring import house
from tasks import gates
from tasks.chunks import Job, Outcome, Tally, carry_out, hold, open_chunk, raise_if_down, settle
from tasks.listening import Answer, ask_and_apply, knows_nothing
from tasks.policy import CHUNK


@task(name="hand to warehouse", tags=["wms"], **CHUNK)
async def hand_to_warehouse(chunk: Chunk) -> Tally:
    """Create the delivery orders of a chunk; those handed over before and quiet since are asked about."""
    here = await house()
    cases = await open_chunk(here, chunk)
    fresh = [case for case in cases if not case.with_warehouse and case.standing.state is not State.ON_HOLD]
    async with here.transaction() as tx:
        untried = [case for case in fresh if "wms.create" not in case.begun]  # what may be there is past this gate
        suspected = await gates.before_shipping(here, tx, untried)
    jobs = [
        Job(f"wms.create:{case.order_no}", case.id, case.order(), case.id) for case in fresh if case.id not in suspected
    ]

    async def create(order: Order, look_first: bool) -> Receipt:
        return await here.wms.create(order, look_first=look_first)

    outcomes = await carry_out(here, "wms.create", jobs, create, chunk=chunk)

    def decide(case: Case, outcome: Outcome) -> str:
        if case.id in suspected:
            gates.mark(case, gates.SHIPPING, suspected[case.id])
            return "held"
        if outcome.receipt is None:
            return hold(case, chunk.step, HoldReason.WAREHOUSE_REFUSED, outcome.error or "refused")
        case.with_warehouse = True
        case.take(
            Event.WAREHOUSE_PROGRESS,
            cause=f"ship_out:{case.order_no}",
            actor="ballast",
            text=f"delivery order {outcome.receipt.reference}",
        )
        return "handed over"

    stopped = dict.fromkeys(suspected, Outcome())
    tally = await settle(here, chunk, cases, jobs, outcomes | stopped, decide)
    raise_if_down(jobs, outcomes)
    known = {job.id for job in jobs} | suspected.keys()
    quiet = [case for case in cases if case.id not in known]
    questions = {case.id: here.wms.ask(case.order_no) for case in quiet}
    return tally + await ask_and_apply(here, chunk, quiet, questions, also=_hand_over_again)


async def _hand_over_again(tx: AsyncConnection, cases: Sequence[Case], answers: Mapping[int, Answer]) -> None:
    """The warehouse said yes and knows nothing of them."""
    await hand_over_again(tx, [case for case in cases if knows_nothing(answers[case.id])])


async def hand_over_again(tx: AsyncConnection, silent: Sequence[Case]) -> set[int]:
    """Orders that the warehouse knows nothing of are due at once, and looked for before they are sent; their ids.

    Not those that it ever spoke of: it had them, and may be shipping them. Not what a person has to look at first.
    """
    waiting = [case for case in silent if case.standing.state is State.STOCK_LOCKED]
    unheard = {f"wms.create:{case.order_no}": case for case in waiting if not case.progress and not case.parcels}
    again = await effects.reopen(tx, list(unheard))
    for key in again:
        case = unheard[key]
        case.with_warehouse = False
        text = "the warehouse said yes and knows nothing of it: handed over again"
        case.take(Event.NOTED, cause=f"ship_out:unknown:v{case.version}", actor="ballast", text=text)
        case.reschedule()
    return {unheard[key].id for key in again}
