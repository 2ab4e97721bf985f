"""An alert as its page shows it. The template only lays out; everything is escaped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from ballast.clock import to_local
from ballast.db.answers import AlertSeen, Told
from ballast.domain.words import Label
from web.alerts.words import LEVELS, PAGE, STATES
from web.orders.view import LANG
from web.orders.words import Language, say

TONES: Final = {"open": "held", "acknowledged": "busy", "resolved": "good", "over": "quiet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a page needs besides its alert. `other`: itself in the other language; `here`: where its form goes.

    `people`: what the SLA policy calls those who were told. `wrong`: what was wrong with the form that was sent;
    `typed`: its name and note.
    """

    language: Language
    now: datetime
    other: str
    here: str
    order: str
    people: Mapping[str, str]
    wrong: Label | None = None
    typed: tuple[str, str] = ("", "")


def standing(alert: AlertSeen) -> str:
    """open, acknowledged, resolved, over (its cause ended)."""
    if alert.resolved_by:
        return "resolved"
    if alert.ended_at:
        return "over"
    return "acknowledged" if alert.acknowledged_by else "open"


class Page:
    """Renders the template beside this file, with the style and the notice of the order page."""

    def __init__(self) -> None:
        loader = ChoiceLoader([PackageLoader("web.alerts", "."), PackageLoader("web.orders", ".")])
        self._templates = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )

    def alert(self, alert: AlertSeen, around: Around) -> str:
        """The page of one alert."""
        language, state = around.language, standing(alert)

        def among(labels: Mapping[str, Label], word: str) -> str:
            return say(labels[word], language) if word in labels else word

        def names(told: Told) -> str:
            return ", ".join(around.people.get(key, key) for key in told.people)

        return self._templates.get_template("alert.html").render(
            lang=LANG[language], w={name: say(label, language) for name, label in PAGE.items()}, a=alert,
            state=STATES[state], standing=state, tone=TONES[state], level=among(LEVELS, alert.level), names=names,
            local=lambda at: to_local(at) if at else "", around=around,
            wrong=say(around.wrong, language) if around.wrong else "",
        )  # fmt: skip

    def notice(self, label: Label, language: Language) -> str:
        """A page that says one thing, in both languages."""
        return self._templates.get_template("notice.html").render(label=label, lang=LANG[language])
