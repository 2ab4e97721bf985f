"""Kingdee's answers: HTTP 200 always, the outcome inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SESSION_LOST, BAD_PARAMETER, NO_SUCH_VALUE, NOT_FOUND, REFUSED, NOT_ALLOWED = 1, 8, 9, 10, 11, 12
LOST_TEXT = "会话信息已丢失，请重新登录"


class Refusal(Exception):
    """Kingdee would not do it: `code` is its MsgCode, the text is what its users read."""

    def __init__(self, code: int, message: str, field: str = "", repeat_of: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.repeat_of = repeat_of


@dataclass(frozen=True, slots=True)
class Entity:
    """A bill that the operation succeeded on."""

    id: int
    number: str
    index: int = 0

    def describe(self) -> dict[str, Any]:
        return {"Id": self.id, "Number": self.number, "DIndex": self.index}


def report_status(done: Sequence[Entity], failed: Sequence[tuple[int, Refusal]]) -> dict[str, Any]:
    errors = [{"FieldName": r.field, "Message": r.message, "DIndex": index} for index, r in failed]
    status: dict[str, Any] = {
        "IsSuccess": not errors,
        "Errors": errors,
        "SuccessEntitys": [entity.describe() for entity in done],
        "SuccessMessages": [],
        "MsgCode": failed[0][1].code if failed else 0,
    }
    if errors:
        status["ErrorCode"] = 500
    return status


def wrap(status: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Result": {"ResponseStatus": status, **more}}


def refuse(refusal: Refusal) -> dict[str, Any]:
    return wrap(report_status([], [(0, refusal)]))


def nest_refusal(refusal: Refusal) -> list[list[dict[str, Any]]]:
    """A failed ExecuteBillQuery looks like one row of one column."""
    return [[refuse(refusal)]]
