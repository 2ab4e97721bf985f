"""What a case consists of: lines, parcels, charges, refunds, as they are while a transaction decides about it."""

from dataclasses import dataclass
from datetime import datetime

from ballast.domain.payments import transaction_key
from ballast.domain.words import HoldReason
from ballast.ports import Line


@dataclass(frozen=True, slots=True)
class Trouble:
    """What holds, or would hold, an order: why, and on what evidence."""

    reason: HoldReason
    evidence: str


@dataclass(slots=True)
class ParcelCase:
    """One parcel of a case. `changed` decides whether it is written, `fresh` says that it was not known before.

    `trouble` is what the courier reported of it, until something better is told of this very parcel.
    """

    carrier: str
    waybill: str
    items: dict[str, int]
    shipped_at: datetime
    picked_up_at: datetime | None = None
    signed_at: datetime | None = None
    said: str = ""
    said_at: datetime | None = None
    trouble: Trouble | None = None
    changed: bool = False
    fresh: bool = False


@dataclass(slots=True)
class LineCase:
    """One order line of a case."""

    line: Line
    shipped: int
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ChargeCase:
    """One charge in our books. state: captured, counted, surplus."""

    provider: str
    transaction_id: str
    amount: int
    currency: str
    state: str
    paid_at: datetime

    @property
    def key(self) -> tuple[str, str]:
        return transaction_key(self.provider, self.transaction_id)


@dataclass(frozen=True, slots=True)
class RefundCase:
    """One refund in our books, of one charge. state: as in `tables.RefundRow`."""

    provider: str
    transaction_id: str
    amount: int
    state: str
    why: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Of the charge that it gives back."""
        return transaction_key(self.provider, self.transaction_id)
