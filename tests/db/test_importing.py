"""Orders from files into the books: whole, once, with their past, telling nobody outside."""

import csv
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from adapters.files.mapping import read_mapping
from ballast.db import cases, effects, intake
from ballast.db.engine import rows
from ballast.db.rule_sets import Wanted
from ballast.domain.rules.prices import PriceSet, Product
from ballast.domain.words import State
from ballast.rules.books import Kind, sheets_of, written_of
from ballast.wiring import House
from tasks.importing import ImportReport, import_orders
from tasks.rules import import_rules, publish_version
from tests.adapters.files.shop import make_mapping, take_all, write_shop

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "real_orders"
AT, PAID, LEFT, GOT = (f"2026-01-{day} 18:30:00" for day in (10, 11, 12, 13))

real_orders = pytest.mark.skipif(not REAL.is_dir(), reason="the real orders are not beside this repository")


async def ask(house: House, sql: str, **params: Any) -> list[Any]:
    async with house.transaction() as tx:
        return list(await rows(tx, sql, **params))


async def load(house: House, order_no: str) -> cases.Case:
    async with house.transaction() as tx:
        (case,) = await cases.load(tx, now=house.clock.now(), waits=house.waits, order_nos=[order_no])
    return case


async def bring_in(house: House, path: Path, *, dry_run: bool = False, **mapping: Any) -> ImportReport:
    return await import_orders(house, path, make_mapping(**mapping), rejects=path.parent / "r.csv", dry_run=dry_run)


TABLES = ("sales_order", "order_line", "parcel", "order_event", "payment", "customer", "external_status", "effect",
          "hold", "outbox", "alert", "refund", "stock_lock")  # fmt: skip


async def everything(house: House) -> dict[str, list[str]]:
    """The whole content of the books, as text."""
    return {name: sorted(r[0] for r in await ask(house, f"select t::text from {name} t")) for name in TABLES}


def a_shop(folder: Path, **orders: str) -> Path:
    """One order per keyword: its number and its status, fully recorded as far as that status goes."""
    times = {
        "new": ",,",
        "paid": f"{PAID},,",
        "locked": f"{PAID},,",
        "sent": f"{PAID},{LEFT},",
        "moving": f"{PAID},{LEFT},",
    }
    main = "".join(f"{no},{word},{AT},{times.get(word, f'{PAID},{LEFT},{GOT}')}\n" for no, word in orders.items())
    lines = "".join(f"{no},K1,2,10.00,1.00\n" for no in orders)
    payments = "".join(f"{no},1,card,21.00\n" for no, word in orders.items() if word != "new")
    return write_shop(folder, main, lines, payments)


async def test_open_orders_of_a_file_go_through_the_gates_and_no_others(a_house: House, tmp_path: Path) -> None:
    book = written_of(Kind.PRICE, sheets_of(PriceSet(products={"K1": Product(sku="K1", list_price=12_00)})), "b.xlsx")
    book.base = 0
    made = (await import_rules(a_house, "price", book, by="li", note="")).version
    await publish_version(a_house, "price", made.version, Wanted(by="li", note="now"))

    report = await bring_in(a_house, a_shop(tmp_path, A1="new", A2="paid", A3="sent"))

    held = await ask(a_house, "select order_no, hold_reason from sales_order where state = 'ON_HOLD' order by 1")
    assert [tuple(row) for row in held] == [("A1", "PRICE_MISMATCH"), ("A2", "PRICE_MISMATCH")]
    assert report.states[State.ON_HOLD] == 2


# -- the real orders ---------------------------------------------------------------------------------------------------


TIMES = ("order_approved_at", "order_delivered_carrier_date", "order_delivered_carrier_date",
         "order_delivered_customer_date")  # fmt: skip


