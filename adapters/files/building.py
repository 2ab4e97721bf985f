"""From the rows of one order to the intake format and its past. Refuses the whole order and says every reason."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

from pydantic import ValidationError

from adapters.files.mapping import MILESTONES
from adapters.files.past import FileOrder, RecordedCharge
from adapters.files.records import Record, RowError
from adapters.files.returns import read_returns
from adapters.files.rows import Problem
from ballast.ports import Order

T = TypeVar("T")
Intake: TypeAlias = Callable[[dict[str, Any]], Order]
"""The intake format, handed in by the caller: a document into an order. Raises pydantic's `ValidationError`."""

_METHOD = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029]{0,64}")
_CARRIER = re.compile(r"[A-Za-z0-9_]{1,32}")
_WAYBILL = re.compile(r"[A-Za-z0-9_-]{4,40}")


class OrderRejected(Exception):
    """An order that is left out as a whole. `problems` says where and why, row by row."""

    def __init__(self, order_no: str, problems: Sequence[Problem]) -> None:
        why = problems[0].reason if problems else "its rows cannot be read"
        super().__init__(f"order {order_no} is left out: {why}")
        self.order_no, self.problems = order_no, tuple(problems)


@dataclass(frozen=True, slots=True)
class Group:
    """All rows of one order. `customer` is its row of the customers' table, where there is one."""

    order_no: str
    heads: Sequence[Record]
    customer: Record | None
    lines: Sequence[Record]
    payments: Sequence[Record]
    returns: Sequence[Record] = ()

    @property
    def head(self) -> Record:
        return self.heads[0]

    def holder(self, name: str) -> Record:
        """The row that has a customer field: the customer's own when the mapping has it there."""
        return self.customer if self.customer is not None and self.customer.section.knows(name) else self.head


