"""Send every message that a move decided to send, and the alerts that people should see."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from prefect import flow

from ballast.db.claims import due_now
from ballast.db.outbox import Outgoing, claim_messages, give_back_messages
from flows.runs import DOWN, start
from tasks.alerts import send_digest
from tasks.chunks import Tally
from tasks.courier import subscribe_parcels
from tasks.erp import book_outbound, note_receipt
from tasks.payment import send_refunds
from tasks.storefront import tell_received, tell_shipped

SENDERS: dict[str, Callable[[str, Sequence[Outgoing]], Awaitable[Tally]]] = {
    "courier.subscribe": subscribe_parcels,
    "shop.shipped": tell_shipped,
    "shop.received": tell_received,
    "erp.outbound": book_outbound,
    "erp.receipt": note_receipt,
    "payment.refund": send_refunds,
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Claimed messages of one kind."""

    owner: str
    kind: str
    messages: tuple[Outgoing, ...]


@flow(name="send-outbox", flow_run_name="send-outbox")
async def send_outbox(linger: float = 0.0) -> None:
    """Send every message that a move decided to send, and the alerts that people should see.

    linger: seconds to stay for more messages; 0 ends the run when there are none.
    """
    run = await start("send-outbox", linger)
    here, waiting = run.house, list[Batch]()

    async def find() -> Batch | None:
        """The next batch of one kind; a claim over all kinds is split into batches and handed out one by one."""
        if not waiting:
            async with here.transaction() as tx:
                owner = f"outbox:{uuid4().hex[:12]}"
                claimed = await claim_messages(
                    tx, owner=owner, most=here.settings.chunk * 3, now=here.clock.now(), until=here.lease()
                )
            waiting.extend(_batches(owner, claimed))
        return waiting.pop() if waiting else None

    async def send(batch: Batch) -> Tally:
        tally = await SENDERS[batch.kind](batch.owner, batch.messages)
        return Counter({f"{batch.kind} {word}": count for word, count in tally.items()})

    async def give_up(batch: Batch) -> None:
        async with here.transaction() as tx:
            await give_back_messages(tx, batch.owner, [m.id for m in batch.messages], here.clock.after(DOWN))

    await run.drain(
        find, send, at_once=here.settings.chunks_at_once * 2, is_full=lambda _: bool(waiting), give_up=give_up
    )
    async with here.transaction() as tx:
        alerts_due = "alerts" in await due_now(tx, here.clock.now())
    if alerts_due:
        run.tally.update(await send_digest())
    await run.finish()


def _batches(owner: str, claimed: Sequence[Outgoing]) -> list[Batch]:
    kinds: defaultdict[str, list[Outgoing]] = defaultdict(list)
    for message in claimed:
        kinds[message.kind].append(message)
    return [Batch(owner, kind, tuple(messages)) for kind, messages in kinds.items()]
