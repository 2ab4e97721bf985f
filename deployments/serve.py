"""The long-lived process of a single machine: a listener that answers news at once, and a worker for schedules.

The listener hears NOTIFY (and looks once a second for what has become due by time), waits a moment for company, and
calls the flow in its own process. No run is started when nothing is due. More of these processes may run side by side:
one leads, and the others take what it leaves lying.
On SIGTERM it takes nothing new, finishes what is under way, gives back what it cannot finish, and is gone within 10 s.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import httpx
from prefect import tags
from prefect.exceptions import PrefectException

from ballast.collector import spare_collector
from ballast.db.claims import due_now, neglected
from ballast.db.engine import DATABASE_ERRORS, NO_PLACE, Listening, bell
from ballast.settings import SettingsError
from ballast.tracing import start_tracing
from ballast.wiring import House, close_house, database_url, house
from deployments.apply import flow_of, read_deployments
from deployments.automations import POOL
from deployments.clients import shared_clients
from deployments.health import health_port
from deployments.stopping import CLOSE, Ending, UnderWay, run_until_told
from deployments.worker import HouseWorker
from flows.ask_refunds import ask_refunds
from flows.call_off import call_off
from flows.confirm_payment import confirm_payment
from flows.handle_returns import handle_returns
from flows.lock_stock import lock_stock
from flows.read_inbox import read_inbox
from flows.runs import woken_by
from flows.send_alerts import send_alerts
from flows.send_outbox import send_outbox
from flows.ship_out import ship_out
from flows.sign_off import sign_off
from flows.take_orders import take_orders
from flows.track_transit import track_transit
from flows.watch_sla import watch_sla

log = logging.getLogger("ballast.serve")

Duty = Callable[[float], Coroutine[Any, Any, object]]
"""A flow that is called with the seconds to stay for more."""

ANSWERS: dict[str, Duty] = {
    "orders": take_orders,
    "inbox": read_inbox,
    "confirm_payment": confirm_payment,
    "lock_stock": lock_stock,
    "ship_out": ship_out,
    "track_transit": track_transit,
    "sign_off": sign_off,
    "call_off": call_off,
    "outbox": send_outbox,
    "alerts": send_alerts,
    "sla": watch_sla,
    "refunds": ask_refunds,
    "returns": handle_returns,
}
"""What a ring is answered with."""

TAGS: dict[Any, list[str]] = {flow_of(entry["entrypoint"]): entry["tags"] for entry in read_deployments()}
"""What the runs of a deployment are tagged with, for those that no deployment starts."""

LOOK_EVERY = 1.0
PAUSE_AFTER_FAILURE = 0.2
"""Seconds, doubled with every further failure in a row."""
PAUSE_MOST = {"database": 1.0, "run": 5.0}
"""A database that was restarted is found again at once; a run that fails again and again need not fill the UI."""
RUN_ERRORS = (PrefectException, httpx.HTTPError, RuntimeError, ExceptionGroup)
"""How runs fail. httpx: Prefect's server does not answer."""


@dataclass(slots=True)
class Pause:
    """Short after the first failure, longer with every further one in a row."""

    failures: int = 0

    async def rest(self, most: float) -> None:
        await asyncio.sleep(min(most, PAUSE_AFTER_FAILURE * 2 ** min(self.failures, 10)))
        self.failures += 1

    def over(self) -> None:
        self.failures = 0


