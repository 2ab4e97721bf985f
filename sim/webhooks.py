"""Sending to our side: 32 at a time, repeated until acknowledged in the vendor's own words."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from sim.faults import FaultBoard
from sim.records import Order

CONCURRENCY = 32
TIMEOUT = ClientTimeout(total=5)
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # real seconds; the last one repeats
TRIES = 8
# The seller's own backend has an outbox and does not give up after half a minute.
TRIES_OF = {"direct": 80}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One HTTP request; `path` follows the hooks address and is already encoded."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, eq=False)
class Webhook:
    """`build` is called for every try, because signatures carry the time of sending.

    `first` is resolved with the outcome of the first try (True: acknowledged), or None when it is lost. An
    `insistent` one is repeated by its vendor for so long that it is never lost for good.
    """

    system: str
    event: str
    key: str
    build: Callable[[], Outgoing]
    acknowledged: Callable[[int, bytes], bool]
    orders: tuple[Order, ...] = ()
    insistent: bool = False
    first: asyncio.Future[bool | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(slots=True, eq=False)
class Copy:
    hook: Webhook
    tries: int = 0


class Sender:
    def __init__(self, faults: FaultBoard, hooks: str | None) -> None:
        self._faults = faults
        self._queue: asyncio.Queue[Copy] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._known = asyncio.Event()
        self._calm = asyncio.Event()
        self._calm.set()
        self._hooks = ""
        self.pending = 0
        self.counts: Counter[str] = Counter()
        self.set_hooks(hooks)

    def set_hooks(self, hooks: str | None) -> None:
        """Without an address messages wait; nothing is lost."""
        self._hooks = (hooks or "").rstrip("/")
        if hooks:
            self._known.set()
        else:
            self._known.clear()

    @property
    def hooks_known(self) -> bool:
        return self._known.is_set()

    def start(self) -> None:
        connector = TCPConnector(limit=CONCURRENCY)
        self._session = ClientSession(timeout=TIMEOUT, connector=connector, cookie_jar=DummyCookieJar())
        self._workers = [asyncio.create_task(self._work()) for _ in range(CONCURRENCY)]

    async def stop(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._session.close()

    def post(self, hook: Webhook) -> Webhook:
        fate = self._faults.decide_fate(hook.system, hook.event, hook.key, insistent=hook.insistent)
        if not fate.copies:
            hook.first.set_result(None)
        for delay in fate.copies:
            self._open(hook)
            self._queue_after(delay, Copy(hook))
        return hook

    def _open(self, hook: Webhook) -> None:
        self.pending += 1
        self._calm.clear()
        for order in hook.orders:
            order.open += 1

    def _close(self, hook: Webhook, outcome: str) -> None:
        self.counts[outcome] += 1
        for order in hook.orders:
            order.open -= 1
        self.pending -= 1
        if not self.pending:
            self._calm.set()

    def _queue_after(self, delay: float, copy: Copy) -> None:
        if delay <= 0:
            self._queue.put_nowait(copy)
        else:
            asyncio.get_running_loop().call_later(delay, self._queue.put_nowait, copy)

    async def _work(self) -> None:
        while True:
            copy = await self._queue.get()
            await self._known.wait()
            left = self._faults.outage_left(copy.hook.system)
            if left:  # a system that is down does not send either
                self._queue_after(left, copy)
            else:
                await self._try(copy)

    async def _try(self, copy: Copy) -> None:
        hook = copy.hook
        copy.tries += 1
        self.counts["tries"] += 1
        done = await self._send(hook)
        if not hook.first.done():
            hook.first.set_result(done)
        if done:
            self._close(hook, "sent")
        elif copy.tries >= TRIES_OF.get(hook.system, TRIES):
            self._close(hook, "failed")
        else:
            self._queue_after(PAUSES[min(copy.tries, len(PAUSES)) - 1], copy)

    async def _send(self, hook: Webhook) -> bool:
        outgoing = hook.build()
        url = URL(self._hooks + outgoing.path, encoded=True)
        try:
            async with self._session.post(url, data=outgoing.body, headers=outgoing.headers) as answer:
                return hook.acknowledged(answer.status, await answer.read())
        except (ClientError, OSError, TimeoutError):
            return False

    async def settle(self, seconds: float) -> bool:
        """Wait until no message is under way; False when the time is up or nobody is there to send to."""
        if not self.hooks_known:
            return not self.pending
        try:
            async with asyncio.timeout(seconds):
                await self._calm.wait()
        except TimeoutError:
            return False
        return True
