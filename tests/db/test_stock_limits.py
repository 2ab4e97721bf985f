"""Limits as a file: what is written reads back equal, a bad row is refused with its place, all of it or nothing."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.errors import FileError
from adapters.files.stock_limits import read_limits, write_limits
from ballast.db import stock_limits
from ballast.db.stock_pulls import know_warehouses
from ballast.domain.stock_limits import Limit
from ballast.wiring import House
from tests.db.stage import fill_shelf

YES_NO = st.none() | st.booleans()
PIECES = st.none() | st.integers(0, 10**9 - 1)
LIMITS = st.builds(
    Limit, sku=st.sampled_from(["", "SKU-1", "=1+1", "001", "螺栓"]), warehouse=st.sampled_from(["", "CK001"]),
    safety_line=PIECES, safety_reserve=PIECES, counts_locks=YES_NO, counts_reservations=YES_NO,
    most_age=st.none() | st.integers(1, 86400), sells_stale=YES_NO,
)  # fmt: skip


@settings(max_examples=25)
@given(limits=st.lists(LIMITS, unique_by=lambda one: one.place, min_size=1), chinese=st.booleans())
@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_what_is_written_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, ending: str, limits: list[Limit], chinese: bool
) -> None:
    file = tmp_path_factory.mktemp("limits") / f"limits{ending}"
    write_limits(file, limits, chinese=chinese)
    read = read_limits(file)
    assert not read.problems
    said = [one for one in limits if not (one.says_nothing and one.place == ("", ""))]  # an empty row is no row
    assert [limit for limit, _ in read.rows] == said


def written(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "limits.csv"
    file.write_text("\n".join(["SKU,仓库,safety_line,most_age,sells_stale", *lines]) + "\n", encoding="utf-8")
    return file


def test_a_bad_row_is_refused_with_its_place_and_reason(tmp_path: Path) -> None:
    read = read_limits(written(tmp_path, "A,,5,,", "B,,-1,,", "C,,1.5,,", "D,,,0,", "E,,,,perhaps", "A,,6,,"))
    assert [limit.sku for limit, _ in read.rows] == ["A"]
    assert [(one.row.line, one.column) for one in read.problems] == [
        ("3", "safety_line"), ("4", "safety_line"), ("5", "most_age"), ("6", "sells_stale"), ("7", ""),
    ]  # fmt: skip
    assert "line 2" in read.problems[-1].reason


def test_a_misspelt_column_is_not_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "limits.csv"
    file.write_text("sku,warehouse,safty_line\nA,,5\n")
    with pytest.raises(FileError, match="safty_line"):
        read_limits(file)


async def say(house: House, *limits: Limit, **how: Any) -> int:
    async with house.transaction() as tx:
        return await stock_limits.write_limits(tx, limits, by="li", now=house.clock.now(), **how)


async def said(house: House) -> list[Limit]:
    async with house.transaction() as tx:
        return await stock_limits.read_limits(tx)


async def test_a_row_that_says_nothing_takes_a_limit_back(a_house: House) -> None:
    one, other = Limit(sku="A", warehouse="", safety_line=5), Limit(sku="B", warehouse="", sells_stale=False)
    assert await say(a_house, one, other) == 2
    assert await say(a_house, one) == 0  # nothing new
    assert await say(a_house, Limit(sku="A", warehouse="")) == 1
    assert await said(a_house) == [other]
    assert await say(a_house, one, replace=True) == 2
    assert await said(a_house) == [one]


async def test_what_the_erp_lists_is_known(a_house: House) -> None:
    await fill_shelf(a_house, {"A": 0})
    async with a_house.transaction() as tx:
        await know_warehouses(tx, ["CK001"], a_house.clock.now())
        assert await stock_limits.known_codes(tx, ["A", "B"]) == ({"A"}, {"CK001"})
