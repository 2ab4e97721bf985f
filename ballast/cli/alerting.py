"""Alerts as the terminal shows them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.cli.showing import local
from ballast.db.answers import AlertSeen, Told
from ballast.wiring import House

COLUMNS = {
    "en": ("alert", "level", "since", "what", "told", "answered by"),
    "zh": ("编号", "级别", "发出时间", "内容", "已通知", "处理人"),
}


def show_alerts(found: Sequence[AlertSeen], language: str, console: Console) -> None:
    """A table; one line says that there is none."""
    if not found:
        console.print("没有未结告警" if language == "zh" else "no open alert")
        return
    table = Table(title=f"{len(found)} 条告警" if language == "zh" else f"{len(found)} alert(s)", title_justify="left")
    for number, column in enumerate(COLUMNS["zh" if language == "zh" else "en"]):
        table.add_column(column, overflow="fold", no_wrap=number == 0, min_width=26 if number == 3 else None)
    for one in found:
        cells = (f"#{one.id}", one.level, local(one.raised_at), one.title, told(one), answered(one))
        table.add_row(*map(escape, cells))
    console.print(table)


def told(alert: AlertSeen) -> str:
    """`1 dingtalk: operations; 2 email: manager (not sent: refused)`: the step of its ladder, channel, people."""
    return "; ".join(f"{_to_whom(one)}{_unsent(one)}" for one in alert.told)


def _to_whom(one: Told) -> str:
    return f"{one.rung + 1} {one.channel}: {', '.join(one.people) or '-'}"


def _unsent(one: Told) -> str:
    if one.sent_at is not None:
        return ""
    return f" (not sent: {one.note})" if one.note else " (under way)"


def answered(alert: AlertSeen) -> str:
    """Who took it on, who resolved it, or that it ended by itself."""
    if alert.resolved_by:
        return f"{alert.resolved_by}, resolved {local(alert.resolved_at)}"
    if alert.ended_at:
        return f"over {local(alert.ended_at)}"
    return f"{alert.acknowledged_by}, {local(alert.acknowledged_at)}" if alert.acknowledged_by else ""


def as_document(alert: AlertSeen, here: House) -> dict[str, Any]:
    """For scripts: every field, and the address at which it is answered."""
    return {**asdict(alert), "link": here.alert_link(alert.id)}
