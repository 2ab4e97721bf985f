"""Commands about goods that come back: ask, see, answer, say what came, what is paid for, how long it takes."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ballast.cli import app

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from ballast.db.return_requests import Done
    from ballast.wiring import House

returns = App(name="returns", help="Returns and exchanges: goods that come back.")
app.command(returns)

Pieces = Annotated[list[str] | None, Parameter(help="LINE:PIECES, such as 1:2; may stand several times")]


@returns.command(name="request")
def request_return(
    order_no: str,
    *,
    reason: str = "other",
    line: Pieces = None,
    exchange: Annotated[list[str] | None, Parameter(help="SKU:PIECES that are wanted instead of the money")] = None,
    customer: Annotated[str | None, Parameter(help="who asks: another's order is not given back")] = None,
    why: str = "",
    by: str = "operator",
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Ask for a return of an order, or of some of its lines. Without --line: of everything that was delivered.

    Refused with the figures, exit 2: more than was delivered, pieces that are in another return, after the window, an
    order of another customer. `handle-returns` answers by rule, or asks a person.
    """
    from ballast.db.return_requests import Done, request
    from ballast.db.returning import ReturnRefused, Wanted
    from ballast.domain.returns import ReturnReason

    if reason not in list(ReturnReason):
        raise ReturnRefused(f"{reason!r} is no reason: say one of {', '.join(ReturnReason)}")
    wanted = Wanted(
        lines=_lines(line), reason=ReturnReason(reason), by=f"person:{by}", why=why, customer_no=customer,
        exchange=dict(map(_pair, exchange or [])),
    )  # fmt: skip

    async def ask(here: "House", tx: "AsyncConnection") -> Done:
        return await request(tx, order_no, wanted, now=here.clock.now(), waits=here.waits, dry_run=dry_run)

    _say(_do(ask), json=json)


@returns.command(name="list")
def list_returns(*, state: str = "", json: bool = False) -> None:
    """Returns that are not closed, or those in one state: which order, why, who asked, since when."""
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_returns import show_returns
    from ballast.db.returns import ReturnRow, list_returns

    async def look(here: "House") -> list[ReturnRow]:
        async with here.transaction() as tx:
            return await list_returns(tx, state=state)

    found = with_house(look)
    if json:
        print_json([asdict(row) for row in found])
    else:
        show_returns(found, Console())


@returns.command
def show(return_no: str, *, json: bool = False) -> int:
    """One return: its lines, what came, its refunds, the time of each step. Exit 1: there is none."""
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_returns import show_return
    from ballast.db.return_report import one_return

    async def look(here: "House") -> dict[str, Any] | None:
        async with here.transaction() as tx:
            return await one_return(tx, return_no)

    found = with_house(look)
    if found is None:
        print(f"no return {return_no}: see `ballast returns list`")
        return 1
    if json:
        print_json(found)
    else:
        show_return(found, Console())
    return 0


@returns.command
def answer(
    return_no: Annotated[str, Parameter(help="the return's number, or its order's")],
    *,
    accept: Annotated[bool, Parameter(help="take the goods back, or not")],
    keep: Annotated[bool, Parameter(help="the customer keeps the goods, the money goes back at once")] = False,
    freight: Annotated[bool, Parameter(help="what was paid for freight goes back, too")] = False,
    note: str = "",
    by: str = "operator",
    json: bool = False,
) -> None:
    """Answer a return that waits: --accept or --no-accept. Exit 2: none waits."""
    from ballast.db.return_requests import Done, answer

    async def say(here: "House", tx: "AsyncConnection") -> Done:
        return await answer(
            tx, return_no, approve=accept, by=by, words=note, now=here.clock.now(), waits=here.waits, goods=not keep,
            freight=freight,
        )  # fmt: skip

    _say(_do(say), json=json)


@returns.command
def receive(
    return_no: str,
    *,
    good: Pieces = None,
    damaged: Pieces = None,
    more: Annotated[bool, Parameter(help="the rest is still to come")] = False,
    by: str = "operator",
    json: bool = False,
) -> None:
    """Say by hand what came back, where the warehouse tells nothing: good pieces go to the shelf, once."""
    from ballast.db.return_requests import Done, receive

    came = [dict(_lines(pieces) or ()) for pieces in (good, damaged)]

    async def say(here: "House", tx: "AsyncConnection") -> Done:
        return await receive(
            tx, return_no, good=came[0], damaged=came[1], final=not more, by=by, now=here.clock.now(), waits=here.waits
        )

    _say(_do(say), json=json)


