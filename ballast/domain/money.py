"""Money: integer minor units with a currency. Nothing else in Ballast does arithmetic on amounts."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Self

MINOR_DIGITS = {"CNY": 2, "BRL": 2, "USD": 2, "EUR": 2, "HKD": 2, "GBP": 2, "JPY": 0, "KRW": 0}


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
        try:
            value = Decimal(text.strip())
        except InvalidOperation:
            raise ValueError(f"{text!r} is not an amount") from None
        if not value.is_finite() or abs(value) >= Decimal(10) ** 13:
            raise ValueError(f"{text!r} is not an amount that an order can have")
        scaled = value.scaleb(digits)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{text!r} has more than {digits} decimals")
        return cls(int(scaled), currency)

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
