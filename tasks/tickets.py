"""What comes in files about customers: tickets of customer service, and whose account they are."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.files.rejects import RejectsFile
from adapters.files.rows import Problem, Row
from adapters.files.tickets import Account, TicketMapping, read_accounts, read_tickets
from ballast.db.customers import set_owners
from ballast.db.rules_in_force import take_policy_in_force
from ballast.db.tickets import take_tickets
from ballast.ports.tickets import Ticket
from ballast.wiring import House

CHUNK: Final = 1000
MOST_REASONS: Final = 20


class NobodyKnows(ValueError):
    """An account's owner has to be among the SLA policy's people: add them there, or say one of those."""


async def known_people(here: House, tx: AsyncConnection, names: Iterable[str]) -> None:
    """Raises `NobodyKnows` for a name that alerts could not reach; an empty one is nobody."""
    people = await _people(here, tx)
    if unknown := sorted({name for name in names if name} - people):
        raise NobodyKnows(_nobody(", ".join(unknown), people))


async def _people(here: House, tx: AsyncConnection) -> set[str]:
    await take_policy_in_force(tx, here.sla, here.clock.now(), at_once=True)
    return set(here.sla.current().people)


def _nobody(name: str, people: set[str]) -> str:
    return f"{name}: not among the people of the SLA policy, who are {', '.join(sorted(people))}"


@dataclass(slots=True)
class FileTaken:
    """What a file came to. `strangers`: tickets of customers whom nobody knows yet; they are kept."""

    file: str
    rows: int = 0
    new: int = 0
    changed: int = 0
    known: int = 0
    strangers: int = 0
    refused: int = 0
    reasons: list[str] = field(default_factory=list)  # the first of them; the rejects file has all
    rejects: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"rejects": str(self.rejects) if self.rejects else None}

    def refuse(self, left_out: RejectsFile, problem: Problem) -> None:
        line = left_out.add(problem)
        self.refused += 1
        if len(self.reasons) < MOST_REASONS:
            self.reasons.append(line)


async def import_tickets(here: House, file: Path, mapping: TicketMapping, *, rejects: Path) -> FileTaken:
    """Every ticket of the file into the books, each row by itself; the same file again changes nothing.

    Raises `FileError` before anything is imported, when the file cannot be used at all.
    """
    done, seen = FileTaken(file.name), dict[str, str]()
    source = read_tickets(file, mapping)
    with RejectsFile(rejects) as left_out:
        while chunk := list(islice(source, CHUNK)):
            taken = {one.ticket_no: (row, one) for row, one in _good(chunk, seen, done, left_out)}
            async with here.transaction() as tx:
                put = await take_tickets(tx, [one for _, one in taken.values()], here.clock.now())
            done.new, done.changed, done.known = done.new + put.new, done.changed + put.changed, done.known + put.known
            done.strangers += put.strangers
            for ticket_no, reason in put.refused.items():
                done.refuse(left_out, Problem(row=taken[ticket_no][0], column="", reason=reason))
        done.rejects = rejects if left_out.count else None
    return done


def _good(
    chunk: Iterable[tuple[Row, Ticket] | Problem], seen: dict[str, str], done: FileTaken, left_out: RejectsFile
) -> Iterator[tuple[Row, Ticket]]:
    """Rows that can be used. A number that stood in an earlier row is refused: which of the two is right?"""
    for one in chunk:
        done.rows += 1
        if isinstance(one, Problem):
            done.refuse(left_out, one)
            continue
        row, ticket = one
        if (before := seen.setdefault(ticket.ticket_no, row.line)) != row.line:
            reason = f"ticket {ticket.ticket_no} stands in line {before}, too: which one is right?"
            done.refuse(left_out, Problem(row=row, column="", reason=reason))
        else:
            yield row, ticket


async def import_owners(here: House, file: Path, *, rejects: Path) -> FileTaken:
    """Whose account each customer of the file is; `known` are those who were it before. As `import_tickets`."""
    done, source = FileTaken(file.name), read_accounts(file)
    async with here.transaction() as tx:
        people = await _people(here, tx)
    with RejectsFile(rejects) as left_out:
        while chunk := list(islice(source, CHUNK)):
            named: dict[str, tuple[Row, Account]] = {}
            for one in chunk:
                done.rows += 1
                if isinstance(one, Problem):
                    done.refuse(left_out, one)
                elif one[1].owner and one[1].owner not in people:
                    reason = _nobody(one[1].owner, people)
                    done.refuse(left_out, Problem(row=one[0], column="owner", reason=reason))
                else:
                    named[one[1].customer_no] = one  # of two rows the later one stands
            async with here.transaction() as tx:
                known = await set_owners(tx, {number: account.owner for number, (_, account) in named.items()})
            done.changed += len(known)
            for number in named.keys() - known:
                done.refuse(left_out, Problem(row=named[number][0], column="customer_no", reason="no such customer"))
        done.rejects = rejects if left_out.count else None
    return done
