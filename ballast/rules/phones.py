"""From which province a Chinese mobile number is, by the public tables of number ranges."""

import re
from functools import lru_cache
from typing import Final

from ballast.domain.origin import plain_mobile
from ballast.domain.rules.facts import short_province

_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")


def province_of(mobile: str) -> str:
    """The province's short name (`浙江`); empty when it is no Chinese mobile number, or its range is not known."""
    plain = plain_mobile(mobile)
    return _province_of_range(plain[:7]) if _MOBILE.fullmatch(plain) else ""


@lru_cache(maxsize=65536)
def _province_of_range(start: str) -> str:
    from phonenumbers import PhoneNumber, geocoder  # 100 MB and half a second: only where a rule asks for it

    number = PhoneNumber(country_code=86, national_number=int(f"{start}0000"))
    return short_province(geocoder.description_for_number(number, "zh"))
