"""Orders, news and the short ways to bring an order somewhere, through the same doors that the steps use."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ballast.db import cases, moves, news, stock
from ballast.db.case import Case
from ballast.db.engine import rows
from ballast.db.intake import insert_orders
from ballast.domain.life_cycle import TooEarly
from ballast.domain.money import Money
from ballast.domain.words import Event, HoldReason, State, System
from ballast.ports import Charge, Line, News, Order, Parcel, Receiver, Refund, StockFigure
from ballast.wiring import House
from tests.times import NOON

Lines = Sequence[tuple[str, int]]
TWO = (("SKU-1", 2),)
RECEIVER = Receiver(
    name="张三", mobile="13912345678", province="浙江", city="杭州", district="西湖", address="文三路 1 号"
)


def make_order(order_no: str = "SO-1", lines: Lines = TWO, **changes: Any) -> Order:
    """An order of 10.00 a piece, placed ten minutes before noon."""
    total = sum(pieces for _, pieces in lines) * 1000
    order = Order(
        order_no=order_no,
        channel="direct",
        placed_at=NOON - timedelta(minutes=10),
        paid_at=None,
        total=Money(total),
        freight=Money(0),
        discount=Money(0),
        customer_no=f"C-{order_no}",
        openid=None,
        receiver=Receiver(
            name="张三", mobile="13912345678", province="浙江", city="杭州", district="西湖", address="1"
        ),
        lines=tuple(
            Line(line_no=number, sku=sku, name=sku, quantity=pieces, unit_price=1000, amount=pieces * 1000)
            for number, (sku, pieces) in enumerate(lines, 1)
        ),
    )
    return replace(order, **changes)


async def place(house: House, *orders: Order) -> dict[str, int]:
    """Put orders into the books; number -> id."""
    async with house.transaction() as tx:
        return await insert_orders(tx, orders, source="direct", now=house.clock.now(), waits=house.waits)


async def place_many(house: House, count: int) -> list[int]:
    """That many orders that are due for payment at once; their ids."""
    early = NOON - timedelta(hours=2)
    ids = await place(house, *(make_order(f"SO-{number:04}", placed_at=early) for number in range(count)))
    return sorted(ids.values())


@asynccontextmanager
async def opened(house: House, *order_nos: str) -> AsyncIterator[list[Case]]:
    """Locked cases; what the body decided is written when it ends, or rolled back when it raises."""
    async with house.transaction() as tx:
        found = await cases.load(tx, now=house.clock.now(), waits=house.waits, order_nos=order_nos)
        yield found
        await moves.write(tx, found)


@asynccontextmanager
async def opened_one(house: House, order_no: str = "SO-1") -> AsyncIterator[Case]:
    async with opened(house, order_no) as (case,):
        yield case


async def tell(house: House, *told: News) -> list[str]:
    """Let news of one order act, as the inbox does; a word for each: moved, noted, early."""
    async with opened(house, told[0].order_no) as (case,):
        return [_act(case, one) for one in told]


def _act(case: Case, one: News) -> str:
    try:
        return "moved" if news.apply(case, one) else "noted"
    except TooEarly:
        return "early"


async def read_case(house: House, order_no: str = "SO-1") -> Case:
    """The order as the database has it now."""
    async with house.transaction() as tx:
        (case,) = await cases.load(tx, now=house.clock.now(), waits=house.waits, order_nos=[order_no], lock=False)
    return case


async def table(house: House, sql: str, **params: Any) -> list[Mapping[str, Any]]:
    """Rows of one question."""
    async with house.transaction() as tx:
        return [row._mapping for row in await rows(tx, sql, **params)]


async def column(house: House, sql: str, **params: Any) -> list[Any]:
    """The first column of one question."""
    async with house.transaction() as tx:
        return [row[0] for row in await rows(tx, sql, **params)]


async def until_blocked(house: House, transactions: int) -> None:
    """Until that many transactions wait for another."""
    sql = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with asyncio.timeout(10):
        while await column(house, sql) != [transactions]:
            await asyncio.sleep(0.01)


# -- the way of an order -----------------------------------------------------------------------------------------


async def fill_shelf(house: House, pieces: Mapping[str, int], warehouse: str = "CK001") -> None:
    """The ERP says that these pieces are there."""
    figures = [StockFigure(sku=s, warehouse=warehouse, on_hand=n, available=n, locked=0) for s, n in pieces.items()]
    async with house.transaction() as tx:
        await stock.take_figures(tx, figures, asked_at=house.clock.now())


async def pay(house: House, order_no: str = "SO-1", transaction: str = "T-1") -> None:
    """Captured and counted, as confirm_payment does it."""
    async with house.transaction() as tx:
        (case,) = await cases.load(tx, now=house.clock.now(), waits=house.waits, order_nos=[order_no])
        news.apply(case, captured(case.head["total"], transaction, order_no))
        case.charges[-1] = replace(case.charges[-1], state="counted")
        case.payments[-1]["state"] = "counted"
        case.milestones["paid_at"] = case.now
        case.take(Event.PAYMENT_CONFIRMED, cause=f"confirm_payment:{order_no}", actor="ballast")
        await moves.write(tx, [case])


async def lock(house: House, order_no: str = "SO-1") -> None:
    async with opened_one(house, order_no) as case:
        case.take(Event.STOCK_LOCKED, cause=f"lock_stock:{order_no}", actor="ballast")


async def bring(house: House, to: State, *, order: Order | None = None) -> Case:
    """A new order on its ordinary way, one parcel `Y-1` with everything: paid, locked, shipped, scanned, signed."""
    order = order or make_order()
    await place(house, order)
    way = (State.STOCK_LOCKED, State.OUTBOUND, State.IN_TRANSIT, State.SIGNED, State.CLOSED)
    await pay(house, order.order_no)
    for state in way[: way.index(to) + 1]:
        await _advance(house, order, state)
    return await read_case(house, order.order_no)


async def _advance(house: House, order: Order, state: State) -> None:
    number = order.order_no
    match state:
        case State.STOCK_LOCKED:
            await lock(house, number)
        case State.OUTBOUND:
            items: Counter[str] = Counter()
            for line in order.lines:
                items[line.sku] += line.quantity
            await tell(house, shipped({"Y-1": items}, order_no=number))
        case State.IN_TRANSIT:
            await tell(house, scanned("Y-1", order_no=number))
        case State.SIGNED:
            await tell(house, scanned("Y-1", Event.PARCEL_SIGNED, "3", order_no=number, minutes=20))
            async with opened_one(house, number) as one:
                one.take(Event.SIGNED, cause=f"sign_off:{number}", actor="ballast")
        case State.CLOSED:
            async with opened_one(house, number) as one:
                one.take(Event.RETURN_WINDOW_ENDED, cause=f"closed:{number}", actor="ballast")
        case _:
            raise AssertionError(state)


async def hold_by_hand(house: House, reason: HoldReason, order_no: str = "SO-1", evidence: str = "as they say") -> None:
    async with opened_one(house, order_no) as case:
        case.take(Event.HELD, cause=f"held:v{case.version}", actor="ballast", reason=reason, evidence=evidence)


async def release(house: House, order_no: str = "SO-1", by: str = "person:li") -> None:
    async with opened_one(house, order_no) as case:
        case.take(Event.RELEASED, cause=f"release:v{case.version}", actor=by, note="looked at it")


# -- news --------------------------------------------------------------------------------------------------------


def said(system: System, event_: Event, code: str, *, order_no: str = "SO-1", minutes: int = 0, **parts: Any) -> News:
    """News of so many minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    values: dict[str, Any] = {"field": "status", **parts}
    return News(system=system, order_no=order_no, happened_at=at, said=code, event=event_, **values)


