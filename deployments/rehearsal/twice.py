"""Was anything done twice? Money, goods and shelves of one order by the world's truth, whoever asked for it. Pure.

Every function says in sentences what is wrong of one order of `GET /world/truth`; nothing is the right answer.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

_OF_RETURN: Final = re.compile(r"-R(?P<count>[1-9][0-9]*)$")
GONE: Final = ("SUCCESS", "PROCESSING")
"""States of refunds whose money is with the customer, or on its way there."""


def for_returns(order: Mapping[str, Any]) -> Counter[str]:
    """Return number -> what went back for it, minor units. A refund's number ends with its return's place."""
    back: Counter[str] = Counter()
    for refund in order["refunds"]:
        if refund["status"] in GONE and (found := _OF_RETURN.search(refund["out_refund_no"])):
            back[f"RT-{order['order_no']}-{found['count']}"] += refund["amount"]
    return back


def refunded_twice(order: Mapping[str, Any]) -> Iterable[str]:
    """More than what came of a return is worth; freight may go back once."""
    worth = {one["return_no"]: one["worth"] for one in order["returns"]}
    back, freight = for_returns(order), order["freight"]
    for number, amount in back.items():
        if amount > worth.get(number, 0) + freight:
            yield f"{number}: {amount} went back for what is worth {worth.get(number, 0)}"
    if back.total() > sum(worth.values()) + freight:
        yield f"{back.total()} went back for returns worth {sum(worth.values())}, freight {freight}"


def restocked_twice(order: Mapping[str, Any]) -> Iterable[str]:
    """Pieces that the warehouse got back, or the ERP booked, beyond what there was to come back."""
    good, came, booked = Counter[str](), Counter[str](), Counter[str]()
    for one in order["returns"]:
        good.update(one["good"])
        came.update(one["good"])
        came.update(one["damaged"])
    for bill in order["erp"]["returns"]:
        if bill["status"] == "C" and not bill["cancelled"]:
            booked.update(bill["quantities"])
    yield from _beyond(booked, good, "the ERP took back", "good ones came")
    yield from _beyond(came, Counter(order["wms"]["shipped"]), "the warehouse took back", "had left")


def shipped_twice(order: Mapping[str, Any]) -> Iterable[str]:
    """Pieces that left in all deliveries beyond those that were bought, or wanted instead of what came back."""
    bought = Counter[str]()
    for line in order["lines"]:
        bought[line["sku"]] += line["quantity"]
    yield from _beyond(Counter(order["wms"]["shipped"]), bought, "shipped", "bought")
    yield from _beyond(Counter(order["sent_instead"]), Counter(order["wished"]["instead"]), "sent instead", "wanted")


def _beyond(found: Counter[str], most: Counter[str], did: str, of: str) -> Iterable[str]:
    for sku, pieces in (found - most).items():
        yield f"{did} {found[sku]} of {sku}, {found[sku] - pieces} {of}"


def came_back(order: Mapping[str, Any]) -> bool:
    """Whether everything that left is in the warehouse again."""
    came = Counter[str]()
    for one in order["returns"]:
        came.update(one["good"])
        came.update(one["damaged"])
    return not Counter(order["wms"]["shipped"]) - came
