"""Recorded returns as acts: each after the signature, alone in its slice, with freight where the amount says so."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.mapping import RecordedState
from adapters.files.past import FileOrder, RecordedCharge, RecordedReturn
from ballast.domain.money import Money
from ballast.domain.returns import ReturnReason, Sold, worths
from ballast.ports import Line, Order, Receiver
from deployments.replay.acts import Act, Agenda, Kind, acts_of
from deployments.replay.coming_back import ways_back
from tests.times import NOON

DAY = timedelta(days=1)
TIMES = {"paid_at": NOON, "outbound_at": NOON + DAY, "picked_up_at": NOON + DAY, "signed_at": NOON + 3 * DAY}


def past(*returns: RecordedReturn, freight: int = 0, discount: int = 0, **more: Any) -> FileOrder:
    """Three pans of 33.33 on line 1, and on lines 2 and 3 a lid of 20.00 each, of one article."""
    lines = (("pan", 3, 3333), ("lid", 1, 2000), ("lid", 1, 2000))
    total = 13999 + freight - discount
    order = Order(
        order_no="R-1", channel="kitchen", placed_at=NOON, paid_at=None, total=Money(total), freight=Money(freight),
        discount=Money(discount), customer_no="C1", openid=None,
        receiver=Receiver(name="nobody", mobile="00000000000", province="", city="", district="", address="here"),
        lines=tuple(
            Line(line_no=number, sku=sku, name=sku, quantity=count, unit_price=price, amount=count * price)
            for number, (sku, count, price) in enumerate(lines, start=1)
        ),
    )  # fmt: skip
    return FileOrder(
        order=order, state=RecordedState.SIGNED, said="done", where="f line 2", milestones=TIMES, returns=returns,
        **more,
    )  # fmt: skip


def back(days: float, pieces: Mapping[int, int], refunded: int | None = None, **more: Any) -> RecordedReturn:
    return RecordedReturn(returned_at=NOON + days * DAY, pieces=pieces, refunded=refunded, **more)


def test_a_return_is_asked_for_and_then_its_goods_are_back() -> None:
    one = back(
        9, {1: 2, 2: 1, 3: 1}, 500, requested_at=NOON + 5 * DAY, reason=ReturnReason.QUALITY, said="it is\nbroken"
    )
    asked, came = [act for act in acts_of(past(one)) if act.kind in (Kind.RETURN, Kind.COME_BACK)]
    assert (asked.at, asked.due, came.at, came.due) == (NOON + 5 * DAY, NOON + 5 * DAY, NOON + 9 * DAY, NOON + 9 * DAY)
    lines = [{"line_no": 1, "quantity": 2}, {"line_no": 2, "quantity": 1}, {"line_no": 3, "quantity": 1}]
    assert asked.details == {"lines": lines, "reason": "quality", "text": "it is broken", "freight": False}
    assert came.details["items"] == [{"sku": "lid", "good": 2}, {"sku": "pan", "good": 2}]
    assert (came.details["pieces"], came.details["refunded"]) == (4, 500)


def test_without_a_time_of_its_own_the_wish_comes_with_the_goods_and_neither_before_the_signature() -> None:
    early = back(4, {1: 1}, requested_at=NOON + DAY)
    acts = [act for act in acts_of(past(early, back(5, {1: 1}))) if act.kind in (Kind.RETURN, Kind.COME_BACK)]
    assert [(act.kind, act.due - NOON) for act in acts] == [
        (Kind.RETURN, 3 * DAY), (Kind.COME_BACK, 4 * DAY), (Kind.RETURN, 5 * DAY), (Kind.COME_BACK, 5 * DAY),
    ]  # fmt: skip
    assert acts[0].at == NOON + DAY  # its document keeps the recorded time


@pytest.mark.parametrize(
    ("returns", "with_freight"),
    [
        ([back(5, {2: 1}, 2000)], [False]),
        ([back(5, {2: 1}, 2800)], [True]),
        ([back(5, {2: 1}, 2799)], [False]),  # neither goods nor goods and freight: a difference, told
        ([back(5, {2: 1}, None)], [False]),
        ([back(5, {2: 1}, 2800), back(6, {3: 1}, 2800)], [True, False]),  # once for an order
        ([back(5, {1: 1}, 3333), back(6, {1: 2}, 6666 + 800)], [False, True]),
    ],
)
def test_freight_goes_back_where_the_recorded_amount_is_goods_and_freight(
    returns: list[RecordedReturn], with_freight: list[bool]
) -> None:
    assert [one.asked["freight"] for one in ways_back(past(*returns, freight=800))] == with_freight


@given(discount=st.integers(0, 13999), parts=st.lists(st.integers(1, 3), max_size=3), freight=st.integers(1, 900))
def test_freight_is_found_behind_any_discount_and_any_parts(discount: int, parts: list[int], freight: int) -> None:
    """The last return of everything that is left, with all that is left of the money: it says that freight went."""
    left, gone, returns = 3, 0, list[RecordedReturn]()
    worth = worths([Sold(1, 3, 9999), Sold(2, 1, 2000), Sold(3, 1, 2000)], discount)[1]
    for number, part in enumerate(parts):
        if part < left:
            left -= part
            amount = worth * (3 - left) // 3 - gone
            gone += amount
            returns.append(back(4 + number, {1: part}, amount))
    whole = 13999 + freight - discount
    returns.append(back(9, {1: left, 2: 1, 3: 1}, whole - gone))
    told = [one.asked["freight"] for one in ways_back(past(*returns, freight=freight, discount=discount))]
    assert told == [False] * (len(returns) - 1) + [True]


def test_an_act_of_a_return_comes_alone() -> None:
    def act(kind: Kind, order_no: str) -> Act:
        return Act(order_no=order_no, kind=kind, at=NOON, due=NOON)

    agenda = Agenda([act(Kind.COME_BACK, "R-1"), act(Kind.RETURN, "R-1"), act(Kind.SIGN, "R-2"), act(Kind.SIGN, "R-3")])
    slices = [agenda.take(NOON, DAY) for _ in range(3)]
    assert [[one.kind.value for one in taken] for taken in slices] == [["sign", "sign"], ["return"], ["come_back"]]
    assert agenda.next_kind is None


def test_what_the_record_calls_wechat_pay_is_paid_there_and_can_be_refunded_there() -> None:
    charges = tuple(
        RecordedCharge(sequence=number, method=method, amount=100, paid_at=None)
        for number, method in enumerate(("微信支付", "WechatPay ", "alipay"), start=1)
    )
    found = [act.details for act in acts_of(past(charges=charges)) if act.kind is Kind.CHARGE]
    assert [one["provider"] for one in found] == ["wechatpay", "wechatpay", "alipay"]
