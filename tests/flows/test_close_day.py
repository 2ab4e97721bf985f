"""Finance's day as the bookkeeper gets it: the run, the workbook beside the truth of the world, the commands."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook

from ballast.clock import SHANGHAI
from ballast.domain.words import Step
from ballast.settings import ReportSettings
from flows.close_day import close_day
from tests.flows.stage import Stage, artifact, run


@pytest.fixture
def folder(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    reports = ReportSettings(folder=tmp_path / "reports")
    monkeypatch.setattr(stage.house, "settings", stage.house.settings.model_copy(update={"reports": reports}))
    return reports.folder


async def test_the_day_agrees_with_the_world_to_the_cent(stage: Stage, folder: Path) -> None:
    """One order in order, one charged twice, one whose charge is gone from our books."""
    fine, twice, lost = await stage.signed(), await stage.signed(), await stage.locked()
    await stage.world.act(twice, "pay", twice=True)
    await stage.read()
    await stage.rows("delete from payment where order_id = (select id from sales_order where order_no = :no) "
                     "returning 1", no=lost)  # fmt: skip
    truth = [await stage.world.truth(number) for number in (fine, twice)]
    taken = sum(payment["amount"] for order in truth for payment in order["payments"])
    placed = sum(order["total"] for order in truth) + (await stage.world.truth(lost))["total"]
    day = datetime.fromisoformat(truth[0]["placed_at"]).astimezone(SHANGHAI).date().isoformat()

    ran = await run(close_day, day=day)
    assert ran.green and f"{day} 3 orders, {taken // 100}.{taken % 100:02d} CNY captured" in ran.name
    found = {row["finding"]: row for row in await artifact(ran) if "finding" in row}
    assert (
        lost in found["no payment in the books"]["order"]
        and "statement" in found["no payment in the books"]["what to do"]
    )
    assert twice in found["charged twice, on its way back"]["order"]
    again = await run(close_day, day=day, fetch=False)
    assert again.green
    assert [alert.title for alert in await stage.alerts() if alert.key.startswith("money:")] == [
        f"{lost}: no payment in the books"
    ], "once, and for nothing that rang before"

    book = load_workbook(folder / f"money-{day}.xlsx")
    assert book.sheetnames == [
        "summary", "standing", "orders", "charges", "refunds", "findings", "statement", "statement lines",
    ]  # fmt: skip
    orders = list(book["orders"].iter_rows(min_row=2, values_only=True))
    heads = [cell.value for cell in next(book["orders"].iter_rows())]
    by_name = [dict(zip(heads, row, strict=True)) for row in orders]
    assert sum(round(row["captured that day"] * 100) for row in by_name) == taken
    assert sum(round(row["due that day"] * 100) for row in by_name) == placed
    charges = list(book["charges"].iter_rows(min_row=2, values_only=True))
    told = {payment["transaction_id"] for order in truth for payment in order["payments"]}
    assert {row[2] for row in charges} == told
    assert [row[1] for row in book["summary"].iter_rows(values_only=True) if row[0] == "adds up"] == ["yes"]

    seen = json.loads(await stage.command("finance", "day", day, "--json", code=1))
    assert seen["adds_up"] and sum(one["captured"] for one in seen["sums"]) == taken
    assert [one["order_no"] for one in seen["findings"]] == [lost, twice]
    [one] = json.loads(await stage.command("finance", "order", twice, "--json"))
    assert (one["captured"], one["on_its_way"]) == (2 * one["due"], one["due"])
    assert "is no day" in await stage.command("finance", "day", "yesterday", code=2)


async def test_statements_by_the_command_line(stage: Stage, tmp_path: Path) -> None:
    """Imported, refused, shown, booked: what a person does whose provider is not WeChat Pay."""
    order_no = await stage.placed()
    file, mapping = tmp_path / "a.csv", tmp_path / "m.yaml"
    mapping.write_text("provider: alipay\ncolumns: {transaction_id: no, amount: sum, at: at, order_no: order}\n"
                       "money: {unit: yuan}\n")  # fmt: skip
    total = (await stage.world.truth(order_no))["total"]
    file.write_text(f"no,sum,at,order\nA-1,{total // 100}.{total % 100:02d},2026-01-05 10:00:00,{order_no}\nA-2,x,,\n")
    told = json.loads(
        await stage.command("finance", "statement", "import", str(file), "--map", str(mapping), "--json", code=1)
    )
    assert (told["lines"], told["open"], told["refused"]) == (1, 1, 1)
    assert "A-2" in (tmp_path / "a.rejects.csv").read_text("utf-8-sig")
    number = str(told["id"])
    assert "not in our books" in await stage.command("finance", "statement", "show", number, code=1)
    assert f"{order_no}: " in await stage.command("finance", "statement", "book", number)
    assert "every line agrees" in await stage.command("finance", "statement", "show", number)
    assert await stage.work(Step.CONFIRM_PAYMENT) == {"confirmed": 1}, "the missing payment lets it go on"
    bad = await stage.command("finance", "statement", "import", str(file), "--provider", "wechatpay", code=2)
    assert "no trade bill of WeChat Pay" in bad
