"""Channel return in words: what a marketing manager reads, in English or Chinese."""

import re
from collections.abc import Sequence
from typing import Final

from adapters.files.xlsx_table import Share, Value
from ballast.domain.channels import (
    DAYS,
    LESS_IS_BETTER,
    MONEY,
    SHARES,
    ChannelReport,
    ChannelReturn,
    Compared,
    Measure,
    change,
    measure,
)
from ballast.domain.money import MINOR_DIGITS, Money
from tasks.report_words import Pair, Part, local, markdown_table, money

NO_DATA: Final[Pair] = ("no data", "无数据")
_THOUSANDS: Final = re.compile(r"(?<=[0-9])(?=([0-9]{3})+(?![0-9]))(?<!\.[0-9])(?<!\.[0-9]{2})")
ALL: Final[Pair] = ("all channels", "全部渠道")
LABELS: Final[dict[Measure, Pair]] = {
    Measure.ORDERS: ("orders", "订单数"),
    Measure.REVENUE: ("revenue", "销售额"),
    Measure.REFUNDS: ("refunds", "退款"),
    Measure.NET: ("net revenue", "净销售额"),
    Measure.COST: ("acquisition cost", "获客成本"),
    Measure.NEW: ("new customers", "新客数"),
    Measure.COST_PER_NEW: ("cost per new customer", "单个新客成本"),
    Measure.AVERAGE: ("average order value", "客单价"),
    Measure.RETURN_RATE: ("return rate", "退货率"),
    Measure.REPURCHASE: ("days to the next order, median of those who came back", "复购周期中位数 (已复购)"),
    Measure.REPURCHASE_ALL: ("days to the next order, median of all (estimate)", "复购周期中位数 (含未复购, 估计)"),
    Measure.CONTRIBUTION: ("contribution", "贡献"),
    Measure.ROI: ("ROI", "投入产出 ROI"),
    Measure.COST_SHARE: ("cost share of net revenue", "费用率"),
}


class ChannelWords:
    """Says a report in one language (`en`, `zh`)."""

    def __init__(self, language: str) -> None:
        self._zh = language == "zh"

    def of(self, pair: Pair) -> str:
        return pair[self._zh]

    def title(self, report: ChannelReport) -> str:
        now, before = report.period, report.before
        return self.of(
            (
                f"Channel return, {now.first} to {now.last}, compared with {before.first} to {before.last}",
                f"渠道投入产出, {now.first} 至 {now.last}, 对比 {before.first} 至 {before.last}",
            )
        )

    def columns(self) -> list[str]:
        """One per measure, behind the channel."""
        return [self.of(("channel", "渠道")), self.of(("currency", "币种")), *(self.of(LABELS[one]) for one in Measure)]

    def rows(self, report: ChannelReport) -> list[list[str]]:
        """Each cell says the figure and its change; the last rows are the sums of each currency."""
        return [
            [self.name(one), one.now.currency, *(self.cell(name, one) for name in Measure)]
            for one in (*report.channels, *self.sums(report))
        ]

    def sums(self, report: ChannelReport) -> list[Compared]:
        """Of currencies in which there is more than one channel."""
        return [total for total in report.totals() if _is_sum(report, total)]

    def name(self, one: Compared) -> str:
        return one.now.channel or self.of(ALL)

    def cell(self, name: Measure, one: Compared) -> str:
        """`113.00 (+12.0 %)`."""
        value = self.value(name, one.now)
        moved = self.moved(name, one)
        return f"{value} ({moved})" if moved else value

    def value(self, name: Measure, of: ChannelReturn) -> str:
        found = measure(name, of)
        if found is None:
            return self.of(NO_DATA)
        if name in MONEY:
            return grouped(money(int(found), of.currency))
        if name in SHARES:
            return f"{found * 100:.1f} %"
        return f"{found:,}".removesuffix(".0") + (self.of((" d", " 天")) if name in DAYS else "")

    def moved(self, name: Measure, one: Compared) -> str:
        """`+12.0 %`, of shares `+1.2 pp` (percentage points), of cycles `+3 d`; empty without data."""
        found = change(name, one.now, one.before)
        if found is None:
            return ""
        if name in DAYS:
            return f"{found:+g}" + self.of((" d", " 天"))
        return f"{found * 100:+.1f} " + (self.of(("pp", "个百分点")) if name in SHARES else "%")

    def better(self, name: Measure, one: Compared) -> bool | None:
        """Whether the change is a good one. None: there is none."""
        found = change(name, one.now, one.before)
        return None if not found else (found < 0) is (name in LESS_IS_BETTER)

    def table(self, report: ChannelReport) -> list[list[tuple[str, str]]]:
        """A measure per row, a channel per column: (figure, change) in each cell, the measure's name in front."""
        of = (*report.channels, *self.sums(report))
        return [
            [(self.of(LABELS[name]), ""), *((self.value(name, one.now), self.moved(name, one)) for one in of)]
            for name in Measure
        ]

    def sheet(self, report: ChannelReport) -> tuple[list[str], list[list[Value]]]:
        """For a workbook: a column of figures and one of the period before; all figures are numbers."""
        before = self.of(("before", "上期"))
        head = [self.of(("channel", "渠道")), self.of(("currency", "币种"))]
        head += [text for one in Measure for text in (self.of(LABELS[one]), f"{self.of(LABELS[one])}, {before}")]
        table: list[list[Value]] = [
            [
                self.name(one),
                one.now.currency,
                *(self._number(name, of) for name in Measure for of in (one.now, one.before)),
            ]
            for one in (*report.channels, *self.sums(report))
        ]
        return head, table

    def _number(self, name: Measure, of: ChannelReturn) -> Value:
        found = measure(name, of)
        if found is None:
            return self.of(NO_DATA)
        if name in MONEY:
            return Money(int(found), of.currency) if of.currency in MINOR_DIGITS else int(found)
        return Share(found) if name in SHARES else found

    def notes(self, report: ChannelReport) -> list[str]:
        """What the figures are made of, and what they do not hold."""
        found = [self.of(_made_of(report))]
        if report.channels:
            found.append(self.of(_waiting(report.channels)))
        if partly := [one.now for one in report.channels if one.now.cost_days < report.period.days]:
            found.append(self.of(_costs_missing(partly, report.period.days)))
        if report.archived or report.history_cut:
            found.append(self.of(_archived(report)))
        return found

    def outcome(self, report: ChannelReport) -> str:
        """For the name of a run: `3 channels, CNY 12345.00 net, ROI 210.0 %`."""
        said = [f"{sum(one.now.orders > 0 for one in report.channels)} channels"]
        for total in report.totals():
            net, roi = total.now.revenue - total.now.refunds, measure(Measure.ROI, total.now)
            said.append(f"{total.now.currency} {money(net, total.now.currency)} net")
            said.append("ROI no data" if roi is None else f"ROI {roi * 100:.1f} %")
        return ", ".join(said)


