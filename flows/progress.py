"""A bar in the Prefect UI for runs that take long: one artifact per run, made late and written seldom."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID
from weakref import ReferenceType, ref

import httpx
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.exceptions import PrefectException

from ballast.db.engine import DATABASE_ERRORS

log = logging.getLogger("ballast.runs")

BEGIN: Final = 5.0
"""Seconds. Most runs are over before, and need no bar."""
EVERY: Final = 2.0


@dataclass(slots=True, weakref_slot=True)
class Progress:
    """How far a run is: `done` of `of` (0: not known, and no bar). `left` is asked where nobody knows beforehand."""

    name: str
    done: int = 0
    of: int = 0
    left: Callable[[], Awaitable[int]] | None = None
    artifact: UUID | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    writing: "asyncio.Task[None] | None" = None

    def at(self, done: int, of: int) -> None:
        """The run has done so many of so many."""
        self.done, self.of = done, of

    def begin(self) -> None:
        """Write the bar from time to time, until `end`, or until the run is forgotten."""
        self.writing = asyncio.create_task(_write(ref(self), self.over))

    async def end(self, *, whole: bool) -> None:
        """The run is over; a bar that was begun is full if all of it was done."""
        self.over.set()
        if self.writing is not None:  # not cut off: the server might take its last word after ours
            await asyncio.wait([self.writing])
        if self.artifact is not None:
            if whole:
                self.of = self.done = max(self.done, 1)
            await self._show(final=True)

    async def show(self) -> None:
        """Write the bar. A bar that cannot be written is no reason to stop the run."""
        try:
            if self.left is not None:
                left = await self.left()
                self.of = self.done + left  # done by now, not before we asked
        except DATABASE_ERRORS as lost:
            log.warning("the bar of a run is late (%s)", type(lost).__name__)
            return
        await self._show()

    async def _show(self, *, final: bool = False) -> None:
        if not self.of:
            return
        percent = min(100.0, 100.0 * self.done / self.of)
        words = f"**{self.name}**: {self.done}" + ("" if final and percent == 100 else f" of {self.of}")
        try:
            if self.artifact is None:
                self.artifact = await acreate_progress_artifact(percent, f"{self.name}-progress", words)
            else:
                await aupdate_progress_artifact(self.artifact, percent, words)
        except (PrefectException, httpx.HTTPError) as lost:
            log.warning("the bar of a run could not be written (%s)", type(lost).__name__)


async def _write(progress: ReferenceType[Progress], over: asyncio.Event) -> None:
    pause = BEGIN
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), pause)
        if over.is_set():
            return
        pause = EVERY
        running = progress()
        if running is None:
            return
        await running.show()
        del running  # a run that failed is forgotten by all, also by us
