"""What people and shops may do about returns: ask for one, answer it, say what came, what is paid for, that it is over.

Every function locks the order, decides by the life cycle and writes order and return in one transaction. Raises
`ReturnRefused` with what stands in the way, and nothing was changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases, moves, return_steps, returns
from ballast.db.archive import say_where
from ballast.db.case import Case
from ballast.db.engine import run
from ballast.db.merging import leaders_of
from ballast.db.returning import ReturnRefused, Wanted, ask
from ballast.db.returns import Return
from ballast.domain.returns import ReturnEvent, ReturnState, order_of
from ballast.domain.schedule import Waits
from ballast.ports import GoodsBack, PiecesBack


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it."""

    order_no: str
    return_no: str
    state: ReturnState
    text: str


async def request(
    tx: AsyncConnection, order_no: str, wanted: Wanted, *, now: datetime, waits: Waits, dry_run: bool = False
) -> Done:
    """Ask for a return. Refused with the figures: more than was delivered, too late, another's order, twice.

    Of an order that was merged it is a return of the one that carries its lines.
    """
    led = (await leaders_of(tx, [order_no])).get(order_no)
    if led is not None and (lines := led.wanted(wanted.lines)) is not None:
        order_no, wanted = led.leader, replace(wanted, lines=lines)
    case = await _locked(tx, order_no, now, waits)
    number = ask(case, wanted, cause=f"return:{len(case.known_returns) + 1}:asked")
    if not dry_run:
        await moves.write(tx, [case])
    text = f"{'exchange' if wanted.exchange else 'return'} {number} is asked for, and will be answered within 4 hours"
    return Done(order_no=order_no, return_no=number, state=ReturnState.REQUESTED, text=text)


async def answer(
    tx: AsyncConnection,
    named: str,
    *,
    approve: bool,
    by: str,
    words: str,
    now: datetime,
    waits: Waits,
    goods: bool = True,
    freight: bool = False,
) -> Done:
    """Answer a return that waits, by its number or its order's. News of goods that waited for the answer is new again.

    `goods` False: the customer keeps them. `freight`: what was paid for freight goes back, too.
    """
    case, row = await _open(tx, named, now, waits, ReturnState.REQUESTED)
    return_steps.answer(case, row, approve=approve, by=f"person:{by}", words=words, goods=goods, freight=freight)
    await _write(tx, case, row)
    await run(
        tx,
        "update inbox set state = 'new', note = '' where state = 'waiting' and order_no = :order_no",
        order_no=case.order_no,
    )
    said = "accepted" if approve else "refused"
    return _done(case, row, f"the return ({row.why or row.reason}) is {said}")


async def judge(
    tx: AsyncConnection, named: str, *, pay: bool, by: str, words: str, now: datetime, waits: Waits
) -> Done:
    """A person looked at what came: it is paid for (or exchanged), or not."""
    case, row = await _open(tx, named, now, waits, ReturnState.INSPECTED)
    if row.settled_at is not None:
        raise ReturnRefused(
            f"{row.return_no}: {', '.join(row.refund_nos)} is asked for already: see `ballast finance list`"
        )
    row.due_at = now
    if pay:
        row.accepted = True
        return_steps.note(case, row, "judged", f"what came is paid for. {words}".strip(), actor=f"person:{by}")
    else:
        row.take(ReturnEvent.REJECTED, now)
        return_steps.note(case, row, "rejected", f"what came is not paid for. {words}".strip(), actor=f"person:{by}")
    await _write(tx, case, row)
    return _done(case, row, "what came is paid for" if pay else "what came is not paid for")


