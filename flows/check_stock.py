"""Compare the stock ledger with its locks, the orders and the ERP; mend what is ours to mend."""

from prefect import flow

from ballast.domain.stock_check import RULE_LABELS
from flows.runs import Run, start
from tasks.chunks import Tally
from tasks.stock import StockReport, compare_stock


@flow(name="check-stock", flow_run_name="check-stock")
async def check_stock(mend: bool = True) -> None:
    """Compare ledger, locks, orders and the ERP's figures; the artifact lists every figure that does not fit.

    When the ERP does not answer, the rest is compared all the same, and the run ends red and says so.

    Args:
        mend: Mend what is ours to mend, and write it down. 自动修正账面差异并记录
    """
    run = await start("check-stock")
    report = await compare_stock(mend)
    run.table = _table(run, report)
    run.tally.update(Tally({"mended": len(report.corrections), "to look at": len(report.findings)}))
    if report.not_compared:
        run.failures.append(report.compared)
    await run.finish()


def _table(run: Run, report: StockReport) -> list[dict[str, str]]:
    zh = run.house.settings.language == "zh"
    mended = [
        {"rule": one.rule.value, "order": str(one.order_id or ""), "SKU": one.sku, "warehouse": one.warehouse,
         "found": str(one.was), "should be": str(one.became), "what to do": "已修正" if zh else "mended"}
        for one in report.corrections
    ]  # fmt: skip
    left = []
    for one in report.findings:
        label, order = RULE_LABELS[one.rule], run.house.order_link(one.order_no) if one.order_no else ""
        left.append(
            {"rule": f"{one.rule} {label.zh if zh else label.en}", "order": order, "SKU": one.sku,
             "warehouse": one.warehouse, "found": str(one.found), "should be": str(one.expected),
             "what to do": label.advice_zh if zh else label.advice_en}
        )  # fmt: skip
    return mended + left