def read_real(name: str) -> list[dict[str, str]]:
    with (REAL / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def cents(text: str) -> int:
    scaled = Decimal(text) * 100
    assert scaled == int(scaled)
    return int(scaled)


def utc(text: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/Sao_Paulo")).astimezone(UTC) if text else None


@real_orders
async def test_all_real_orders_come_in_right_to_the_cent(a_house: House, tmp_path: Path) -> None:
    mapping = read_mapping(ROOT / "mappings" / "marketplace.yaml")
    steps: list[tuple[int, int]] = []
    report = await import_orders(a_house, REAL / "orders.csv", mapping, rejects=tmp_path / "r.csv",
                                 progress=lambda done, total: steps.append((done, total)))  # fmt: skip
    orders, items, charges = read_real("orders.csv"), read_real("order_items.csv"), read_real("order_payments.csv")
    due, paid, pieces = defaultdict[str, int](int), defaultdict[str, list[int]](list), Counter[str]()
    for item in items:
        due[item["order_id"]] += cents(item["price"]) + cents(item["freight_value"])
        pieces[item["order_id"]] += 1
    for charge in sorted(charges, key=lambda c: int(c["payment_sequential"])):
        paid[charge["order_id"]].append(cents(charge["payment_value"]))

    found = await ask(a_house, """
        select o.*, (select jsonb_agg(y.amount order by y.id) from payment y
            where y.order_id = o.id and y.state = 'counted') as paid,
          (select count(*) from order_line l where l.order_id = o.id) as pieces,
          (select bool_and(l.shipped = l.quantity) from order_line l where l.order_id = o.id) as shipped
        from sales_order o""")  # fmt: skip
    assert len(found) == len(orders) == report.imported == 600 and not report.rejected and steps[-1] == (600, 600)
    books = {row.order_no: row for row in found}
    words = {
        "delivered": "SIGNED",
        "shipped": "IN_TRANSIT",
        "invoiced": "STOCK_LOCKED",
        "processing": "STOCK_LOCKED",
        "canceled": "CLOSED",
    }
    for order in orders:
        row = books[order["order_id"]]
        assert row.state == words[order["order_status"]] and row.due_at is None
        assert (row.total, row.paid, row.pieces) == (due[row.order_no], paid[row.order_no], pieces[row.order_no])
        assert row.shipped == bool(order["order_delivered_carrier_date"])
        assert row.placed_at == utc(order["order_purchase_timestamp"])
        assert [row.paid_at, row.outbound_at, row.picked_up_at, row.signed_at] == [utc(order[name]) for name in TIMES]

    early = [o["order_id"] for o in orders if "" < o["order_delivered_carrier_date"] < o["order_approved_at"]]
    differ = [no for no, amounts in paid.items() if sum(amounts) != due[no]]
    counts = report.counts()
    assert counts["payments"] == len(charges) and counts["rows"] == 2 * len(orders) + len(items) + len(charges)
    assert counts["multi_payment_orders"] == sum(len(amounts) > 1 for amounts in paid.values()) == 18
    assert counts["states"] == Counter(words[order["order_status"]] for order in orders)
    assert sorted(f.order_no for f in report.findings if f.kind == "out_of_order") == sorted(early)
    assert counts["out_of_order"] == len(early) == 6
    assert [f.order_no for f in report.findings if f.kind == "payments_differ"] == differ
    assert counts["payments_differ"] == len(differ) == 1

    before = await everything(a_house)
    again = await import_orders(a_house, REAL / "orders.csv", mapping, rejects=tmp_path / "r.csv")
    assert (again.imported, again.known) == (0, 600)
    assert await everything(a_house) == before


# -- what an import writes ---------------------------------------------------------------------------------------------


async def test_an_imported_order_has_its_past_and_tells_nobody(a_house: House, tmp_path: Path) -> None:
    report = await bring_in(a_house, a_shop(tmp_path, A1="done"))
    case = await load(a_house, "A1")
    assert report.counts()["states"] == {"SIGNED": 1} and report.rejects is None
    assert {name: at and at.isoformat() for name, at in case.milestones.items()} == {
        "paid_at": "2026-01-11T10:30:00+00:00", "outbound_at": "2026-01-12T10:30:00+00:00",
        "signed_at": "2026-01-13T10:30:00+00:00", "locked_at": None, "picked_up_at": None, "closed_at": None,
    }  # fmt: skip
    assert [line.shipped for line in case.lines] == [2]
    assert [(c.provider, c.transaction_id, c.amount, c.state) for c in case.charges] == [
        ("import", "A1-1", 2100, "counted")
    ]
    history = await ask(a_house, "select event, actor, moved, text from order_event order by id")
    assert [(r.event, r.actor) for r in history] == [
        (word, "import") for word in ("NOTED", "PAYMENT_CONFIRMED", "STOCK_LOCKED", "SHIPPED", "SIGNED")
    ]
    assert history[2].text == "orders.csv line 2: done, at a time that the file does not have"
    said = await ask(a_house, "select system, part, said, event from external_status")
    assert [tuple(r) for r in said] == [("import", "status", "done", "SIGNED")]
    written = await everything(a_house)
    assert not written["outbox"] and not written["alert"] and not written["refund"]


@pytest.mark.parametrize(
    ("word", "state", "step"),
    [
        ("new", "PENDING_PAYMENT", "confirm_payment"), ("paid", "PENDING_PAYMENT", "lock_stock"),
        ("locked", "STOCK_LOCKED", "ship_out"),
        ("sent", "OUTBOUND", "track_transit"), ("moving", "IN_TRANSIT", "track_transit"),
        ("done", "SIGNED", "sign_off"),
        ("closed", "CLOSED", None), ("void", "CLOSED", None), ("refunded", "CLOSED", None),
        ("stopped", "ON_HOLD", None),
    ],
)  # fmt: skip
async def test_open_orders_are_carried_on_or_only_recorded(
    a_house: House, tmp_path: Path, word: str, state: str, step: str | None
) -> None:
    await bring_in(a_house, a_shop(tmp_path, A1=word))
    await bring_in(a_house, a_shop(tmp_path, A2=word), open_orders="record_only")
    found = await ask(a_house, "select order_no, state, due_step from sales_order order by order_no")
    assert [tuple(row) for row in found] == [("A1", state, step), ("A2", state, None)]


async def test_what_the_warehouse_has_is_not_handed_over_again(a_house: House, tmp_path: Path) -> None:
    await bring_in(a_house, a_shop(tmp_path, A1="locked", A2="paid"))
    assert (await load(a_house, "A1")).with_warehouse and not (await load(a_house, "A2")).with_warehouse
    (row,) = await ask(a_house, "select due_at from sales_order where order_no = 'A1'")
    assert row.due_at > a_house.clock.now(), "the warehouse is asked later, when it stays quiet"
    async with a_house.transaction() as tx:
        assert not await effects.reopen(tx, ["wms.create:A1"]), "not even when the warehouse knows it by another number"


async def test_an_unpaid_order_with_a_charge_is_left_to_the_payment_step(a_house: House, tmp_path: Path) -> None:
    path = write_shop(tmp_path, f"A1,new,{AT},,,\n", "A1,K1,1,5,0\n", "A1,1,card,5\n")
    await bring_in(a_house, path)
    case = await load(a_house, "A1")
    assert [charge.state for charge in case.charges] == ["captured"] and case.milestones["paid_at"] is None
    assert case.due is not None and case.due[0] == "confirm_payment" and case.due[1] <= a_house.clock.now()


async def test_parcels_come_with_their_order(a_house: House, tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    path.write_text(
        f"no,state,at,by,bill,sku,sum\nA1,moving,{AT},SF,SF0001,K1,5\nA1,moving,{AT},SF,SF0002,K2,5\nA2,moving,{AT},,,K1,5\n"
    )
    columns = {"order_no": "no", "status": "state", "placed_at": "at", "carrier": "by", "waybill": "bill"}
    report = await bring_in(
        a_house, path, orders={"columns": columns, "defaults": make_mapping().orders.defaults},
        lines={"columns": {"sku": "sku", "amount": "sum"}}, payments=None,
    )  # fmt: skip
    case = await load(a_house, "A1")
    assert sorted(case.parcels) == ["SF0001", "SF0002"] and not case.all_signed
    assert [(f.kind, f.order_no) for f in report.findings] == [("without_waybill", "A2")]


async def test_returns_are_told_and_left_to_a_replay(a_house: House, tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    path.write_text(f"no,state,at,got,sku,sum,back\nA1,done,{AT},{GOT},K1,5,{GOT}\n")
    columns = {"order_no": "no", "status": "state", "placed_at": "at", "signed_at": "got"}
    report = await bring_in(
        a_house, path, orders={"columns": columns, "defaults": make_mapping().orders.defaults},
        lines={"columns": {"sku": "sku", "amount": "sum"}}, payments=None, returns={"columns": {"returned_at": "back"}},
    )  # fmt: skip
    assert (report.imported, report.counts()["returns_left_out"]) == (1, 1)
    assert "ballast replay" in report.findings[-1].text


async def test_what_does_not_fit_is_imported_and_told(a_house: House, tmp_path: Path) -> None:
    path = write_shop(
        tmp_path,
        f"A1,done,{AT},{LEFT},{PAID},{GOT}\nA2,paid,{AT},{PAID},,{GOT}\n",
        "A1,K1,1,5,0\nA2,K1,1,5,0\n",
        "A1,1,card,5\nA2,1,card,3\nA2,2,card,1.99\n",
    )
    report = await bring_in(a_house, path)
    assert [(f.kind, f.order_no) for f in report.findings] == [
        ("out_of_order", "A1"), ("beyond_status", "A2"), ("payments_differ", "A2"),
    ]  # fmt: skip
    assert report.findings[2].text == "due 5.00 CNY, paid 4.99 CNY"
    assert report.multi_payment_orders == 1 and report.states == {"SIGNED": 1, "PENDING_PAYMENT": 1}
    one, two = await load(a_house, "A1"), await load(a_house, "A2")
    assert one.milestones["outbound_at"] and one.milestones["paid_at"]
    assert one.milestones["outbound_at"] < one.milestones["paid_at"]
    assert two.milestones["signed_at"] is None, "a paid order is not signed, whatever a cell says"


# -- once, whole, and undone by nothing --------------------------------------------------------------------------------


async def test_a_second_import_adds_what_is_new_and_changes_nothing_else(a_house: House, tmp_path: Path) -> None:
    await bring_in(a_house, a_shop(tmp_path, A1="paid", A2="done"))
    before = await everything(a_house)
    report = await bring_in(a_house, a_shop(tmp_path, A1="done", A2="void", A3="new"))
    assert (report.imported, report.known, report.counts()["states"]) == (1, 2, {"PENDING_PAYMENT": 1})
    after = await everything(a_house)
    assert all(set(before[name]) <= set(after[name]) for name in TABLES)
    assert len(after["order_event"]) == len(before["order_event"]) + 1


async def test_an_order_that_a_shop_pushed_is_left_alone(a_house: House, tmp_path: Path) -> None:
    path = a_shop(tmp_path, A1="done")
    pushed = take_all(path, make_mapping())[0]["A1"].order
    async with a_house.transaction() as tx:
        now = a_house.clock.now()
        await intake.insert_orders(tx, [replace(pushed, channel="shop")], source="direct", now=now, waits=a_house.waits)
    before = await everything(a_house)
    report = await bring_in(a_house, path)
    assert (report.imported, report.known) == (0, 1)
    assert await everything(a_house) == before


async def test_a_dry_run_says_the_same_and_writes_nothing(a_house: House, tmp_path: Path) -> None:
    empty = await everything(a_house)
    path = a_shop(tmp_path, A1="paid", A2="done", A3="lost")
    dry = await bring_in(a_house, path, dry_run=True)
    assert await everything(a_house) == empty
    real = await bring_in(a_house, path)
    assert dry.counts() == real.counts() and dry.reasons == real.reasons


async def test_a_bad_row_stops_nothing_else(a_house: House, tmp_path: Path) -> None:
    path = a_shop(tmp_path, A1="paid", A2="lost", A3="paid")
    with (tmp_path / "lines.csv").open("a", encoding="utf-8") as handle:
        handle.write("A3,K2,one,5,0\nZ9,K1,1,5,0\n")
    report = await bring_in(a_house, path)
    assert (report.orders, report.imported, report.rejected, report.rejected_rows) == (3, 1, 2, 3)
    assert [row.order_no for row in await ask(a_house, "select order_no from sales_order")] == ["A1"]
    assert report.rejects == tmp_path / "r.csv"
    with report.rejects.open(encoding="utf-8-sig", newline="") as handle:
        written = [(row["file"], row["line"], row["column"], row["reason"]) for row in csv.DictReader(handle)]
    assert written == [
        ("lines.csv", "6", "no", "there is no order 'Z9' in orders.csv"),
        ("orders.csv", "3", "state",
         "order A2 is left out: the status word 'lost' is not in the mapping; add it under statuses"),
        ("lines.csv", "5", "pieces", "order A3 is left out: 'one' is not a whole number"),
    ]  # fmt: skip


async def test_an_import_that_broke_off_is_finished_by_the_next(a_house: House, tmp_path: Path) -> None:
    small = House(a_house.settings.model_copy(update={"chunk": 2}), a_house.clock, a_house.engine)
    path = a_shop(tmp_path, **{f"A{n}": "done" for n in range(5)})

    def pull_the_plug(done: int, total: int) -> None:
        if done == 2:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await import_orders(small, path, make_mapping(), rejects=tmp_path / "r.csv", progress=pull_the_plug)
    assert len(await ask(a_house, "select 1 from sales_order where state = 'SIGNED'")) == 2
    report = await bring_in(a_house, path)
    assert (report.imported, report.known) == (3, 2)
    assert len(await ask(a_house, "select 1 from sales_order where state = 'SIGNED'")) == 5
    assert len(await ask(a_house, "select 1 from payment")) == 5


async def test_a_chunk_is_a_fixed_number_of_statements(a_house: House, tmp_path: Path) -> None:
    async def statements(first: int, many: int) -> int:
        seen: list[str] = []
        note = lambda *args: seen.append(args[2])  # noqa: E731  # the same object is needed to take it off again
        event.listen(a_house.engine.sync_engine, "before_cursor_execute", note)
        words = ("paid", "locked", "sent", "done", "void", "stopped")
        await bring_in(a_house, a_shop(tmp_path, **{f"A{n}": words[n % 6] for n in range(first, first + many)}))
        event.remove(a_house.engine.sync_engine, "before_cursor_execute", note)
        return len(seen)

    await statements(0, 6)  # the connection is opened and its types are read
    assert await statements(6, 6) == await statements(12, 90)
