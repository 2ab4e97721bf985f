"""Whose fault it is that the database does not take something."""

from typing import Final

from sqlalchemy.exc import DBAPIError

ABOUT_DATA: Final = frozenset({"22", "23", "54"})
"""Classes of SQLSTATE that the same values meet again: bad data, broken rule, longer than a limit of the server."""


def is_about_data(error: BaseException) -> bool:
    """Whether it was these values that the database refused; if not, the same statement may succeed later."""
    return isinstance(error, DBAPIError) and str(getattr(error.orig, "sqlstate", None) or "")[:2] in ABOUT_DATA
