"""The listener: one run for what was rung for, none for nothing, and on it goes after failures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text

import deployments.serve as serve
from ballast.db.engine import NO_PLACE, Listening, bell, ring
from ballast.domain.words import State, Step
from flows.confirm_payment import confirm_payment
from flows.read_inbox import read_inbox
from flows.take_orders import take_orders
from tests.flows.stage import LINES, Stage

Answers = dict[str, serve.Duty]


@asynccontextmanager
async def listening(stage: Stage, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[serve.Listener]:
    """A listener at work, as `serve` starts it, that looks rarely: what is quick was heard."""
    monkeypatch.setattr(serve, "PAUSE_AFTER_FAILURE", 0.1)
    listener = serve.Listener(stage.house, answers=answers)
    tasks = [asyncio.create_task(duty) for duty in listener.duties()]
    await asyncio.sleep(0.5)
    yield listener
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if await true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"it did not come true within {seconds:g} s")


class Worker:
    """Stands in for a flow: counts its runs, and takes the orders unless it is told to fail."""

    def __init__(self, stage: Stage, *, fail: int = 0) -> None:
        self.stage, self.fail, self.runs = stage, fail, 0

    async def __call__(self, linger: float) -> None:
        self.runs += 1
        if self.runs <= self.fail:
            raise RuntimeError("a chunk failed")
        await self.stage.take_orders()


async def place(stage: Stage) -> str:
    placed = await stage.world.place(lines=[{"sku": sku, "quantity": n} for sku, n in LINES], script="normal")
    return str(placed["order"]["order_no"])


async def known(stage: Stage) -> int:
    return int((await stage.rows("select count(*) from sales_order"))[0].count)


async def test_a_webhook_is_answered_by_the_flow_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "LOOK_EVERY", 60.0)
    answers: Answers = {"orders": take_orders, "inbox": read_inbox, Step.CONFIRM_PAYMENT.value: confirm_payment}
    async with listening(stage, answers, monkeypatch):
        order_no = await place(stage)
        await until(lambda: _is_there(stage, order_no))
        await stage.world.act(order_no, "pay")
        await until(lambda: _is_paid(stage, order_no))
    assert await stage.state(order_no) is State.PENDING_PAYMENT


async def _is_there(stage: Stage, order_no: str) -> bool:
    return bool(await stage.rows("select 1 from sales_order where order_no = :no", no=order_no))


async def _is_paid(stage: Stage, order_no: str) -> bool:
    return (await stage.order(order_no)).paid_at is not None


async def test_many_rings_are_one_run_and_a_ring_for_nothing_is_none(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "LOOK_EVERY", 60.0)
    stage.patience(gather=timedelta(seconds=1))
    work = Worker(stage)
    async with listening(stage, {"orders": work}, monkeypatch) as listener:
        async with stage.house.transaction() as tx:
            await ring(tx, "orders", "nobody-knows-this")
        listener.heard("orders")
        await asyncio.sleep(1.5)
        assert work.runs == 0, "nothing was due"
        for _ in range(5):
            await place(stage)
        await until(lambda: _count_is(stage, 5))
        await asyncio.sleep(1.5)
    assert work.runs <= 2  # one, or two when placing took longer than the gathering


async def _count_is(stage: Stage, orders: int) -> bool:
    return await known(stage) == orders


async def test_it_goes_on_after_a_run_that_failed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "LOOK_EVERY", 0.1)
    work = Worker(stage, fail=2)
    async with listening(stage, {"orders": work}, monkeypatch):
        await place(stage)
        await until(lambda: _count_is(stage, 1))
    assert work.runs == 3


async def test_what_became_due_by_time_is_looked_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "LOOK_EVERY", 0.1)
    order_no = await stage.placed()
    asked: list[str] = []

    async def confirm(linger: float) -> None:
        asked.append(order_no)
        await stage.check_payments()

    async with listening(stage, {Step.CONFIRM_PAYMENT.value: confirm}, monkeypatch):
        await asyncio.sleep(0.3)
        assert asked == []
        stage.later(timedelta(minutes=31))
        await until(lambda: _asked(asked))


async def _asked(asked: list[str]) -> bool:
    return bool(asked)


async def test_it_goes_on_after_its_connections_were_cut(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "LOOK_EVERY", 60.0)
    work = Worker(stage)
    async with listening(stage, {"orders": work}, monkeypatch):
        await _cut_all_others(stage)
        await until(lambda: _listens(stage))
        await place(stage)
        await until(lambda: _count_is(stage, 1))
    assert work.runs == 1


async def _cut_all_others(stage: Stage) -> None:
    async with stage.house.transaction() as tx:
        cut = await tx.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        )
        assert cut.rowcount >= 1


async def _listens(stage: Stage) -> bool:
    """Somebody hears the bell again, and knows that it leads."""
    found = await stage.rows("select 1 from pg_locks where locktype = 'advisory' and granted")
    return bool(found)


class Stuck(Worker):
    """Hangs in its first run until it is let go."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.go = asyncio.Event()

    async def __call__(self, linger: float) -> None:
        self.runs += 1
        await self.go.wait()


async def test_of_two_listeners_one_answers_and_when_it_ends_the_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.patience(next_in_line=timedelta(seconds=3))  # who does not lead is too late
    first, second = Worker(stage), Worker(stage)
    leader = AsyncExitStack()
    await leader.enter_async_context(listening(stage, {"orders": first}, monkeypatch))
    async with listening(stage, {"orders": second}, monkeypatch) as other:
        await place(stage)
        await until(lambda: _count_is(stage, 1))
        assert (first.runs, second.runs, other.place) == (1, 0, 1)
        await leader.aclose()
        await until(lambda: _leads(other))
        await place(stage)
        await until(lambda: _count_is(stage, 2))
    assert (first.runs, second.runs) == (1, 1)


async def test_places_are_taken_in_turn_and_who_is_gone_is_followed(books_url: str) -> None:
    async with AsyncExitStack() as first, AsyncExitStack() as others:
        await (await first.enter_async_context(bell(books_url, print))).move_up(NO_PLACE)
        second = await others.enter_async_context(bell(books_url, print))
        third = await others.enter_async_context(bell(books_url, print))
        assert [await one.move_up(NO_PLACE) for one in (second, third)] == [1, 2]
        assert (await second.move_up(1), await third.move_up(2)) == (1, 2), "nobody before them is gone"
        await first.aclose()
        await until(lambda: _moves_up(second, 1, 0))
        assert await third.move_up(2) == 1, "the place that became free"


async def _moves_up(one: Listening, place: int, to: int) -> bool:
    return await one.move_up(place) == to


async def _leads(listener: serve.Listener) -> bool:
    return listener.place == 0


async def test_what_the_first_leaves_lying_the_other_takes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.patience(next_in_line=timedelta(seconds=1))
    first, second = Stuck(stage), Worker(stage)
    async with listening(stage, {"orders": first}, monkeypatch):
        async with listening(stage, {"orders": second}, monkeypatch):
            await place(stage)
            await until(lambda: _count_is(stage, 1))
        assert (first.runs, second.runs) == (1, 1)
        first.go.set()
