"""How the long-lived process ends: what is under way is finished, what cannot be is cut off, and all that in time."""

import asyncio
import faulthandler
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")

FINISH = 6.0
"""Seconds that runs have to finish; calls to other systems are bounded, so most do."""
STEP = 0.05
REPORT = 1.0
"""Seconds that runs have to give back their leases and to report, once they are cut off."""
CLOSE = 0.5
"""Seconds for connections to be closed."""
AT_MOST = 9.5
"""Then the process is gone, whoever still does not answer: leases end by themselves, dead runs are closed."""
HEED = 0.2
"""Seconds. So often the main thread looks for signals: the kernel may give one to a thread that wakes nobody."""


class UnderWay:
    """The runs that this process works on. They do not end with who started them, but together and in order."""

    def __init__(self) -> None:
        self.ending = False
        self._runs: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Work on a run to its end, even if the caller is cancelled meanwhile."""
        task = asyncio.create_task(work)
        self._runs.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._runs.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it has seen it

    async def end(self, more_to_come: Callable[[], bool], *, finish: float = FINISH, report: float = REPORT) -> int:
        """Wait for the runs, cut off those that take longer than `finish` seconds; how many had to be cut off.

        `more_to_come` says whether somebody is still about to bring a run.
        """
        self.ending = True
        for _ in range(int(finish / STEP)):
            if not self._runs and not more_to_come():
                break
            await asyncio.sleep(STEP)
        late = list(self._runs)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=report)
        return len(late)


class Ending:
    """The end of this process: told from outside, or because something ended that never should. Always in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.begun = asyncio.Event()
        self._loop = loop
        self._watched = False

    def begin(self) -> None:
        """Set `begun`; leave after `AT_MOST` seconds, whoever does not answer. From any thread; a repeat is nothing.

        The watchdog is no Python: it ends a process that hangs in the interpreter's own end, and says where.
        """
        if not self._watched:
            self._watched = True
            faulthandler.dump_traceback_later(AT_MOST, exit=True)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.begun.set)


def run_until_told(
    work: Callable[[Ending], Coroutine[Any, Any, None]],
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run `work(ending)` in a thread of its own; SIGTERM and Ctrl-C begin the ending. Raises what `work` raises.

    In the main thread, Prefect would take SIGTERM for itself while a flow runs, and raise in the midst of anything.
    """
    loop = (new_loop or asyncio.new_event_loop)()
    ending = Ending(loop)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.begin())
    with ThreadPoolExecutor(1, thread_name_prefix="ballast") as thread:
        running = thread.submit(_run, work, ending, loop)
        while not wait([running], HEED).done:
            pass
        running.result()


def _run(work: Callable[[Ending], Coroutine[Any, Any, None]], ending: Ending, loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work(ending))
