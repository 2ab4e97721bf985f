"""Rules as a business person changes them: exported, edited, checked, stored, published, put back, by command."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from openpyxl import load_workbook

from tests.flows.stage import Stage


def edit(file: Path, sheet: str, *rows: dict[str, Any]) -> None:
    """Write rows below what stands in a sheet, by the titles of its columns."""
    book = load_workbook(file)
    page = book[sheet]
    titles = {str(cell.value): at for at, cell in enumerate(page[1], start=1)}
    for row in rows:
        at = page.max_row + 1
        for title, value in row.items():
            page.cell(at, titles[title], value)
    book.save(file)


def set_cell(file: Path, sheet: str, title: str, at: int, value: Any) -> None:
    book = load_workbook(file)
    page = book[sheet]
    [column] = [cell.column for cell in page[1] if cell.value == title]
    page.cell(at, column, value)
    book.save(file)


TEA = {"sku": "TEA-399", "name": "礼盒", "series": "tea", "list_price": 399, "floor": 280}
GOLD = {"row": "gold-tea", "kind": "tier", "tier": "gold", "series": "tea", "price": 329}


async def priced(stage: Stage, folder: Path) -> Path:
    """A price book with one article and one row, exported, edited, published as version 1."""
    file = folder / "price.xlsx"
    said = await stage.command("rules", "export", "price", str(file), "--lang", "en")
    assert said.startswith("price version 0")
    edit(file, "products", TEA)
    edit(file, "tiers", {"tier": "gold"})
    edit(file, "prices", GOLD)
    await stage.command("rules", "publish", "price", str(file), "--by", "li", "--note", "first prices")
    return file


async def test_from_export_to_rollback(stage: Stage, tmp_path: Path) -> None:
    await priced(stage, tmp_path)
    file = tmp_path / "next.xlsx"
    await stage.command("rules", "export", "price", str(file), "--lang", "zh")
    refused = await stage.command("rules", "export", "price", str(file), code=2)
    assert refused == "", "it says so on its output"
    await stage.command("rules", "export", "price", str(file), "--lang", "en", "--force")
    set_cell(file, "prices", "price", 2, 319)

    assert (await stage.command("rules", "check", "price", str(file))).endswith("0 error(s), 0 warning(s)\n")
    said = await stage.command("rules", "diff", "price", str(file))
    assert "changed  prices gold-tea: price: 329.00 -> 319.00" in said
    assert "1 row(s) differ from price version 1" in said

    said = await stage.command("rules", "import", "price", str(file), "--by", "li", "--note", "cheaper")
    assert "stored as price version 2, checked 已检查; it is not in force" in said
    assert "ballast rules publish price 2 --by NAME" in said
    said = await stage.command("rules", "publish", "price", "2", "--by", "zhao", "--note", "spring", "--dry-run")
    assert said.startswith("would be published as price version 2")
    said = await stage.command("rules", "publish", "price", "2", "--by", "zhao", "--note", "spring")
    assert "is in force now, in place of version 1, published by li" in said
    assert "price=319.00" in await stage.command("rules", "show", "price")

    said = await stage.command("rules", "rollback", "price", "1", "--by", "wang")
    assert said.startswith("published as price version 3")
    assert "price=329.00" in await stage.command("rules", "show", "price")
    lines = (await stage.command("rules", "list", "price")).splitlines()
    assert lines[0].startswith("price: in force is version 3, published by wang")
    assert [line.split()[:3] for line in lines[1:]] == [
        ["*", "3", "published"], ["2", "retired", "已退役"], ["1", "retired", "已退役"],
    ]  # fmt: skip
    listed = orjson.loads(await stage.command("rules", "list", "price", "--json"))
    assert [(one["version"], one["note"], one["in_force"]) for one in listed] == [
        (3, "back to version 1", True), (2, "spring", False), (1, "first prices", False),
    ]  # fmt: skip


async def test_a_file_with_errors_is_refused_with_every_place(stage: Stage, tmp_path: Path) -> None:
    file = await priced(stage, tmp_path)
    edit(file, "prices", {**GOLD, "row": "x", "price": "a lot"}, {**GOLD, "row": "y", "tier": "moon", "series": "sun"})
    for words in (
        ["check", "price", str(file)],
        ["diff", "price", str(file)],
        ["import", "price", str(file), "--by", "li"],
        ["publish", "price", str(file), "--by", "li", "--note", "x"],
    ):
        said = await stage.command("rules", *words, code=1)
        assert "prices!" in said and "a lot" in said and "column price" in said, words
        assert words[0] == "check" or "nothing was published" in said
    assert len(await stage.rows("select * from rule_version")) == 1

    set_cell(file, "prices", "price", 3, 300)
    said = await stage.command("rules", "publish", "price", str(file), "--by", "li", "--note", "x", code=1)
    assert "moon" in said and "sun" in said and "nothing was published" in said
    assert len(await stage.rows("select * from rule_version")) == 1, "in one go, or nothing of it"


async def test_a_draft_says_what_to_do_and_is_discarded(stage: Stage, tmp_path: Path) -> None:
    file = await priced(stage, tmp_path)
    await stage.command("rules", "export", "price", str(file), "--lang", "en", "--force")
    edit(file, "prices", {**GOLD, "row": "y", "tier": "moon"})
    said = await stage.command("rules", "import", "price", str(file), "--by", "li", code=1)
    assert "moon" in said and "stored as price version 2, draft" in said and "ballast rules discard price 2" in said
    said = await stage.command("rules", "publish", "price", "2", "--by", "li", "--note", "x", code=1)
    assert "moon" in said and "nothing was published" in said
    found = orjson.loads(await stage.command("rules", "check", "price", "--version", "2", "--json", code=1))
    assert [one["level"] for one in found if "moon" in one["text"]] == ["error"]
    assert "discarded" in await stage.command("rules", "discard", "price", "2")
    assert "0 error(s)" in await stage.command("rules", "check", "price")


async def test_an_older_file_is_refused_with_who_and_when(stage: Stage, tmp_path: Path) -> None:
    file = await priced(stage, tmp_path)
    set_cell(file, "prices", "price", 2, 310)
    said = await stage.command("rules", "publish", "price", str(file), "--by", "li", "--note", "x", code=2)
    assert "made from version 0; in force then is version 1, published by li" in said and "--over 1" in said
    said = await stage.command(
        "rules", "publish", "price", str(file), "--by", "li", "--note", "x", "--over", "1", "--json"
    )
    assert orjson.loads(said)["version"] == 2


async def test_it_is_published_for_a_time_and_withdrawn(stage: Stage, tmp_path: Path) -> None:
    file = await priced(stage, tmp_path)
    set_cell(file, "prices", "price", 2, 310)
    words = ["rules", "publish", "price", str(file), "--by", "li", "--note", "x", "--over", "1"]
    assert "is over" in await stage.command(*words, "--at", "2001-01-01", code=2)
    said = await stage.command(*words, "--at", "2099-11-11T00:00:00")
    assert "comes into force at 2099-11-11 00:00:00" in said
    assert "scheduled 定时 for 2099-11-11 00:00:00" in await stage.command("rules", "list", "price")
    assert "price=329.00" in await stage.command("rules", "show", "price")
    assert "withdrawn" in await stage.command("rules", "discard", "price", "2")


@pytest.mark.parametrize("ending", ["json", "yaml", "xlsx"])
@pytest.mark.parametrize("kind", ["price", "promotion", "risk"])
async def test_what_is_exported_says_the_same_when_it_is_read(
    stage: Stage, tmp_path: Path, kind: str, ending: str
) -> None:
    file = tmp_path / f"book.{ending}"
    await stage.command("rules", "export", kind, str(file), "--lang", "zh")
    assert "the same as" in await stage.command("rules", "diff", kind, str(file))
    said = await stage.command("rules", "publish", kind, str(file), "--by", "li", "--note", "x", code=2)
    assert "nothing changes: in force now is version 0" in said


async def test_the_sla_policy_is_published_too(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "sla.yaml"
    await stage.command("rules", "export", "sla", str(file))
    assert file.read_text("utf-8").startswith("# base version: 0\n")
    assert "the same as" in await stage.command("rules", "diff", "sla", str(file))
    text = file.read_text("utf-8")
    file.write_text(text + "moon: full\n", "utf-8")
    said = await stage.command("rules", "publish", "sla", str(file), "--by", "li", "--note", "x", code=1)
    assert "unknown key 'moon'" in said and f"{file}:" in said and "nothing was published" in said

    file.write_text(text + "# ours\n", "utf-8")
    said = await stage.command("rules", "diff", "sla", str(file))
    assert "added  text line" in said and "# ours" in said
    await stage.command("rules", "publish", "sla", str(file), "--by", "li", "--note", "x")
    assert "# ours" in await stage.command("rules", "show", "sla")
    await stage.command("rules", "rollback", "sla", "0", "--by", "li")
    assert "# ours" not in await stage.command("rules", "show", "sla")


async def test_the_status_map_is_one_of_them(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    await stage.command("rules", "export", "status-map", str(file))
    assert "nothing changes" in await stage.command("rules", "diff", "status-map", str(file))
    refused = await stage.command("rules", "publish", "status-map", str(file), "--by", "li", "--note", "x", code=2)
    assert "nothing changes: in force is version 0" in refused
    assert "no drafts" in await stage.command("rules", "import", "status-map", str(file), "--by", "li", code=2)
    assert "leave --at out" in await stage.command(
        "rules", "publish", "status-map", str(file), "--by", "li", "--note", "x", "--at", "2099-01-01", code=2
    )
    assert "nothing was published yet" in await stage.command("rules", "list", "status-map")


async def test_what_does_not_exist_is_said_plainly(stage: Stage, tmp_path: Path) -> None:
    assert "there is no price version 7" in await stage.command("rules", "show", "price", "--version", "7", code=2)
    assert "name a file, or a version" in await stage.command("rules", "diff", "price", code=2)
    missing = str(tmp_path / "none.xlsx")
    assert "none.xlsx" in await stage.command("rules", "check", "price", missing, code=2)
    other = tmp_path / "book.xlsx"
    await stage.command("rules", "export", "promotion", str(other))
    assert "promotion" in await stage.command("rules", "import", "price", str(other), "--by", "li", code=2)
