"""Finance's list as people read it: one set of columns for terminal, workbook and Prefect UI."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias

from ballast.clock import to_local
from ballast.db.finance import FinanceRow
from ballast.domain.money import Money

Cell: TypeAlias = str | Money | None

COLUMNS: Final = (
    "order",
    "state",
    "provider",
    "transaction",
    "charge",
    "captured",
    "went back",
    "on its way",
    "by hand",
    "failed",
    "left",
    "why",
    "refunds",
    "paid",
    "asked for",
    "done",
)

_CHARGES: Final = {"surplus": "second charge", "captured": "not yet checked", "unknown": "not in the books"}


def cells(row: FinanceRow) -> list[Cell]:
    """One row under `COLUMNS`. Times in China Standard Time."""
    amounts = (row.done, row.under_way, row.by_hand, row.failed, row.left)
    return [
        row.order_no,
        row.order_state.value,
        row.provider,
        row.transaction_id,
        _CHARGES.get(row.charge, row.charge),
        row.money(row.captured) if row.captured is not None else None,
        *(row.money(amount) for amount in amounts),
        row.why,
        row.refund_nos,
        *(_local(at) for at in (row.paid_at, row.asked_at, row.done_at)),
    ]


def as_texts(row: FinanceRow) -> list[str]:
    """The same for a screen: amounts of nothing stay empty."""
    return [
        cell if isinstance(cell, str) else str(cell) if cell is not None and cell.amount else "" for cell in cells(row)
    ]


def _local(at: datetime | None) -> str:
    return to_local(at) if at is not None else ""


def tally(found: Sequence[FinanceRow]) -> dict[str, int]:
    """What a person should hear first."""
    return {
        "charge(s)": len(found),
        "second charge(s)": sum(row.charge == "surplus" for row in found),
        "to be refunded by hand": sum(bool(row.by_hand) for row in found),
        "with a failed refund": sum(bool(row.failed) for row in found),
    }
