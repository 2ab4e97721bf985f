"""The long-lived process of a single machine: a listener that answers news at once, and a worker for schedules.

The listener hears NOTIFY (and looks once a second for what has become due by time), waits a moment for company, and
calls the flow in its own process. No run is started when nothing is due. More of these processes may run side by side.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec

import asyncpg
from prefect.exceptions import PrefectException
from sqlalchemy.exc import SQLAlchemyError

from ballast.db.claims import due_now
from ballast.db.engine import bell
from ballast.wiring import House, close_house, database_url, house
from deployments.apply import POOL
from deployments.worker import HouseWorker
from flows.ask_refunds import ask_refunds
from flows.call_off import call_off
from flows.confirm_payment import confirm_payment
from flows.lock_stock import lock_stock
from flows.read_inbox import read_inbox
from flows.send_outbox import send_outbox
from flows.ship_out import ship_out
from flows.sign_off import sign_off
from flows.take_orders import take_orders
from flows.track_transit import track_transit

log = logging.getLogger("ballast.serve")

ANSWERS: dict[str, Callable[[float], Awaitable[object]]] = {
    "orders": take_orders,
    "inbox": read_inbox,
    "confirm_payment": confirm_payment,
    "lock_stock": lock_stock,
    "ship_out": ship_out,
    "track_transit": track_transit,
    "sign_off": sign_off,
    "call_off": call_off,
    "outbox": send_outbox,
    "alerts": send_outbox,
    "refunds": ask_refunds,
}
"""What a ring is answered with."""

LOOK_EVERY = 1.0
PAUSE_AFTER_FAILURE = 5.0


class Listener:
    """Knows what was rung for and starts one run per duty, never two of the same at once in this process."""

    def __init__(self, here: House) -> None:
        self.here = here
        self._rung = {flow: asyncio.Event() for flow in set(ANSWERS.values())}

    def heard(self, what: str) -> None:
        if what in ANSWERS:
            self._rung[ANSWERS[what]].set()

    async def listen(self) -> None:
        """Hear NOTIFY for ever; after a lost connection open a new one. Nothing is missed: `look` goes on."""
        url = database_url(self.here.settings)
        while True:
            try:
                async with bell(url, self.heard) as lost_line:
                    await lost_line.wait()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as lost:
                log.warning("listening was interrupted (%s), trying again", type(lost).__name__)
            await asyncio.sleep(1)

    async def look(self) -> None:
        """Once a second: what has become due by the clock, or was rung for while nobody heard."""
        while True:
            try:
                async with self.here.transaction() as tx:
                    for what in await due_now(tx, self.here.clock.now()):
                        self.heard(what)
            except (OSError, SQLAlchemyError) as lost:
                log.warning("the database did not answer (%s), trying again", type(lost).__name__)
            await asyncio.sleep(LOOK_EVERY)

    async def _due(self, flow: Callable[[float], Awaitable[object]]) -> bool:
        """A ring may come for what a run that was still going has taken along: no run for nothing."""
        async with self.here.transaction() as tx:
            return any(ANSWERS[what] is flow for what in await due_now(tx, self.here.clock.now()))

    async def answer(self, flow: Callable[[float], Awaitable[object]]) -> None:
        """Run one duty whenever it was rung for. Its failures are red in the UI; the orders keep their place."""
        patience = self.here.settings.patience
        rung = self._rung[flow]
        while True:
            await rung.wait()
            await asyncio.sleep(patience.gather.total_seconds())
            rung.clear()
            try:
                if not await self._due(flow):
                    continue
                await flow(patience.linger.total_seconds())
            except asyncio.CancelledError:
                raise
            except (PrefectException, SQLAlchemyError, OSError, RuntimeError, ExceptionGroup) as failure:
                log.warning("a run failed (%s: %s), going on", type(failure).__name__, str(failure)[:300])
                await asyncio.sleep(PAUSE_AFTER_FAILURE)


async def serve() -> None:
    """Listen, look, answer and work for the pool until SIGTERM or Ctrl-C."""
    here = await house()
    listener, stop = Listener(here), asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    duties = [listener.listen(), listener.look(), *(listener.answer(flow) for flow in set(ANSWERS.values()))]
    worker = HouseWorker(work_pool_name=POOL, name="single-machine", create_pool_if_not_found=False, limit=4)
    tasks = [asyncio.create_task(duty) for duty in [*duties, worker.start()]]
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in [*tasks, stopped]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await close_house()
    for task in done - {stopped}:
        task.result()  # a duty never ends by itself: show why it did


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
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve())