def captured(amount: int, transaction: str = "T-1", order_no: str = "SO-1", minutes: int = 0) -> News:
    at: datetime = NOON + timedelta(minutes=minutes)
    charge = Charge(transaction_id=transaction, amount=Money(amount), merchant="1900000001", paid_at=at)
    return said(System.WECHATPAY, Event.PAYMENT_CAPTURED, "SUCCESS", order_no=order_no, minutes=minutes, charge=charge)


def refunded(
    amount: int = 2000,
    transaction: str = "T-1",
    number: str = "R-1",
    *,
    of: int = 2000,
    code: str = "SUCCESS",
    order_no: str = "SO-1",
    minutes: int = 30,
) -> News:
    """The provider's word on a refund of so much of a charge that took `of`."""
    failed = code in ("CLOSED", "ABNORMAL")
    event_ = {"SUCCESS": Event.REFUNDED, "PROCESSING": Event.NOTED}.get(code, Event.HELD)
    refund = Refund(refund_no=number, transaction_id=transaction, amount=Money(amount), captured=Money(of))
    return said(
        System.WECHATPAY, event_, code, order_no=order_no, minutes=minutes, field="refund_status", refund=refund,
        reason=HoldReason.REFUND_FAILED if failed else None,
    )  # fmt: skip


def shipped(
    parcels: Mapping[str, Mapping[str, int]], *, order_no: str = "SO-1", final: bool = True, minutes: int = 0
) -> News:
    """The warehouse's confirm: waybill -> what is in it."""
    event_ = Event.SHIPPED if final else Event.PARTLY_SHIPPED
    made = tuple(Parcel(carrier="YTO", waybill=waybill, items=dict(items)) for waybill, items in parcels.items())
    return said(System.QIMEN, event_, "DELIVERED", order_no=order_no, minutes=minutes, parcels=made, final=final)


def scanned(waybill: str, event_: Event = Event.SCANNED, code: str = "2", *, minutes: int = 10, **parts: Any) -> News:
    return said(System.KDNIAO, event_, code, minutes=minutes, waybill=waybill, **parts)


# -- what the database was asked ---------------------------------------------------------------------------------


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that goes to the server while the context is open, with its parameters."""
    heard: list[tuple[str, Any]] = []

    def hear(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        heard.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", hear)


async def somebody_waits(tx: AsyncConnection) -> None:
    """Return once another connection stands in the queue for a lock."""
    async with asyncio.timeout(10):
        while True:
            if await rows(tx, "select 1 from pg_locks where not granted"):
                return
            await asyncio.sleep(0.01)
