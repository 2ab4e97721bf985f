"""What was ordered, line by line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One order line. `amount` is what the customer pays for the whole line, minor units."""

    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price: int
    amount: int
