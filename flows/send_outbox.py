"""Send every message that a move decided to send."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from prefect import flow

from ballast.db.left import messages_left
from ballast.db.outbox import Outgoing, claim_messages, give_back_messages
from flows.runs import Run, start
from tasks.chunks import Tally
from tasks.courier import subscribe_parcels
from tasks.erp import book_outbound, note_receipt
from tasks.merging import void_merged
from tasks.payment import send_refunds
from tasks.plainly import is_plain, seen
from tasks.returns import announce_returns, book_returns
from tasks.storefront import tell_received, tell_refunded, tell_shipped

SENDERS: dict[str, Callable[[str, Sequence[Outgoing]], Awaitable[Tally]]] = {
    "courier.subscribe": subscribe_parcels,
    "parcel.follow": subscribe_parcels,
    "shop.shipped": tell_shipped,
    "shop.received": tell_received,
    "shop.refunded": tell_refunded,
    "erp.outbound": book_outbound,
    "erp.receipt": note_receipt,
    "erp.void": void_merged,
    "payment.refund": send_refunds,
    "wms.return": announce_returns,
    "erp.return": book_returns,
}


@dataclass(frozen=True, slots=True)
class Lane:
    """Systems whose messages leave together. Lanes do not wait for each other: one that is down is not in the way.

    A prompt lane is looked after as soon as it is rung, with more chunks at once; bookkeeping is, once a second.
    """

    systems: tuple[str, ...] = ()  # how their kinds begin; empty: all
    prompt: bool = False


LANES = (Lane(("shop",), prompt=True), Lane(("courier", "parcel")), Lane(("erp",)), Lane(("payment",)), Lane(("wms",)))
"""What the customer sees does not wait for the books."""
ONE_LANE = (Lane(prompt=True),)
"""For whoever waits for the end of a run anyway."""
BOOKKEEPING_EVERY = timedelta(seconds=1)


class Rush:
    """Whether the shop's lane has more to tell than it can: then the books wait, so that customers do not.

    Not for ever: a shop that takes little at a time is in no rush any more after a while.
    """

    LONGEST = 20.0  # seconds

    def __init__(self) -> None:
        self._since: float | None = None

    def note(self, *, behind: bool) -> None:
        """What the shop's lane found: more than it should."""
        self._since = (self._since or time.monotonic()) if behind else None

    @property
    def on(self) -> bool:
        return self._since is not None and time.monotonic() - self._since < self.LONGEST


@dataclass(frozen=True, slots=True)
class Claim:
    """Claimed messages, by kind: one task run sends those of a kind."""

    owner: str
    of_kind: Mapping[str, Sequence[Outgoing]]

    @property
    def ids(self) -> list[int]:
        return [message.id for messages in self.of_kind.values() for message in messages]


@flow(name="send-outbox", flow_run_name="send-outbox")
async def send_outbox(linger: float = 0.0) -> None:
    """Send every message that a move decided to send: to shop, ERP, courier and payment provider.

    Args:
        linger: Seconds to stay for more messages; 0 ends the run when there are none. 无事可做后再停留的秒数
    """
    run = await start("send-outbox", linger)

    async def left() -> int:
        async with run.house.transaction() as tx:
            return await messages_left(tx, run.house.clock.now())

    run.progress.left = left
    rush = Rush()
    async with asyncio.TaskGroup() as group:
        for lane in ONE_LANE if is_plain() else LANES:
            group.create_task(drain_lane(run, lane, rush))
    await run.finish()


async def drain_lane(run: Run, lane: Lane, rush: Rush) -> None:
    """Send what is due in one lane. While the shop is behind, lanes of books take nothing new."""
    here = run.house
    most = here.settings.chunk

    async def find() -> Claim | None:
        if run.linger and rush.on and not lane.prompt:
            return None
        owner, now = f"outbox:{uuid4().hex[:12]}", here.clock.now()
        async with here.transaction() as tx:
            claimed = await claim_messages(
                tx, owner=owner, most=most, now=now, until=here.lease(), systems=lane.systems
            )
        if lane.prompt:
            rush.note(behind=len(claimed) >= here.settings.chunk)
        return Claim(owner, _by_kind(claimed)) if claimed else None

    async def send(claim: Claim) -> Tally:
        """Every kind side by side; one that fails fails alone."""
        kinds = [_send_kind(claim.owner, kind, messages) for kind, messages in claim.of_kind.items()]
        ends = await asyncio.gather(*kinds, return_exceptions=True)
        run.tally.update(sum((end for end in ends if isinstance(end, Counter)), Tally()))
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return Tally()

    async def give_up(claim: Claim) -> None:
        async with here.transaction() as tx:
            await give_back_messages(tx, claim.owner, claim.ids, run.rest())

    await run.drain(
        find,
        send,
        at_once=here.settings.chunks_at_once if lane.prompt else 1,
        is_full=lambda claim: len(claim.ids) == most,
        give_up=give_up,
        every=None if lane.prompt else BOOKKEEPING_EVERY,
    )


async def _send_kind(owner: str, kind: str, messages: Sequence[Outgoing]) -> Tally:
    tally = await seen(SENDERS[kind])(owner, messages)
    return Counter({f"{kind} {word}": count for word, count in tally.items()})


def _by_kind(claimed: Sequence[Outgoing]) -> dict[str, list[Outgoing]]:
    kinds: defaultdict[str, list[Outgoing]] = defaultdict(list)
    for message in claimed:
        kinds[message.kind].append(message)
    return kinds
