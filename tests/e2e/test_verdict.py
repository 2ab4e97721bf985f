"""The demo's judge on doctored truths: a verdict that cannot fail is worth nothing."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from deployments.rehearsal.verdict import Shown, judge

CLEAN: dict[str, dict[str, int]] = {"duplicates": {}, "oversold": {}}
SIGNED = Shown(state="SIGNED")
Truth = dict[str, Any]
Lie = Callable[[Truth], object]


def arrived() -> Truth:
    """What the world tells of an order that went all the way."""
    return {
        "order_no": "SO1",
        "total": 3000,
        "script": "normal",
        "at_rest": True,
        "lines": [{"line_no": 1, "sku": "A", "quantity": 2}, {"line_no": 2, "sku": "A", "quantity": 1}],
        "payments": [{"transaction_id": "T1", "amount": 3000, "paid_at": "2026-01-05T01:00:00Z"}],
        "refunds": [],
        "freight": 600,
        "returns": [],
        "wished": {"returns": 0, "instead": {}},
        "sent_instead": {},
        "erp": {
            "sale_order": {"saves": 1, "status": "C"},
            "outstock": [{"number": "OUT1", "status": "C", "quantities": {"A": 3}, "cancelled": False}],
            "receipt_told": True,
            "returns": [],
        },
        "wms": {"status": "DELIVERED", "creates": 1, "shipped": {"A": 3}},
        "parcels": [{"waybill": "YT1", "outcome": "signed", "subscribed": 1, "empty_yes": 0}],
        "shop": {"order_state": 3, "uploads": 1, "tracking": ["YT1"]},
    }


def at_the_start(**changes: Any) -> Truth:
    """An order that never left the warehouse."""
    untouched: Truth = {
        **arrived(),
        "erp": {"sale_order": None, "outstock": [], "receipt_told": False, "returns": []},
        "wms": {"status": None, "creates": 0, "shipped": {}},
        "parcels": [],
        "shop": {"order_state": 1, "uploads": 0, "tracking": []},
    }
    return untouched | changes


def differences(state: str, truth: Truth) -> list[str]:
    shown = Shown(state=state, reason="NO_ANSWER" if state == "ON_HOLD" else "")
    return judge({"SO1": shown}, [truth], CLEAN).disagreeing.get("SO1", [])


def test_a_true_story_is_believed() -> None:
    verdict = judge({"SO1": SIGNED}, [arrived()], CLEAN)
    assert verdict.clean and set(verdict.counts.values()) == {0}


@pytest.mark.parametrize("shown", [{}, {"SO2": SIGNED}])
def test_an_order_that_is_unknown_is_lost(shown: Mapping[str, Shown]) -> None:
    verdict = judge(shown, [arrived()], CLEAN)
    assert verdict.lost == ["SO1"] and not verdict.clean


@pytest.mark.parametrize(
    "shown", [Shown(state="IN_TRANSIT"), Shown(state="PENDING_PAYMENT"), Shown(state="SIGNED", unfinished=True)]
)
def test_an_order_that_is_not_at_rest_is_stuck(shown: Shown) -> None:
    verdict = judge({"SO1": shown}, [arrived()], CLEAN)
    assert verdict.stuck == ["SO1"] and not verdict.clean


def refund(amount: int, transaction: str = "T1", status: str = "SUCCESS") -> Truth:
    return {"out_refund_no": "R", "transaction_id": transaction, "amount": amount, "status": status}


@pytest.mark.parametrize(
    "refunds", [[refund(3001)], [refund(2000), refund(1001, status="PROCESSING")], [refund(1, transaction="T2")]]
)
def test_more_back_than_a_charge_brought_is_overrefunded(refunds: list[Truth]) -> None:
    verdict = judge({"SO1": Shown(state="CLOSED")}, [at_the_start(refunds=refunds)], CLEAN)
    assert verdict.overrefunded == ["SO1"] and not verdict.clean


def test_a_failed_refund_brought_nothing_back() -> None:
    truth = at_the_start(refunds=[refund(3000, status="ABNORMAL"), refund(3000)])
    assert judge({"SO1": Shown(state="CLOSED")}, [truth], CLEAN).clean


@pytest.mark.parametrize("kind", ["duplicates", "oversold"])
def test_every_double_effect_and_every_piece_too_many_counts(kind: str) -> None:
    verdict = judge({"SO1": SIGNED}, [arrived()], {**CLEAN, kind: {"A": 2, "B": 1}})
    assert (verdict.duplicate_effects, verdict.oversold) == ((3, 0) if kind == "duplicates" else (0, 3))
    assert not verdict.clean


LIES: dict[str, tuple[Lie, str]] = {
    "a parcel is still on its way": (lambda t: t["parcels"][0].update(outcome=None), "did not arrive"),
    "a parcel was refused": (lambda t: t["parcels"][0].update(outcome="refused"), "did not arrive"),
    "there is no parcel": (lambda t: t["parcels"].clear(), "did not arrive"),
    "nobody paid": (lambda t: t["payments"].clear(), "not paid exactly once"),
    "paid too little": (lambda t: t["payments"][0].update(amount=2999), "not paid exactly once"),
    "paid twice": (lambda t: t["payments"].append(t["payments"][0]), "not paid exactly once"),
    "the ERP was not told of the receipt": (lambda t: t["erp"].update(receipt_told=False), "ERP does not know"),
    "the shop was not told": (lambda t: t["shop"].update(order_state=1), "order_state 1"),
    "the ERP booked nothing": (lambda t: t["erp"]["outstock"].clear(), "the ERP booked"),
    "the ERP booked twice": (lambda t: t["erp"]["outstock"].append(t["erp"]["outstock"][0]), "the ERP booked"),
    "the ERP booked too little": (lambda t: t["erp"]["outstock"][0].update(quantities={"A": 2}), "the ERP booked"),
    "the ERP booked another article": (lambda t: t["erp"]["outstock"][0].update(quantities={"B": 3}), "the ERP booked"),
    "the bill is not audited": (lambda t: t["erp"]["outstock"][0].update(status="A"), "the ERP booked"),
    "the customer sees no waybill": (lambda t: t["shop"].update(tracking=[]), "the shop shows waybills"),
    "the customer sees another waybill": (lambda t: t["shop"].update(tracking=["YT9"]), "the shop shows waybills"),
    "the parcel is not followed": (lambda t: t["parcels"][0].update(subscribed=False), "not followed"),
}


@pytest.mark.parametrize("lie", LIES)
def test_signed_is_not_believed_when(lie: str) -> None:
    doctor, complaint = LIES[lie]
    truth = deepcopy(arrived())
    doctor(truth)
    found = differences("SIGNED", truth)
    assert any(complaint in one for one in found), found
    assert not judge({"SO1": SIGNED}, [truth], CLEAN).clean


@pytest.mark.parametrize(("empty_yes", "complaints"), [(1, ["a parcel is not followed"]), (2, [])])
def test_a_courier_that_lied_once_is_asked_to_follow_again(empty_yes: int, complaints: list[str]) -> None:
    truth = arrived()
    truth["parcels"][0].update(subscribed=0, empty_yes=empty_yes)
    assert differences("SIGNED", truth) == complaints


def test_two_parcels_have_to_arrive_both() -> None:
    truth = arrived()
    truth["parcels"].append({"waybill": "YT2", "outcome": None, "subscribed": 1, "empty_yes": 0})
    truth["shop"]["tracking"] = ["YT2", "YT1"]
    assert differences("SIGNED", truth) == ["signed, but a parcel did not arrive"]


def test_on_hold_needs_a_cause_in_the_world() -> None:
    assert differences("ON_HOLD", at_the_start()) == ["on hold (NO_ANSWER) without a cause in the world"]
    assert differences("ON_HOLD", at_the_start(script="short")) == []
    assert differences("ON_HOLD", at_the_start(script="lack")) == []


@pytest.mark.parametrize("script", ["normal", "exception_resolves"])
def test_on_hold_is_wrong_when_every_parcel_arrived(script: str) -> None:
    assert "on hold, but every parcel arrived" in differences("ON_HOLD", arrived() | {"script": script})


def test_paid_twice_and_given_back_once_is_paid_once() -> None:
    truth = arrived()
    truth["payments"].append({"transaction_id": "T2", "amount": 3000, "paid_at": "2026-01-05T01:01:00Z"})
    assert "signed, but not paid exactly once" in differences("SIGNED", truth)
    truth["refunds"].append(refund(3000, transaction="T2"))
    assert differences("SIGNED", truth) == []


def test_a_hold_has_a_reason() -> None:
    verdict = judge({"SO1": Shown(state="ON_HOLD")}, [at_the_start(script="short")], CLEAN)
    assert verdict.disagreeing == {"SO1": ["on hold without a reason"]}


def test_a_held_order_that_left_has_to_be_booked_too() -> None:
    truth = arrived() | {"script": "exception_final"}
    truth["parcels"][0]["outcome"] = "refused"
    assert differences("ON_HOLD", truth) == []
    truth["erp"]["outstock"] = []
    assert any("the ERP booked" in one for one in differences("ON_HOLD", truth))


def test_closed_is_wrong_when_it_was_paid_or_shipped() -> None:
    assert differences("CLOSED", at_the_start()) == ["closed, but paid or shipped"]
    assert differences("CLOSED", at_the_start(payments=[])) == []
    assert differences("CLOSED", at_the_start(refunds=[refund(3000)])) == []
    assert differences("CLOSED", at_the_start(refunds=[refund(2999)])) == ["closed, but paid or shipped"]
    shipped = arrived() | {"payments": []}
    shipped["parcels"][0]["outcome"] = None
    assert "closed, but paid or shipped" in differences("CLOSED", shipped)


# -- returns -----------------------------------------------------------------------------------------------------


def given_back() -> Truth:
    """One piece of three came back whole, was booked and paid for."""
    back = {"number": "RT-SO1-1", "status": "C", "quantities": {"A": 1}, "cancelled": False}
    truth = arrived() | {
        "returns": [{"return_no": "RT-SO1-1", "good": {"A": 1}, "damaged": {"A": 0}, "confirms": 1, "worth": 800}],
        "refunds": [refund(800) | {"out_refund_no": "RF-T1-R1"}],
    }
    return {**truth, "erp": truth["erp"] | {"returns": [back]}}


RETURNED = Shown(state="SIGNED", returns={"RT-SO1-1": "closed"})


def test_what_came_back_and_was_paid_for_is_believed() -> None:
    assert judge({"SO1": RETURNED}, [given_back()], CLEAN).clean


TWICE: dict[str, tuple[Lie, str]] = {
    "paid again by another number": (
        lambda t: t["refunds"].append(refund(800, "T2") | {"out_refund_no": "RF-T2-R1"}), "refunded_twice"),
    "more than it is worth, and the freight": (lambda t: t["refunds"][0].update(amount=1401), "refunded_twice"),
    "paid as a return that there is not": (
        lambda t: t["refunds"].append(refund(700) | {"out_refund_no": "RF-T1-R2"}), "refunded_twice"),
    "booked by two bills": (lambda t: t["erp"]["returns"].append(t["erp"]["returns"][0]), "restocked_twice"),
    "damaged, and booked all the same": (
        lambda t: t["returns"][0].update(good={}, damaged={"A": 1}), "restocked_twice"),
    "more came than had left": (lambda t: t["returns"][0].update(damaged={"A": 3}), "restocked_twice"),
    "left by two warehouses": (lambda t: t["wms"].update(shipped={"A": 6}), "shipped_twice"),
    "exchanged twice": (lambda t: t.update(sent_instead={"B": 2}, wished={"returns": 1, "instead": {"B": 1}}),
                        "shipped_twice"),
}  # fmt: skip


@pytest.mark.parametrize("lie", TWICE)
def test_what_was_done_twice_is_seen(lie: str) -> None:
    doctor, count = TWICE[lie]
    truth = deepcopy(given_back())
    doctor(truth)
    verdict = judge({"SO1": RETURNED}, [truth], CLEAN)
    assert verdict.counts[count] == 1 and not verdict.clean


def test_a_return_that_is_over_is_booked_and_paid_for() -> None:
    truth = given_back()
    truth["refunds"], truth["erp"]["returns"] = [], []
    found = judge({"SO1": RETURNED}, [truth], CLEAN).disagreeing["SO1"]
    assert len(found) == 2 and "0 of 800 went back" in found[0] and "the ERP has not" in found[1]


def test_closed_is_right_once_everything_came_back() -> None:
    truth = given_back()
    truth["parcels"][0]["outcome"] = "refused"
    closed = Shown(state="CLOSED")
    assert judge({"SO1": closed}, [truth], CLEAN).disagreeing == {"SO1": ["closed, but paid or shipped"]}
    truth["returns"][0].update(good={"A": 3}, worth=2400)
    truth["refunds"][0].update(amount=2400)
    assert judge({"SO1": closed}, [truth], CLEAN).disagreeing == {}
