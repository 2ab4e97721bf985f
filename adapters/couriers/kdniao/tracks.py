"""One parcel as Kdniao describes it, in a push or in a reply, read into our words."""

from datetime import datetime
from typing import Self

from pydantic import ConfigDict, model_validator
from pydantic.alias_generators import to_pascal

from adapters.errors import NotUnderstood
from adapters.meanings import meaning_of
from adapters.replies import Reply
from ballast.clock import from_local
from ballast.domain.words import Event, System
from ballast.ports import Codes, News

MOVING = frozenset({Event.SCANNED, Event.PARCEL_SIGNED})


class Document(Reply):
    """`State`, `StateEx` and `Action` come as text or as numbers: both are read as text."""

    model_config = ConfigDict(alias_generator=to_pascal, coerce_numbers_to_str=True)


class Trace(Document):
    """One scan. `action` is a StateEx code; the free edition leaves it out."""

    accept_time: str
    accept_station: str | None = None
    action: str | None = None


class Track(Document):
    """All that is known of one waybill. Every push carries every trace so far."""

    logistic_code: str
    order_code: str | None = None
    success: bool = True
    reason: str | None = None
    state: str | None = None
    state_ex: str | None = None
    traces: tuple[Trace, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.success and not (self.state or self.state_ex):
            raise ValueError("neither StateEx nor State")
        return self

    @property
    def said(self) -> tuple[str, str]:
        """The field that counts and its code: paying customers should not look at `State`."""
        if self.state_ex:
            return "StateEx", self.state_ex
        return ("State", self.state) if self.state else ("Success", "false")

    @property
    def last_accept_time(self) -> str:
        """As text, for keys: one bad time must not spoil the other parcels of its push."""
        return max((trace.accept_time.strip().replace("/", "-") for trace in self.traces), default="")


def read_track(track: Track, *, order_no: str, heard_at: datetime, codes: Codes) -> News:
    """`heard_at` stands in when there is no trace yet. Raises `UnknownCode`, `NotUnderstood`."""
    field, said = track.said
    meaning = meaning_of(codes, System.KDNIAO, field, said, order_no=order_no)
    scans = sorted(((_time(trace, order_no), trace) for trace in track.traces), key=lambda scan: scan[0])
    return News(
        system=System.KDNIAO,
        order_no=order_no,
        happened_at=scans[-1][0] if scans else heard_at,
        field=field,
        said=said,
        event=meaning.event,
        reason=meaning.reason,
        state=meaning.state,
        text=(scans[-1][1].accept_station if scans else track.reason) or "",
        waybill=track.logistic_code,
        first_scan_at=_first_scan_at(scans, codes, moving=meaning.event in MOVING),
    )


def _first_scan_at(scans: list[tuple[datetime, Trace]], codes: Codes, *, moving: bool) -> datetime | None:
    """The earliest trace that shows movement; without Actions the earliest of all, once the parcel is known to move."""
    if any(trace.action for _, trace in scans):
        return next((at for at, trace in scans if _shows_movement(trace, codes)), None)
    return scans[0][0] if scans and moving else None


def _shows_movement(trace: Trace, codes: Codes) -> bool:
    meaning = codes.get(("StateEx", trace.action or ""))
    return meaning is not None and meaning.event in MOVING


def _time(trace: Trace, order_no: str) -> datetime:
    try:
        return from_local(trace.accept_time)
    except ValueError:
        raise NotUnderstood(System.KDNIAO, f"AcceptTime {trace.accept_time!r} is no time", order_no=order_no) from None
