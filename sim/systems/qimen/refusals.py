"""How the warehouse says no."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sim.replies import answer_xml
from sim.xml_text import write_xml


class Refusal(Exception):
    """The warehouse says flag=failure with this code and text, and `more` beside them."""

    def __init__(self, code: str, message: str, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.more = more or {}


def answer_failure(refusal: Refusal) -> web.Response:
    words = {"flag": "failure", "code": refusal.code, "message": refusal.message, **refusal.more}
    return answer_xml(write_xml("response", words))
