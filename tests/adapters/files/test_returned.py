"""Returns of a file: which pieces of which lines, when, for how much; and rows that cannot be, with their figures."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.files.mapping import MappingError, read_history_mapping
from adapters.files.past import RecordedReturn
from ballast.domain.returns import ReturnReason
from deployments.replay.history import History, read_history

SAMPLES = Path(__file__).parents[2] / "samples" / "returned"
COLUMNS = {"returned_at": "back", "quantity": "count", "refunded": "sum"}


def read(file: Path, mapping: Path, folder: Path) -> History:
    return read_history(file, read_history_mapping(mapping, None), folder / "rejects.csv")


def returns_of(history: History) -> dict[str, tuple[RecordedReturn, ...]]:
    return {past.order.order_no: past.returns for past in history.orders if past.returns}


def test_the_sample_says_what_came_back(tmp_path: Path) -> None:
    found = returns_of(read(SAMPLES / "orders.csv", SAMPLES / "mapping.yaml", tmp_path))
    told = {number: [(dict(one.pieces), one.refunded) for one in returns] for number, returns in found.items()}
    assert told == {
        "R-1": [({1: 1}, 9990)], "R-2": [({1: 1, 2: 3}, 10300)], "R-3": [({1: 1}, 3055), ({1: 2}, 6110)],
        "R-4": [({1: 1}, 5000)], "R-6": [({1: 1}, None)],
    }  # fmt: skip
    [first] = found["R-1"]
    assert (first.requested_at, first.returned_at) == (
        datetime(2025, 3, 6, 1, tzinfo=UTC), datetime(2025, 3, 9, 2, tzinfo=UTC),
    )  # fmt: skip
    assert (first.reason, first.said) == (ReturnReason.QUALITY, "broken")
    assert (found["R-3"][0].reason, found["R-3"][0].said) == (ReturnReason.OTHER, "too small")  # not in the mapping


def test_rows_that_cannot_be_are_told_with_their_figures_and_their_orders_stay(tmp_path: Path) -> None:
    history = read(SAMPLES / "orders.csv", SAMPLES / "mapping.yaml", tmp_path)
    assert (len(history.orders), history.rejected, history.rejected_rows) == (8, 0, 5)
    left_out = "a return of order {} is left out: "
    assert sorted(history.reasons) == sorted([
        "returns.csv line 12, column order: there is no order 'R-9' in orders.csv",
        f"returns.csv line 3, column pieces: {left_out.format('R-1')}2 of line 1 came back: 2 delivered, 1 came back "
        "before",
        f"returns.csv line 8, column back: {left_out.format('R-5')}2 of line 1 came back (10.00 CNY refunded) at "
        "2025-03-08 09:00:00, before the order was signed for at 2025-03-09 10:00:00",
        f"returns.csv line 10, column back: {left_out.format('R-7')}1 of line 1 came back (80.00 CNY refunded), but by "
        "its record (status sent) the order was never signed for",
        f"returns.csv line 11, column sum: {left_out.format('R-8')}99.00 CNY went back: 20.00 CNY was paid, 0.00 CNY "
        "went back before",
    ])  # fmt: skip
    assert "R-7" in (tmp_path / "rejects.csv").read_text(encoding="utf-8-sig")


def flat(folder: Path, rows: str, **returns: Any) -> History:
    """One order of two lines `a`, one of `b`, delivered on the third; its returns stand in its own rows."""
    rows = "".join(f"A1,ok,2024-01-01,2024-01-03,{row}\n" for row in rows.split())
    (folder / "flat.csv").write_text("no,st,at,arrived,sku,qty,price,back,count,sum,what\n" + rows)
    columns = {"order_no": "no", "status": "st", "placed_at": "at", "signed_at": "arrived", "customer_no": "no"}
    mapping = {
        "orders": {"columns": columns, "defaults": {"receiver_name": "n", "mobile": "00000000000", "address": "a"}},
        "lines": {"columns": {"sku": "sku", "quantity": "qty", "unit_price": "price"}},
        "returns": {"columns": COLUMNS} | returns,
        "statuses": {"ok": "SIGNED"}, "money": {"unit": "major"}, "times": {"zone": "UTC"},
        "open_orders": "record_only",
    }  # fmt: skip
    (folder / "map.yaml").write_text(yaml.safe_dump(mapping))
    return read(folder / "flat.csv", folder / "map.yaml", folder)


def test_a_row_of_a_line_says_what_of_it_came_back(tmp_path: Path) -> None:
    history = flat(tmp_path, "a,2,5,2024-01-09,1,5, a,1,5,,,, b,1,7,2024-01-09,,7,")
    [one] = history.orders[0].returns  # of one moment
    assert (dict(one.pieces), one.refunded, history.reasons) == ({1: 1, 3: 1}, 1200, [])


def test_an_article_that_stands_on_several_lines_comes_back_from_the_first(tmp_path: Path) -> None:
    (tmp_path / "back.csv").write_text("no,what,back,count,sum\nA1,a,2024-01-09,3,\nA1,a,2024-01-10,1,\n")
    history = flat(
        tmp_path, "a,2,5,,,, b,1,7,,,, a,2,5,,,,", file="back.csv", key="no", columns={**COLUMNS, "sku": "what"}
    )
    [first, second] = history.orders[0].returns
    assert (dict(first.pieces), dict(second.pieces), first.refunded) == ({1: 2, 3: 1}, {3: 1}, None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",1,5", "column back: a return of order A1 is left out: is empty: when were the goods back?"),
        ("2024-01-09,0,5", "column count: a return of order A1 is left out: a return of no pieces"),
        ("2024-01-09,1,-5", "column sum: a return of order A1 is left out: is negative"),
        ("2024-01-09,2,5", "column count: a return of order A1 is left out: 2 of 4 pieces of several articles came"),
        ("2024-01-09,5,5", "column count: a return of order A1 is left out: 5 of lines 1, 2, 3 came back: 4 delivered"),
        ("2024-01-09,some,5", "column count: a return of order A1 is left out: 'some' is not a whole number"),
    ],
)
def test_a_row_that_is_not_clear_is_left_out_and_the_order_is_not(tmp_path: Path, row: str, reason: str) -> None:
    (tmp_path / "back.csv").write_text(f"no,back,count,sum\nA1,{row}\n")
    history = flat(tmp_path, "a,2,5,,,, b,1,7,,,, a,1,5,,,,", file="back.csv", key="no")
    assert history.orders[0].returns == () and len(history.orders[0].refused) == history.rejected_rows == 1
    assert reason in history.reasons[0]


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        ({"columns": {"quantity": "count"}}, "returns: columns.returned_at: name the column"),
        ({"columns": {**COLUMNS, "line": "what", "sku": "sku"}}, "returns: columns: name line"),
        ({"reasons": {"broken": "annoyed"}}, "'annoyed' is no reason; reasons are no_reason, quality"),
        ({"reasons": {"late": "cancelled_late"}}, "'cancelled_late' is no reason"),  # of our own, no customer's
    ],
)
def test_a_mapping_that_cannot_be_is_refused(tmp_path: Path, returns: dict[str, Any], said: str) -> None:
    with pytest.raises(MappingError) as wrong:
        flat(tmp_path, "a,2,5,,,,", **returns)
    assert said in str(wrong.value)