class Listener:
    """Knows what was rung for and starts one run per duty, never two of the same at once in this process."""

    def __init__(self, here: House, under_way: UnderWay | None = None, answers: Mapping[str, Duty] = ANSWERS) -> None:
        self.here, self.answers = here, answers
        self.under_way = under_way or UnderWay()
        self.hears = False
        self.looked_at: float | None = None  # loop time of the last look that the database answered
        self._rung = {flow: asyncio.Event() for flow in set(answers.values())}
        self.place = NO_PLACE  # in the line of all processes that listen; 0 leads
        self._knows_its_place = asyncio.Event()

    def heard(self, what: str) -> None:
        """Who has no channel is told nothing: alerts wait until one is set up."""
        if what in self.answers and (what != "alerts" or self.here.channels):
            self._rung[self.answers[what]].set()

    def duties(self) -> list[Coroutine[Any, Any, None]]:
        """Everything that a listener does for ever, side by side."""
        return [self.listen(), self.look(), *(self.answer(flow) for flow in self._rung)]

    async def listen(self) -> None:
        """Hear NOTIFY for ever; after a lost connection open a new one. Nothing is missed: `look` goes on."""
        url, pause = database_url(self.here.settings), Pause()
        while True:
            try:
                async with bell(url, self.heard) as listening:
                    self.hears = True
                    pause.over()
                    await self._stand_in_line(listening)
            except DATABASE_ERRORS as lost:
                log.warning("listening was interrupted (%s), trying again", type(lost).__name__)
            finally:
                self.hears = False
                self.place = NO_PLACE
                self._knows_its_place.set()
            await pause.rest(PAUSE_MOST["database"])

    async def _stand_in_line(self, listening: Listening) -> None:
        """Move up when somebody before us is gone, until the connection is."""
        while not listening.lost.is_set():
            if self.place:
                self.place = await listening.move_up(self.place)
            self._knows_its_place.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(listening.lost.wait(), LOOK_EVERY)

    async def look(self) -> None:
        """Once a second: what has become due by the clock, or was rung for while nobody heard."""
        while True:
            try:
                async with self.here.transaction() as tx:
                    for what in await due_now(tx, self.here.clock.now()):
                        self.heard(what)
                self.looked_at = asyncio.get_running_loop().time()
            except DATABASE_ERRORS as lost:
                log.warning("the database did not answer (%s), trying again", type(lost).__name__)
            await asyncio.sleep(LOOK_EVERY)

    @property
    def _late(self) -> timedelta:
        """How long something is due when we take it: who stands before us is behind, or gone.

        Two who answer every ring share chunks that one would have taken whole: twice the runs, and no order is sooner
        there. Who has no place, as while its connection is lost, takes what the second takes.
        """
        return self.here.settings.patience.next_in_line * (self.place if self.place < NO_PLACE else 1)

    async def _due(self, flow: Duty) -> bool:
        """A ring may come for what a run that was still going has taken along: no run for nothing."""
        clock = self.here.clock
        async with self.here.transaction() as tx:
            due = await (neglected(tx, clock.after(-self._late)) if self.place else due_now(tx, clock.now()))
        return any(self.answers.get(what) is flow for what in due)

    async def answer(self, flow: Duty) -> None:
        """Run one duty whenever it was rung for. Its failures are red in the UI; the orders keep their place."""
        patience, pause = self.here.settings.patience, Pause()
        rung = self._rung[flow]
        while True:
            if self.place or not rung.is_set():  # else it was rung while the last run ended: a wait for company, too
                await rung.wait()
                await self._knows_its_place.wait()
                await asyncio.sleep((self._late or patience.gather).total_seconds())
            rung.clear()
            try:
                if await self._due(flow):
                    # an automation counts the failures of what is tagged like this
                    linger = 0.0 if self.place else patience.linger.total_seconds()
                    with tags(*TAGS.get(flow, ())), woken_by(rung):
                        await self.under_way.run(flow(linger))
                pause.over()
            except DATABASE_ERRORS as lost:
                log.warning("the database did not answer (%s), going on", type(lost).__name__)
                await pause.rest(PAUSE_MOST["database"])
            except RUN_ERRORS as failure:
                log.warning("a run failed (%s: %s), going on", type(failure).__name__, str(failure)[:300])
                await pause.rest(PAUSE_MOST["run"])


async def serve(ending: Ending) -> None:
    """Listen, look, answer and work for the pool until the end begins; then end in order."""
    here, under_way = await house(), UnderWay()
    listener = Listener(here, under_way)
    worker = HouseWorker(
        work_pool_name=POOL, name="single-machine", create_pool_if_not_found=False, limit=4, under_way=under_way
    )
    spare_collector()
    async with health_port(here, listener), shared_clients():
        duties: list[asyncio.Task[Any]] = [asyncio.create_task(duty) for duty in listener.duties()]
        working, stopped = asyncio.create_task(worker.start()), asyncio.create_task(ending.begun.wait())
        done, _ = await asyncio.wait([*duties, working, stopped], return_when=asyncio.FIRST_COMPLETED)
        ending.begin()
        here.stopping = True
        for duty in duties:
            duty.cancel()
        if cut_off := await under_way.end(lambda: worker.busy):
            log.warning("%d run(s) did not finish in time: what they had claimed is due again soon", cut_off)
        working.cancel()
        stopped.cancel()
        await asyncio.gather(*duties, working, stopped, return_exceptions=True)
    with suppress(TimeoutError):  # shared calls to the ERP are waited for, but not longer than there is time
        async with asyncio.timeout(CLOSE):
            await close_house()
    for ended in done - {stopped}:
        ended.result()  # a duty never ends by itself: show why it did


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it exists: this process is mostly sockets."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


if __name__ == "__main__":
    # A sweep that ends within a second leaves its renewal of the deployment's slot behind: no news for anybody.
    logging.getLogger("prefect.concurrency").setLevel(logging.ERROR)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        end_tracing = start_tracing("ballast-serve")
        try:
            run_until_told(serve, _loop_factory())
        finally:
            end_tracing()
    except SettingsError as wrong:
        raise SystemExit(f"serve does not start: {wrong}") from None
