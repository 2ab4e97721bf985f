"""A timeline as the page shows it: words, local times and amounts, so that the template only lays out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from ballast.clock import to_local
from ballast.db.answers import AlertSeen
from ballast.db.timeline import EventSeen, Head, Timeline
from ballast.domain.deliveries import DeliveryState
from ballast.domain.money import MINOR_DIGITS, Money
from ballast.domain.return_words import KIND_LABELS, REASON_LABELS, RETURN_LABELS
from ballast.domain.returns import order_of
from ballast.domain.words import DELIVERY_LABELS, STATE_LABELS, Label, State
from web.orders.words import (
    EFFECT_LABELS,
    EVENT_LABELS,
    PAGE,
    PLACED,
    STATUS_LABELS,
    STEP_LABELS,
    SYSTEM_LABELS,
    WAY,
    Language,
    name_actor,
    reason_label,
    say,
    state_label,
)

SIGNS: Final = {"CNY": "¥"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the way. mark: done, here, held (here, but on hold), ahead, skipped (it will not come)."""

    name: str
    at: datetime | None
    mark: str


def walk(order: Head, language: Language) -> list[Stage]:
    """The way of the order, each stage marked."""
    reached = _reached(order)
    return [
        Stage(say(label, language), getattr(order, field), _mark(order, number, reached))
        for number, (_, label, field) in enumerate(WAY)
    ]


def _reached(order: Head) -> int:
    """The furthest stage: by its time, or by the state where couriers drop scans."""
    by_time = max(number for number, (_, _, field) in enumerate(WAY) if getattr(order, field) or number == 0)
    by_state = [number for number, (state, _, _) in enumerate(WAY) if state is order.place and number != 1]
    return max([by_time, *by_state])


def _mark(order: Head, number: int, reached: int) -> str:
    ended = order.state in (State.SIGNED, State.CLOSED)
    if number < reached:
        return "done"
    if number > reached:
        return "skipped" if order.state is State.CLOSED else "ahead"
    if order.state is State.ON_HOLD:
        return "held"
    return "done" if ended else "here"


def money(amount: int, currency: str) -> str:
    """`¥113.00`; currencies without a sign of their own keep their code."""
    text = Money(amount, currency).major() if currency in MINOR_DIGITS else f"{amount} (minor units)"
    return f"{SIGNS[currency]}{text}" if currency in SIGNS else f"{text} {currency}"


class Page:
    """Renders the templates beside this file. Everything is escaped."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("web.orders", "."), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip

    def order(
        self, seen: Timeline, language: Language, *, now: datetime, other: str,
        alerts: Sequence[AlertSeen] = (), links: Mapping[int, str] | None = None,
        near: Mapping[str, str] | None = None,
    ) -> str:  # fmt: skip
        """The page of one order. `other` is the link to it in the other language, `links` those of its open alerts,
        `near` those of `orders_near`."""
        return self._templates.get_template("order.html").render(
            **_words(language), seen=seen, order=seen.order, hold=seen.hold, other=other, now=now,
            stages=walk(seen.order, language), state=_state(seen.order), tone=_tone(seen.order.state),
            said=_why_held(seen), past_holds=[hold for hold in seen.holds if hold.released_at],
            alerts=alerts, links=links or {}, near=near or {}, origin=order_of(seen.instead_of or ""),
        )  # fmt: skip

    def notice(self, label: Label, language: Language) -> str:
        """A page that says one thing, in both languages."""
        return self._templates.get_template("notice.html").render(label=label, lang=LANG[language])


def orders_near(seen: Timeline) -> list[str]:
    """Orders exchanged for this one, or it for them; the one that carries it, and those that it carries."""
    found = [one.exchange_order_no for one in seen.returns] + [order_of(seen.instead_of or "")]
    found += [seen.merged_into, *seen.carries]
    return [order_no for order_no in found if order_no]


LANG: Final[Mapping[Language, str]] = {"en": "en", "zh": "zh-CN"}
"""What HTML calls the languages."""


def _state(order: Head) -> Label:
    return state_label(order.state, paid=order.paid_at is not None)


def _why_held(seen: Timeline) -> str:
    """The words that came with the last hold."""
    return next((event.text for event in reversed(seen.events) if event.moved and event.to_state is State.ON_HOLD), "")


def _tone(state: State) -> str:
    return {State.ON_HOLD: "held", State.SIGNED: "good", State.CLOSED: "quiet"}.get(state, "busy")


def _kind(event: EventSeen) -> str:
    return event.cause if event.cause == "placed" else event.event


def _words(language: Language) -> dict[str, Any]:
    """The functions that the template speaks with."""

    def among(labels: Mapping[str, Label], word: str) -> str:
        return say(labels[word], language) if word in labels else word

    return {
        "lang": LANG[language],
        "w": {name: say(label, language) for name, label in PAGE.items()},
        "local": lambda at: to_local(at) if at else "",
        "money": money,
        "event_name": lambda event: (
            say(PLACED, language) if event.cause == "placed" else among(EVENT_LABELS, event.event)
        ),
        "event_meaning": lambda event: among(EVENT_LABELS, event),
        "system_name": lambda system: among(SYSTEM_LABELS, system),
        "delivery_name": lambda state: say(DELIVERY_LABELS[DeliveryState(state)], language),
        "return_name": lambda state: say(RETURN_LABELS[state], language),
        "kind_name": lambda kind: say(KIND_LABELS[kind], language),
        "wish_name": lambda reason: say(REASON_LABELS[reason], language),
        "step_name": lambda step: among(STEP_LABELS, step),
        "effect_name": lambda kind: among(EFFECT_LABELS, kind),
        "status_name": lambda status: among(STATUS_LABELS, status),
        "state_name": lambda state: say(STATE_LABELS[state], language),
        "actor_name": lambda actor: name_actor(actor, language),
        "reason_name": lambda reason: say(reason_label(reason), language),
        "advice": lambda reason: getattr(reason_label(reason), f"advice_{language}"),
    }
