"""What people have to hear of, as rows for `raise_alerts`: one per cause, told by the case that it is about."""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from adapters.errors import UnknownCode
from ballast.db.case import Case
from ballast.db.case_parts import ChargeCase
from ballast.db.refunding import by_hand, refund_no
from ballast.domain.money import Money
from ballast.domain.payments import REFUNDED_BY_US, transaction_key
from ballast.domain.words import State
from ballast.ports import News


def hold_alerts(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """One alert per hold: the key carries the version, so a hold after a release rings again."""
    return [
        {
            "key": f"hold:{case.order_no}:v{case.version}",
            "level": "warning",
            "order_id": case.id,
            "title": f"{case.order_no} on hold: {row['reason']}",
            "text": str(row["evidence"])[:300],
        }
        for case in cases
        for row in case.held
        if row["released_at"] is None
    ]


def surplus_alerts(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """A charge that is too much rings once, at whatever step it was found."""
    return [
        {
            "key": f"surplus:{charge.provider}:{charge.transaction_id}",
            "level": "urgent",
            "order_id": case.id,
            "title": f"{case.order_no} {_too_much(case)}",
            "text": f"{Money(charge.amount, charge.currency)}, {charge.transaction_id}: {_goes_back(charge)}",
        }
        for case in cases
        for charge in case.charges
        if charge.state == "surplus" and case.returned(charge) < charge.amount
    ]


def _goes_back(charge: ChargeCase) -> str:
    if charge.provider in REFUNDED_BY_US:
        return "a refund is asked for"
    return by_hand(charge.provider, refund_no(charge))


def refund_alerts(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """What just failed to reach the customer, went back from a charge that our books do not have, or needs a person."""
    return _trouble_alerts(cases) + [
        {
            "key": f"refund-by-hand:{refund['refund_no']}",
            "level": "urgent",
            "order_id": case.id,
            "title": f"{case.order_no}: a refund has to be made by hand",
            "text": f"{Money(refund['amount'], refund['currency'])} of charge {refund['transaction_id']} "
            f"({refund['why']}): {by_hand(refund['provider'], refund['refund_no'])}",
        }
        for case in cases
        for refund in case.refunds_asked
        if refund["state"] == "by_hand" and not _is_surplus(case, refund)
    ]


def _is_surplus(case: Case, refund: Mapping[str, Any]) -> bool:
    """Whether it is of a second charge: then the alert of that one says it all."""
    key = transaction_key(refund["provider"], refund["transaction_id"])
    return any(charge.state == "surplus" and charge.key == key for charge in case.charges)


def _trouble_alerts(cases: Sequence[Case]) -> list[dict[str, Any]]:
    return [
        {
            "key": f"refund-{refund['state']}:{refund['refund_no']}",
            "level": "urgent",
            "order_id": case.id,
            "title": f"{case.order_no}: {_REFUND_TROUBLE[refund['state']][0]}",
            "text": f"{Money(refund['amount'], refund['currency'])} of charge {refund['transaction_id']}, "
            f"refund {refund['refund_no']} {refund['note']}".rstrip()
            + f": {_REFUND_TROUBLE[refund['state']][1]}",
        }
        for case in cases
        for refund in case.refunds_told.values()
        if refund["state"] == "failed"
        or transaction_key(refund["provider"], refund["transaction_id"]) not in {c.key for c in case.charges}
    ]


_REFUND_TROUBLE = {
    "failed": ("a refund did not reach the customer", "refund it by hand in the payment console"),
    "done": (
        "a refund of a charge that is not known",
        "compare the order's charges in the payment console, one is missing here",
    ),
}
"""What happened, and what to do."""


def _too_much(case: Case) -> str:
    if len(case.charges) > 1:
        return "was charged twice"
    return "was paid after it was closed" if case.standing.state is State.CLOSED else "was paid though nothing was due"


def return_alerts(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """A cancellation that came too late waits for a person as a return; and what is odd about a return."""
    return [
        {
            "key": f"return:{case.order_no}:v{case.version}",
            "level": "warning",
            "order_id": case.id,
            "title": f"{case.order_no}: cancelled too late, a return is opened",
            "text": str(row["why"])[:300],
        }
        for case in cases
        for row in case.returns
        if row["whole"]
    ] + [
        {
            "key": f"return-puzzle:{case.order_no}:{crc32(puzzle.encode())}",
            "level": "warning",
            "order_id": case.id,
            "title": f"{case.order_no}: {'was merged' if case.edits.leader else 'look at its return'}",
            "text": puzzle[:500],
        }
        for case in cases
        for puzzle in case.puzzles
    ]


def edit_alerts(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """A change that a shop asked for by message was refused: somebody answers the customer."""
    return [
        {
            "key": f"edit-refused:{case.order_no}:{crc32(why.encode())}",
            "level": "info",
            "order_id": case.id,
            "title": f"{case.order_no} was not changed, as the shop had asked",
            "text": why[:500],
        }
        for case in cases
        for why in case.edits.refused
    ]


def closed_alerts(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The warehouse goes on with an order that was closed before it left: somebody has to run."""
    return [
        {
            "key": f"closed-at-work:{case.order_no}",
            "level": "urgent",
            "order_id": case.id,
            "title": f"{case.order_no} is closed and the warehouse goes on with it",
            "text": f"parcels {', '.join(case.parcels)} left: stop them at the warehouse or at the courier",
        }
        for case in cases
        if case.standing.state is State.CLOSED and case.milestones["outbound_at"] is None
        if any(parcel.changed for parcel in case.parcels.values())
    ]


def made_too_late_alert(case: Case, news: News) -> dict[str, Any]:
    """The warehouse made a delivery order after its order was called off, when there was none to stop."""
    return {
        "key": f"made-too-late:{case.order_no}",
        "level": "urgent",
        "order_id": case.id,
        "title": f"{case.order_no} is closed and the warehouse has just taken it on",
        "text": f"{news.text}: stop it at the warehouse by hand",
    }


def asked_too_late_alert(news: News) -> dict[str, Any]:
    """A shop asked for a return or a change of an order that is in the archive."""
    return {
        "key": f"asked-too-late:{news.order_no}:{news.said}",
        "level": "info",
        "order_id": None,
        "title": f"{news.order_no} is in the archive, and the shop asks for something",
        "text": f"{news.text}: it is too late for that; `ballast db recall {news.order_no}` brings the order back, and "
        f"`ballast finance refund {news.order_no}` gives money back"[:500],
    }


def unknown_code_alert(problem: UnknownCode) -> dict[str, Any]:
    """One alert per code, however many messages or answers carry it."""
    return {
        "key": f"code:{problem.system}:{problem.field}:{problem.code}",
        "level": "warning",
        "order_id": None,
        "title": f"unknown code from {problem.system}",
        "text": str(problem),
    }
