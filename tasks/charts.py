"""Figures into charts: the words, units and bounds that people read. Drawing takes a second: not on an event loop."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from ballast.db.charts import HeldOn, LeadTimes, Level
from ballast.domain.channels import AXES, ChannelReport, Measure, Period, scores
from ballast.domain.words import HOLD_LABELS, HoldReason
from tasks.channel_words import ChannelWords
from tasks.report_words import Pair

if TYPE_CHECKING:
    from adapters.charts.drawing import Picture
    from adapters.charts.holds import Reason
    from adapters.charts.lead_times import Way

REASONS: Final = 6
"""That have a colour of their own; the others are one."""
DAYS: Final = 62
"""So many bars are shown by day, more by week."""
AXIS_NAMES: Final[dict[Measure, Pair]] = {
    Measure.NET: ("net revenue", "净销售额"),
    Measure.AVERAGE: ("order value", "客单价"),
    Measure.RETURN_RATE: ("return rate", "退货率"),
    Measure.REPURCHASE_ALL: ("days to next order", "复购周期"),
    Measure.COST_SHARE: ("cost share", "费用率"),
    Measure.CONTRIBUTION: ("contribution", "贡献"),
}
RULE: Final[Pair] = (
    "Further out is better. Net revenue, order value, contribution: 100 = the best channel of both periods. "
    "Return rate: 0 % = 100, 30 % = 0.\nDays to next order (estimate with those who have not come back): 0 = 100, "
    "180 = 0. Cost share of net revenue: 0 % = 100, 50 % = 0. A gap in a line: no data.",
    "越靠外越好。净销售额、客单价、贡献: 100 = 两期中最好的渠道。退货率: 0 % = 100, 30 % = 0。\n"
    "复购周期 (含尚未复购者的估计): 0 天 = 100, 180 天 = 0。费用率 (获客成本 / 净销售额): 0 % = 100, 50 % = 0。"
    "折线断开处: 无数据。",
)
WAYS: Final[dict[str, Pair]] = {
    "paid_outbound": ("paid to outbound", "支付到出库"),
    "placed_signed": ("placed to signed", "下单到签收"),
}
UNITS: Final[tuple[tuple[float, float, Pair], ...]] = (
    (72 * 3600.0, 86400.0, ("days", "天")),
    (3 * 3600.0, 3600.0, ("hours", "小时")),
    (0.0, 60.0, ("minutes", "分钟")),
)
"""From how many seconds on, how many make one, its name."""
NO_DATA: Final[Pair] = ("no data", "无数据")


def draw_channels(report: ChannelReport, currency: str, language: str) -> "Picture":
    """The radar of the channels of one currency, the largest ones when there are many."""
    from adapters.charts.radar import Panel, Radar, draw_radar

    words = ChannelWords(language)
    by_name = {one.now.channel: one.now for one in report.channels if one.now.currency == currency}
    panels = [
        Panel(channel, now, before, [words.value(axis.measure, by_name[channel]) for axis in AXES])
        for channel, now, before in scores(report, currency)
    ]
    title = words.of((f"Channel health · {currency}", f"渠道健康度雷达图 · {currency}"))
    periods = (
        f"{report.period.first} - {report.period.last}",
        words.of((f"before: {report.before.first} - {report.before.last}",
                  f"上期: {report.before.first} - {report.before.last}")),
    )  # fmt: skip
    axes = [words.of(AXIS_NAMES[axis.measure]) for axis in AXES]
    return draw_radar(Radar(title, axes, panels, periods, words.of(RULE)))


def draw_lead_times(times: LeadTimes, period: Period, language: str) -> "Picture":
    """A row per channel, the largest first; a column per way."""
    from adapters.charts import lead_times as chart

    of = ChannelWords(language).of
    channels = times.channels[: chart.MOST]
    return chart.draw_lead_times(
        chart.LeadTimes(
            title=of(("Lead times of orders paid", "时效分布, 支付于")) + f" {period.first} - {period.last}",
            rows=channels,
            ways=[_way(name, times, channels, language) for name in WAYS],
            count=of(("orders", "单数")),
            empty=of(NO_DATA),
            foot=of(
                (
                    "Hatched: everything that took longer. Orders that are not there yet are not in it.",
                    "斜线条: 更长的全部计入。尚未到达的订单不在其中。",
                )
            ),
        )
    )


def _way(name: str, times: LeadTimes, channels: Sequence[str], language: str) -> "Way":
    from adapters.charts.lead_times import Spread, Way

    of, end = ChannelWords(language).of, times.ends.get(name, 60.0)
    _, unit, called = next(one for one in UNITS if end >= one[0])
    found = [times.ways.get(name, {}).get(channel) for channel in channels]
    spreads = [
        Spread((), None)
        if one is None
        else Spread(one.counts, (one.marks[0] / unit, one.marks[1] / unit, one.marks[2] / unit))
        for one in found
    ]
    return Way(of(WAYS[name]), of(called), end / unit, spreads)


def draw_holds(found: Sequence[HeldOn], period: Period, language: str) -> "Picture":
    """By day, or by week when there would be too many bars."""
    from adapters.charts import holds as chart

    of = ChannelWords(language).of
    width = 1 if period.days <= DAYS else 7
    spans = [period.first + timedelta(days=at) for at in range(0, period.days, width)]
    return chart.draw_holds(
        chart.Holds(
            title=of(("Orders that were held", "异常挂起")) + f" {period.first} - {period.last}",
            spans=[f"{day:%m-%d}" for day in spans],
            reasons=_reasons(found, spans, width, language),
            by_day=of(("begun by day", "每日新增")) if width == 1 else of(("begun by week", "每周新增")),
            by_reason=of(("by reason", "按原因合计")),
            count=of(("holds", "挂起次数")),
            still_open=of(("still held", "未解除")),
            ended=of(("ended", "已解除")),
            empty=of(("no order was held", "本期无挂起")),
        )
    )


def _reasons(found: Sequence[HeldOn], spans: Sequence[date], width: int, language: str) -> "list[Reason]":
    from adapters.charts.holds import Reason

    in_all = Counter[str]()
    for one in found:
        in_all[one.reason] += one.count
    own = [reason for reason, _ in in_all.most_common(REASONS if len(in_all) > REASONS + 1 else REASONS + 1)]
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * len(spans))
    still = Counter[str]()
    for one in found:
        name = one.reason if one.reason in own else ""
        counts[name][(one.day - spans[0]).days // width] += one.count
        still[name] += one.open
    names = [*own, *([""] if "" in counts else [])]
    return [Reason(_reason(name, language), counts[name], still[name]) for name in names]


def _reason(reason: str, language: str) -> str:
    of = ChannelWords(language).of
    if not reason:
        return of(("others", "其他"))
    label = HOLD_LABELS.get(HoldReason(reason)) if reason in set(HoldReason) else None
    return of((label.en, label.zh)) if label else reason


def draw_stock(levels: Sequence[Sequence[Level]], period: Period, language: str) -> "Picture":
    """A panel per SKU and warehouse."""
    from adapters.charts import stock_lines as chart

    of = ChannelWords(language).of
    panels = [
        chart.StockLine(
            title=f"{days[0].sku} · {days[0].warehouse}",
            days=[one.day for one in days],
            on_hand=[one.on_hand for one in days],
            to_promise=[one.to_promise for one in days],
            lines=[one.safety_line for one in days],
        )
        for days in levels
    ]
    return chart.draw_stock_lines(
        chart.StockLines(
            title=of(("Stock and safety line", "库存与安全线")) + f" {period.first} - {period.last}",
            panels=panels,
            names=(of(("on hand", "在库")), of(("to promise", "可承诺")), of(("safety line", "安全线"))),
            pieces=of(("pieces", "件")),
            empty=of(
                (
                    "no level was noted in this time: no SKU has a safety line of its own, or draw-charts has not run",
                    "该时段没有记录: 没有设安全线的 SKU, 或 draw-charts 尚未运行",
                )
            ),
        )
    )
