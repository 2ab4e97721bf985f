"""What every signature check needs: comparing in constant time, a window around now, secrets that exist."""

import hmac
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from ballast.settings import SettingsError

WINDOW = timedelta(minutes=5)


def same(ours: str, theirs: str) -> bool:
    """Compare two signatures without telling by the time it takes how much of them agrees."""
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogatepass"))


def recent(unix_seconds: str, now: datetime, window: timedelta = WINDOW) -> bool:
    """Whether a timestamp as vendors send it is a time at most `window` from `now`, in either direction."""
    if not (unix_seconds.isascii() and unix_seconds.isdigit() and len(unix_seconds) <= 11):
        return False
    return abs(datetime.fromtimestamp(int(unix_seconds), UTC) - now) <= window


def reveal(secret: SecretStr, variable: str) -> str:
    """The secret's text. Raises `SettingsError` when it is empty: an empty key would let anybody sign."""
    text = secret.get_secret_value()
    if not text.strip():
        raise SettingsError(f"{variable} is empty: set it in `.env` or the environment, then start again")
    return text
