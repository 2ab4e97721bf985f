"""Storing together: who shares a statement, who fails alone, who is told to come again."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from ballast.ports import Message
from ballast.wiring import House
from tests.web.stage import make_house
from web.hooks.collector import MOST_AT_ONCE, Collector, Letters, NotStored, Unstorable, store_into


def message(name: str, **payload: object) -> Message:
    return Message(event_id=name, topic="test", order_no="SO1", payload=payload)


class Shelf:
    """A store that remembers every statement and fails when told to."""

    def __init__(self, fails: Callable[[list[str]], BaseException | None] = lambda _: None) -> None:
        self.statements: list[list[str]] = []
        self.fails = fails

    async def __call__(self, letters: Letters) -> None:
        await asyncio.sleep(0)
        names = [letter.event_id for _, letter in letters]
        self.statements.append(names)
        if error := self.fails(names):
            raise error


def refusal(sqlstate: str) -> DBAPIError:
    original = asyncpg.PostgresError("no")
    original.sqlstate = sqlstate
    return DBAPIError("insert", {}, original)


async def put_all(collector: Collector, *names: str) -> list[BaseException | None]:
    return await asyncio.gather(
        *(collector.put("direct", [message(name)]) for name in names), return_exceptions=True
    )  # fmt: skip


async def test_those_who_come_together_share_one_statement() -> None:
    shelf = Shelf()
    collector = Collector(shelf)
    assert await put_all(collector, *"abcde") == [None] * 5
    assert shelf.statements == [list("abcde")]
    assert await put_all(collector, "f") == [None]
    assert shelf.statements[1:] == [["f"]]


async def test_a_statement_has_a_most() -> None:
    shelf = Shelf()
    names = [str(n) for n in range(MOST_AT_ONCE + 100)]
    assert not any(await put_all(Collector(shelf), *names))
    assert [len(statement) for statement in shelf.statements] == [MOST_AT_ONCE, 100]


async def test_a_sender_with_more_than_fits_goes_alone() -> None:
    shelf = Shelf()
    many = [message(str(n)) for n in range(MOST_AT_ONCE * 2)]
    collector = Collector(shelf, most_waiting=10)
    await asyncio.gather(collector.put("qimen", many))
    assert [len(statement) for statement in shelf.statements] == [MOST_AT_ONCE * 2]


async def test_one_bad_message_fails_alone() -> None:
    shelf = Shelf(lambda names: refusal("22P05") if "bad" in names else None)
    outcomes = await put_all(Collector(shelf), "a", "bad", "b")
    assert [type(outcome) for outcome in outcomes] == [type(None), Unstorable, type(None)]
    assert shelf.statements == [["a", "bad", "b"], ["a"], ["bad"], ["b"]]


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError(), refusal("08006"), refusal("57P03"),
                                   refusal("42P01"), asyncpg.TooManyConnectionsError("no")])  # fmt: skip
async def test_a_database_that_is_away_is_asked_once_for_all(error: BaseException) -> None:
    shelf = Shelf(lambda _: error)
    outcomes = await put_all(Collector(shelf), *"abc")
    assert [type(outcome) for outcome in outcomes] == [NotStored] * 3
    assert len(shelf.statements) == 1


async def test_a_database_that_hangs_is_not_waited_for() -> None:
    free = asyncio.Event()

    async def hang(_: Letters) -> None:
        await free.wait()

    collector = Collector(hang, patience=0.05)
    outcomes = await put_all(collector, *"ab")
    assert [type(outcome) for outcome in outcomes] == [NotStored] * 2
    free.set()
    await collector.close()


async def test_who_gave_up_is_left_out_of_later_statements() -> None:
    """Told to send it again, so it must not be stored behind its back without need."""
    shelf, free = Shelf(), asyncio.Event()

    async def slow(letters: Letters) -> None:
        await shelf(letters)
        await free.wait()

    collector = Collector(slow, patience=0.05)
    first = asyncio.create_task(collector.put("direct", [message("a")]))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(collector.put("direct", [message("b")]))
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NotStored] * 2
    free.set()
    assert await put_all(collector, "c") == [None]
    assert shelf.statements == [["a"], ["c"]]


async def test_the_queue_is_bounded() -> None:
    free = asyncio.Event()

    async def hang(_: Letters) -> None:
        await free.wait()

    collector = Collector(hang, most_waiting=3)
    first = asyncio.create_task(collector.put("direct", [message("0")]))
    await asyncio.sleep(0.02)
    waiting = [asyncio.create_task(collector.put("direct", [message(str(n))])) for n in range(1, 4)]
    await asyncio.sleep(0)
    with pytest.raises(NotStored, match="waiting"):
        await collector.put("direct", [message("4")])
    free.set()
    await asyncio.gather(first, *waiting)


async def test_closing_stores_what_waits_and_takes_no_more() -> None:
    shelf = Shelf()
    collector = Collector(shelf)
    waiting = [asyncio.create_task(collector.put("direct", [message(name)])) for name in "abc"]
    await asyncio.sleep(0)
    await collector.close()
    await asyncio.gather(*waiting)
    assert shelf.statements == [list("abc")]
    with pytest.raises(NotStored, match="stopping"):
        await collector.put("direct", [message("d")])


async def test_a_writer_that_died_is_replaced() -> None:
    shelf = Shelf(lambda names: KeyError("a mistake of ours") if "a" in names else None)
    collector = Collector(shelf, patience=0.05)
    assert [type(outcome) for outcome in await put_all(collector, "a")] == [NotStored]
    assert await put_all(collector, "b") == [None]


async def test_the_real_database_refuses_one_and_takes_its_neighbours(house: House) -> None:
    """A NUL passes every check of ours only if an adapter lets it: the last line of defence is here."""
    collector = Collector(store_into(house))
    outcomes = await asyncio.gather(
        collector.put("direct", [message("good-1")]),
        collector.put("direct", [message("nul", text="a\0b")]),
        collector.put("direct", [message("long" + "".join(map(chr, range(300, 4000))))]),
        collector.put("direct", [message("deep", x=_deep(600))]),
        collector.put("direct", [message("good-2")]),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), Unstorable, Unstorable, Unstorable, type(None)]


def _deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


async def test_two_processes_with_the_same_messages_do_not_block_each_other(house: House, database_url: str) -> None:
    other = make_house(database_url)
    names = [f"m{n}" for n in range(200)]
    ours, theirs = Collector(store_into(house)), Collector(store_into(other))
    outcomes = await asyncio.gather(put_all(ours, *names), put_all(theirs, *reversed(names)))
    assert not any(outcomes[0] + outcomes[1])
    await other.close()
