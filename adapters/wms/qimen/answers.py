"""What the gateway or the warehouse answers to our calls. Sheet qimen.md, 3."""

from typing import Any, Literal

import httpx

from adapters.errors import NotUnderstood, OutcomeUnknown, OutsideError, Refused, Throttled, Unavailable
from adapters.replies import Reply, read_reply
from adapters.wms.qimen.status import GATEWAY, THROTTLE_SECONDS
from adapters.xml import parse
from ballast.domain.words import System


class Answer(Reply):
    flag: Literal["success", "failure"]
    code: str = ""
    sub_code: str = ""
    message: str = ""


class GatewayError(Reply):
    code: str = ""
    msg: str = ""
    sub_code: str = ""
    sub_msg: str = ""


def read_answer(reply: httpx.Response, *, order_no: str, unclear: type[OutsideError]) -> dict[str, Any]:
    """The document below `<response>` of a success. Raises what a failure means; `unclear` for no answer at all."""
    body, no = read_word(reply, order_no=order_no, unclear=unclear)
    if no is not None:
        raise no
    return body


def read_word(
    reply: httpx.Response, *, order_no: str, unclear: type[OutsideError]
) -> tuple[dict[str, Any], OutsideError | None]:
    """The document below `<response>`, and what its failure means, if it is one. Raises for no word of theirs."""
    if reply.status_code >= 400:  # a proxy's word: the gateway never saw the call
        what = f"HTTP {reply.status_code}; check BALLAST_QIMEN__URL"
        raise Unavailable(System.QIMEN, what, order_no=order_no, code=str(reply.status_code))
    try:
        document = parse(reply.content, System.QIMEN)
    except NotUnderstood as wrong:
        raise unclear(System.QIMEN, wrong.what, order_no=order_no) from wrong
    if "error_response" in document:
        error = read_reply(GatewayError, document["error_response"], System.QIMEN, order_no=order_no)
        said = ": ".join(part for part in (error.msg, error.sub_msg) if part)
        raise _explain((error.sub_code, error.code), said, order_no, unclear)
    body = document.get("response")
    answer = read_reply(Answer, body, System.QIMEN, order_no=order_no)
    assert isinstance(body, dict)  # Answer was read from it
    if answer.flag == "failure":
        # a bare number is the warehouse's own code here, the gateway's only inside error_response
        codes = (answer.sub_code, answer.code, answer.message)
        return body, _explain(codes, answer.message, order_no, unclear, numbers=False)
    return body, None


def _explain(
    codes: tuple[str, ...], said: str, order_no: str, unclear: type[OutsideError], *, numbers: bool = True
) -> OutsideError:
    known = [code.lower() for code in codes if code.lower() in GATEWAY and (numbers or not code.isdigit())]
    kind = GATEWAY[known[0]] if known else Refused
    code = known[0] if known else next((one for one in codes if one), "")
    what = said or "no reason given"
    if kind is Throttled:
        return Throttled(System.QIMEN, what, seconds=THROTTLE_SECONDS, code=code)
    return (unclear if kind is OutcomeUnknown else kind)(System.QIMEN, what, order_no=order_no, code=code)
