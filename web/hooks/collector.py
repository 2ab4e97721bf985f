"""Messages that arrive within the same few milliseconds are stored by one statement, in one transaction."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from adapters.storefronts.direct.status import PLACED
from ballast.db import inbox
from ballast.db.engine import DATABASE_ERRORS
from ballast.domain.promising import Answer
from ballast.door import admit
from ballast.ports import Message
from ballast.wiring import House
from web.database import is_about_data

GATHER: Final = 0.02  # seconds; waiting for company: a transaction costs more than a message
MOST_AT_ONCE: Final = 500
MOST_WAITING: Final = 5_000
PATIENCE: Final = 4.0  # seconds; vendors hang up after three to five
STATEMENT: Final = 3.0  # seconds, for one transaction

Letters = Sequence[tuple[str, Message]]
Unpromised = Mapping[str, Answer]
"""Order number -> why its message was not stored."""
Store = Callable[[Letters], Awaitable[Unpromised | None]]


class NotStored(Exception):
    """The database does not take it now: the vendor has to send it again."""


class Unstorable(Exception):
    """The database will never take this message, however often it is sent."""


class NotPromised(Exception):
    """The order wants what is not there: the shop has to hear which lines, and what could be had."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.order_no)
        self.answer = answer


@dataclass(slots=True, eq=False)
class Sender:
    """One request that waits for its messages to be stored."""

    letters: Letters
    stored: asyncio.Future[None]

    def refusal(self, unpromised: Unpromised) -> NotPromised | None:
        """Why one of its messages was not stored. A shop sends one order at a time."""
        found = (unpromised[letter.order_no] for _, letter in self.letters if _is_refused(letter, unpromised))
        return next((NotPromised(answer) for answer in found), None)

    def settle(self, error: NotStored | Unstorable | NotPromised | None) -> None:
        """Tell the outcome, unless nobody waits for it any more."""
        if self.stored.done():
            return
        if error is None:
            self.stored.set_result(None)
        else:
            self.stored.set_exception(error)


class Collector:
    """Takes messages from many requests and stores them together. A writer runs while there is something to write."""

    def __init__(
        self,
        store: Store,
        *,
        patience: float = PATIENCE,
        most_waiting: int = MOST_WAITING,
        gather: float = GATHER,
    ) -> None:
        self._store, self._patience, self._most_waiting, self._gather = store, patience, most_waiting, gather
        self._waiting: deque[Sender] = deque()
        self._count = 0
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    async def put(self, source: str, messages: Sequence[Message]) -> None:
        """Returns once the messages are committed. Raises `NotStored`, `Unstorable` or `NotPromised`."""
        if self._closed:
            raise NotStored("this process is stopping")
        if self._waiting and self._count + len(messages) > self._most_waiting:
            raise NotStored(f"{self._count} messages are waiting to be stored")
        sender = Sender([(source, message) for message in messages], asyncio.get_running_loop().create_future())
        self._waiting.append(sender)
        self._count += len(sender.letters)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(self._patience):
                await sender.stored
        except TimeoutError:
            raise NotStored(f"the database did not take it within {self._patience:g} s") from None

    async def close(self) -> None:
        """Take nothing more and store what waits."""
        self._closed = True
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def _write(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._gather)
            if batch := self._take():
                await self._store_batch(batch)

    def _take(self) -> list[Sender]:
        """As many senders as fit into one statement, at least one; those that gave up are left out."""
        batch: list[Sender] = []
        room = MOST_AT_ONCE
        while self._waiting and (not batch or len(self._waiting[0].letters) <= room):
            sender = self._waiting.popleft()
            self._count -= len(sender.letters)
            if not sender.stored.done():
                batch.append(sender)
                room -= len(sender.letters)
        return batch

    async def _store_batch(self, batch: Sequence[Sender]) -> None:
        """All together; when the database refuses a message, each sender alone, so that one cannot spoil the others."""
        outcome = await self._attempt(batch)
        if not isinstance(outcome, Unstorable) or len(batch) == 1:
            _tell(batch, outcome)
            return
        for sender in batch:
            if not sender.stored.done():
                _tell([sender], await self._attempt([sender]))

    async def _attempt(self, batch: Sequence[Sender]) -> NotStored | Unstorable | Unpromised:
        try:
            async with asyncio.timeout(STATEMENT):
                return await self._store([letter for sender in batch for letter in sender.letters]) or {}
        except orjson.JSONEncodeError as error:
            return Unstorable(f"its JSON cannot be written: {error}")
        except DATABASE_ERRORS as error:
            name = type(getattr(error, "orig", None) or error).__name__
            return Unstorable(name) if is_about_data(error) else NotStored(f"the database does not answer ({name})")


def _tell(batch: Sequence[Sender], outcome: NotStored | Unstorable | Unpromised) -> None:
    for sender in batch:
        sender.settle(outcome if isinstance(outcome, Exception) else sender.refusal(outcome))


def store_into(house: House) -> Store:
    """The inbox of this house. Sorted: two processes that store the same messages cannot block each other.

    Orders that cannot be promised are not stored: they are checked, and reserved, in the same transaction.
    """

    async def store(letters: Letters) -> Unpromised:
        async with house.transaction() as tx:
            ordered = sorted(letters, key=lambda letter: (letter[0], letter[1].event_id))
            unpromised = await admit(house, tx, ordered)
            taken = [(source, one) for source, one in ordered if not _is_refused(one, unpromised)]
            await inbox.store(tx, taken, house.clock.now())
        return unpromised

    return store


def _is_refused(message: Message, unpromised: Unpromised) -> bool:
    return message.topic == PLACED and message.order_no in unpromised
