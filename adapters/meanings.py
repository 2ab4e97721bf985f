"""Looking up one of their codes. There is no default: what is in no map is parked, never guessed."""

from adapters.errors import UnknownCode
from ballast.domain.words import System
from ballast.ports import Codes, Meaning


def meaning_of(codes: Codes, system: System, field: str, said: str, *, order_no: str = "") -> Meaning:
    """What their code means to us. Raises `UnknownCode`."""
    try:
        return codes[field, said]
    except KeyError:
        raise UnknownCode(system, field, said, order_no=order_no) from None
