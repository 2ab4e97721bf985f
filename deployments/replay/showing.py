"""A replay's report as people read it: what happened, what was late, where it took long, what was odd."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ballast.domain.money import Money
from ballast.domain.words import HOLD_LABELS, STATE_LABELS, HoldReason, Label, State
from deployments.replay.playing import HELD
from deployments.replay.report import Report
from deployments.replay.returned import ReturnDiffers, Returned

MOST_REASONS: Final = 10
"""Refused rows that are said on the screen."""

MOST_SHOWN: Final = 50
"""Rows of a list on the screen; the JSON has all."""

FIGURES: Final = {
    "delivered": Label("delivered, with hand-over and signature", "已签收 (有揽收与签收时间)"),
    "in_transit_over_48h": Label("of these in transit over 48 h", "其中在途超过 48 小时"),
    "in_transit_over_72h": Label("of these in transit over 72 h", "其中在途超过 72 小时"),
    "out_of_order": Label("orders with times out of order", "时间顺序有误的订单"),
    "handed_over_before_payment": Label("of these handed over before payment", "其中揽收早于付款"),
    "signed_without_hand_over": Label("signed without a recorded hand-over", "已签收但无揽收记录"),
    "held": Label("ever on hold", "曾被挂起"),
    "still_held": Label("still on hold at the end", "结束时仍挂起"),
}
MONEY: Final = {
    "due": Label("all orders", "订单金额"),
    "recorded": Label("payments in the file", "文件中的付款"),
    "captured": Label("captured in the books", "账上收款"),
    "counted": Label("of these, for the orders", "其中计入订单"),
    "surplus": Label("of these, too much", "其中多付"),
    "unchecked": Label("of these, not accepted yet", "其中待确认"),
    "refunded": Label("went back", "已退款"),
    "to_refund": Label("has to go back", "待退款"),
    "kept": Label("kept", "留存"),
}
PIECES: Final = {
    "granted": Label("there were", "期初"),
    "ordered": Label("ordered", "下单"),
    "left": Label("left", "已出库"),
    "back": Label("back on the shelf", "退回上架"),
    "on_hand": Label("on hand", "现存"),
    "locked": Label("locked", "锁定"),
}
RETURNED: Final = {
    "returns": Label("returns", "退货"),
    "delivered": Label("pieces delivered", "签收件数"),
    "back": Label("pieces that came back", "退回件数"),
    "kept": Label("pieces kept", "留存件数"),
}
REASONS: Final = {
    "placed_twice": Label("it was placed before", "订单已存在"),
    "not_placed_yet": Label("it was not placed yet", "尚未下单"),
    "not_with_the_warehouse_yet": Label("it was not with the warehouse yet", "仓库尚无出库单"),
    "not_shipped_yet": Label("no parcel had left yet", "包裹尚未出库"),
    "not_signed_yet": Label("it was not signed for yet", "尚未签收"),
    "not_awaited": Label("the warehouse waited for no return with these pieces", "仓库没有对应件数的退货入库单"),
}
STEP_LABELS: Final = {
    "placed_to_paid": Label("placed → paid", "下单 → 付款"),
    "paid_to_locked": Label("paid → stock locked", "付款 → 锁库"),
    "locked_to_outbound": Label("stock locked → outbound", "锁库 → 出库"),
    "outbound_to_picked_up": Label("outbound → first scan", "出库 → 首次揽收"),
    "picked_up_to_signed": Label("first scan → signed", "揽收 → 签收"),
    "placed_to_signed": Label("placed → signed", "下单 → 签收"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Where it is printed, and in which language."""

    console: Console
    zh: bool
    zone: ZoneInfo

    def say(self, label: Label) -> str:
        return label.zh if self.zh else label.en

    def table(self, title: Label, columns: Sequence[Label], rows: Sequence[Sequence[object]]) -> None:
        """Nothing when there is nothing to show. Figures stand to the right."""
        if not rows:
            return
        table = Table(title=self.say(title), title_justify="left", title_style="bold")
        for place, column in enumerate(columns):
            figures = all(isinstance(row[place], int | float | Money | None) for row in rows)
            table.add_column(
                self.say(column), overflow="fold", justify="right" if figures else "left", no_wrap=figures or not place
            )
        for row in rows:
            table.add_row(*(escape(_text(cell)) for cell in row))
        self.console.print(table)

    def local(self, at: str | datetime | None) -> str:
        """In the history's own zone."""
        found = datetime.fromisoformat(at) if isinstance(at, str) else at
        return found.astimezone(self.zone).strftime("%Y-%m-%d %H:%M") if found else ""


def _text(cell: object) -> str:
    """A dash where there is no figure."""
    if cell is None or isinstance(cell, Money):
        return "–" if cell is None else cell.major()
    return f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def show_report(report: Report, language: str, console: Console) -> None:
    """Everything, the most important first."""
    page = Page(console, language == "zh", ZoneInfo(report.zone))
    _totals(report, page)
    _accounts(report, page)
    _returned(report.accounts.returns, page)
    _breaches(report, page)
    _lead_times(report, page)
    _holds(report, page)
    _load(report, page)
    _disorder(report, page)
    _left(report, page)
    words = Label("played in {:.0f} s; times are those of {}", "用时 {:.0f} 秒; 时间为 {} 当地时间")
    console.print(page.say(words).format(report.seconds, report.zone))


