"""The mapping file: every mistake is named with its file and key."""

from pathlib import Path

import pytest

from adapters.files.mapping import FileMapping, MappingError, RecordedState, read_mapping

GOOD = """
orders:
  columns: {order_no: no, status: state, placed_at: at}
  defaults: {customer_no: "C1", receiver_name: "Li", mobile: "13800000000", address: "Road 1"}
lines:
  file: lines.csv
  key: no
  columns: {sku: sku, unit_price: price}
statuses: {done: SIGNED}
money: {unit: cents}
times: {zone: Asia/Shanghai}
open_orders: record_only
"""


def read(folder: Path, text: str) -> FileMapping:
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return read_mapping(path)


def test_a_mapping_is_read(tmp_path: Path) -> None:
    mapping = read(tmp_path, GOOD)
    assert mapping.statuses == {"done": RecordedState.SIGNED}
    assert mapping.money.minor and mapping.money.currency == "CNY"
    assert mapping.orders.columns["order_no"] == "no", "a text, whatever YAML makes of it elsewhere"
    assert mapping.lines.apart and mapping.payments is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("placed_at: at", "placd_at: at", "orders.columns: placd_at: no such field"),
        ("placed_at: at", "paid_at: at", "placed_at: name a column"),
        ('"13800000000"', "[1, 2]", "orders.defaults.mobile: Input should be a valid string"),
        ('"13800000000"', "", "orders.defaults: mobile: is left empty"),
        ("done: SIGNED", "done: ARRIVED", "statuses: 'ARRIVED' is no state"),
        ("done: SIGNED", "done: SIGNED, done: PAID", "'done' stands twice"),
        ("unit: cents", "unit: fen", "money.unit"),
        ("unit: cents", "unit: cents, currency: XXX", "money.currency: 'XXX' is unknown"),
        ("Asia/Shanghai", "Asia/Shangai", "times.zone: 'Asia/Shangai' is no IANA zone"),
        ("Asia/Shanghai", "America", "times.zone: 'America' is no IANA zone"),
        ("Asia/Shanghai", "../etc", "times.zone: '../etc' is no IANA zone"),
        ("  key: no\n", "", "lines: key: name the column"),
        ("sku: sku, ", "", "lines: columns.sku"),
        (", unit_price: price", "", "lines: columns: name unit_price"),
        ("open_orders: record_only", "", "open_orders: Field required"),
        ("open_orders:", "colour: blue\nopen_orders:", "colour: Extra inputs are not permitted (no such key)"),
        ("statuses: {", "statuses: [", "is not YAML"),
        ("order_no: no, ", "", "orders.columns.order_no"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(MappingError) as wrong:
        read(tmp_path, GOOD.replace(old, new))
    assert words in str(wrong.value) and "my.yaml" in str(wrong.value)


@pytest.mark.parametrize("raw", [b"", b"just words", b"\xff\xfe\x00", b"a: &a [*a, *a]", b"[" * 20_000])
def test_what_is_no_mapping_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(raw)
    with pytest.raises(MappingError):
        read_mapping(path)


def test_a_missing_file_and_a_large_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="No such file"):
        read_mapping(tmp_path / "none.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 300_000)
    with pytest.raises(MappingError, match="larger than 256 KB"):
        read_mapping(large)


@pytest.mark.parametrize("name", ["marketplace.yaml", "example.yaml"])
def test_what_we_ship_can_be_read(name: str) -> None:
    read_mapping(Path(__file__).parents[3] / "mappings" / name)
