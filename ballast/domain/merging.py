"""Several orders become one: its lines, and what each of them still costs. Pure, to the cent."""

from collections.abc import Sequence
from dataclasses import replace

from ballast.domain.editing import Bill
from ballast.domain.returns import Sold, freight_paid, worths

Places = dict[int, int]
"""An order's own line number -> the number that the line has in the order that carries it."""


def merged_bill(bills: Sequence[Bill]) -> tuple[Bill, list[Places]]:
    """The bill of all of these in the order of the first, and where each one's lines stand in it.

    Lines keep their prices, also where two are of one SKU. Every line is worth what it was worth in its own order:
    where one discount over all of them would be shared out differently, each line's amount is what was to be paid for
    it, and no discount is left. The total is the sum of the totals, always.
    """
    plain = _joined(bills)
    if _worths(plain[0]) != [worth for bill in bills for worth in _worths(bill)] or _on_freight(plain[0], bills):
        return _joined([_net(bill) for bill in bills])
    return plain


def _joined(bills: Sequence[Bill]) -> tuple[Bill, list[Places]]:
    lines, places, number = [], [], 0
    for bill in bills:
        own: Places = {}
        for line in bill.lines:
            number = line.line_no if bill is bills[0] else number + 1
            own[line.line_no] = number
            lines.append(replace(line, line_no=number))
        number = max(number, *own.values())
        places.append(own)
    freight, discount = sum(bill.freight for bill in bills), sum(bill.discount for bill in bills)
    return Bill(lines=tuple(lines), freight=freight, discount=discount), places


def _net(bill: Bill) -> Bill:
    """The same bill without a discount: every amount is what was to be paid."""
    lines = tuple(replace(line, amount=worth) for line, worth in zip(bill.lines, _worths(bill), strict=True))
    return Bill(lines=lines, freight=freight_paid(_sold(bill), bill.freight, bill.discount), discount=0)


def _on_freight(whole: Bill, bills: Sequence[Bill]) -> bool:
    """Whether a discount above the goods would be taken off the freight of others."""
    own = sum(freight_paid(_sold(bill), bill.freight, bill.discount) for bill in bills)
    return freight_paid(_sold(whole), whole.freight, whole.discount) != own


def _worths(bill: Bill) -> list[int]:
    return list(worths(_sold(bill), bill.discount).values())


def _sold(bill: Bill) -> list[Sold]:
    return [Sold(line.line_no, line.quantity, line.amount) for line in bill.lines]
