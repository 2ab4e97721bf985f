"""A report in words: what an operations manager reads, in English or Chinese."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ballast.clock import to_local
from ballast.domain.money import MINOR_DIGITS, Money
from ballast.domain.report import ACCURACY, INTERVENTIONS, RESPONSE, Report
from ballast.domain.words import HOLD_LABELS, STATE_LABELS, HoldReason, State

Pair = tuple[str, str]
"""The same in English and in Chinese."""

HEALTHY: Final[dict[bool | None, Pair]] = {
    True: ("healthy", "健康"),
    False: ("NOT healthy", "不健康"),
    None: ("not measured", "未测量"),
}
STEP_LABELS: Final[dict[str, Pair]] = {
    "placed_paid": ("placed to paid", "下单到支付"),
    "paid_locked": ("paid to stock locked", "支付到锁库"),
    "locked_outbound": ("stock locked to outbound", "锁库到出库"),
    "outbound_scanned": ("outbound to first scan", "出库到首次揽收"),
    "scanned_signed": ("first scan to signed", "揽收到签收"),
    "placed_signed": ("placed to signed (the whole way)", "下单到签收 (全程)"),
}
KINDS: Final[dict[str, Pair]] = {
    "release": ("released", "放行"),
    "rerun": ("rerun", "重跑"),
    "hold": ("held", "挂起"),
    "cancel": ("cancelled", "取消"),
    "refund": ("refund asked for", "申请退款"),
    "person": ("refund made by hand", "人工退款"),
    "booked": ("booked in the ERP by hand", "ERP 人工记账"),
}
"""What people do to orders, by the first word of its cause in the history."""
LEVELS: Final[dict[str, Pair]] = {"yellow": ("yellow", "黄色"), "red": ("red", "红色")}


@dataclass(frozen=True, slots=True)
class Part:
    """One table of a report. `empty` is what stands there instead when nothing is in it."""

    name: str  # of its artifact, the same in every language
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str
    notes: tuple[str, ...] = ()  # sentences below it: what its figures are made of


class Words:
    """Says a report in one language (`en`, `zh`)."""

    def __init__(self, language: str) -> None:
        self._zh = language == "zh"

    def of(self, pair: Pair) -> str:
        return pair[self._zh]

    def title(self, report: Report) -> str:
        window = f"{local(report.window.since)} - {local(report.window.until)}"
        return self.of((f"Ballast report, {window} (China time)", f"Ballast 运营报告, {window} (北京时间)"))

    def parts(self, report: Report) -> list[Part]:
        """Everything, the three numbers first."""
        makers: Sequence[Callable[[Report], Part]] = (
            self.numbers, self.accuracy, self.lead_times, self.holds, self.breaches, self.interventions,
            self.duplicates, self.channels,
        )  # fmt: skip
        return [make(report) for make in makers]

    def numbers(self, report: Report) -> Part:
        accuracy, response, hands = report.accuracy, report.response, report.interventions
        rows = [
            (self.of(("status accuracy", "状态准确率")), percent(accuracy.overall.share, 2),
             self.of(HEALTHY[accuracy.healthy]), f">= {percent(ACCURACY.healthy, 1)}", percent(ACCURACY.reference, 2)),
            (self.of(("minutes from alert to action", "告警到处置 (分钟)")), number(response.answered.mean, 1),
             self.of(HEALTHY[response.healthy]), f"<= {RESPONSE.healthy:g}",
             f"{RESPONSE.reference:g}"),
            (self.of(("interventions per order", "每单人工干预")), number(hands.per_order, 3),
             self.of(HEALTHY[hands.healthy]), f"<= {INTERVENTIONS.healthy:g}",
             f"{INTERVENTIONS.reference:g}"),
        ]  # fmt: skip
        part = self._part(
            "numbers", ("The three numbers", "三个硬指标"), rows,
            ("number", "指标"), ("value", "数值"), ("verdict", "判断"), ("healthy", "健康标准"),
            ("reference", "参考值"),
        )  # fmt: skip
        made_of = (self._sure(report), self._answers(report), self._deeds(report))
        return replace(part, notes=tuple(f"{row[0]}: {note}" for row, note in zip(rows, made_of, strict=True)))

    def _sure(self, report: Report) -> str:
        found = report.accuracy
        if found.overall.share is None:
            return self.of(
                ("no reconciliation ended in this window: run `ballast reconcile`", "本期没有完成的对账: 请先对账")
            )
        low, high = found.overall.interval
        between = f"{percent(low, 2)} - {percent(high, 2)}"
        counts = f"{found.overall.agreeing}/{found.overall.asked}"
        at = local(found.measured_at)
        return self.of((f"{counts} orders, 95 %: {between}, {at}", f"{counts} 单, 95% 区间 {between}, {at}"))

    def _answers(self, report: Report) -> str:
        found = report.response
        p50, p95 = number(found.answered.p50, 1), number(found.answered.p95, 1)
        en = f"{found.answered.count} answered, p50 {p50}, p95 {p95}; {found.ended_alone} ended by themselves"
        zh = f"已响应 {found.answered.count}, p50 {p50}, p95 {p95}; 自行结束 {found.ended_alone}"
        if found.open:
            oldest, least = number(found.oldest_minutes, 0), number(found.at_least, 1)
            en += f"; {found.open} still open, the oldest for {oldest} min (with them the mean is at least {least})"
            zh += f"; 未响应 {found.open}, 最久 {oldest} 分钟 (计入后均值至少 {least})"
        return self.of((en, zh))

    def _deeds(self, report: Report) -> str:
        found = report.interventions
        share = percent(found.untouched, 2)
        return self.of(
            (
                f"{found.actions} action(s) on {found.touched} of {found.orders} orders; {share} untouched by hand",
                f"{found.orders} 单中 {found.touched} 单共 {found.actions} 次操作; 无人工干预 {share}",
            )
        )

    def accuracy(self, report: Report) -> Part:
        rows = [
            (name, str(one.asked), str(one.agreeing), percent(one.share, 2),
             f"{percent(one.interval.low, 2)} - {percent(one.interval.high, 2)}" if one.asked else "-")
            for name, one in report.accuracy.systems.items()
        ]  # fmt: skip
        return self._part(
            "accuracy", ("Status accuracy by system", "各系统状态准确率"), rows,
            ("system", "系统"), ("orders asked", "核对单数"), ("agreeing", "一致"), ("accuracy", "准确率"),
            ("95 % interval", "95% 区间"),
            empty=HEALTHY[None],
        )  # fmt: skip

    def lead_times(self, report: Report) -> Part:
        rows = [
            (self.of(STEP_LABELS[one.step]), str(one.count), self.span(one.p50), self.span(one.p95), str(one.waiting),
             str(one.disorder))
            for one in report.lead_times
        ]  # fmt: skip
        return self._part(
            "lead-times", ("Lead time by step, orders placed in the window", "各环节时长 (本期下单)"), rows,
            ("step", "环节"), ("orders", "单数"), ("p50", "p50"), ("p95", "p95"), ("not there yet", "未到达"),
            ("out of order", "时间倒挂"),
        )  # fmt: skip

    def holds(self, report: Report) -> Part:
        rows = [
            (f"{one.reason} {self._reason(one.reason)}", str(one.count), str(one.open), self.span(one.median_minutes),
             str(one.by_person), str(one.by_itself), str(one.followed))
            for one in report.holds
        ]  # fmt: skip
        return self._part(
            "holds", ("Holds by reason, begun in the window", "挂起原因 (本期发生)"), rows,
            ("reason", "原因"), ("holds", "次数"), ("still open", "未解除"), ("median until it ended", "中位时长"),
            ("ended by a person", "人工解除"), ("ended by itself", "自行解除"), ("followed by another", "转为其他原因"),
        )  # fmt: skip

    def breaches(self, report: Report) -> Part:
        rows = [
            (one.clock, self.of(LEVELS.get(one.level, (one.level, one.level))), one.courier or "-", str(one.count),
             str(one.open))
            for one in report.breaches
        ]  # fmt: skip
        return self._part(
            "sla-breaches", ("SLA breaches by clock, level and courier", "时效超限 (时钟/级别/快递)"), rows,
            ("clock", "时钟"), ("level", "级别"), ("courier", "快递"), ("breaches", "次数"), ("still open", "未结束"),
        )  # fmt: skip

    def interventions(self, report: Report) -> Part:
        kinds = sorted(report.interventions.kinds.items(), key=lambda one: (-one[1], one[0]))
        rows = [(self.of(KINDS.get(kind, (kind, kind))), str(count)) for kind, count in kinds]
        return self._part(
            "interventions", ("What people did to orders", "人工操作"), rows, ("action", "操作"), ("times", "次数")
        )

    def duplicates(self, report: Report) -> Part:
        rows = [
            (one.currency, str(one.count), money(one.amount, one.currency), money(one.refunded, one.currency),
             money(one.under_way, one.currency), money(one.open, one.currency))
            for one in report.duplicates
        ]  # fmt: skip
        return self._part(
            "duplicate-charges", ("Duplicate charges", "重复收款"), rows,
            ("currency", "币种"), ("charges", "笔数"), ("amount", "金额"), ("refunded", "已退"),
            ("on its way", "退款中"), ("open", "未退"),
        )  # fmt: skip

    def channels(self, report: Report) -> Part:
        rows = [
            (one.channel, str(one.orders), number(one.actions / one.orders, 3),
             percent((one.orders - one.touched) / one.orders, 2), str(one.held), str(one.red), self.span(one.p50),
             self.span(one.p95))
            for one in report.channels
        ]  # fmt: skip
        return self._part(
            "channels", ("By channel, orders placed in the window", "分渠道 (本期下单)"), rows,
            ("channel", "渠道"), ("orders", "单数"), ("interventions per order", "每单干预"), ("untouched", "无干预"),
            ("held", "曾挂起"), ("red breaches", "红色超限单"), ("placed to signed p50", "下单到签收 p50"),
            ("p95", "p95"),
        )  # fmt: skip

    def states(self, report: Report) -> str:
        """`120 orders: 100 signed, 20 in transit`."""
        counted = ", ".join(f"{count} {self._state(state)}" for state, count in report.states.items())
        total = report.interventions.orders
        said = self.of((f"{total} orders were placed in it", f"本期下单 {total}")) + (f": {counted}" if counted else "")
        if not report.archived:
            return said
        en = f"NOT counted: {report.archived} orders of that time are in the archive"
        return f"{said}. {self.of((en, f'未计入: 该时段另有 {report.archived} 单已归档'))}"

    def outcome(self, report: Report) -> str:
        """For the name of a run: `99.98 %, 6.1 min, 0.01 by hand`."""
        accuracy, response = report.accuracy.overall.share, report.response.answered.mean
        hands = report.interventions.per_order
        return ", ".join(
            [
                "accuracy not measured" if accuracy is None else percent(accuracy, 2),
                "no answers" if response is None else f"{response:.1f} min",
                "no orders" if hands is None else f"{hands:.2f} by hand",
            ]
        )

    def span(self, minutes: float | None) -> str:
        """A time that people can weigh: `12.5 min`, `3.2 h`, `4.1 d`."""
        if minutes is None:
            return "-"
        if minutes < 120:
            return f"{minutes:.1f} " + self.of(("min", "分钟"))
        if minutes < 48 * 60:
            return f"{minutes / 60:.1f} " + self.of(("h", "小时"))
        return f"{minutes / 1440:.1f} " + self.of(("d", "天"))

    def _reason(self, reason: str) -> str:
        label = HOLD_LABELS.get(HoldReason(reason)) if reason in set(HoldReason) else None
        return self.of((label.en, label.zh)) if label else ""

    def _state(self, state: str) -> str:
        label = STATE_LABELS[State(state)]
        return self.of((label.en, label.zh))

    def _part(
        self, name: str, title: Pair, rows: Sequence[tuple[str, ...]], *columns: Pair, empty: Pair = ("none", "无")
    ) -> Part:
        return Part(name, self.of(title), tuple(self.of(column) for column in columns), rows, self.of(empty))


def local(at: datetime | None) -> str:
    """China Standard Time to the minute."""
    return to_local(at)[:16] if at is not None else "-"


def percent(share: float | None, digits: int) -> str:
    """`99.97 %`. Rounded down: what is not all is never shown as 100 %."""
    if share is None:
        return "-"
    scale = 10**digits
    return f"{int(round(share * 100 * scale, 6)) / scale:.{digits}f} %"


def number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def money(amount: int, currency: str) -> str:
    """A currency that has no known minor unit is shown as it is stored, and says so."""
    return Money(amount, currency).major() if currency in MINOR_DIGITS else f"{amount} (minor units)"


def markdown_table(part: Part) -> str:
    """For an artifact: a cell never breaks its row. The notes are a list below it."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    table = "\n".join([line(part.columns), line(["---"] * len(part.columns)), *(line(row) for row in part.rows)])
    return "\n".join([table, "", *(f"- {note}" for note in part.notes)]) if part.notes else table
