"""Ballast's own machinery on the bench: listener, flows, claims, chunks, effects, life cycle, history, outbox, Prefect.

Only the adapter is plain: one call of the client that all contestants use, as every adapter of Ballast makes it
(`VendorHttp`: limits over all processes, time-outs, blips, figures, spans).
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from prefect import flow, task
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.http import VendorHttp
from ballast.clock import Clock
from ballast.collector import spare_collector
from ballast.db.allowance import SharedAllowance
from ballast.db.case import Case
from ballast.db.case_parts import ParcelCase
from ballast.db.claims import Chunk
from ballast.db.engine import make_engine, rows, run
from ballast.domain.words import Event, Step, System
from ballast.ports import Order, Receipt
from ballast.settings import settings
from ballast.wiring import House, close_house, database_url, use_house
from bench.cost import own_cost, stopwatch
from bench.engine.orders import MESSAGE, STEPS, count_ends
from deployments.clients import shared_clients
from deployments.serve import Duty, Listener
from flows.runs import run_step
from flows.send_outbox import send_outbox
from tasks.chunks import Job, Outcome, Tally, carry_out, open_chunk, raise_if_down, settle
from tasks.policy import CHUNK

MAX_CALLS = 50


class Plain:
    """The adapter: every effect is one call."""

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        allowance = SharedAllowance(engine, "bench", max_calls=MAX_CALLS, per_second=0)
        self._url, self._http = url, VendorHttp(System.KINGDEE, max_calls=MAX_CALLS, allowance=allowance)

    async def make(self, request: tuple[str, str], look_first: bool) -> Receipt:
        order_no, step = request
        reply = await self._http.write("POST", self._url, order_no=order_no, json={"order": order_no, "step": step})
        return Receipt(reference=reply.json()["id"])

    async def post_receipt(self, order: Order, signed_at: datetime, *, look_first: bool = False) -> Receipt:
        return await self.make((order.order_no, STEPS[-1]), look_first)

    async def close(self) -> None:
        await self._http.close()


def _pay(case: Case, cause: str) -> None:
    case.milestones["paid_at"] = case.now
    case.take(Event.PAYMENT_CONFIRMED, cause=cause, actor="ballast")


def _lock(case: Case, cause: str) -> None:
    case.warehouse = "CK001"
    case.take(Event.STOCK_LOCKED, cause=cause, actor="ballast")


def _ship(case: Case, cause: str) -> None:
    waybill, items = f"YT{case.id}", {line.line.sku: line.line.quantity for line in case.lines}
    case.parcels[waybill] = ParcelCase("YTO", waybill, items, shipped_at=case.now, changed=True, fresh=True)
    for line in case.lines:
        line.shipped, line.changed = line.line.quantity, True
    case.announce = False  # one message per order, at its end: five calls in all
    case.take(Event.SHIPPED, cause=cause, actor="ballast")


def _sign(case: Case, cause: str) -> None:
    for parcel in case.parcels.values():
        parcel.said, parcel.said_at, parcel.signed_at, parcel.changed = "301", case.now, case.now, True
    case.announce = False
    case.take(Event.PARCEL_SIGNED, cause=cause, actor="ballast")
    case.take(Event.SIGNED, cause=f"sign_off:{case.order_no}", actor="ballast")
    case.announce = True
    case.send(MESSAGE)


MOVES: dict[Step, Callable[[Case, str], None]] = dict(
    zip(map(Step, STEPS[:-1]), (_pay, _lock, _ship, _sign), strict=True)
)


def step_flow(here: House, plain: Plain, step: Step) -> Duty:
    """A flow like Ballast's own: claim, one task run per chunk, one effect per order, one move per order."""
    move = MOVES[step]

    @task(name=step.value, **CHUNK)
    async def work(chunk: Chunk) -> Tally:
        cases = await open_chunk(here, chunk)
        jobs = [Job(f"{step}:{case.order_no}", case.id, (case.order_no, step.value), case.id) for case in cases]
        outcomes = await carry_out(here, step.value, jobs, plain.make, chunk=chunk)

        def decide(case: Case, outcome: Outcome) -> str:
            move(case, f"{step}:{case.order_no}")
            return "moved" if outcome.receipt else "refused"

        tally = await settle(here, chunk, cases, jobs, outcomes, decide)
        raise_if_down(jobs, outcomes)
        return tally

    @flow(name=step.value.replace("_", "-"), flow_run_name=step.value)
    async def carry_out_step(linger: float = 0.0) -> None:
        await run_step(step, work, linger)

    return carry_out_step


async def carry(orders: int) -> dict[str, Any]:
    """Every order from unpaid to signed, every message sent; the figures."""
    config = settings()
    patience = config.patience.model_copy(update={"courier_quiet": timedelta(0)})
    engine = make_engine(database_url(config))
    plain = Plain(os.environ["BENCH_ANSWERS"], engine)
    here = House(config.model_copy(update={"patience": patience}), Clock(), engine, roles={"erp": plain})
    use_house(here)
    answers: dict[str, Any] = {step.value: step_flow(here, plain, step) for step in MOVES}
    answers["outbox"] = send_outbox
    async with shared_clients():
        return await _carry_all(here, answers, orders)


async def _carry_all(here: House, answers: Mapping[str, Duty], orders: int) -> dict[str, Any]:
    """As `deployments.serve` does, with these duties."""
    await _warm_up(here, answers)
    spare_collector()
    listener = Listener(here, answers=answers)
    spent_before = own_cost()["cpu_s"]
    with stopwatch() as taken:
        duties = [asyncio.create_task(duty) for duty in listener.duties()]
        ends = await _watch(here, orders)
    here.stopping = True
    await asyncio.sleep(1)  # let the last runs say what they did
    for duty in duties:
        duty.cancel()
    await asyncio.gather(*duties, return_exceptions=True)
    await close_house()
    spent = own_cost()
    return {"orders": orders, **taken, **ends, **spent, "cpu_s": spent["cpu_s"] - spent_before}


async def _warm_up(here: House, answers: Mapping[str, Duty]) -> None:
    """Long-lived processes are measured: Prefect loads and connects with the first run of a process."""
    async with here.transaction() as tx:
        await run(tx, "update sales_order set due_at = due_at + interval '1 day'")
    for duty in answers.values():
        await duty(0)
    async with here.transaction() as tx:
        await run(tx, "update sales_order set due_at = due_at - interval '1 day'")


async def _watch(here: House, orders: int) -> dict[str, int]:
    """Until every message was written and sent, by a look that costs next to nothing; then count."""
    while True:
        await asyncio.sleep(0.1)
        async with here.transaction() as tx:
            if (await rows(tx, _ALL_SENT, orders=orders))[0][0]:
                return await count_ends(tx)


_ALL_SENT = """
select (select last_value >= cast(:orders as int) from outbox_id_seq)
  and not exists (select from outbox where due_at is not null)
"""


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(carry(int(sys.argv[1])))))  # noqa: T201  # what the bench reads
