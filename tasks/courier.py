"""The courier: follow every parcel, ask about those that have gone quiet."""

import asyncio
from collections.abc import Mapping, Sequence

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import OutsideError
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.db.outbox import Outgoing
from ballast.ports import News, Receipt, Waybill
from ballast.wiring import House, house
from tasks.chunks import Tally, open_chunk
from tasks.deliveries import deliver
from tasks.listening import Answer, ask_and_apply
from tasks.policy import CHUNK


@task(name="subscribe parcels", tags=["courier"], **CHUNK)
async def subscribe_parcels(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """Have the scans of new parcels pushed to us."""
    here = await house()

    async def subscribe(waybill: Waybill, look_first: bool) -> Receipt:
        return await here.courier.subscribe(waybill, look_first=look_first)

    return await deliver(here, owner, batch, lambda case, m: _waybill(case, m.key.rsplit(":", 1)[1]), subscribe)


@task(name="ask courier", tags=["courier"], **CHUNK)
async def ask_courier(chunk: Chunk) -> Tally:
    """Ask where the unsigned parcels of quiet orders are. They are subscribed once more: the first time may be none."""
    here = await house()
    cases = await open_chunk(here, chunk)
    quiet = {case.id: (case, unsigned(case)) for case in cases}

    async def follow(_: AsyncConnection, held: Sequence[Case], answers: Mapping[int, Answer]) -> None:
        for case in held:
            if not isinstance(answers[case.id], OutsideError):
                case.follow_again(quiet[case.id][1])

    questions = {number: track(here, case, waybills) for number, (case, waybills) in quiet.items()}
    return await ask_and_apply(here, chunk, cases, questions, also=follow)


def unsigned(case: Case) -> list[str]:
    """The parcels of an order that nobody signed for."""
    return [parcel.waybill for parcel in case.parcels.values() if parcel.signed_at is None]


async def track(here: House, case: Case, waybills: Sequence[str]) -> Sequence[News]:
    """What the courier says of these parcels now."""
    answers = await asyncio.gather(*(here.courier.track(_waybill(case, waybill)) for waybill in waybills))
    return [one for answer in answers for one in answer]


def _waybill(case: Case, waybill: str) -> Waybill:
    tail = case.head["receiver"]["mobile"][-4:]
    return Waybill(order_no=case.order_no, carrier=case.parcels[waybill].carrier, waybill=waybill, phone_tail=tail)