@dataclass(slots=True)
class Attempts:
    """Goes on after a wrong row, so that one look at the rejects shows everything that is wrong with an order."""

    problems: list[Problem] = field(default_factory=list)

    def of(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except RowError as wrong:
            self.problems.append(wrong.problem)
            return None


def build_order(group: Group, intake: Intake) -> FileOrder:
    """Read one order. Raises `OrderRejected` with every row that is wrong."""
    tries = Attempts()
    tries.of(lambda: _check_heads(group))
    head = tries.of(lambda: _head(group))
    lines = [tries.of(partial(_line, number, line)) for number, line in enumerate(group.lines, start=1)]
    charges = tries.of(lambda: _charges(group, tries))
    past = tries.of(lambda: _past(group))
    if tries.problems or head is None or charges is None or past is None:
        raise OrderRejected(group.order_no, tries.problems)
    order = _placed(group, head, [line for line in lines if line is not None], intake)
    made = FileOrder(order=order, charges=charges, **past)
    returns, refused = read_returns(group.returns, made)
    return replace(made, returns=returns, refused=refused)


def _check_heads(group: Group) -> None:
    """Where an order has several main rows, they say the same of it, or nothing."""
    columns = {column for name, column in group.head.section.columns.items() if name not in ("carrier", "waybill")}
    for other in group.heads[1:]:
        for column in sorted(columns):
            place = group.head.table.header[column]
            first, cell = group.head.row.cells[place], other.row.cells[place]
            if cell not in (first, None, ""):
                reason = f"differs from line {group.head.row.line} of the same order"
                raise RowError(Problem(row=other.row, column=column, reason=reason))


def _head(group: Group) -> dict[str, Any]:
    head = group.head
    placed_at = head.time("placed_at")
    if placed_at is None:
        raise head.wrong("placed_at", "is empty: when was the order placed?")

    def text(name: str) -> str:
        return group.holder(name).text(name)

    return {
        "order_no": group.order_no, "channel": head.text("channel") or "import", "placed_at": placed_at,
        "currency": head.mapping.money.currency, "freight": head.money("freight") or 0,
        "discount": head.money("discount") or 0,
        "customer": {"no": text("customer_no"), "name": text("customer_name"), "openid": text("openid") or None,
                     "tier": text("customer_tier")},
        "receiver": {"name": text("receiver_name"),
                     **{name: text(name) for name in ("mobile", "province", "city", "district", "address")}},
    }  # fmt: skip


def _line(number: int, line: Record) -> dict[str, Any]:
    """A line, with its share of the freight beside it. What only one of price and amount says gives the other."""
    pieces = line.needed_count("quantity") if line.section.knows("quantity") else 1
    price, amount, sku = line.money("unit_price"), line.money("amount"), line.needed("sku")
    if not pieces:
        raise line.wrong("quantity", "a line of no pieces")
    if price is None and amount is None:
        raise line.wrong("unit_price" if line.section.knows("unit_price") else "amount", "is empty: what does it cost?")
    if price is None:
        assert amount is not None
        price = amount // pieces
    return {"line_no": number, "sku": sku, "name": line.text("name") or sku, "quantity": pieces, "unit_price": price,
            "amount": price * pieces if amount is None else amount, "freight": line.money("freight") or 0}  # fmt: skip


def _charges(group: Group, tries: Attempts) -> tuple[RecordedCharge, ...]:
    def read(number: int, row: Record) -> RecordedCharge | None:
        return tries.of(lambda: _charge(number, row, needed=row.table is not group.head.table))

    found = [(row, read(number, row)) for number, row in enumerate(group.payments, start=1)]
    seen: set[int] = set()
    for row, charge in found:
        if charge is not None and charge.sequence in seen:
            raise row.wrong("sequence", f"payment {charge.sequence} of this order stands twice")
        seen.update((charge.sequence,) if charge is not None else ())
    charges = [charge for _, charge in found if charge is not None and charge.amount]
    return tuple(sorted(charges, key=lambda charge: charge.sequence))


def _charge(number: int, row: Record, *, needed: bool) -> RecordedCharge:
    """A charge of nothing is read and then left out: no money moved."""
    amount = row.needed_money("amount") if needed else row.money("amount") or 0
    if amount < 0:
        raise row.wrong("amount", "is negative: a refund is no payment; leave refunded orders to their status word")
    method, sequence = row.text("method"), row.count("sequence")
    if not _METHOD.fullmatch(method):
        raise row.wrong("method", "is longer than 64 characters, or holds line breaks")
    paid_at = row.time("paid_at")
    return RecordedCharge(sequence=sequence or number, method=method, amount=amount, paid_at=paid_at)


def _past(group: Group) -> dict[str, Any]:
    head = group.head
    said = head.needed("status")
    if said not in head.mapping.statuses:
        raise head.wrong("status", f"the status word {said!r} is not in the mapping; add it under statuses")
    times = {name: head.time(name) for name in MILESTONES}
    return {
        "state": head.mapping.statuses[said], "said": said, "where": f"{head.row.file} line {head.row.line}",
        "milestones": {name: at for name, at in times.items() if at is not None},
        "parcels": tuple(dict(parcel for row in group.heads if (parcel := _parcel(row))).items()),
    }  # fmt: skip


def _parcel(head: Record) -> tuple[str, str] | None:
    """(waybill, carrier); None when the row has no waybill."""
    waybill, carrier = head.text("waybill"), head.text("carrier")
    if not waybill:
        return None
    if not _WAYBILL.fullmatch(waybill):
        raise head.wrong("waybill", "is not one waybill number (4 to 40 letters and digits)")
    if not _CARRIER.fullmatch(carrier):
        raise head.wrong("carrier", "is not a carrier's code (letters and digits)")
    return waybill, carrier


def _placed(group: Group, head: dict[str, Any], lines: list[dict[str, Any]], intake: Intake) -> Order:
    freight = head["freight"] + sum(line.pop("freight") for line in lines)
    total = sum(line["amount"] for line in lines) + freight - head["discount"]
    try:
        return intake(head | {"lines": lines, "freight": freight, "total": total})
    except ValidationError as wrong:
        problems = [_problem(group, error["loc"], error["msg"]) for error in wrong.errors(include_input=False)]
        raise OrderRejected(group.order_no, problems) from None


_NAMES = {
    ("customer", "no"): "customer_no",
    ("customer", "name"): "customer_name",
    ("customer", "tier"): "customer_tier",
    ("receiver", "name"): "receiver_name",
}


def _problem(group: Group, loc: tuple[int | str, ...], message: str) -> Problem:
    """Where the intake format found fault, in the words of the file."""
    reason = message.removeprefix("Value error, ")
    if len(loc) == 3 and loc[0] == "lines" and isinstance(loc[1], int):
        name, record = str(loc[2]), group.lines[loc[1]]
    else:
        name = _NAMES.get((str(loc[0]), str(loc[-1])), str(loc[-1])) if loc else ""
        record = group.holder(name)
    return record.wrong(name, f"{name}: {reason}" if name else reason).problem
