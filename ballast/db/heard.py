"""How a piece of news gets into an order's history: under one cause, whoever says it and however often."""

from datetime import datetime

from ballast.db.case import Case
from ballast.domain.life_cycle import ASKED_ANEW
from ballast.domain.words import Event, HoldReason
from ballast.ports import News


def cause_of(news: News) -> str:
    """The same thing said twice, by webhook or when asked, is one cause."""
    about = news.waybill or news.delivery
    part = f":{about}" if about else ""
    if news.charge:
        at = f":{news.charge.provider}" if news.charge.provider else ""  # two may give out the same number
        part = f"{at}:{news.charge.transaction_id}"
    if news.refund:
        part = f":{news.refund.refund_no}"
    if news.goods_back:
        part = f":{news.goods_back.return_no}:{news.text}"
    if news.return_asked:
        part = f":{news.return_asked.request_id}"
    if news.edit_asked:
        part = f":{news.edit_asked.request_id}"
    if news.parcels:
        part += ":" + ",".join(sorted(parcel.waybill for parcel in news.parcels)) + ("" if news.final else ":part")
    return f"{news.system}:{news.field}:{news.said}{part}:{news.happened_at.isoformat()}"


def take(
    case: Case,
    news: News,
    event: Event,
    *,
    reason: HoldReason | None = None,
    text: str = "",
    at: datetime | None = None,
) -> bool:
    return case.take(
        event,
        cause=cause_of(news),
        actor=news.system,
        happened_at=at or news.happened_at,
        text=text or news.text or news.said,
        reason=reason or news.reason,
        evidence=evidence_of(news),
    )


def evidence_of(news: News) -> str:
    """What a person lets pass, or not. A refusal has to be asked anew anyway: there the reason says more."""
    about = news.waybill or (news.refund.refund_no if news.refund else "")
    found = f"{news.system} {news.said} {about}".rstrip()
    return f"{found}: {news.text}"[:500] if news.reason in ASKED_ANEW and news.text else found


def record(case: Case, news: News, why: str) -> bool:
    """History only."""
    case.events.append(
        {
            "order_id": case.id,
            "cause": cause_of(news),
            "event": news.event,
            "from_state": case.standing.state,
            "to_state": case.standing.state,
            "moved": False,
            "actor": news.system,
            "happened_at": news.happened_at,
            "recorded_at": case.now,
            "text": f"{news.text or news.said} ({why})",
        }
    )
    return False
