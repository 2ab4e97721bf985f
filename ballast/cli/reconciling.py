"""Commands about the truth across systems: reconcile, and what came of earlier times."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from ballast.cli import app

if TYPE_CHECKING:
    from rich.console import Console

    from ballast.db.reconciling import Check, Past

Row = Mapping[str, Any]


@app.command
def reconcile(
    *order_numbers: str,
    sample: Annotated[int, Parameter(validator=Number(gte=1, lte=100_000))] = 1000,
    since: datetime | None = None,
    no_mend: bool = False,
    by: str = "operator",
    seed: Annotated[int | None, Parameter(validator=Number(gte=0, lt=2**53))] = None,
    json: bool = False,
) -> int:
    """Ask ERP, warehouse, courier, shop and payment what they say of orders; show what differs, and mend it.

    These orders, or all that changed since a time, or a sample stratified by state. Runs as a flow run that the Prefect
    UI shows. Exit 1 when something still differs, a system did not answer, or an order is unknown.
    """
    from ballast.cli.opening import NotRunning, aware, in_prefect, print_json
    from ballast.settings import settings

    if order_numbers and since is not None:
        raise NotRunning("say either which orders or since when, not both")

    async def run() -> tuple["Past", Sequence[Row], str]:
        from flows.reconcile import reconcile as ask_everybody
        from flows.runs import RunFailed

        failed = ""
        try:
            await ask_everybody(order_numbers, aware(since), sample, not no_mend, by, seed)
        except RunFailed as failure:
            failed = str(failure)
        return *(await _last()), failed

    past, rows, failed = in_prefect(run)
    if json:
        print_json(past.as_dict() | {"differing": [dict(row) for row in rows], "failed": failed})
    else:
        from rich.console import Console

        _show(past, rows, failed, settings().language, Console())
    after = past.figures.get("after", {}).get("overall", {})
    agreed = after.get("asked") == after.get("agreeing")
    return 0 if agreed and not failed and not past.figures.get("unknown") else 1


async def _last() -> tuple["Past", Sequence[Row]]:
    from ballast.db.reconciling import drifting, history
    from ballast.wiring import house

    async with (await house()).transaction() as tx:
        [past] = await history(tx, most=1)
        return past, await drifting(tx, past.id)


@app.command
def reconcile_history(
    *, last: Annotated[int, Parameter(validator=Number(gte=1, lte=1000))] = 30, json: bool = False
) -> None:
    """The last reconciliations: how many orders, how often every system agreed, before mending and after."""
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.db.reconciling import Past, history
    from ballast.wiring import House

    async def look(here: House) -> tuple[list[Past], str]:
        async with here.transaction() as tx:
            return await history(tx, most=last), here.settings.language

    past, language = with_house(look)
    if json:
        print_json([one.as_dict() for one in past])
    else:
        _show_history(past, language, Console())


def _show(past: "Past", rows: Sequence[Row], failed: str, language: str, console: "Console") -> None:
    from rich.table import Table

    from ballast.domain.accuracy import interval, percent
    from ballast.domain.truth import WITNESS_LABELS, Witness

    figures, zh = past.figures, language == "zh"
    if "before" not in figures:
        console.print(failed or "it did not end")
        return
    heads = ("系统", "已询问", "一致", "准确率", "95% 区间", "修正后", "未答复") if zh else (
        "system", "asked", "agree", "accuracy", "95 % interval", "after", "no answer"
    )  # fmt: skip
    table = Table(*heads, title=f"{figures['orders']} {'张订单' if zh else 'orders'}, {percent(figures['share'])}")
    parts = {str(one): WITNESS_LABELS[one].zh if zh else WITNESS_LABELS[one].en for one in Witness}
    for name, label in {"overall": "整体" if zh else "overall", **parts}.items():
        before = figures["before"]["overall"] if name == "overall" else figures["before"]["systems"][name]
        after = figures["after"]["overall"] if name == "overall" else figures["after"]["systems"][name]
        silent = "" if name == "overall" else str(figures["not_asked"][name]["no_answer"])
        shares = (percent(before["share"]), interval(before), percent(after["share"]))
        table.add_row(label, str(before["asked"]), str(before["agreeing"]), *shares, silent)
    console.print(table)
    for row in rows:
        if row["verdict"] not in ("agrees", "not_asked"):
            console.print(f"[bold]{row['order_no']}[/bold] {row['ours']}, {_sentence(row)}", highlight=False)
    for number in figures.get("unknown", ()):
        console.print(f"{number}: unknown order, or in the archive: `ballast order show {number}`", highlight=False)
    if failed:
        console.print(failed, style="red", markup=False)


def _sentence(row: Row) -> str:
    done = f": {row['mended']}" if row["mended"] else ""
    return f"{row['system']} {row['theirs'] or '-'} ({row['said']}), {row['verdict']}{done}"


def _show_history(past: Sequence["Past"], language: str, console: "Console") -> None:
    from rich.table import Table

    from tasks.drift_report import history_cells

    heads = ("时间", "范围", "订单", "准确率", "修正后", "有差异", "已修正") if language == "zh" else (
        "when", "scope", "orders", "accuracy", "after", "differing", "mended"
    )  # fmt: skip
    table = Table(*heads)
    for one in past:
        table.add_row(*history_cells(one))
    console.print(table)


def show_checks(at: datetime | None, checks: Sequence["Check"], language: str, console: "Console") -> None:
    """What each system said of an order when it was last asked."""
    from ballast.clock import to_local
    from ballast.domain.truth import VERDICT_LABELS, WITNESS_LABELS, Verdict, Witness

    if at is None:
        return
    zh = language == "zh"
    console.print(f"{'最近对账' if zh else 'last reconciled'} {to_local(at)}")
    for check in checks:
        witness, verdict = WITNESS_LABELS[Witness(check.system)], VERDICT_LABELS[Verdict(check.verdict)]
        name, word = (witness.zh, verdict.zh) if zh else (witness.en, verdict.en)
        theirs = f"{check.theirs or '-'} ({check.said})"
        console.print(f"  {name}: {theirs}, {word}" + (f": {check.mended}" if check.mended else ""), highlight=False)
