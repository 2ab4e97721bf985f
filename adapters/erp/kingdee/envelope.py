"""What 金蝶云星空 answers, read once: result envelopes, query rows, and the ways both say no. Sheet kingdee.md, 3."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import httpx
import orjson
from pydantic import BeforeValidator, Field, RootModel

from adapters.erp.kingdee.status import CALL_LIMIT, CONTEXT_LOST, LOCKED_BY_USER, MSG_CODES, SHORTAGE_FLAG
from adapters.errors import NotUnderstood, OutOfStock, OutsideError, Refused, Throttled, Unavailable
from adapters.replies import Reply, read_reply
from ballast.domain.words import System

T = TypeVar("T")
Many = Annotated[tuple[T, ...], BeforeValidator(lambda given: given or ())]
"""A list that the vendor also writes as null."""

THROTTLE_SECONDS = 5.0


class Mistake(Reply):
    field_name: str | None = Field(None, alias="FieldName")
    message: str | None = Field(None, alias="Message")


class Entity(Reply):
    id: int | str = Field(alias="Id")
    number: str | None = Field(None, alias="Number")


class ResponseStatus(Reply):
    ok: bool = Field(alias="IsSuccess")  # true, "true" and "True" are all seen
    code: int = Field(0, alias="MsgCode")
    mistakes: Many[Mistake] = Field((), alias="Errors")
    entities: Many[Entity] = Field((), alias="SuccessEntitys")


class Result(Reply):
    status: ResponseStatus = Field(alias="ResponseStatus")
    converted: ResponseStatus | None = Field(None, alias="ConvertResponseStatus")  # Push has both


class Envelope(Reply):
    result: Result = Field(alias="Result")


class Rows(RootModel[list[list[Any]]]):
    """ExecuteBillQuery: cells in the order of FieldKeys."""


def read_result(reply: httpx.Response, *, order_no: str, unclear: type[OutsideError]) -> ResponseStatus:
    """The answer to Save, Submit, Audit, Push. Raises what the vendor's code means; `unclear` for no answer at all."""
    document = _decode(reply, order_no, unclear)
    result = read_reply(Envelope, document, System.KINGDEE, order_no=order_no).result
    for status in (result.converted, result.status):
        if status is not None and not status.ok:
            raise explain(status, order_no, short=SHORTAGE_FLAG in reply.text)
    return result.status


def read_entities(reply: httpx.Response, *, unclear: type[OutsideError]) -> Sequence[Entity]:
    """The answer to a call about several bills: those that it names as done. Refusals of single bills raise nothing.

    Raises what the vendor's code means when the call as a whole was not taken (limit, lost context).
    """
    result = read_reply(Envelope, _decode(reply, "", unclear), System.KINGDEE).result
    for status in (result.converted, result.status):
        if status is not None and not status.ok and not status.entities:
            refusal = explain(status, "")
            if isinstance(refusal, Unavailable):
                raise refusal
    return result.status.entities


def read_rows(reply: httpx.Response, columns: Sequence[str], *, order_no: str) -> list[dict[str, Any]]:
    """The answer to ExecuteBillQuery as dicts. A refused query comes as one row that holds an envelope."""
    document = _decode(reply, order_no, Unavailable)
    match document:
        case [[{"Result": _} as envelope, *_], *_] | ({"Result": _} as envelope):
            status = read_reply(Envelope, envelope, System.KINGDEE, order_no=order_no).result.status
            raise explain(status, order_no)
    rows = read_reply(Rows, document, System.KINGDEE, order_no=order_no).root
    for at, row in enumerate(rows):
        if len(row) != len(columns):
            raise NotUnderstood(
                System.KINGDEE, f"row {at} has {len(row)} cells, asked for {len(columns)}", order_no=order_no
            )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def explain(status: ResponseStatus, order_no: str, *, short: bool = False) -> OutsideError:
    """Their refusal in our words."""
    said = "; ".join(one.message or one.field_name or "" for one in status.mistakes)
    what, code = said or MSG_CODES.get(status.code, "no reason given"), str(status.code)
    if status.code == CALL_LIMIT:
        return Throttled(System.KINGDEE, what, seconds=THROTTLE_SECONDS, code=code)
    if status.code in (CONTEXT_LOST, LOCKED_BY_USER):
        return Unavailable(System.KINGDEE, what, order_no=order_no, code=code)
    return (OutOfStock if short else Refused)(System.KINGDEE, what, order_no=order_no, code=code)


def _decode(reply: httpx.Response, order_no: str, unclear: type[OutsideError]) -> object:
    if reply.status_code >= 400:  # a proxy's word: the application never saw the call
        what = f"HTTP {reply.status_code}; check BALLAST_KINGDEE__SERVER_URL"
        raise Unavailable(System.KINGDEE, what, order_no=order_no, code=str(reply.status_code))
    if reply.content.startswith(b"response_error:"):
        raise unclear(System.KINGDEE, f"server exception: {reply.text[15:215].strip()}", order_no=order_no)
    try:
        return orjson.loads(reply.content)
    except ValueError:
        raise unclear(System.KINGDEE, "the answer is not JSON", order_no=order_no) from None
