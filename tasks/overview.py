"""The control room's page: one look at the books, written as Markdown with links."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from prefect import task

from ballast.clock import to_local
from ballast.db.answers import AlertSeen, open_alerts
from ballast.db.holds import HeldRow, open_holds
from ballast.db.overview import Overview, overview
from ballast.domain.words import HOLD_LABELS, STATE_LABELS, Label, State
from ballast.wiring import House, house
from tasks.policy import ALONE

Say = Callable[[Label], str]
MOST = 12
"""Alerts, and held orders, that the page names one by one."""


@dataclass(frozen=True, slots=True)
class Room:
    """What was seen, and the page that says it."""

    seen: Overview
    page: str


@task(name="look around", tags=["overview"], **ALONE)
async def look_around() -> Room:
    """Read the books and write the page, in the language of the settings."""
    here = await house()
    async with here.transaction() as tx:
        seen, alerts, held = await overview(tx), await open_alerts(tx, most=MOST), await open_holds(tx, most=MOST)
    return Room(seen, write_page(here, seen, alerts, held))


def write_page(here: House, seen: Overview, alerts: Sequence[AlertSeen], held: Sequence[HeldRow]) -> str:
    """The whole page. What others wrote is shown, not rendered."""

    def say(label: Label) -> str:
        return label.zh if here.settings.language == "zh" else label.en

    states = [[str(seen.orders.get(state, 0)) for state in State]]
    reasons = [
        [reason, say(HOLD_LABELS[reason]), str(count), to_local(since)] for reason, (count, since) in seen.held.items()
    ]
    parts = [
        f"{say(AS_OF)} {to_local(here.clock.now())}. {_waiting(seen, say)}",
        _section(say(STATES), [STATE_LABELS[state] for state in State], states, say),
        _section(say(ALERTS).format(open=seen.open_alerts, unanswered=seen.unanswered), _HEADS["alerts"],
                 [_alert_row(here, one) for one in alerts], say),
        _section(say(HOLDS), _HEADS["holds"], reasons, say),
        _section(say(NEWEST), _HEADS["orders"], [_held_row(here, one, say) for one in held], say),
        say(FORMS),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _waiting(seen: Overview, say: Say) -> str:
    said = say(WAITING).format(under_way=seen.under_way, outbox=seen.outbox_due)
    return f"{said} {say(PARKED).format(parked=seen.parked)}" if seen.parked else said


def _section(title: str, heads: Sequence[Label], rows: Sequence[Sequence[str]], say: Say) -> str:
    if not rows:
        return ""
    lines = [[say(head) for head in heads], ["---"] * len(heads), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _alert_row(here: House, one: AlertSeen) -> list[str]:
    link = here.alert_link(one.id)
    return [
        f"[#{one.id}]({link}) {one.level}" if link else f"#{one.id} {one.level}",
        plain(one.title),
        here.order_link(one.order_no) if one.order_no else "",
        _short(one.raised_at),
        plain(one.acknowledged_by or "-"),
    ]


def _held_row(here: House, one: HeldRow, say: Say) -> list[str]:
    return [
        here.order_link(one.order_no),
        say(HOLD_LABELS[one.reason]),
        plain(one.evidence),
        _short(one.held_at),
        plain(one.acknowledged_by or "-"),
    ]


def _short(at: datetime) -> str:
    """`01-21 06:23`: the page is narrow, and what is older than a year is no news."""
    return to_local(at)[5:16]


def plain(text: str) -> str:
    """Words of others inside a table: no markup, no second line, no end of the cell."""
    short = " ".join(text.split())[:200]
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#!~" else letter for letter in short)


AS_OF = Label("As of", "截至")
WAITING = Label(
    "{under_way} orders are under way, {outbox} messages wait to go out.",
    "未完成订单 {under_way} 张，待发消息 {outbox} 条。",
)
PARKED = Label(
    "**{parked} messages are parked: see `ballast parked list`.**",
    "**搁置消息 {parked} 条，见 `ballast parked list`。**",
)
ALERTS = Label("Open alerts: {open}, unanswered: {unanswered}", "未结告警 {open} 条，无人接手 {unanswered} 条")
STATES = Label("Orders per state", "各状态订单")
HOLDS = Label("On hold, by reason", "挂起原因")
NEWEST = Label("On hold, the newest", "最新挂起")
FORMS = Label(
    "Forms: `answer-alerts`, `rerun-orders`, `hold-orders`, `cancel-orders`, `edit-orders`, under Deployments.",
    "表单：Deployments 中的 `answer-alerts`、`rerun-orders`、`hold-orders`、`cancel-orders`、`edit-orders`。",
)
_ALERT, _ORDER, _ORDERS = Label("alert", "告警"), Label("order", "订单"), Label("orders", "订单数")
_SINCE, _WHO = Label("since", "时间"), Label("who", "处理人")
_HEADS = {
    "alerts": (_ALERT, Label("what", "内容"), _ORDER, _SINCE, _WHO),
    "holds": (Label("reason", "原因码"), Label("means", "原因"), _ORDERS, Label("oldest", "最早")),
    "orders": (_ORDER, Label("why", "原因"), Label("what was said", "依据"), _SINCE, _WHO),
}
