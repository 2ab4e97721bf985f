"""What a reconciliation found, for people: orders that differ side by side, accuracy per system, and its history."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact
from prefect.runtime import flow_run

from ballast.clock import to_local
from ballast.db.reconciling import Past, drifting, history
from ballast.domain.accuracy import interval, percent
from ballast.domain.truth import VERDICT_LABELS, WITNESS_LABELS, Verdict, Witness
from ballast.domain.words import Label
from ballast.wiring import House

MOST: Final = 500
"""Rows of an artifact: more is read by `ballast reconcile-history --json`, or in the table `order_check`."""

Row = Mapping[str, Any]


def drift_table(here: House, checks: Sequence[Row]) -> list[dict[str, str]]:
    """One row per order that differs: Ballast | ERP | WMS | courier | shop | payment | verdict | what was done."""
    zh = here.settings.language == "zh"
    by_order: defaultdict[str, list[Row]] = defaultdict(list)
    for check in checks:
        by_order[check["order_no"]].append(check)
    return [_drift_row(here, number, rows, zh) for number, rows in list(by_order.items())[:MOST]]


def _drift_row(here: House, number: str, checks: Sequence[Row], zh: bool) -> dict[str, str]:
    of = {Witness(check["system"]): check for check in checks}
    wrong = [check for check in checks if check["verdict"] not in (Verdict.AGREES, Verdict.NOT_ASKED)]
    verdicts = [f"{_name(Witness(one['system']), zh)}: {_word(VERDICT_LABELS[one['verdict']], zh)}" for one in wrong]
    done = [f"{one['system']}: {one['mended']}" for one in wrong if one["mended"]]
    return {
        "order": here.order_link(number),
        "Ballast": str(wrong[0]["ours"]),
        **{_name(witness, zh): _cell(of.get(witness)) for witness in Witness},
        "结论" if zh else "verdict": "; ".join(verdicts),
        "处理" if zh else "what was done": "; ".join(done) or ("未处理" if zh else "nothing"),
    }


def _cell(check: Row | None) -> str:
    """Their state and, in brackets, their own words. A dash: it has nothing to do with the order; `?`: no answer."""
    if check is None:
        return "-"
    if check["verdict"] == Verdict.NOT_ASKED:
        return f"? ({check['said'][:60]})"
    return f"{check['theirs'] or '∅'} ({check['said'][:60]})"


def _name(witness: Witness, zh: bool) -> str:
    return _word(WITNESS_LABELS[witness], zh)


def _word(label: Label, zh: bool) -> str:
    return label.zh if zh else label.en


def accuracy_page(figures: Mapping[str, Any], past: Sequence[Past], *, zh: bool) -> str:
    """Markdown: accuracy per system before and after mending, and the last runs."""
    head = (
        "| 系统 | 已询问 | 一致 | 准确率 | 95% 区间 | 修正后 | 缺通知 | 漏收 | 矛盾 | 未答复 |"
        if zh
        else "| system | asked | agree | accuracy | 95 % interval | after | behind | ahead | contradicts | no answer |"
    )
    before, after = figures["before"], figures["after"]
    whole = _line("整体 (订单)" if zh else "overall (orders)", before["overall"], after["overall"], before["drift"], "")
    lines = [
        _line(
            _name(witness, zh),
            before["systems"][witness],
            after["systems"][witness],
            before["systems"][witness],
            _unanswered(figures["not_asked"][witness], zh),
        )
        for witness in Witness
    ]
    title = "## 与各系统的一致率" if zh else "## How often other systems say what Ballast says"
    return "\n".join([title, "", head, "|---" * 10 + "|", whole, *lines, "", *_history_lines(past, zh=zh)])


def _line(name: str, before: Row, after: Row, drift: Row, unanswered: str) -> str:
    counts = " | ".join(str(drift[kind]) for kind in (Verdict.BEHIND, Verdict.AHEAD, Verdict.CONTRADICTS))
    shares = f"{percent(before['share'])} | {interval(before)} | {percent(after['share'])}"
    return f"| {name} | {before['asked']} | {before['agreeing']} | {shares} | {counts} | {unanswered} |"


def _unanswered(not_asked: Row, zh: bool) -> str:
    if not not_asked["configured"]:
        return "未配置" if zh else "not configured"
    return str(not_asked["no_answer"])


def _history_lines(past: Sequence[Past], *, zh: bool) -> list[str]:
    head = (
        "| 时间 | 范围 | 订单 | 准确率 | 修正后 | 有差异 | 已修正 |"
        if zh
        else "| when | scope | orders | accuracy | after | differing | mended |"
    )
    lines = [f"| {' | '.join(history_cells(one))} |" for one in past]
    return ["## 最近的对账" if zh else "## The last runs", "", head, "|---" * 7 + "|", *lines]


def history_cells(one: Past) -> list[str]:
    """when, scope, orders, accuracy before and after, orders that differed, orders mended."""
    figures = one.figures
    if "before" not in figures:
        return [to_local(one.began_at), one.scope, str(one.wanted), "-", "-", "-", "not ended"]
    return [
        to_local(one.began_at),
        one.scope,
        str(figures["orders"]),
        percent(figures["before"]["overall"]["share"]),
        percent(figures["after"]["overall"]["share"]),
        str(figures["drifted"]),
        str(figures["mended"].get("orders", 0)),
    ]


class Progress:
    """A bar in the Prefect UI for as long as the run lasts; nothing where no run is."""

    def __init__(self, whole: int) -> None:
        self._whole, self._done, self._id = max(whole, 1), 0, None

    async def begin(self, description: str) -> None:
        if flow_run.id is not None:
            made: Any = await acreate_progress_artifact(progress=0.0, key="reconcile-progress", description=description)
            self._id = made

    async def add(self, orders: int) -> None:
        self._done += orders
        if self._id is not None:
            await aupdate_progress_artifact(self._id, min(100.0, 100.0 * self._done / self._whole))


async def show(here: House, reconciliation: int, figures: Mapping[str, Any]) -> list[dict[str, str]]:
    """Leave the accuracy page; the rows of the drift table."""
    async with here.transaction() as tx:
        past, checks = await history(tx, most=30), await drifting(tx, reconciliation)
    if flow_run.id is not None:
        page = accuracy_page(figures, past, zh=here.settings.language == "zh")
        await acreate_markdown_artifact(key="reconcile-accuracy", markdown=page, description="Accuracy 一致率")
    return drift_table(here, checks)