def _totals(report: Report, page: Page) -> None:
    history = report.history
    rows: list[tuple[str, object]] = [
        (page.say(Label("orders in the file", "文件中的订单")), history.total),
        (page.say(Label("played", "已回放")), len(history.orders)),
        (page.say(Label("left out (bad rows)", "未回放 (数据有误)")), history.rejected),
    ]
    rows += [(page.say(FIGURES[name]), count) for name, count in report.counts.items()]
    rows += [(page.say(STATE_LABELS[State(name)]) + f" {name}", count) for name, count in report.states.items()]
    span = f"{page.local(report.began_at)} – {page.local(report.ended_at)}"
    page.table(Label(f"Replay of {history.file}, {span}", f"回放 {history.file}, {span}"), (_WHAT, _ORDERS), rows)
    for reason in history.reasons[:MOST_REASONS]:
        page.console.print(f"[yellow]{escape(reason)}[/yellow]")
    if history.rejected_rows > MOST_REASONS:
        words = Label("… {} rows in all: see {}", "… 共 {} 行, 见 {}")
        page.console.print(page.say(words).format(history.rejected_rows, escape(str(history.rejects))))


def _accounts(report: Report, page: Page) -> None:
    for money in report.accounts.money:
        rows = [(page.say(label), Money(getattr(money, name), money.currency)) for name, label in MONEY.items()]
        page.table(Label(f"Money, {money.currency}", f"资金, {money.currency}"), (_WHAT, _AMOUNT), rows)
    differs = [(one.order_no, one.recorded, one.captured) for one in report.accounts.differs]
    columns = (_ORDER, Label("recorded, minor units", "记录 (分)"), Label("captured, minor units", "收款 (分)"))
    page.table(Label("Money that differs from the file", "与文件不符的资金"), columns, differs[:MOST_SHOWN])
    pieces = [(page.say(label), getattr(report.accounts.pieces, name)) for name, label in PIECES.items()]
    page.table(Label("Stock, pieces", "库存 (件)"), (_WHAT, Label("pieces", "件")), pieces)
    for finding in report.accounts.pieces.findings:
        page.console.print(f"[red]{escape(finding)}[/red]")


def _returned(returned: Returned, page: Page) -> None:
    """What came back, by the record and in the books, and each order of which they differ."""
    if not returned.returns.recorded and not returned.refused:
        page.console.print(page.say(Label("no returns recorded", "无退货记录")))
        return
    rows: list[Sequence[object]] = [
        (page.say(label), getattr(returned, name).recorded, getattr(returned, name).books)
        for name, label in RETURNED.items()
    ]
    for one in returned.money:
        label = f"{page.say(Label('refunds of returns', '退货退款'))}, {one.currency}"
        rows.append((label, *(Money(side, one.currency) for side in (one.recorded, one.books))))
    columns = (_WHAT, Label("by the record", "记录"), Label("in the books", "账上"))
    page.table(Label("Returns", "退货"), columns, rows)
    for said in _beside(returned, page):
        page.console.print(said)
    differs = [_differing(one) for one in returned.differs]
    page.table(Label("Returns that differ from the file", "与文件不符的退货"), _DIFFERING, differs[:MOST_SHOWN])


def _beside(returned: Returned, page: Page) -> Iterator[str]:
    """What the two sides do not say."""
    if returned.refused:
        yield page.say(Label("{} row(s) of returns left out", "未回放的退货记录 {} 行")).format(returned.refused)
    if returned.open:
        words = Label("{} return(s) still open: their money waits for a person", "{} 笔退货未完结: 退款待人工处理")
        yield page.say(words).format(returned.open)
    for one in returned.money:
        if one.unrecorded:
            words = Label("{} goes back without a recorded amount", "{} 退款无记录金额")
            yield page.say(words).format(Money(one.unrecorded, one.currency))


def _differing(one: ReturnDiffers) -> tuple[object, ...]:
    recorded = None if one.recorded is None else Money(one.recorded, one.currency)
    refunded = Money(one.refunded, one.currency)
    difference = None if recorded is None else refunded - recorded
    return (one.order_no, one.recorded_pieces, one.pieces, recorded, refunded, difference)


