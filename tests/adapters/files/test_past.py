"""The way that a file's status and times describe."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.files.mapping import MILESTONES, RecordedState
from adapters.files.past import FileOrder, RecordedCharge
from ballast.domain.money import Money
from ballast.domain.words import Event
from ballast.ports import Line, Order, Receiver

PLACED = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = {name: PLACED + timedelta(hours=hours) for hours, name in enumerate(MILESTONES, start=1)}
PAY, LOCK, SHIP, SCAN, SIGN = (
    Event.PAYMENT_CONFIRMED, Event.STOCK_LOCKED, Event.SHIPPED, Event.SCANNED, Event.SIGNED,
)  # fmt: skip


def past(state: RecordedState, *names: str, charges: int = 0, **times: datetime) -> FileOrder:
    receiver = Receiver(name="Li", mobile="13800000000", province="", city="", district="", address="Road 1")
    line = Line(line_no=1, sku="K1", name="K1", quantity=1, unit_price=100, amount=100)
    order = Order(order_no="A1", channel="shop", placed_at=PLACED, paid_at=None, total=Money(100), freight=Money(0),
                  discount=Money(0), customer_no="C1", openid=None, receiver=receiver, lines=(line,))  # fmt: skip
    paid = tuple(RecordedCharge(sequence=n, method="", amount=50, paid_at=None) for n in range(charges))
    milestones = {name: TIMES[name] for name in names} | times
    return FileOrder(order=order, state=state, said="x", where="f line 2", milestones=milestones, charges=paid)


@pytest.mark.parametrize(
    ("one", "events"),
    [
        (past(RecordedState.PENDING_PAYMENT), []),
        (past(RecordedState.PAID), [PAY]),
        (past(RecordedState.STOCK_LOCKED), [PAY, LOCK]),
        (past(RecordedState.OUTBOUND), [PAY, LOCK, SHIP]),
        (past(RecordedState.IN_TRANSIT), [PAY, LOCK, SHIP, SCAN]),
        (past(RecordedState.SIGNED), [PAY, LOCK, SHIP, SIGN]),
        (past(RecordedState.SIGNED, "picked_up_at"), [PAY, LOCK, SHIP, SCAN, SIGN]),
        (past(RecordedState.CLOSED), [PAY, LOCK, SHIP, SIGN, Event.RETURN_WINDOW_ENDED]),
        (past(RecordedState.CANCELLED), [Event.CANCELLED]),
        (past(RecordedState.CANCELLED, charges=1), [PAY, Event.CANCELLED]),
        (past(RecordedState.CANCELLED, "paid_at", "locked_at"), [PAY, LOCK, Event.CANCELLED]),
        (past(RecordedState.REFUNDED), [PAY, Event.REFUNDED]),
        (past(RecordedState.ON_HOLD), [Event.HELD]),
        (past(RecordedState.ON_HOLD, "paid_at", "outbound_at"), [PAY, LOCK, SHIP, Event.HELD]),
    ],
)
def test_the_way(one: FileOrder, events: list[Event]) -> None:
    assert [passage.event for passage in one.passages()] == events


def test_a_time_that_is_missing_is_that_of_the_station_before_and_says_so() -> None:
    way = past(RecordedState.SIGNED, "paid_at", "outbound_at").passages()
    assert [(passage.at, passage.recorded) for passage in way] == [
        (TIMES["paid_at"], True), (TIMES["paid_at"], False), (TIMES["outbound_at"], True),
        (TIMES["outbound_at"], False),
    ]  # fmt: skip


def test_times_beyond_the_status_are_found() -> None:
    assert list(past(RecordedState.PAID, "paid_at", "signed_at").beyond()) == ["signed_at"]
    assert not past(RecordedState.CLOSED, *MILESTONES).beyond()


def test_times_that_run_backward_are_told_with_both() -> None:
    one = past(RecordedState.SIGNED, "paid_at", outbound_at=PLACED + timedelta(minutes=30))
    assert one.disorder() == ["outbound_at 2026-01-01 00:30:00 before paid_at 2026-01-01 01:00:00 (UTC)"]
    assert not past(RecordedState.SIGNED, *MILESTONES).disorder()
