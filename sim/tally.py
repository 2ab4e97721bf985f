"""Counts of what the systems accepted, accepted twice, or refused because it had been done before."""

from collections import Counter
from dataclasses import dataclass, field

WATCHED = (
    "erp_sale_order", "erp_outstock", "erp_return", "wms_delivery_order", "wms_return_order", "shop_upload", "refund",
    "receipt_remind",
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """A duplicate is a second ACCEPTED effect for one key; a refusal of a repeat is only a repeated request."""

    counts: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(WATCHED, 0)))
    repeated: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)

    def effect(self, kind: str, *, duplicate: bool = False) -> None:
        self.counts[kind] += 1
        if duplicate:
            self.duplicates[kind] += 1

    def repeat(self, kind: str) -> None:
        self.repeated[kind] += 1
