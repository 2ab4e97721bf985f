"""The parts of a timeline of an order in the archive: from its document, as `timeline` selects them from the tables."""

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def parts_of(document: Mapping[str, Rows]) -> dict[str, Any]:
    """What `timeline._SELECT` gives for an order in the books. Nothing of it waits: else it would stay."""
    [order] = document["sales_order"]
    receiver, said = order["receiver"], document.get("external_status", ())
    lines = _sorted(document, "return_line", "line_no")
    return {
        "order": order,
        "personal": {**{name: receiver.get(name) for name in ("name", "mobile", "address")}, "openid": order["openid"]},
        "lines": _sorted(document, "order_line", "line_no"),
        "parcels": [
            {**parcel, "said_text": _words_of(parcel["waybill"], said)}
            for parcel in _sorted(document, "parcel", "shipped_at", "waybill")
        ],
        "deliveries": _sorted(document, "delivery", "number"),
        "returns": [
            {**one, "lines": [line for line in lines if line["return_no"] == one["return_no"]]}
            for one in _sorted(document, "return_case", "id")
        ],
        "holds": _sorted(document, "hold", "id"),
        "payments": _sorted(document, "payment", "paid_at", "id"),
        "refunds": _sorted(document, "refund", "requested_at", "refund_no"),
        "said": _sorted(document, "external_status", "system", "part"),
        "events": _sorted(document, "order_event", "happened_at", "id"),
        "effects": [
            {**effect, "reference": str((effect["receipt"] or {}).get("reference") or "")}
            for effect in _sorted(document, "effect", "begun_at", "key")
        ],
        "merged_into": next((row["leader"] for row in document.get("order_merge", ())), None),
        "pending": [],
        "letters": [],
    }


def _sorted(document: Mapping[str, Rows], table: str, *by: str) -> list[dict[str, Any]]:
    """Times compare as text: PostgreSQL writes all of them in one zone."""
    return [dict(row) for row in sorted(document.get(table, ()), key=lambda row: [row[name] for name in by])]


def _words_of(waybill: str, said: Rows) -> str:
    """The newest that a courier said of this parcel."""
    heard = [row for row in said if row["part"].endswith(f" {waybill}")]
    return str(max(heard, key=lambda row: row["happened_at"])["text"]) if heard else ""
