"""The end of the way: sign off what arrived, close what can no longer come back."""

from collections import Counter

from prefect import task

from ballast.db import cases as orders
from ballast.db import moves
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.domain.words import Event, State
from ballast.wiring import house
from tasks.chunks import Tally
from tasks.policy import CHUNK


@task(name="sign off", tags=["orders"], **CHUNK)
async def sign_off_chunk(chunk: Chunk) -> Tally:
    """Sign off orders whose parcels all arrived (shop and ERP are told); close those past their return window."""
    here = await house()
    async with here.moving(chunk.step) as tx:
        held = await orders.load(tx, now=here.clock.now(), waits=here.waits, ids=chunk.ids, lease_owner=chunk.owner)
        tally = Counter(decide(case) for case in held)
        await moves.write(tx, held)
    return tally


def decide(case: Case) -> str:
    """What becomes of one order that is due; the word for it."""
    if case.standing.state is State.SIGNED:
        signed_at = case.milestones["signed_at"]
        if signed_at is None or case.now < signed_at + case.waits.open_for(case.facts().skus):
            case.reschedule()  # the shop's confirmation signed it while we held it
            return "waiting for the return window"
        case.take(Event.RETURN_WINDOW_ENDED, cause=f"closed:{case.order_no}", actor="ballast")
        return "closed"
    if not case.all_signed:
        case.reschedule()
        return "not all signed"
    arrived = max(parcel.signed_at for parcel in case.parcels.values() if parcel.signed_at)
    case.take(
        Event.SIGNED,
        cause=f"sign_off:{case.order_no}",
        actor="ballast",
        happened_at=arrived,
        text=f"{len(case.parcels)} parcel(s) signed for",
    )
    return "signed"
