"""Many webhooks at once: all are taken, few transactions store them, and none is acknowledged before its commit."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from ballast.db.engine import rows
from ballast.wiring import House
from tests.adapters.wire import sample
from tests.web import senders
from tests.web.stage import Stage

MANY = 400


def confirm(number: int) -> senders.Call:
    return senders.qimen(sample("qimen/confirm.xml").replace(b"</outBizCode>", b"-%d</outBizCode>" % number))


@contextmanager
def commits(house: House) -> Iterator[list[Any]]:
    """Every transaction of this house that was committed."""
    heard: list[Any] = []

    def hear(connection: Any) -> None:
        heard.append(connection)

    event.listen(house.engine.sync_engine, "commit", hear)
    try:
        yield heard
    finally:
        event.remove(house.engine.sync_engine, "commit", hear)


async def test_a_burst_is_taken_whole_by_few_transactions(stage: Stage) -> None:
    calls = [confirm(number) for number in range(MANY)]
    assert len({call.body for call in calls}) == MANY
    with commits(stage.house) as heard:
        answers = await asyncio.gather(*(call.post(stage.http) for call in calls))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await stage.inbox("qimen")) == MANY
    assert len(heard) < MANY / 4  # as many as the test's 100 connections make it


async def test_nobody_of_a_burst_is_acknowledged_before_it_is_stored(stage: Stage, house: House) -> None:
    async def post(number: int) -> int:
        answer = await confirm(number).post(stage.http)
        assert answer.status_code == 200
        async with house.engine.connect() as tx:
            mine = "select 1 from inbox where event_id like :mine"
            return len(await rows(tx, mine, mine=f"%-{number}"))

    assert await asyncio.gather(*(post(number) for number in range(100))) == [1] * 100
