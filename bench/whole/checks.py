"""Whether a contestant did what it was to do: by the world's own truth, by its effects, and row by row.

Pure: what was found goes in, sentences about what is wrong come out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from deployments.rehearsal.verdict import Shown, judge

ONCE: Final = ("erp_sale_order", "erp_outstock", "wms_delivery_order", "shop_upload", "receipt_remind")
"""Effects of which every order has exactly one. A courier's subscription is one per parcel."""

TABLES: Final = (
    "inbox", "sales_order", "order_line", "customer", "payment", "stock_lock", "order_event", "parcel", "outbox",
    "effect", "external_status",
)  # fmt: skip
"""Every table that an order leaves rows in."""

_COUNTED: Final = {"order_event": "order_event where cause not like 'ship_out:%'"}
"""The step's own note stays away where the warehouse's confirm overtook it: the order moved on without it."""

_COLUMNS: Final = ", ".join(f"(select count(*) from {_COUNTED.get(table, table)}) as {table}" for table in TABLES)  # noqa: S608  # ours
COUNT: Final = f"select {_COLUMNS}"
"""One row: how many rows each table has."""


def complaints(
    orders: int, ended: Iterable[str], truth: Sequence[Mapping[str, Any]], effects: Mapping[str, Any]
) -> list[str]:
    """What is wrong, in sentences; nothing when every order reached its end and every effect was made once.

    `ended`: the order numbers that the contestant says it carried to their end. `truth`, `effects`: the world's.
    """
    finished = {number: Shown(state="SIGNED") for number in ended}
    verdict = judge(finished, truth, effects)
    said = [f"{count} orders of {orders}: {name}" for name, count in verdict.counts.items() if count]
    said += [f"{number}: {'; '.join(wrong)}" for number, wrong in list(verdict.disagreeing.items())[:3]]
    if len(truth) != orders:
        said.append(f"{len(truth)} orders were placed, not {orders}")
    wanted = dict.fromkeys(ONCE, orders) | {"subscription": sum(len(order["parcels"]) for order in truth)}
    for kind, count in wanted.items():
        if (made := effects["counts"].get(kind, 0)) != count:
            said.append(f"{made} effects {kind}, not {count}")
    said += [f"{count} refused repeats of {kind}" for kind, count in effects["repeated_requests"].items() if count]
    if unconfirmed := sum(order["shop"]["order_state"] != 3 for order in truth):
        said.append(f"{unconfirmed} orders were not confirmed by their customers")
    return said


def different_rows(ours: Mapping[str, int], theirs: Mapping[str, int]) -> list[str]:
    """Tables in which Ballast (`ours`) and the floor (`theirs`) left another number of rows."""
    return [
        f"{table}: Ballast has {ours.get(table, 0)} rows, the floor {theirs.get(table, 0)}"
        for table in TABLES
        if ours.get(table, 0) != theirs.get(table, 0)
    ]
