"""The ERP: reserve what was paid, book what left, note what arrived."""

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import OutOfStock
from ballast.clock import to_local
from ballast.db import deliveries, moves, stock
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.db.incoming import read_expected
from ballast.db.outbox import Outgoing
from ballast.domain.deliveries import DeliveryState
from ballast.domain.sourcing import Incoming, in_words, promised_for
from ballast.domain.stock import Allocation, Want
from ballast.domain.words import Event, HoldReason
from ballast.ports import Order, Receipt
from ballast.wiring import House, house
from tasks.chunks import Job, Outcome, Tally, carry_out, hold, open_chunk, raise_if_down, settle, still_ours
from tasks.deliveries import deliver, received
from tasks.policy import CHUNK


@task(name="reserve stock", tags=["erp"], **CHUNK)
async def reserve_stock(chunk: Chunk) -> Tally:
    """Lock a chunk in our ledger, then have the ERP audit a sale order with reservation for what could be locked."""
    here = await house()
    cases = await open_chunk(here, chunk)
    cases, allocations, expected = await _lock(here, chunk, cases)
    jobs = [
        Job(f"erp.reserve:{case.order_no}", case.id, order, case.id)
        for case in cases
        if (order := _request(case, allocations[case.id], expected))
    ]

    async def reserve(order: Order, look_first: bool) -> Receipt:
        return await here.erp.reserve(order, look_first=look_first)

    outcomes = await carry_out(here, "erp.reserve", jobs, reserve, chunk=chunk)
    short = {case.id: Outcome() for case in cases if not allocations[case.id].warehouse}

    def decide(case: Case, outcome: Outcome) -> str:
        allocation = allocations[case.id]
        if outcome.receipt is not None:
            _source(case, allocation, expected)
            case.take(
                Event.STOCK_LOCKED,
                cause=f"lock_stock:{case.order_no}",
                actor="ballast",
                text=f"{_told(case, allocation)}, ERP sale order {outcome.receipt.reference}",
            )
            return "locked"
        if outcome.error is None:
            found = (_short(allocation.missing, expected), *allocation.rejected)
            return hold(case, chunk.step, HoldReason.STOCK_SHORT, "; ".join(found))
        reason = HoldReason.STOCK_SHORT if isinstance(outcome.error, OutOfStock) else HoldReason.ERP_REFUSED
        return hold(case, chunk.step, reason, outcome.error)

    async def let_go(tx: AsyncConnection, held: list[Case]) -> None:
        refused = [case.id for case in held if case.held]
        await stock.end_locks(tx, refused, here.clock.now())

    tally = await settle(here, chunk, cases, jobs, outcomes | short, decide, also=let_go)
    raise_if_down(jobs, outcomes)
    return tally


async def _lock(
    here: House, chunk: Chunk, cases: Sequence[Case]
) -> tuple[list[Case], Mapping[int, Allocation], Incoming]:
    """Those that are still ours, what each got in our ledger by the sourcing rows, and what is expected of the rest."""
    async with here.transaction() as tx:
        ours = await still_ours(tx, here, chunk)  # what was closed since gets no pieces
        held = [case for case in cases if case.id in ours]
        rules = (await here.rules.current(tx, here.clock.now())).sourcing_set
        wants = [
            Want.of(case.id, deliveries.pieces_by_sku(case, deliveries.wanted(case)), deliveries.ask_of(case))
            for case in held
        ]
        allocations = await stock.lock_stock(tx, wants, here.clock.now(), rules=rules)
        await moves.note(tx, [case for case in held if _tell_choice(case, allocations[case.id])])
        lacking = sorted({sku for one in allocations.values() for sku in one.missing})
        return held, allocations, await read_expected(tx, lacking, now=here.clock.now())


def _short(missing: Mapping[str, int], expected: Incoming) -> str:
    """What is missing, and from which day on there ought to be enough, where that is known."""
    day = promised_for(missing, expected)
    said = ", ".join(f"{sku} {pieces} short" for sku, pieces in missing.items())
    return f"{said}, expected {to_local(day)[:10]}" if day else said


def _tell_choice(case: Case, allocation: Allocation) -> bool:
    """Into the history, with the locks: who takes over finds the locks, and not why they are there."""
    if not (allocation.parts and allocation.rejected):
        return False
    text = "; ".join((allocation.why, *allocation.rejected))
    case.take(Event.NOTED, cause=f"sourced:v{case.version}", actor="ballast", text=text)
    return True


def _request(case: Case, allocation: Allocation, expected: Incoming) -> Order | None:
    """The order as its sale order is to be, its case untouched: who knows what the ERP says to it."""
    if not allocation.parts:
        return None
    draft = copy(case)
    draft.deliveries, draft.changed_deliveries = dict(case.deliveries), set()
    _source(draft, allocation, expected)
    return draft.order()


def _source(case: Case, allocation: Allocation, expected: Incoming) -> None:
    """From one warehouse, or in deliveries when there are several, or when a part waits: until then it is promised.

    The same locks give the same deliveries, whoever dies in between.
    """
    parts = sorted(allocation.parts, key=lambda part: part.warehouse)
    case.warehouse = parts[0].warehouse
    if (len(parts) > 1 or allocation.missing) and not case.deliveries:
        deliveries.add(
            case, parts, deliveries.wanted(case), DeliveryState.PLANNED, allocation.why,
            promised_at=promised_for(allocation.missing, expected),
        )  # fmt: skip


def _told(case: Case, allocation: Allocation) -> str:
    if not case.deliveries:
        return case.warehouse
    missing = f", {in_words(allocation.missing)} on backorder" if allocation.missing else ""
    return ", ".join(f"{one.code} {one.warehouse or one.state}" for one in deliveries.deliveries_of(case)) + missing


@task(name="book outbound", tags=["erp"], **CHUNK)
async def book_outbound(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """Have the ERP audit the outbound bills of what left: its stock goes down, the reservation ends."""
    here = await house()

    async def post(order: Order, look_first: bool) -> Receipt:
        return await here.erp.post_outbound(order, look_first=look_first)

    async def told(tx: AsyncConnection, sent: list[Outgoing]) -> None:
        await stock.booked(tx, [message.order_id for message in sent], here.clock.now())

    return await deliver(here, owner, batch, lambda case, _: case.order(), post, after=told)


@task(name="note receipt", tags=["erp"], **CHUNK)
async def note_receipt(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """Tell the ERP when the customer got the goods."""
    here = await house()

    async def post(request: tuple[Order, datetime], look_first: bool) -> Receipt:
        order, signed_at = request
        return await here.erp.post_receipt(order, signed_at, look_first=look_first)

    return await deliver(here, owner, batch, received, post)