def grouped(amount: str) -> str:
    """`1234567.00` -> `1,234,567.00`."""
    return _THOUSANDS.sub(",", amount)


def _is_sum(report: ChannelReport, total: Compared) -> bool:
    return sum(one.now.currency == total.now.currency for one in report.channels) > 1


def _made_of(report: ChannelReport) -> Pair:
    at, then = local(report.as_of), local(report.before_as_of)
    return (
        "Orders by day of payment, China time. Refunds and returns are those of these orders as known at "
        f"{at}; the period before is shown as it stood at {then}, when it was as old. In brackets or below: "
        "the change, pp = percentage points. Contribution = revenue - refunds - acquisition cost; the cost of goods "
        "is not in the books. ROI = contribution / acquisition cost.",
        f"订单按支付日 (北京时间) 归集。退款与退货为这些订单截至 {at} 的情况; "
        f"上期按其同样时长后 ({then}) 的情况统计。括号内或下方小字为变化。"
        "贡献 = 销售额 - 退款 - 获客成本 (不含商品成本)。ROI = 贡献 / 获客成本。",
    )


def _waiting(channels: Sequence[Compared]) -> Pair:
    said = [(one.now.channel, one.now.repurchase) for one in channels]
    en = "; ".join(f"{name} {each.ended} came back, {each.waiting} not yet" for name, each in said)
    zh = "; ".join(f"{name} 已复购 {each.ended}, 尚未复购 {each.waiting}" for name, each in said)
    return (
        f"Days to the next order, of the same customer in the same channel: {en}. The median of those who came back "
        "is too short while many have not; the estimate (Kaplan-Meier) counts these as long as they were seen.",
        f"复购周期为同一客户在同一渠道两次支付的间隔: {zh}。仅统计已复购者会偏短; "
        "估计值 (Kaplan-Meier) 计入尚未复购者的等待时间。",
    )


def _costs_missing(of: Sequence[ChannelReturn], days: int) -> Pair:
    said = ", ".join(f"{one.channel} {one.cost_days}" for one in of)
    return (
        f"Costs are known on fewer than {days} days: {said}. `ballast channels cost import` takes the rest.",
        f"以下渠道的成本不足 {days} 天: {said}。用 `ballast channels cost import` 补录。",
    )


def _archived(report: ChannelReport) -> Pair:
    en = "Orders are in the archive: customers who bought long ago look new, the longest cycles are missing"
    zh = "部分订单已归档: 早期客户会被视为新客, 最长的复购周期缺失"
    if report.archived:
        en += f"; NOT counted at all: {report.archived} orders that were under way in these periods"
        zh += f"; 完全未计入: 这两期内另有 {report.archived} 单已归档"
    return en, zh


def as_markdown(words: ChannelWords, report: ChannelReport, links: str) -> str:
    """For an artifact: title, where the files are, a row per measure, the notes."""
    columns = ("", *(f"{words.name(one)} {one.now.currency}" for one in (*report.channels, *words.sums(report))))
    rows = [tuple(f"{value} ({moved})" if moved else value for value, moved in row) for row in words.table(report)]
    table = markdown_table(Part("channels", "", columns, rows, "", tuple(words.notes(report))))
    return f"# {words.title(report)}\n\n{links}\n\n{table}"
