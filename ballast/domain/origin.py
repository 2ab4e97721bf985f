"""Where an order came from, for the risk rules, and the forms in which it is compared."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What the shop knows of whoever ordered. Never logged: `repr` shows nothing. None: not told.

    `card` is the payment provider's token of a card or account, never a card number.
    """

    ip: str | None = field(default=None, repr=False)
    device: str | None = field(default=None, repr=False)
    card: str | None = field(default=None, repr=False)


_NOT_DIGITS = re.compile(r"[^0-9]")
_COUNTRY = re.compile(r"^(?:00)?86(?=1[0-9]{10}$)")


def plain_mobile(mobile: str) -> str:
    """`+86 139-1234-5678` -> `13912345678`: digits only, the country code of a Chinese mobile number left out.

    Empty for one digit all over, which stands where none is known: those who have it are not one person.
    """
    if len(mobile) == 11 and mobile.isascii() and mobile.isdigit():  # as most are written
        plain = mobile
    else:
        plain = _COUNTRY.sub("", _NOT_DIGITS.sub("", mobile))
    return "" if plain == plain[:1] * len(plain) else plain


def is_card_number(text: str) -> bool:
    """Whether these are the digits of a payment card: 12 to 19 of them, with the right check digit (Luhn)."""
    digits = [int(one) for one in re.sub(r"[ -]", "", text) if "0" <= one <= "9"]
    if not re.fullmatch(r"[0-9](?:[ -]?[0-9]){11,18}", text):
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
