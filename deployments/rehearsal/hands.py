"""Hands in the chaos run: customers who cancel, an operator who presses rerun, by the commands that people type."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.engine import DATABASE_ERRORS, rows
from deployments.processes import modules
from deployments.rehearsal.disturbances import What

SHARE = {What.CANCEL: 0.005, What.RERUN: 0.02}
"""Of all orders, each time."""

CHOOSES = {
    What.CANCEL: ("PENDING_PAYMENT", "STOCK_LOCKED", "OUTBOUND", "IN_TRANSIT"),
    What.RERUN: ("PENDING_PAYMENT", "SIGNED", "CLOSED"),
}
"""Whom. A rerun releases what is on hold by the time it comes, and whether a lost parcel may be forgotten is nothing to
press at random: what is held before the lock is asked anew, and what has ended says so."""

AT_ONCE = {What.CANCEL: 1, What.RERUN: 2}
"""A rerun is pressed twice."""

TRIES = 20


class Hands:
    """Presses and, when a command fails because everything around it is being killed, presses again."""

    def __init__(self, engine: AsyncEngine, env: Mapping[str, str], seed: int) -> None:
        self.said: Counter[str] = Counter()
        self._engine, self._env = engine, {**os.environ, **env}
        self._rng = Random(f"hands/{seed}")  # noqa: S311  # a run that can be had again is the point
        self._pressing: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        return bool(self._pressing)

    def press(self, what: What) -> None:
        task = asyncio.create_task(self._press(what))
        self._pressing.add(task)
        task.add_done_callback(self._pressing.discard)

    async def finish(self) -> None:
        """Wait for what is under way. Raises what went wrong with it."""
        await asyncio.gather(*self._pressing)

    async def _press(self, what: What) -> None:
        """Commands say what happened to each order; each order is counted once."""
        for _ in range(TRIES):
            numbers = await self._choose(what)
            done = await asyncio.gather(*(self._run(what, numbers) for _ in range(AT_ONCE[what] if numbers else 0)))
            if any(done):
                self.said[what] += len(numbers)
                return
            await asyncio.sleep(5)

    async def _choose(self, what: What) -> Sequence[str]:
        try:
            async with self._engine.connect() as tx:
                found = await rows(
                    tx,
                    "select order_no from sales_order where state = any(cast(:states as text[])) order by order_no",
                    states=list(CHOOSES[what]),
                )
                count = (await rows(tx, "select count(*) as orders from sales_order"))[0].orders
        except DATABASE_ERRORS:
            return ()
        wanted = max(1, round(SHARE[what] * count))
        return self._rng.sample([r.order_no for r in found], min(wanted, len(found)))

    async def _run(self, what: What, numbers: Sequence[str]) -> bool:
        """Whether the command went through. One that a killed server cut off may have done its work all the same."""
        process = await asyncio.create_subprocess_exec(
            *modules("ballast.cli", what.value, *numbers, "--by", "chaos", "--json"),
            env=self._env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        said, _ = await process.communicate()
        return process.returncode == 0 and set(json.loads(said)) == set(numbers)