@returns.command
def settle(
    return_no: str,
    *,
    pay: Annotated[bool, Parameter(help="pay for what came, or not")],
    note: str = "",
    by: str = "operator",
    json: bool = False,
) -> None:
    """Judge what came back damaged, or not at all: --pay or --no-pay. Exit 2: it does not wait for that."""
    from ballast.db.return_requests import Done, judge

    async def say(here: "House", tx: "AsyncConnection") -> Done:
        return await judge(tx, return_no, pay=pay, by=by, words=note, now=here.clock.now(), waits=here.waits)

    _say(_do(say), json=json)


@returns.command
def paid(return_no: str, *, note: str = "", by: str = "operator", json: bool = False) -> None:
    """Say that the money reached the customer in another way than by its refund, which failed."""
    from ballast.db.return_requests import Done, paid

    async def say(here: "House", tx: "AsyncConnection") -> Done:
        return await paid(tx, return_no, by=by, words=note, now=here.clock.now(), waits=here.waits)

    _say(_do(say), json=json)


@returns.command
def close(return_no: str, *, note: str = "", by: str = "operator", json: bool = False) -> None:
    """Give a return up whose goods do not come: its pieces may be asked for again. Exit 2: goods of it are there."""
    from ballast.db.return_requests import Done, give_up

    async def say(here: "House", tx: "AsyncConnection") -> Done:
        return await give_up(tx, return_no, by=by, words=note, now=here.clock.now(), waits=here.waits)

    _say(_do(say), json=json)


@returns.command
def report(*, days: int = 30, json: bool = False) -> None:
    """How long each step took of the returns of the last days, and how many there are in each state."""
    from datetime import timedelta

    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_returns import show_times
    from ballast.db.return_report import StepTime, states, step_times

    async def look(here: "House") -> tuple[list[StepTime], dict[str, int]]:
        since = here.clock.now() - timedelta(days=days)
        async with here.transaction() as tx:
            return await step_times(tx, since=since), await states(tx, since=since)

    times, counts = with_house(look)
    if json:
        print_json({"hours": [asdict(one) for one in times], "states": counts})
    else:
        show_times(times, counts, Console())


@returns.command
def check() -> int:
    """Check the rules that answer returns (rules/returns.yaml): every mistake with file and line. Exit 2."""
    from ballast.cli.showing_returns import said_of_windows
    from ballast.rules.current import find_rules
    from ballast.rules.returns import read_return_rules
    from ballast.settings import settings

    found = read_return_rules(find_rules(settings().return_rules))
    for line in said_of_windows(found, settings().patience.return_window):
        print(line)
    for rule in found.rules:
        print(f"{rule.name}: {rule.then} when {rule.when}")
    return 0


def _lines(given: list[str] | None) -> tuple[tuple[int, int], ...] | None:
    """`1:2` -> (1, 2). Raises `ReturnRefused`."""
    from ballast.db.returning import ReturnRefused

    if given is None:
        return None
    pairs = [_pair(text) for text in given]
    if wrong := [line for line, _ in pairs if not line.isdecimal() or len(line) > 8]:
        raise ReturnRefused(f"{wrong[0]!r} is no line number: write LINE:PIECES, such as 1:2")
    return tuple((int(line), pieces) for line, pieces in pairs)


def _pair(text: str) -> tuple[str, int]:
    from ballast.db.returning import ReturnRefused

    name, _, pieces = text.rpartition(":")
    if not name or not pieces.isdecimal() or len(pieces) > 7:
        raise ReturnRefused(f"{text!r} is not understood: write NAME:PIECES, such as 1:2")
    return name, int(pieces)


def _do(work: "Callable[[House, AsyncConnection], Awaitable[Done]]") -> "Done":
    from ballast.cli.opening import with_house

    async def run(here: "House") -> "Done":
        async with here.transaction() as tx:
            return await work(here, tx)

    return with_house(run)


def _say(done: "Done", *, json: bool) -> None:
    from ballast.cli.opening import print_json

    if json:
        print_json(asdict(done))
    else:
        print(f"{done.order_no}: {done.text} ({done.return_no}, {done.state})")
