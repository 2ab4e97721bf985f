"""Recorded returns as a world outside tells of them: what the customer asks for, what the warehouse finds. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from adapters.files.past import FileOrder
from ballast.domain.returns import Sold, freight_paid, worth_of, worths


class WayBack(NamedTuple):
    """One return. `asked_at` is when the goods were back where the record has no time of its own for it."""

    asked_at: datetime
    asked: Mapping[str, Any]
    back_at: datetime
    back: Mapping[str, Any]


def ways_back(past: FileOrder) -> Iterator[WayBack]:
    """The returns of an order by their time. `freight`: whether it went back with this one, `pieces`: how many."""
    skus = {line.line_no: line.sku for line in past.order.lines}
    with_freight = _with_freight(past)
    for number, one in enumerate(past.returns):
        items: Counter[str] = Counter()
        for line, count in one.pieces.items():
            items[skus[line]] += count
        asked = {
            "lines": [{"line_no": line, "quantity": count} for line, count in sorted(one.pieces.items())],
            "reason": one.reason.value, "text": " ".join(one.said.split())[:200], "freight": number == with_freight,
        }  # fmt: skip
        back = {
            "items": [{"sku": sku, "good": count} for sku, count in sorted(items.items())],
            "pieces": items.total(), "refunded": one.refunded,
        }  # fmt: skip
        yield WayBack(one.requested_at or one.returned_at, asked, one.returned_at, back)


def _with_freight(past: FileOrder) -> int | None:
    """Place of the return with which the freight went back: its amount is exactly goods and freight.

    Whoever answered it then must have said so. None: no recorded amount is.
    """
    order = past.order
    sold = {line.line_no: Sold(line.line_no, line.quantity, line.amount) for line in order.lines}
    lines, discount = list(sold.values()), order.discount.amount
    paid, freight = worths(lines, discount), freight_paid(lines, order.freight.amount, discount)
    before: Counter[int] = Counter()
    for number, one in enumerate(past.returns):
        goods = sum(
            worth_of(paid[line], sold[line].quantity, before[line], count) for line, count in one.pieces.items()
        )
        if freight and one.refunded == goods + freight:
            return number
        before.update(one.pieces)
    return None
