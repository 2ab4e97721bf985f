"""What a record becomes as acts: each at its own time, none invented, and slices that end where we have to answer."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.files.mapping import RecordedState
from adapters.files.past import FileOrder, RecordedCharge
from ballast.domain.money import Money
from ballast.ports import Line, Order, Receiver
from deployments.replay.acts import Act, Agenda, Kind, acts_of, untimed
from tests.times import NOON

COMPANY = timedelta(minutes=1)


def hour(number: float) -> datetime:
    return NOON + timedelta(hours=number)


def past(state: RecordedState, milestones: Mapping[str, float], **more: Any) -> FileOrder:
    """An order of one line, 10.00; milestones in hours after it was placed."""
    order = Order(
        order_no="H-1", channel="kitchen", placed_at=NOON, paid_at=None, total=Money(1000, "EUR"),
        freight=Money(0, "EUR"), discount=Money(0, "EUR"), customer_no="C1", openid=None,
        receiver=Receiver(name="nobody", mobile="00000000000", province="", city="", district="", address="here"),
        lines=(Line(line_no=1, sku="pan", name="pan", quantity=1, unit_price=1000, amount=1000),),
    )  # fmt: skip
    times = {name: hour(at) for name, at in milestones.items()}
    return FileOrder(order=order, state=state, said="so", where="f line 2", milestones=times, **more)


def way(order: FileOrder) -> list[tuple[str, float]]:
    return [(act.kind.value, (act.at - NOON) / timedelta(hours=1)) for act in acts_of(order)]


WHOLE = {"paid_at": 1, "outbound_at": 5, "picked_up_at": 5, "signed_at": 60}


def test_every_milestone_is_an_act_at_its_own_time() -> None:
    assert way(past(RecordedState.SIGNED, WHOLE)) == [
        ("place", 0), ("charge", 1), ("ship", 5), ("scan", 5), ("sign", 60),
    ]  # fmt: skip


def test_disorder_keeps_its_recorded_times() -> None:
    order = past(RecordedState.SIGNED, {**WHOLE, "paid_at": 9})
    assert way(order) == [("place", 0), ("charge", 9), ("ship", 5), ("scan", 5), ("sign", 60)]


def test_an_act_is_not_due_before_the_station_that_leads_to_it() -> None:
    backward = {"paid_at": -4, "outbound_at": -1, "picked_up_at": -2, "signed_at": -3}
    found = {act.kind: (act.at - NOON, act.due - NOON) for act in acts_of(past(RecordedState.SIGNED, backward))}
    assert found[Kind.CHARGE] == (timedelta(hours=-4), timedelta(0))
    assert found[Kind.SIGN] == (timedelta(hours=-3), timedelta(0))
    late_scan = {"paid_at": 1, "outbound_at": 5, "picked_up_at": 9, "signed_at": 7}
    found = {act.kind: (act.at - NOON, act.due - NOON) for act in acts_of(past(RecordedState.SIGNED, late_scan))}
    assert found[Kind.SHIP] == (timedelta(hours=5), timedelta(hours=5))
    assert found[Kind.SIGN] == (timedelta(hours=7), timedelta(hours=9))
    paid_late = acts_of(past(RecordedState.SIGNED, {**WHOLE, "paid_at": 9}))
    assert all(act.at == act.due for act in paid_late)  # whether it may leave unpaid is for our side to say


def test_several_payments_are_several_charges_and_each_has_its_number_and_provider() -> None:
    charges = (
        RecordedCharge(sequence=1, method="voucher", amount=400, paid_at=None),
        RecordedCharge(sequence=2, method="Credit Card", amount=500, paid_at=hour(0.5)),
        RecordedCharge(sequence=3, method="wechatpay", amount=100, paid_at=None),
    )
    found = [act for act in acts_of(past(RecordedState.PAID, {"paid_at": 1}, charges=charges)) if act.kind == "charge"]
    assert [(act.at, act.details["provider"], act.details["amount"]) for act in found] == [
        (hour(1), "voucher", 400), (hour(0.5), "credit-card", 500), (hour(1), "recorded", 100),
    ]  # fmt: skip
    assert len({act.details["transaction_id"] for act in found}) == 3


@pytest.mark.parametrize(
    ("state", "milestones", "expected"),
    [
        (RecordedState.PENDING_PAYMENT, {}, []),
        (RecordedState.IN_TRANSIT, {"paid_at": 1}, [("charge", 1)]),  # a word without a time is not played
        (RecordedState.SIGNED, {"paid_at": 1, "outbound_at": 5, "picked_up_at": 5},
         [("charge", 1), ("ship", 5), ("scan", 5)]),
        # what a recorded act needs comes along
        (RecordedState.SIGNED, {"signed_at": 60}, [("charge", 0), ("ship", 60), ("sign", 60)]),
        (RecordedState.CANCELLED, {"paid_at": 1}, [("charge", 1), ("cancel", 1)]),
        (RecordedState.CANCELLED, {"paid_at": 1, "closed_at": 8}, [("charge", 1), ("cancel", 8)]),
        (RecordedState.REFUNDED, {"paid_at": 1, "closed_at": 8}, [("charge", 1), ("cancel", 8)]),
        (RecordedState.CLOSED, WHOLE, [("charge", 1), ("ship", 5), ("scan", 5), ("sign", 60)]),
        (RecordedState.PAID, WHOLE, [("charge", 1)]),  # beyond its status: told, not played
    ],
)  # fmt: skip
def test_nothing_is_invented(
    state: RecordedState, milestones: Mapping[str, float], expected: list[tuple[str, float]]
) -> None:
    assert way(past(state, milestones)) == [("place", 0), *expected]


def test_a_status_without_its_time_is_told() -> None:
    assert untimed(past(RecordedState.SIGNED, {"paid_at": 1, "signed_at": 9})) == ["outbound_at"]
    assert untimed(past(RecordedState.SIGNED, WHOLE)) == []


def test_the_document_of_an_order_is_one_that_a_shop_could_push() -> None:
    [placed, *_] = acts_of(past(RecordedState.PENDING_PAYMENT, {}))
    order = placed.details["order"]
    assert order["currency"] == "EUR" and order["lines"][0]["amount"] == 1000
    assert order["customer"]["openid"].startswith("replay-")
    assert order["receiver"]["city"] == "-"  # a warehouse takes no address without


def act(kind: Kind, at: float, order_no: str = "H-1") -> Act:
    return Act(order_no=order_no, kind=kind, at=hour(at), due=hour(at))


def take(agenda: Agenda, until: float) -> list[tuple[str, str]]:
    return [(one.order_no, one.kind.value) for one in agenda.take(hour(until), COMPANY)]


def test_acts_come_by_time_and_at_the_same_moment_by_station() -> None:
    agenda = Agenda([act(Kind.SCAN, 5), act(Kind.SHIP, 5), act(Kind.PLACE, 0), act(Kind.SIGN, 4, "H-2")])
    assert take(agenda, 9) == [("H-1", "place"), ("H-2", "sign"), ("H-1", "ship"), ("H-1", "scan")]
    assert agenda.next_at is None and len(agenda) == 0


def test_a_slice_ends_with_a_payment_and_its_company() -> None:
    agenda = Agenda([
        act(Kind.SHIP, 0), act(Kind.CHARGE, 1), act(Kind.CHARGE, 1 + 0.5 / 60, "H-2"), act(Kind.SHIP, 1 + 0.9 / 60),
        act(Kind.CHARGE, 1 + 1.5 / 60, "H-3"), act(Kind.SIGN, 2),
    ])  # fmt: skip
    assert take(agenda, 9) == [("H-1", "ship"), ("H-1", "charge"), ("H-2", "charge"), ("H-1", "ship")]
    assert take(agenda, 9) == [("H-3", "charge")]
    assert take(agenda, 1.9) == []
    assert take(agenda, 9) == [("H-1", "sign")]


def test_what_was_not_tried_comes_again_in_its_place() -> None:
    agenda = Agenda([act(Kind.SHIP, 1), act(Kind.SIGN, 2), act(Kind.SHIP, 3, "H-2")])
    first = agenda.take(hour(2), COMPANY)
    agenda.put_back(first[1:])
    assert take(agenda, 9) == [("H-1", "sign"), ("H-2", "ship")]


def test_a_cancellation_at_the_moment_of_the_payment_comes_after_our_answer_to_it() -> None:
    agenda = Agenda([act(Kind.CHARGE, 1), act(Kind.CANCEL, 1), act(Kind.SIGN, 1, "H-2")])
    assert take(agenda, 9) == [("H-1", "charge"), ("H-2", "sign")]
    assert take(agenda, 9) == [("H-1", "cancel")]
