"""Money: integer minor units with a currency. Nothing else in Ballast does arithmetic on amounts."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

MINOR_DIGITS = {"CNY": 2, "BRL": 2, "USD": 2, "EUR": 2, "HKD": 2, "GBP": 2, "JPY": 0, "KRW": 0}

_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?|[+-]?\.[0-9]+")
"""ASCII digits with at most one point: no exponents, no grouping, no digits of other scripts."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in minor units (分) of one currency. Mixing currencies is an error, not a conversion."""

    amount: int
    currency: str = "CNY"

    @classmethod
    def from_major(cls, text: str, currency: str = "CNY") -> Self:
        """Read `113.00` (yuan). Refuses more decimals than the currency has, NaN, and anything not a number."""
        digits = MINOR_DIGITS.get(currency)
        if digits is None:
            raise ValueError(f"unknown currency {currency!r}")
        if not text.isascii() or "_" in text:  # Python reads digits of every script and 1_000: no vendor writes them
            raise ValueError(f"{text!r} is not an amount")
        if not _PLAIN.fullmatch(text.strip()):
            raise ValueError(f"{text!r} is not an amount")
        value = Decimal(text.strip())
        if abs(value) >= Decimal(10) ** 13:
            raise ValueError(f"{text!r} is not an amount that an order can have")
        if len(text.strip().partition(".")[2].rstrip("0")) > digits:  # not by arithmetic: it rounds after 28 digits
            raise ValueError(f"{text!r} has more than {digits} decimals")
        return cls(int(value.scaleb(digits)), currency)

    def major(self) -> str:
        """`113.00`: the form of the vendors' documents."""
        digits = MINOR_DIGITS[self.currency]
        sign, value = ("-" if self.amount < 0 else ""), abs(self.amount)
        return f"{sign}{value // 10**digits}.{value % 10**digits:0{digits}d}" if digits else f"{sign}{value}"

    def __add__(self, other: Self) -> Self:
        self._same(other)
        return type(self)(self.amount + other.amount, self.currency)

    def __sub__(self, other: Self) -> Self:
        self._same(other)
        return type(self)(self.amount - other.amount, self.currency)

    def __str__(self) -> str:
        return f"{self.major()} {self.currency}"

    def _same(self, other: Self) -> None:
        if self.currency != other.currency:
            raise ValueError(f"cannot put {self.currency} and {other.currency} together")