def _breaches(report: Report, page: Page) -> None:
    policies = [report.breaches] + ([report.other_breaches] if report.other_policy else [])
    names = [Path(report.policy).name] + ([Path(report.other_policy).name] if report.other_policy else [])
    columns = [Label("clock", "时钟")]
    columns += [Label(f"{level}\n{name}", f"{zh}\n{name}") for name in names for level, zh in _LEVELS]
    clocks = dict.fromkeys(clock for seen in policies for clock in seen)
    rows = [
        [clock, *(_cell(seen, clock, level) for seen in policies for level, _ in _LEVELS)]
        for clock in clocks
    ]  # fmt: skip
    page.table(Label("SLA breaches", "SLA 违约"), columns, rows)
    late = [
        (courier, clock, levels.get("yellow", 0), levels.get("red", 0))
        for courier, seen in report.by_courier.items()
        for clock, levels in seen.items()
    ]
    columns = [Label("courier", "快递"), Label("clock", "时钟"), *(Label(level, zh) for level, zh in _LEVELS)]
    page.table(Label("SLA breaches by courier", "各快递 SLA 违约"), columns, late)


def _cell(seen: Mapping[str, Mapping[str, int]], clock: str, level: str) -> object:
    """A policy that does not have this clock says nothing of it."""
    return seen[clock].get(level, 0) if clock in seen else "–"


def _lead_times(report: Report, page: Page) -> None:
    rows = [(page.say(STEP_LABELS[name]), step.orders, step.p50, step.p95) for name, step in report.lead_times.items()]
    columns = (Label("step", "环节"), _ORDERS, Label("p50, h", "p50, 小时"), Label("p95, h", "p95, 小时"))
    page.table(Label("Lead times", "各环节时长"), columns, rows)


def _holds(report: Report, page: Page) -> None:
    rows = [
        (reason, page.say(HOLD_LABELS[HoldReason(reason)]), count["orders"], count["still"])
        for reason, count in report.holds.items()
    ]
    columns = (Label("reason", "原因"), Label("", ""), _ORDERS, Label("still held", "仍挂起"))
    page.table(Label("Holds", "挂起"), columns, rows)
    if released := sum(report.played.released.values()):
        words = Label(
            "{} release(s) by a person, because the record goes on with the order",
            "人工放行 {} 次: 历史记录显示订单继续执行",
        )
        page.console.print(page.say(words).format(released))


def _load(report: Report, page: Page) -> None:
    rows = [(page.local(each.hour), each.orders, each.messages, each.calls) for each in report.busiest]
    columns = (Label("hour", "小时"), _ORDERS, Label("messages in", "收到消息"), Label("calls out", "对外调用"))
    page.table(Label("Busiest hours", "最繁忙的小时"), columns, rows)
    day = [(f"{row['hour']:02}:00", row["orders"], row["messages"], row["calls"]) for row in report.by_hour_of_day()]
    page.table(Label("Load by hour of the day", "按时段的负载"), columns, day)
    requests = [(system, count) for system, count in sorted(report.requests.items())]
    page.table(Label("Requests made", "请求次数"), (Label("system", "系统"), Label("requests", "请求")), requests)


def _disorder(report: Report, page: Page) -> None:
    rows = [(one["order_no"], _odd(one, page)) for one in report.disorder()]
    title = Label("Recorded disorder, and acts that had to wait", "时间顺序有误, 以及延后执行的动作")
    page.table(title, (_ORDER, _WHAT), rows[:MOST_SHOWN])
    if len(rows) > MOST_SHOWN:
        page.console.print(f"… {len(rows) - MOST_SHOWN} +")


def _odd(one: Mapping[str, Any], page: Page) -> str:
    words = Label("{} recorded {}, possible from {} on: {}", "{} 记录于 {}, {} 起才可执行: {}")
    waited = [
        page.say(words).format(
            act["act"], page.local(act["recorded_at"]), page.local(act["happened_at"]), _why(act["why"], page)
        )
        for act in one["waited"]
    ]
    return "\n".join(filter(None, [one["where"], *one["times"], *waited]))


def _why(why: str, page: Page) -> str:
    if why in REASONS:
        return page.say(REASONS[why])
    return page.say(Label("on hold", "挂起")) + f" ({why.removeprefix(HELD)})"


def _left(report: Report, page: Page) -> None:
    told = report.as_dict()
    never = [
        (one["order_no"], one["act"], page.local(one["recorded_at"]), _why(one["why"], page))
        for one in told["never_happened"]
    ]
    columns = (_ORDER, Label("act", "动作"), Label("recorded", "记录时间"), Label("why", "原因"))
    page.table(Label("Recorded acts that never could happen", "始终无法执行的动作"), columns, never[:MOST_SHOWN])
    notes = [(one["order_no"], one["text"]) for one in told["notes"]]
    page.table(
        Label("Without a time, or beyond the status", "缺少时间, 或超出状态的记录"), (_ORDER, _WHAT), notes[:MOST_SHOWN]
    )


_WHAT: Final = Label("", "")
_AMOUNT: Final = Label("amount", "金额")
_ORDERS: Final = Label("orders", "订单")
_ORDER: Final = Label("order", "订单")
_DIFFERING: Final = (
    _ORDER,
    Label("pieces recorded", "记录件数"),
    Label("pieces back", "退回件数"),
    Label("refund recorded", "记录退款"),
    Label("refund in the books", "账上退款"),
    Label("difference", "差额"),
)
_LEVELS: Final = (("yellow", "黄"), ("red", "红"))
