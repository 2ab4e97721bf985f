"""Changes that a shop asks for by message: by the same rules as by hand. Nobody waits for the answer of a message, so a
refusal stands in the order's history and is told to people, with the way back."""

from ballast.db import editing
from ballast.db.case import Case
from ballast.db.heard import record
from ballast.db.inbox import BUSY
from ballast.domain.editing import NotChanged, Refusal
from ballast.domain.life_cycle import TooEarly
from ballast.ports import EditAsked, News


def take_edit(case: Case, news: News, asked: EditAsked) -> bool:
    """Let one act on its order; whether it did. Raises `TooEarly` while the order cannot be judged: it waits.

    `editing.follow` has to be called before the case is written.
    """
    if asked.customer_no != case.head["customer_no"]:
        why = f"{case.order_no} is not an order of customer {asked.customer_no}: compare the order's number"
        return _refuse(case, news, why)
    try:
        editing.ask(case, asked.change, by=news.system)
    except NotChanged as no:
        if no.refusal is Refusal.UNDER_WAY:
            raise TooEarly(BUSY) from None
        return _refuse(case, news, str(no))
    record(case, news, "taken on")
    return True


def _refuse(case: Case, news: News, why: str) -> bool:
    case.edits.refused.append(why)
    return record(case, news, f"refused: {why}")
