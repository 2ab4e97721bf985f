"""Alerts as the terminal shows them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from ballast.cli.showing import local
from ballast.db.answers import AlertSeen, Told
from ballast.wiring import House

WORDS = {
    "en": ("alert(s)", "no open alert", "told", "nobody yet"),
    "zh": ("条告警", "没有未结告警", "已通知", "尚无"),
}
STYLES = {"urgent": "bold red", "warning": "yellow"}


def show_alerts(found: Sequence[AlertSeen], language: str, console: Console) -> None:
    """Two lines each: a table would fit no screen, and numbers must stay whole for whoever copies them."""
    count, none, was_told, not_told = WORDS["zh" if language == "zh" else "en"]
    if not found:
        console.print(none)
        return
    console.print(f"{len(found)} {count}", style="bold")
    for one in found:
        level = f"[{STYLES.get(one.level, 'default')}]{one.level}[/]"
        console.print(
            f"[bold]#{one.id}[/] {level} {local(one.raised_at)} {escape(one.title)}", highlight=False, soft_wrap=True
        )
        who = f"  {was_told} {told(one) or not_told}; {answered(one, language)}"
        console.print(who, style="dim", markup=False, highlight=False, soft_wrap=True)


def told(alert: AlertSeen) -> str:
    """`1 dingtalk: operations; 2 email: manager (not sent: refused)`: the step of its ladder, channel, people."""
    return "; ".join(f"{_to_whom(one)}{_unsent(one)}" for one in alert.told)


def _to_whom(one: Told) -> str:
    return f"{one.rung + 1} {one.channel}: {', '.join(one.people) or '-'}"


def _unsent(one: Told) -> str:
    if one.sent_at is not None:
        return ""
    return f" (not sent: {one.note})" if one.note else " (under way)"


def answered(alert: AlertSeen, language: str) -> str:
    """Who resolved it, that it ended by itself, who took it on, or that nobody has."""
    zh = language == "zh"
    if alert.resolved_by:
        return (
            f"{'已由' if zh else 'resolved by'} {alert.resolved_by} {'解决' if zh else 'at'} {local(alert.resolved_at)}"
        )
    if alert.ended_at:
        return f"{'已自行结束' if zh else 'over by itself since'} {local(alert.ended_at)}"
    if alert.acknowledged_by:
        at = local(alert.acknowledged_at)
        return f"{'已由' if zh else 'looked after by'} {alert.acknowledged_by} {'接手' if zh else 'since'} {at}"
    return "尚无人处理" if zh else "nobody looks after it"


def as_document(alert: AlertSeen, here: House) -> dict[str, Any]:
    """For scripts: every field, and the address at which it is answered."""
    return {**asdict(alert), "link": here.alert_link(alert.id)}
