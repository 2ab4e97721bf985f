"""Cells of stock lists: codes and numbers of pieces, refused instead of guessed."""

from decimal import Decimal, InvalidOperation
from typing import Final

from ballast.domain.stock import FigureFault

MOST_PIECES: Final = 10**12


def is_code(given: object) -> bool:
    """Whether this can be a SKU or a warehouse."""
    return isinstance(given, str) and 0 < len(given) <= 100 and given.isprintable()


def read_pieces(value: object) -> int | FigureFault:
    """`3`, `3.0` and `"3.0000"` are three pieces."""
    if type(value) is int and 0 <= value <= MOST_PIECES:
        return value
    if type(value) is float and 0 <= value <= MOST_PIECES and value.is_integer():
        return int(value)  # of half a million cells nearly all
    try:
        quantity = Decimal(str(value))
    except InvalidOperation:
        return FigureFault.NO_NUMBER
    if isinstance(value, bool) or not quantity.is_finite() or abs(quantity) > MOST_PIECES:
        return FigureFault.NO_NUMBER
    if quantity < 0:
        return FigureFault.NEGATIVE
    return int(quantity) if quantity == quantity.to_integral_value() else FigureFault.FRACTION
