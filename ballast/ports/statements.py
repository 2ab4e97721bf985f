"""A provider's statement as an adapter read it: checked against its own sums, not yet against our books."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from ballast.domain.money import Money
from ballast.domain.statements import LineKind


class StatementRefused(Exception):
    """Nothing was taken: the file is not whole, or not what it was said to be. The message has place and figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line. `amount` is never negative: the kind says which way it went.

    fee: what the provider kept of it, in thousandths of the minor unit (its own precision), negative when it was given
    back. said: the provider's word for how it stands. raw: more of its cells, for people; none of the customer's.
    """

    line_no: int
    kind: LineKind
    transaction_id: str
    amount: Money
    at: datetime
    order_no: str = ""  # as the provider has it
    refund_no: str = ""
    fee: int = 0
    said: str = ""
    raw: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A whole file. `covers`: the kinds of which it has every one of its days."""

    provider: str
    account: str  # the merchant's number at the provider; empty when the file does not say
    covers: frozenset[LineKind]
    lines: tuple[StatementLine, ...]


@runtime_checkable
class Bills(Protocol):
    """A payment client that can fetch its provider's statement."""

    async def bill(self, day: str) -> bytes:
        """The statement of one day (`2026-01-31`, the provider's time) as it would be downloaded by hand; empty bytes
        when nothing happened that day."""
        ...
