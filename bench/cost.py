"""What processes spent, read from /proc (Linux): CPU seconds, and the most memory that they held."""

import os
import resource
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the memory."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of a process and its children, and the highest sum of their resident memory without shared pages."""

    cpu_s: float
    peak_mb: float


class Meter:
    """Looks at named processes and whatever they have started."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = dict(roots)

    @property
    def roots(self) -> Mapping[str, int]:
        """Name -> process."""
        return dict(self._roots)

    @contextmanager
    def measure(self) -> Iterator[dict[str, Cost]]:
        """What each process spent while the context was open; filled when it ends."""
        spent: dict[str, Cost] = {}
        before = {name: cpu_seconds(pid) for name, pid in self._roots.items()}
        peaks, over = dict.fromkeys(self._roots, 0.0), threading.Event()
        looking = threading.Thread(target=self._look, args=(peaks, over), daemon=True)
        looking.start()
        try:
            yield spent
        finally:
            over.set()
            looking.join()
            for name, pid in self._roots.items():
                spent[name] = Cost(cpu_seconds(pid) - before[name], peaks[name])

    def _look(self, peaks: dict[str, float], over: threading.Event) -> None:
        while True:
            for name, pid in self._roots.items():
                peaks[name] = max(peaks[name], memory_mb(pid))
            if over.wait(_LOOK_EVERY):
                return


def own_cost() -> dict[str, float]:
    """What this process has spent since it began, as a contestant says it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}


def cpu_seconds(pid: int) -> float:
    """CPU of a process, of its children, and of those children that have ended."""
    return sum(_cpu(one, ended=one == pid) for one in family(pid))


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its children, without what they share with files and with each other."""
    return sum(_resident(one) for one in family(pid))


def family(pid: int) -> list[int]:
    """A process, its children and theirs."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for one in (task / "children").read_text().split():
                found += family(int(one))
    except (FileNotFoundError, ProcessLookupError):
        return found
    return found


def _cpu(pid: int, *, ended: bool) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11 : 15 if ended else 13])) / _TICKS


def _resident(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE") / 1024**2


@contextmanager
def stopwatch() -> Iterator[dict[str, float]]:
    """{"seconds": ..} when the context ends."""
    taken: dict[str, float] = {}
    began = time.perf_counter()
    yield taken
    taken["seconds"] = time.perf_counter() - began
