"""A customer's health in the terminal."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.clock import to_local
from ballast.db.health import CustomerScore, Past
from ballast.domain.health import ALERT_BELOW, RULES, PartScore
from tasks.health import Seen
from tasks.health_words import HealthWords


def show_health(seen: Seen, language: str, console: Console) -> None:
    """Score, parts, trend, the orders that cost most, the history."""
    words, one, zh = HealthWords(language), seen.customer, language == "zh"
    found = one.health
    console.print(
        f"[bold]{escape(one.customer_no)} {escape(one.name)}[/bold]  {_coloured(found.score, words)}"
        f"{'' if found.score is None else ' / 100'}  ({'趋势' if zh else 'trend'}: {words.trend(found)})"
    )
    owner = escape(one.owner) or ("无" if zh else "nobody")
    console.print(
        f"{found.orders} 单, {words.value(found.value)}, 近 {seen.days} 天; 客户负责人: {owner}" if zh else
        f"{found.orders} orders, {words.value(found.value)}, the last {seen.days} days; account of {owner}",
        highlight=False,
    )  # fmt: skip
    if seen.archived:
        console.print(
            f"{seen.archived} 单已归档, 未计入" if zh else f"{seen.archived} more are in the archive: not counted"
        )
    if not seen.sees_late:
        console.print(
            "时限规则没有配送时钟: 看不到超时" if zh else "no clock of the SLA policy watches a delivery: none is late"
        )
    console.print(_parts(seen, words, zh=zh))
    if seen.hardest:
        console.print(_orders(seen, words, zh=zh))
    if seen.history:
        console.print(("历史: " if zh else "history: ") + _line(seen.history, words), highlight=False)


def show_worst(customers: Sequence[CustomerScore], language: str, console: Console) -> None:
    """One row per customer, the lowest first."""
    words, zh = HealthWords(language), language == "zh"
    if not customers:
        console.print(
            "尚无评分: 请先运行 score-customers" if zh else "no scores yet: run the deployment score-customers"
        )
        return
    heads = ("客户", "健康分", "趋势", "扣分", "单数", "金额", "负责人") if zh else (
        "customer", "health", "trend", "what it lost", "orders", "value", "owner"
    )  # fmt: skip
    table = Table(*heads)
    for one in customers:
        who, found = f"{escape(one.customer_no)} {escape(one.name)}", one.health
        table.add_row(
            who, _coloured(found.score, words), words.trend(found), words.lost(found), str(found.orders),
            words.value(found.value), escape(one.owner) or "-",
        )  # fmt: skip
    console.print(table)


def _parts(seen: Seen, words: HealthWords, *, zh: bool) -> Table:
    found = seen.customer.health
    table = Table(*(("项目", "扣分", "最多", "原因") if zh else ("part", "lost", "at most", "why")))
    for part, rule in RULES.items():
        one = found.parts.get(part, PartScore(0, 0, 0))
        lost = f"[red]-{one.lost}[/red]" if one.lost else "0"
        table.add_row(words.of(rule.label), lost, str(rule.cap), words.part(one, found.orders))
    return table


def _orders(seen: Seen, words: HealthWords, *, zh: bool) -> Table:
    table = Table(
        *(
            ("影响最大的订单", "下单", "金额", "问题")
            if zh
            else ("orders that cost most", "placed", "worth", "what hurt")
        )
    )
    for one in seen.hardest:
        hurt = "\n".join(
            f"{words.of(RULES[part].label)} {per_cent} %: {escape(', '.join(one.evidence.get(part, ())))}".removesuffix(
                ": "
            )
            for part, per_cent in one.hurts.items()
        )
        table.add_row(escape(one.order_no), _day(one.placed_at), words.value(one.total), hurt)
    return table


def _line(past: Sequence[Past], words: HealthWords) -> str:
    """`01-31 80 > 02-07 74 > 02-09 no data`, the oldest first."""
    return " > ".join(f"{_day(one.scored_at)} {words.score(one.health.score)}" for one in past)


def _coloured(score: int | None, words: HealthWords) -> str:
    if score is None:
        return f"[yellow]{words.score(score)}[/yellow]"
    colour = "red" if score < ALERT_BELOW else "green" if score >= 80 else "yellow"
    return f"[{colour}]{score}[/{colour}]"


def _day(at: datetime) -> str:
    return to_local(at)[:10]
