"""A history: its times need a zone, from the mapping or from whoever reads it, or an offset of their own."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.files.errors import FileError
from adapters.files.mapping import MappingError, read_history_mapping, read_mapping
from deployments.replay.history import History, read_history

SAMPLES = Path(__file__).parents[2] / "samples" / "history"


def read(folder: Path, zone: str | None, file: Path = SAMPLES / "orders.csv") -> History:
    return read_history(file, read_history_mapping(SAMPLES / "mapping.yaml", zone), folder / "rejects.csv")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sample's folder, to be changed."""
    for file in SAMPLES.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_times_without_zone_are_refused_with_file_line_and_column(tmp_path: Path) -> None:
    with pytest.raises(FileError) as wrong:
        read(tmp_path, None)
    assert str(wrong.value).startswith("orders.csv line 2, column placed: 2024-01-10 09:00:00 has no zone")
    assert "--zone" in str(wrong.value)
    assert not (tmp_path / "rejects.csv").exists()


def test_one_such_time_among_others_is_enough(copy: Path) -> None:
    orders = copy / "orders.csv"
    orders.write_text(orders.read_text().replace(":00:00", ":00:00+01:00").replace("2024-01-10 09:05:00", "2024-01-10"))
    with pytest.raises(FileError, match=r"orders\.csv line 2, column paid: 2024-01-10"):
        read(copy, None, orders)


def test_the_zone_that_is_given_counts(tmp_path: Path) -> None:
    first = read(tmp_path, "Europe/Berlin").orders[0]
    assert first.order.placed_at == datetime(2024, 1, 10, 8, 0, tzinfo=UTC)
    first = read(tmp_path, "America/Sao_Paulo").orders[0]
    assert first.order.placed_at == datetime(2024, 1, 10, 12, 0, tzinfo=UTC)


def test_it_takes_the_place_of_the_mappings(copy: Path) -> None:
    mapping = copy / "mapping.yaml"
    mapping.write_text(mapping.read_text() + "\ntimes: {zone: Asia/Shanghai}\n")
    assert read_history_mapping(mapping, None).times.zone == "Asia/Shanghai"
    assert read_history_mapping(mapping, "UTC").times.zone == "UTC"


def test_times_with_an_offset_need_no_zone(copy: Path) -> None:
    orders = copy / "orders.csv"
    head, *rows = orders.read_text().splitlines()
    with_offset = [",".join(f"{cell}-03:00" if ":" in cell else cell for cell in row.split(",")) for row in rows]
    orders.write_text("\n".join([head, *with_offset]) + "\n")
    assert read(copy, None, orders).orders[0].order.placed_at == datetime(2024, 1, 10, 12, 0, tzinfo=UTC)


def test_a_zone_that_there_is_not_is_refused() -> None:
    with pytest.raises(MappingError, match="--zone: 'Mars/Olympus' is no IANA zone"):
        read_history_mapping(SAMPLES / "mapping.yaml", "Mars/Olympus")


def test_an_import_always_needs_the_mappings_zone() -> None:
    with pytest.raises(MappingError, match=r"mapping\.yaml: times\.zone: name the zone"):
        read_mapping(SAMPLES / "mapping.yaml")


def test_bad_rows_are_told_and_left_out(tmp_path: Path) -> None:
    history = read(tmp_path, "Europe/Berlin")
    assert (history.total, len(history.orders), history.rejected, history.rejected_rows) == (12, 11, 1, 1)
    assert history.reasons == [
        "orders.csv line 10, column word: order H-9 is left out: the status word 'perhaps' is not in the mapping; "
        "add it under statuses"
    ]
    assert history.rejects == tmp_path / "rejects.csv" and history.rejects.exists()


def test_a_file_without_one_usable_order_is_refused(copy: Path) -> None:
    orders = copy / "orders.csv"
    head, *rows = orders.read_text().splitlines()
    orders.write_text("\n".join([head, *(row for row in rows if "perhaps" in row)]) + "\n")
    with pytest.raises(FileError, match=r"no order of it can be played; first: lines\.csv line 2"):
        read(copy, "UTC", orders)


def test_disorder_is_told_order_by_order(tmp_path: Path) -> None:
    found = {one.order_no: one for one in read(tmp_path, "UTC").disorder()}
    assert sorted(found) == ["H-3", "H-8"]
    assert found["H-3"].before_payment and not found["H-8"].before_payment
    assert found["H-3"].times == ("outbound_at 2024-02-02 12:00:00 before paid_at 2024-02-03 18:00:00 (UTC)",)
    assert found["H-8"].where == "orders.csv line 9"


def test_what_has_no_time_is_told(tmp_path: Path) -> None:
    notes = {(kind, number) for kind, number, _ in read(tmp_path, "UTC").notes()}
    assert notes == {("without_time", "H-4"), ("without_time", "H-11"), ("without_time", "H-12")}
