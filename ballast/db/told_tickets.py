"""Tickets that a shop tells of by message: the same table as those of files, each message once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run
from ballast.db.inbox import NO_ORDER
from ballast.db.tickets import take_tickets
from ballast.ports.tickets import Ticket

Key = tuple[str, str]
"""Source and number."""

_CLOSED = """
select t.source, t.ticket_no, t.closed_at from ticket t
join jsonb_to_recordset(cast(:rows as jsonb)) as r(source text, ticket_no text) using (source, ticket_no)
where t.closed_at is not null
"""


async def take_told(tx: AsyncConnection, told: Sequence[tuple[int, Ticket]], now: datetime) -> dict[int, str]:
    """Put (message id, ticket) pairs into the books; message id -> why not, `NO_ORDER` when its order may still come.

    Of one ticket the later message stands; that it was opened, told late, opens none that is closed. What customers
    wrote is kept with the ticket only. A few statements for any number of messages of one source.
    """
    if not told:
        return {}
    newest = _newest(told, await _closed(tx, [one for _, one in told]))
    refused: dict[Key, str] = {}
    for source in sorted({source for source, _ in newest}):
        taken = await take_tickets(tx, [one for key, one in newest.items() if key[0] == source], now)
        refused |= {(source, no): NO_ORDER if no in taken.early else why for no, why in taken.refused.items()}
    answers = {letter: refused[_key(one)] for letter, one in told if _key(one) in refused}
    done = [letter for letter, _ in told if letter not in answers]
    await run(tx, "update inbox set payload = payload - 'text' where id = any(cast(:ids as bigint[]))", ids=done)
    return answers


def _key(one: Ticket) -> Key:
    return one.source, one.ticket_no


async def _closed(tx: AsyncConnection, told: Sequence[Ticket]) -> dict[Key, datetime]:
    """When those of them were closed that are."""
    named = [{"source": source, "ticket_no": number} for source, number in sorted({_key(one) for one in told})]
    return {(row.source, row.ticket_no): row.closed_at for row in await rows(tx, _CLOSED, rows=dumps(named))}


def _newest(told: Sequence[tuple[int, Ticket]], closed: Mapping[Key, datetime]) -> dict[Key, Ticket]:
    """What stands of each ticket, the messages in the order in which they came."""
    ended: defaultdict[Key, datetime | None] = defaultdict(lambda: None, closed)
    newest = {}
    for _, one in sorted(told, key=lambda pair: pair[0]):
        before = ended[_key(one)]
        if one.closed_at is None and before is not None and before >= one.opened_at:
            continue
        newest[_key(one)], ended[_key(one)] = one, one.closed_at
    return newest
