"""The killer of the chaos run: does what the plan says, and notes how long the orders felt it."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ballast.db.embedded import EmbeddedServer
from deployments.rehearsal.disturbances import KILLED, Disturbance, What
from deployments.rehearsal.hands import Hands
from deployments.rehearsal.stage import Stage

Claims = set[tuple[int, str]]
"""(order id, lease owner) of the orders that some run works on."""

PREFECT_STARTS = 20.0
"""Seconds that the Prefect server takes until it answers again; without it no run begins."""


OUTAGES_MOST = 5
"""An outage goes on until somebody has called in vain, but not longer than so many times what was planned."""


@dataclass(slots=True)
class LeftBehind:
    """What a killed process worked on, until others took it over."""

    since: float
    claims: Claims
    prefect_was_away: bool = False


@dataclass(slots=True)
class Killer:
    """Counts everything that it did: a run that disturbed nothing cannot pass."""

    stage: Stage
    hands: Hands
    kills: Counter[str] = field(default_factory=Counter)
    restarts: list[dict[str, Any]] = field(default_factory=list)
    outage: dict[str, Any] = field(default_factory=dict)
    prefect_stopped: float = 0.0
    freed_after_kill: list[float] = field(default_factory=list)
    freed_without_prefect: list[float] = field(default_factory=list)  # it was away meanwhile
    _again: list[Disturbance] = field(default_factory=list)
    _outage_ends_at: float = 0.0
    _outage_seconds: float = 0.0  # as planned
    _prefect_back_at: float = 0.0
    _prefect_stopped_at: float = 0.0
    _restarted_at: float = 0.0
    _done_before: int | None = None  # None: not looked yet since the restart
    _left_behind: list[LeftBehind] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Nothing of it is under way any more."""
        return not (self._again or self._prefect_back_at or self._outage_ends_at or self.hands.busy)

    def disturb(self, one: Disturbance, claimed: Claims) -> None:
        """Do it. `claimed` is what was seen a moment ago."""
        match one.what:
            case What.KILL:
                self._kill(one, claimed)
            case What.RESTART_DATABASE:
                self._restart(one)
            case What.STOP_PREFECT:
                self._say(f"the Prefect server is stopped for {one.seconds:.0f} s")
                self._prefect_stopped_at = time.monotonic()
                self._prefect_back_at = self._prefect_stopped_at + one.seconds
                self.stage.house.child("prefect").stop()
            case What.OUTAGE:
                self.outage = {"system": one.target, "seconds": 0.0}
                self._go_out(one.seconds)
            case What.CANCEL | What.RERUN:
                self.hands.press(one.what)

    def go_on(self) -> None:
        """What takes its time: victims that were not up yet, the Prefect server that comes back, a vendor, too."""
        again, self._again = self._again, []
        for one in again:
            self._kill(one, set())
        if self._prefect_back_at and time.monotonic() >= self._prefect_back_at:
            self.stage.house.child("prefect").start()
            self.prefect_stopped, self._prefect_back_at = time.monotonic() - self._prefect_stopped_at, 0.0
        if self._outage_ends_at and time.monotonic() >= self._outage_ends_at:
            self._end_outage()

    def note(self, work_done: int, claimed: Claims) -> None:
        """How long it took until work went on, and until nothing hung on a dead process any more.

        Only for what the database has just answered.
        """
        if self._restarted_at:
            self._note_work(work_done)
        for left in self._left_behind:
            left.claims &= claimed
            left.prefect_was_away |= self._prefect_away
            if not left.claims:
                found = self.freed_without_prefect if left.prefect_was_away else self.freed_after_kill
                found.append(round(time.monotonic() - left.since, 1))
        self._left_behind = [left for left in self._left_behind if left.claims]

    def _note_work(self, work_done: int) -> None:
        """What was done before the restart does not count: the first look after it is the beginning."""
        if self._done_before is None:
            self._done_before = work_done
        elif work_done > self._done_before:
            self.restarts[-1]["worked_again_after_s"] = round(time.monotonic() - self._restarted_at, 1)
            self._restarted_at = 0.0

    @property
    def _prefect_away(self) -> bool:
        stopped_at = self._prefect_stopped_at
        back_at = self._prefect_back_at or stopped_at + self.prefect_stopped
        return bool(stopped_at) and time.monotonic() < back_at + PREFECT_STARTS

    def _kill(self, one: Disturbance, claimed: Claims) -> None:
        """A victim that is just being started again dies once it is there: every kill of the plan is one."""
        if not self.stage.house.child(one.target).kill():
            self._again.append(one)
            return
        self.kills[one.target] += 1
        self._say(f"SIGKILL to {one.target}")
        if claimed and one.target in KILLED[:-1]:
            self._left_behind.append(LeftBehind(time.monotonic(), set(claimed)))

    def _go_out(self, seconds: float) -> None:
        system = self.outage["system"]
        self._say(f"{system} is out for {seconds:.0f} s")
        self.stage.outside.post("faults", system=system, outage_seconds=seconds)
        self.outage["seconds"] += round(seconds, 1)
        self._outage_seconds, self._outage_ends_at = seconds, time.monotonic() + seconds

    def _end_outage(self) -> None:
        """An outage that met nobody, because everything stood still just then, was none."""
        felt = self.stage.outside.get("faults")["done"].get(f"{self.outage['system']}.outage")
        if felt or self.outage["seconds"] >= OUTAGES_MOST * self._outage_seconds:
            self._outage_ends_at = 0.0
        else:
            self._go_out(self._outage_seconds)

    def _restart(self, one: Disturbance) -> None:
        server: EmbeddedServer | None = self.stage.house.postgres
        assert server is not None, "a chaos run has its own database"
        began = time.monotonic()
        server.restart("immediate" if one.target == "immediate" else "fast")
        self._restarted_at, self._done_before = time.monotonic(), None
        self.restarts.append({"mode": one.target, "away_s": round(self._restarted_at - began, 1)})
        self._say(f"PostgreSQL was restarted ({one.target})")

    def _say(self, what: str) -> None:
        self.stage.console.print(f"[dim]{time.monotonic() - self.stage.began:4.0f} s[/dim] {what}")
