"""A small shop's files, and the mapping that reads them. Tests bend one thing at a time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.files.building import OrderRejected
from adapters.files.mapping import FileMapping
from adapters.files.orders import OrderFile
from adapters.files.past import FileOrder
from adapters.files.rows import Problem
from tasks.importing import read_placed

ORDERS = "no,state,at,paid,left,got\n"
LINES = "no,sku,pieces,price,ship\n"
PAYMENTS = "no,seq,how,sum\n"

MAPPING: dict[str, Any] = {
    "orders": {
        "columns": {"order_no": "no", "status": "state", "placed_at": "at", "paid_at": "paid", "outbound_at": "left",
                    "signed_at": "got"},
        "defaults": {"customer_no": "C1", "receiver_name": "Li", "mobile": "13800000000", "address": "Road 1"},
    },
    "lines": {"file": "lines.csv", "key": "no",
              "columns": {"sku": "sku", "quantity": "pieces", "unit_price": "price", "freight": "ship"}},
    "payments": {"file": "payments.csv", "key": "no", "columns": {"sequence": "seq", "method": "how", "amount": "sum"}},
    "statuses": {"new": "PENDING_PAYMENT", "paid": "PAID", "locked": "STOCK_LOCKED", "sent": "OUTBOUND",
                 "moving": "IN_TRANSIT", "done": "SIGNED", "closed": "CLOSED", "void": "CANCELLED",
                 "refunded": "REFUNDED", "stopped": "ON_HOLD"},
    "money": {"unit": "yuan"},
    "times": {"zone": "Asia/Shanghai"},
    "open_orders": "carry_on",
}  # fmt: skip


def make_mapping(**parts: Any) -> FileMapping:
    """The shop's mapping with some of its parts replaced; None takes a part out."""
    merged = {name: part for name, part in (MAPPING | parts).items() if part is not None}
    return FileMapping.model_validate(merged)


def with_section(name: str, **changes: Any) -> dict[str, Any]:
    """One section of the mapping, changed."""
    section: Mapping[str, Any] = MAPPING[name]
    return {key: value for key, value in {**section, **changes}.items() if value is not None}


def write_shop(folder: Path, orders: str, lines: str = "", payments: str = "") -> Path:
    """The three files; the main one is returned. Texts are rows without the header."""
    (folder / "lines.csv").write_text(LINES + lines, encoding="utf-8")
    (folder / "payments.csv").write_text(PAYMENTS + payments, encoding="utf-8")
    path = folder / "orders.csv"
    path.write_text(ORDERS + orders, encoding="utf-8")
    return path


def take_all(path: Path, mapping: FileMapping) -> tuple[dict[str, FileOrder], list[Problem], list[OrderRejected]]:
    """(orders by number, all problems, rejected orders)."""
    source = OrderFile(path, mapping, read_placed)
    problems = list(source.survey())
    taken: dict[str, FileOrder] = {}
    rejected: list[OrderRejected] = []
    for one in source.orders():
        if isinstance(one, FileOrder):
            taken[one.order.order_no] = one
        else:
            rejected.append(one)
            problems += one.problems
    assert len(taken) + len(rejected) == source.total
    return taken, problems, rejected


def places(problems: Sequence[Problem]) -> list[tuple[str, str, str]]:
    """(file, line, column) of each."""
    return [(problem.row.file, problem.row.line, problem.column) for problem in problems]