async def receive(
    tx: AsyncConnection,
    named: str,
    *,
    good: Mapping[int, int],
    damaged: Mapping[int, int],
    final: bool,
    by: str,
    now: datetime,
    waits: Waits,
) -> Done:
    """Say by hand what came, line number -> pieces: for a warehouse that tells nothing. It acts as its confirm, and is
    not counted once more when the warehouse says the same after all.
    """
    case, row = await _open(tx, named, now, waits)
    return_steps.resolve(case, row)
    if unknown := sorted({*good, *damaged} - row.lines.keys()):
        raise ReturnRefused(
            f"{row.return_no} has no line {unknown[0]}: it has {', '.join(map(str, sorted(row.lines)))}"
        )
    for line_no, line in row.lines.items():
        if (said := good.get(line_no, 0) + damaged.get(line_no, 0)) > line.quantity - line.came:
            what = f"{said} of line {line_no} said, {line.quantity} asked for, {line.came} there already"
            raise ReturnRefused(f"{row.return_no}: {what}")
    pieces = tuple(
        PiecesBack(
            sku=line.sku, line_no=no, good=line.good + good.get(no, 0), damaged=line.damaged + damaged.get(no, 0)
        )
        for no, line in row.lines.items()
    )
    case.goods_back.append(GoodsBack(return_no=row.return_no, pieces=pieces, final=final, so_far=True))
    return_steps.note(case, row, f"counted:v{case.version}", f"{by} says what came", actor=f"person:{by}")
    await moves.write(tx, [case])
    if case.puzzles:
        raise ReturnRefused(case.puzzles[0])
    fresh = (await returns.load(tx, numbers=[row.return_no]))[0]
    return _done(case, fresh, f"{fresh.state}: {sum(line.came for line in fresh.lines.values())} pieces are back")


async def give_up(tx: AsyncConnection, named: str, *, by: str, words: str, now: datetime, waits: Waits) -> Done:
    """Its goods do not come: it is closed, and its pieces may be asked for again."""
    case, row = await _open(tx, named, now, waits)
    if not return_steps.give_up(case, row, words or "given up", by=f"person:{by}"):
        raise ReturnRefused(f"{row.return_no} is {row.state}: goods of it are there, or it is over")
    await _write(tx, case, row)
    return _done(case, row, "given up")


async def paid(tx: AsyncConnection, named: str, *, by: str, words: str, now: datetime, waits: Waits) -> Done:
    """The money reached the customer in another way than by its refund, which failed."""
    case, row = await _open(tx, named, now, waits, ReturnState.INSPECTED, ReturnState.APPROVED)
    under_way = [no for no in row.refund_nos if case.refunds[no].state in ("asked", "requested", "by_hand")]
    if row.settled_at is None or under_way:
        what = f"{', '.join(under_way)} is under way" if under_way else "no refund was asked for yet"
        raise ReturnRefused(f"{row.return_no}: {what}; see `ballast finance list`")
    row.take(ReturnEvent.REFUNDED, now)
    row.due_at = now
    return_steps.note(case, row, "refunded", f"{by} says that the money is with the customer. {words}".strip(),
                      actor=f"person:{by}")  # fmt: skip
    await _write(tx, case, row)
    return _done(case, row, "the money is with the customer")


async def _locked(tx: AsyncConnection, order_no: str, now: datetime, waits: Waits) -> Case:
    found = await cases.load(tx, now=now, waits=waits, order_nos=[order_no])
    if not found:
        raise ReturnRefused(f"{order_no}: {await say_where(tx, order_no)}; compare the number with the shop's")
    return found[0]


async def _open(
    tx: AsyncConnection, named: str, now: datetime, waits: Waits, *states: ReturnState
) -> tuple[Case, Return]:
    """The order, locked, and the one return of it that is meant: by its number, or the only one that waits so."""
    case = await _locked(tx, order_of(named) or named, now, waits)
    known = await returns.load(tx, order_ids=[case.id])
    exact = [row for row in known if row.return_no == named]
    wanted = exact or [row for row in known if row.state in (states or set(ReturnState) - {ReturnState.CLOSED})]
    if not wanted:
        raise ReturnRefused(f"{case.order_no}: no return waits for that")
    if len(wanted) > 1:
        raise ReturnRefused(f"{case.order_no} has several: name one: {', '.join(row.return_no for row in wanted)}")
    if states and wanted[0].state not in states:
        raise ReturnRefused(
            f"{wanted[0].return_no} is {wanted[0].state}, not {' or '.join(states)}: nothing was changed"
        )
    return case, wanted[0]


async def _write(tx: AsyncConnection, case: Case, row: Return) -> None:
    await moves.write(tx, [case])
    await returns.write(tx, [row])


def _done(case: Case, row: Return, text: str) -> Done:
    return Done(order_no=case.order_no, return_no=row.return_no, state=row.state, text=text)
