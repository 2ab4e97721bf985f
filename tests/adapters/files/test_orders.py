"""Rows of several tables into whole orders; an order with one bad row is left out as a whole, and says why."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.errors import FileError
from adapters.files.mapping import FileMapping
from adapters.files.orders import OrderFile
from tasks.importing import read_placed
from tests.adapters.files.shop import MAPPING, make_mapping, places, take_all, with_section, write_shop

AT = "2026-01-31 18:30:00"
ONE = f"A1,done,{AT},{AT},2026-02-01 08:00:00,2026-02-03 12:00:00\n"


def paid(number: str) -> str:
    return f"{number},paid,{AT},{AT},,\n"


def test_an_order_with_its_lines_and_payments(tmp_path: Path) -> None:
    path = write_shop(tmp_path, ONE, "A1,K1,2,10.00,1.50\nA1,K1,2,10.00,1.50\n", "A1,2,voucher,3.00\nA1,1,card,40.00\n")
    taken, problems, rejected = take_all(path, make_mapping())
    order, past = taken["A1"].order, taken["A1"]
    assert not problems and not rejected
    assert [(line.line_no, line.sku, line.quantity, line.amount) for line in order.lines] == [
        (1, "K1", 2, 2000), (2, "K1", 2, 2000),
    ]  # fmt: skip
    assert (order.total.amount, order.freight.amount, past.paid) == (4300, 300, 4300)
    assert [(charge.sequence, charge.method, charge.amount) for charge in past.charges] == [
        (1, "card", 4000), (2, "voucher", 300),
    ]  # fmt: skip
    assert past.milestones["signed_at"] == datetime(2026, 2, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("orders", "lines", "payments", "place", "words"),
    [
        ("A1,lost,{at},,,\n", "", "", ("orders.csv", "2", "state"), "the status word 'lost' is not in the mapping"),
        ("A1,paid,soon,,,\n", "", "", ("orders.csv", "2", "at"), "is not a time"),
        ("A1,paid,,,,\n", "", "", ("orders.csv", "2", "at"), "when was the order placed"),
        ("A 1,paid,{at},,,\n", "", "", ("orders.csv", "2", "no"), "order_no"),
        ("", "A1,K1,2,1.005,0\n", "", ("lines.csv", "3", "price"), "more than 2 decimals"),
        ("", "A1,K1,0,1,0\n", "", ("lines.csv", "3", "pieces"), "no pieces"),
        ("", "A1,K1,,1,0\n", "", ("lines.csv", "3", "pieces"), "is empty"),
        ("", "A1,,1,1,0\n", "", ("lines.csv", "3", "sku"), "is empty"),
        ("", "A1,K1,1,-1,0\n", "", ("lines.csv", "3", "price"), "unit_price"),
        ("", "A1," + "x" * 70_000 + ",1,1,0\n", "", ("lines.csv", "3", "sku"), "64 KB"),
        ("", "A1,K\0,1,1,0\n", "", ("lines.csv", "3", "sku"), "NUL"),
        ("", "A1,K1,1\n", "", ("lines.csv", "3", ""), "3 cells, but the header has 5"),
        ("", "", "A1,1,card,x\n", ("payments.csv", "2", "sum"), "is not an amount"),
        ("", "", "A1,1,card,\n", ("payments.csv", "2", "sum"), "is empty"),
        ("", "", "A1,1,card,-5\n", ("payments.csv", "2", "sum"), "a refund is no payment"),
        ("", "", "A1,1,card,1\nA1,1,card,1\n", ("payments.csv", "3", "seq"), "stands twice"),
    ],
)
def test_one_bad_row_leaves_out_its_order_and_no_other(
    tmp_path: Path, orders: str, lines: str, payments: str, place: tuple[str, str, str], words: str
) -> None:
    number = "A 1" if orders.startswith("A 1") else "A1"
    path = write_shop(
        tmp_path,
        (orders.format(at=AT) or paid("A1")) + paid("A2"),
        f"{number},K1,1,5,0\n{lines}A2,K1,1,5,0\n",
        payments,
    )
    taken, problems, rejected = take_all(path, make_mapping())
    assert list(taken) == ["A2"] and [one.order_no for one in rejected] == [number]
    found = dict(zip(places(problems), problems, strict=True))
    assert words in found[place].reason


def test_everything_that_is_wrong_with_an_order_is_said_at_once(tmp_path: Path) -> None:
    path = write_shop(tmp_path, f"A1,lost,{AT},,,\n", "A1,K1,x,1,0\nA1,K2,1,y,0\n", "A1,1,card,z\n")
    _, problems, _ = take_all(path, make_mapping())
    assert places(problems) == [
        ("lines.csv", "2", "pieces"), ("lines.csv", "3", "price"), ("payments.csv", "2", "sum"),
        ("orders.csv", "2", "state"),
    ]  # fmt: skip


def test_a_number_that_stands_twice_is_nobodys(tmp_path: Path) -> None:
    path = write_shop(tmp_path, paid("A1") + paid("A2") + paid("A1"), "A1,K1,1,5,0\nA2,K1,1,5,0\n")
    taken, problems, _ = take_all(path, make_mapping())
    assert list(taken) == ["A2"]
    assert places(problems) == [("orders.csv", "2", "no"), ("orders.csv", "4", "no")]
    assert "it stands 2 times (lines 2, 4)" in problems[0].reason


def test_lines_and_payments_without_an_order_are_told(tmp_path: Path) -> None:
    path = write_shop(tmp_path, paid("A1"), "A1,K1,1,5,0\nZ9,K1,1,5,0\n", "Z8,1,card,5\nA1,1,card,5\n")
    taken, problems, _ = take_all(path, make_mapping())
    assert list(taken) == ["A1"]
    assert places(problems) == [("lines.csv", "3", "no"), ("payments.csv", "2", "no")]
    assert "there is no order 'Z9' in orders.csv" in problems[0].reason


def test_an_order_without_lines_is_left_out(tmp_path: Path) -> None:
    path = write_shop(tmp_path, paid("A1") + paid("A2"), "A2,K1,1,5,0\n")
    taken, problems, _ = take_all(path, make_mapping())
    assert list(taken) == ["A2"] and problems[0].reason == "has no line in lines.csv"


def test_a_line_that_names_no_order_leaves_out_both_that_it_may_belong_to(tmp_path: Path) -> None:
    """Never half an order: what is left out today can be imported tomorrow, what is half in cannot."""
    orders = "".join(map(paid, ("A1", "A2", "A3", "A4")))
    path = write_shop(tmp_path, orders, "A1,K1,1,5,0\nA2,K1,1,5,0\n,K2,1,5,0\nA3,K1,1,5,0\nA4,K1,1,5,0\n")
    taken, problems, _ = take_all(path, make_mapping())
    assert list(taken) == ["A1", "A4"]
    assert places(problems) == [("lines.csv", "4", "no"), ("orders.csv", "3", ""), ("orders.csv", "4", "")]
    assert "lines.csv line 4 cannot be read and may belong to this order" in problems[1].reason


def test_a_broken_line_that_names_its_order_leaves_out_that_one(tmp_path: Path) -> None:
    orders = "".join(map(paid, ("A1", "A2", "A3")))
    path = write_shop(tmp_path, orders, 'A1,K1,1,5,0\nA2,"K1,1,5,0\nA3,K1,1,5,0\n')
    taken, _, rejected = take_all(path, make_mapping())
    assert list(taken) == ["A1", "A3"] and [one.order_no for one in rejected] == ["A2"]


def test_a_broken_row_of_the_main_table_is_an_order_less(tmp_path: Path) -> None:
    path = write_shop(
        tmp_path, paid("A1") + "A2,paid\n" + f",paid,{AT},,,\n" + paid("A3"), "A1,K1,1,5,0\nA2,K1,1,5,0\nA3,K1,1,5,0\n"
    )
    taken, problems, rejected = take_all(path, make_mapping())
    assert list(taken) == ["A1", "A3"] and [one.order_no for one in rejected] == ["A2"]
    assert places(problems) == [("orders.csv", "3", ""), ("orders.csv", "4", "no")]


# -- one row per line ------------------------------------------------------------------------------------------------


def flat_mapping() -> FileMapping:
    columns = dict(MAPPING["orders"]["columns"]) | {"carrier": "by", "waybill": "bill", "freight": "ship"}
    return make_mapping(
        orders=with_section("orders", columns=columns),
        lines={"columns": {"sku": "sku", "quantity": "pieces", "amount": "sum"}},
        payments={"columns": {"amount": "all", "method": "how"}},
    )


def write_flat(folder: Path, *rows: str) -> Path:
    path = folder / "flat.csv"
    header = "no,state,at,paid,left,got,by,bill,ship,sku,pieces,sum,all,how"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_rows_of_one_order_may_stand_apart(tmp_path: Path) -> None:
    path = write_flat(
        tmp_path,
        f"A1,sent,{AT},{AT},{AT},,SF,SF0001,2.00,K1,2,30.00,42.00,card",
        f"A2,new,{AT},,,,,,,K1,1,15,,",
        f"A1,sent,{AT},{AT},{AT},,YTO,YT0002,2.00,K2,1,10.00,42.00,card",
    )
    taken, problems, _ = take_all(path, flat_mapping())
    order, past = taken["A1"].order, taken["A1"]
    assert not problems and list(taken) == ["A2", "A1"]
    assert [(line.sku, line.unit_price, line.amount) for line in order.lines] == [
        ("K1", 1500, 3000),
        ("K2", 1000, 1000),
    ]
    assert (order.total.amount, past.paid) == (4200, 4200)
    assert past.parcels == (("SF0001", "SF"), ("YT0002", "YTO"))
    assert taken["A2"].charges == ()


def test_later_rows_may_leave_the_head_empty_but_not_contradict_it(tmp_path: Path) -> None:
    path = write_flat(
        tmp_path,
        f"A1,sent,{AT},,,,,,,K1,1,1,,", "A1,,,,,,,,,K2,1,1,,",
        f"A2,sent,{AT},,,,,,,K1,1,1,,", f"A2,done,{AT},,,,,,,K2,1,1,,",
    )  # fmt: skip
    taken, problems, _ = take_all(path, flat_mapping())
    assert list(taken) == ["A1"]
    assert places(problems) == [("flat.csv", "5", "state")]
    assert problems[0].reason == "differs from line 4 of the same order"


def test_a_merged_cell_does_not_make_half_an_order(tmp_path: Path) -> None:
    path = write_flat(
        tmp_path,
        f"A1,sent,{AT},,,,,,,K1,1,1,,",
        ",,,,,,,,,K2,1,1,,",
        f"A2,sent,{AT},,,,,,,K1,1,1,,",
        f"A3,sent,{AT},,,,,,,K1,1,1,,",
    )
    taken, problems, _ = take_all(path, flat_mapping())
    assert list(taken) == ["A3"]
    assert places(problems)[0] == ("flat.csv", "3", "no")


@pytest.mark.parametrize(
    ("by", "bill", "column"), [("SF", "S1 S2", "bill"), ("", "SF0001", "by"), ("顺丰", "SF0001", "by")]
)
def test_a_waybill_needs_a_carrier(tmp_path: Path, by: str, bill: str, column: str) -> None:
    _, problems, _ = take_all(write_flat(tmp_path, f"A1,sent,{AT},,,,{by},{bill},,K1,1,1,,"), flat_mapping())
    assert places(problems) == [("flat.csv", "2", column)]


# -- customers -------------------------------------------------------------------------------------------------------


def with_customers(folder: Path, rows: str) -> tuple[Path, FileMapping]:
    (folder / "customers.csv").write_text("id,who,tel\n" + rows, encoding="utf-8")
    path = write_shop(folder, paid("A1") + paid("A2"), "A1,K1,1,5,0\nA2,K1,1,5,0\n")
    customers = {"file": "customers.csv", "key": "id", "joins": "no",
                 "columns": {"customer_no": "id", "receiver_name": "who", "mobile": "tel"}}  # fmt: skip
    return path, make_mapping(customers=customers)


def test_customers_are_joined(tmp_path: Path) -> None:
    taken, _, _ = take_all(*with_customers(tmp_path, "A1,Wang,13900000001\nA2,Zhao,13900000002\nA2,Zhao,13900000002\n"))
    assert [past.order.receiver.name for past in taken.values()] == ["Wang", "Zhao"]
    assert taken["A1"].order.customer_no == "A1"


def test_a_customer_who_is_missing_or_contradictory_leaves_out_the_order(tmp_path: Path) -> None:
    taken, problems, _ = take_all(*with_customers(tmp_path, "A2,Zhao,13900000002\nA2,Qian,13900000002\n"))
    assert not taken
    assert [problem.reason for problem in problems] == [
        "customers.csv has no usable row with id = 'A1'", "customers.csv has 2 different rows with id = 'A2'",
    ]  # fmt: skip


def test_a_wrong_mobile_is_found_in_the_customers_file(tmp_path: Path) -> None:
    _, problems, _ = take_all(*with_customers(tmp_path, "A1,Wang,ask him\nA2,Zhao,13900000002\n"))
    assert places(problems) == [("customers.csv", "2", "tel")]
    assert "ask him" not in problems[0].reason


def test_a_bad_default_is_blamed_on_the_mapping(tmp_path: Path) -> None:
    path = write_shop(tmp_path, paid("A1"), "A1,K1,1,5,0\n")
    defaults = MAPPING["orders"]["defaults"] | {"mobile": "none"}
    _, problems, _ = take_all(path, make_mapping(orders=with_section("orders", defaults=defaults)))
    assert "(the mapping's default for mobile)" in problems[0].reason


def test_a_missing_related_file_stops_before_anything_is_read(tmp_path: Path) -> None:
    path = write_shop(tmp_path, paid("A1"))
    (tmp_path / "lines.csv").unlink()
    with pytest.raises(FileError, match=r"lines\.csv: cannot be read"):
        OrderFile(path, make_mapping(), read_placed)


@settings(max_examples=150)
@given(st.text(alphabet='A1,;"\n\r\t 0.x李\0', max_size=200), st.binary(max_size=60))
def test_no_rubbish_raises_or_makes_half_an_order(
    tmp_path_factory: pytest.TempPathFactory, text: str, rubbish: bytes
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    path = write_shop(folder, paid("A1"), "A1,K1,1,5,0\nA1,K2,1,5,0\n" + text)
    with path.open("ab") as handle:
        handle.write(rubbish)
    taken, problems, rejected = take_all(path, make_mapping())
    assert {"A1"} <= taken.keys() | {one.order_no for one in rejected}
    if "A1" in taken and not problems:
        assert len(taken["A1"].order.lines) >= 2
