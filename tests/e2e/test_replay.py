"""`ballast replay` as somebody starts it: its figures against a count of the file that knows nothing of Ballast."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples" / "history"
REAL = ROOT.parent / "shared" / "data" / "real_orders"


class Columns(NamedTuple):
    """Where a file has its times."""

    placed: str
    paid: str
    left: str
    arrived: str


OURS = Columns("placed", "paid", "handed over", "arrived")
THEIRS = Columns(
    "order_purchase_timestamp", "order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date"
)


def count(file: Path, columns: Columns, zone: str) -> dict[str, int]:
    """The figures of a file by themselves: delivered is what left and arrived; its way is what lies between."""
    found: Counter[str] = Counter()
    there = ZoneInfo(zone)
    with file.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            times = {
                name: datetime.fromisoformat(row[column]).replace(tzinfo=there)
                for name, column in columns._asdict().items()
                if row[column]
            }
            known = [times[name] for name in columns._fields if name in times]
            found["out_of_order"] += any(later < earlier for earlier, later in pairwise(known))
            if "left" in times and "arrived" in times:
                way = times["arrived"].astimezone(ZoneInfo("UTC")) - times["left"].astimezone(ZoneInfo("UTC"))
                found["delivered"] += 1
                found["in_transit_over_48h"] += way > timedelta(hours=48)
                found["in_transit_over_72h"] += way > timedelta(hours=72)
            found["handed_over_before_payment"] += "left" in times and "paid" in times and times["left"] < times["paid"]
            found["orders"] += 1
    return dict(found)


@pytest.fixture
def folder() -> Iterator[Path]:
    # not pytest's own folder: another pytest on this machine may close it to the database's user at any moment
    with tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def replay(
    folder: Path, *words: str, code: int, env: dict[str, str] | None = None, figures: Path | None = None
) -> tuple[dict[str, Any], str]:
    """The JSON (empty when there is none) and what was said."""
    figures = figures or folder / "out.json"
    done = subprocess.run(
        [sys.executable, "-m", "ballast.cli", "replay", "--json", str(figures), *words,
         "--rejects", str(folder / "rejects.csv")],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "BALLAST_"))}
        | {"BALLAST_HOME": str(folder / "home"), "COLUMNS": "160"} | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=900,
        check=False,
    )  # fmt: skip
    said = done.stdout.decode(errors="replace")
    assert done.returncode == code, said[-3000:]
    return (dict(json.loads(figures.read_text())) if figures.exists() else {}), said


SAMPLE = (str(SAMPLES / "orders.csv"), "--map", str(SAMPLES / "mapping.yaml"))


def test_twelve_orders_of_two_years(folder: Path) -> None:
    strict = SAMPLES / "strict.yaml"
    # a robot of somebody's own: a replay must not even look at it
    env = {"BALLAST_DINGTALK__URL": "http://127.0.0.1:9", "BALLAST_DINGTALK__ACCESS_TOKEN": "x"}
    env["BALLAST_DINGTALK__SECRET"] = "x"
    out, said = replay(folder, *SAMPLE, "--zone", "Europe/Berlin", "--compare", str(strict), code=1, env=env)
    counted = count(SAMPLES / "orders.csv", OURS, "Europe/Berlin")
    assert {name: out[name] for name in counted} == counted
    assert (out["orders"], out["played"], out["rejected"]) == (12, 11, 1)
    assert (out["delivered"], out["in_transit_over_48h"], out["in_transit_over_72h"]) == (6, 3, 1)
    assert (out["out_of_order"], out["held"], out["still_held"]) == (2, 2, 0)
    assert out["seconds"] > 0
    _check_states(out)
    _check_breaches(out)
    _check_disorder(out)
    _check_load(out)
    _check_money(out, paid_in_cents(SAMPLES / "payments.csv", "number", "sum", but=frozenset({"H-9", "H-10"})), "EUR")
    assert (
        out["money"][0]["due"] - out["money"][0]["recorded"] == 195 + 1
    )  # H-10 is new, by its word; H-7 paid a cent too little
    assert out["money"][0]["to_refund"] == 8000  # H-4 was cancelled after it was paid
    assert "left out" in said and "H-9" in said and "Traceback" not in said
    assert "no returns recorded" in said and out["returns"]["back"] == {"recorded": 0, "books": 0}


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def paid_in_cents(file: Path, key: str, amount: str, *, but: frozenset[str] = frozenset()) -> int:
    """What a file of payments adds up to by itself."""
    return int(sum(Decimal(row[amount]) * 100 for row in rows_of(file) if row[key] not in but))


def _check_money(out: dict[str, Any], paid: int, currency: str) -> None:
    """Every cent of the file is in the books, and every piece on the shelf or with a customer."""
    (money,) = out["money"]
    assert (money["currency"], out["differs"]) == (currency, [])
    assert money["recorded"] == money["captured"] == paid
    assert money["counted"] + money["surplus"] + money["unchecked"] == paid
    assert money["kept"] + money["refunded"] + money["to_refund"] == money["captured"]
    pieces = out["pieces"]
    assert (pieces["on_hand"] + pieces["left"], pieces["findings"]) == (pieces["granted"] + pieces["back"], [])


def _check_states(out: dict[str, Any]) -> None:
    assert out["states"] == {"CLOSED": 1, "IN_TRANSIT": 1, "PENDING_PAYMENT": 1, "SIGNED": 7, "STOCK_LOCKED": 1}
    assert out["acts"] == {
        "place": 11,
        "charge": 12,
        "ship": 8,
        "scan": 7,
        "sign": 7,
        "return": 0,
        "come_back": 0,
        "cancel": 1,
    }
    assert out["never_happened"] == []
    assert out["holds"] == {
        "CANCEL_ASKED": {"orders": 1, "still": 0}, "PAYMENT_MISMATCH": {"orders": 1, "still": 0},
    }  # fmt: skip
    assert out["released"] == {"H-7": 1}  # a cent too little, and it was shipped all the same
    steps = out["lead_times"]
    assert steps["placed_to_paid"]["orders"] == 10  # all but the unpaid one
    assert steps["paid_to_locked"] == {"orders": 10, "p50": 0.0, "p95": pytest.approx(14.83, abs=0.01)}
    assert steps["picked_up_to_signed"]["orders"] == 7


def _check_breaches(out: dict[str, Any]) -> None:
    """In transit over 48 h: H-1, H-2, H-5, and H-6 that never arrived; over 72 h: H-2 and H-6, for H-5 took just 72."""
    assert out["policy"].endswith("sla.yaml")
    assert out["breaches"]["in_transit"] == {"yellow": 4, "red": 2}
    assert out["breaches"]["outbound_not_scanned"] == {"yellow": 0, "red": 0}
    assert out["compare"]["policies"][1].endswith("strict.yaml")
    # over 20 h: those and H-3, H-7, both 24 h and 30 h on their way; red over 24 h, and H-3 took just 24
    assert out["compare"]["breaches"]["in_transit"] == {"yellow": [4, 6], "red": [2, 5]}
    assert out["compare"]["breaches"]["unpaid"]["yellow"][1] == 0


def _check_disorder(out: dict[str, Any]) -> None:
    told = {one["order_no"]: one for one in out["disorder"]}
    assert list(told) == ["H-3", "H-8", "H-7"]  # what the file has in disorder first, then what we held up
    assert told["H-3"]["handed_over_before_payment"] and told["H-3"]["where"] == "orders.csv line 4"
    waited = [(act["act"], act["recorded_at"], act["happened_at"]) for act in told["H-3"]["waited"]]
    assert waited[0] == ("ship", "2024-02-02T11:00:00+00:00", "2024-02-03T17:00:00+00:00")
    assert [act for act, _, _ in waited] == ["ship", "scan", "sign"]
    assert [(act["act"], act["why"]) for act in told["H-8"]["waited"]] == [("sign", "not_shipped_yet")]
    assert {act["why"] for act in told["H-7"]["waited"]} == {"held: PAYMENT_MISMATCH"}


def _check_load(out: dict[str, Any]) -> None:
    load = out["load"]
    assert load["orders"] == 11 and load["calls"] > 50 and load["messages"] > 40
    assert sum(row["orders"] for row in load["by_hour_of_day"]) == 11
    by_hour = {row["hour"]: row["orders"] for row in load["by_hour_of_day"]}
    assert (by_hour[9], by_hour[12], by_hour[23]) == (1, 5, 1)  # in the history's own zone
    assert load["busiest_hours"][0]["hour"].endswith(("+01:00", "+02:00"))
    assert load["requests"]["kingdee"] > 0 and load["requests"]["qimen"] > 0


def test_odd_histories_are_played_to_their_end(folder: Path) -> None:
    """Unknown carriers, two parcels, nothing to pay, everything backward, given up, stopped, and beyond the status."""
    words = (str(SAMPLES / "odd.csv"), "--map", str(SAMPLES / "odd.yaml"), "--policy", str(SAMPLES / "vip.yaml"))
    out, said = replay(folder, *words, code=0)
    assert out["breaches"] == {"in_transit": {"yellow": 1, "red": 0}}  # of the only vip, 72 h on its way
    assert out["breaches_by_courier"] == {"ZTO": {"in_transit": {"yellow": 1, "red": 0}}}
    assert out["states"] == {"CLOSED": 2, "OUTBOUND": 1, "SIGNED": 5, "STOCK_LOCKED": 1}
    assert (out["orders"], out["delivered"], out["never_happened"]) == (9, 5, [])
    # O-1, O-2 and O-5; O_4 was signed for three days before the courier had it
    assert (out["in_transit_over_48h"], out["in_transit_over_72h"], out["out_of_order"]) == (3, 1, 2)
    assert out["holds"]["CANCEL_ASKED"] == {"orders": 2, "still": 0}
    assert out["holds"]["REFUSED_BY_SYSTEM"]["still"] == 0  # a carrier that the shop does not know
    told = {one["order_no"]: one for one in out["disorder"]}
    # paid before it was placed, and back before it was asked for
    assert [(act["act"], act["why"]) for act in told["O-2"]["waited"]] == [
        ("charge", "not_placed_yet"), ("come_back", "not_awaited"),
    ]  # fmt: skip
    back = out["returns"]
    assert (back["returns"], back["back"]) == ({"recorded": 5, "books": 5}, {"recorded": 5, "books": 5})
    # O-5: one for its money, the other for nothing by its record, which gives both amounts
    assert [(one["order_no"], one["recorded"], one["refunded"]) for one in back["differs"]] == [("O-5", 500, 1000)]
    assert [act["act"] for act in told["O_4"]["waited"]] == ["ship", "scan", "sign", "return", "come_back"]
    assert len(told["O_4"]["times"]) == 3
    assert "Traceback" not in said
    kinds = {(one["kind"], one["order_no"]) for one in out["notes"]}
    assert kinds == {("without_time", "O"), ("without_time", "O-7"), ("beyond_status", "O-9")}


RETURNED = SAMPLES.parent / "returned"


def test_what_came_back_is_in_the_accounts_to_the_piece_and_the_cent(folder: Path) -> None:
    """A part of a line, a whole order paid in two ways, one line at two times; and four rows that cannot be."""
    out, said = replay(folder, str(RETURNED / "orders.csv"), "--map", str(RETURNED / "mapping.yaml"), code=1)
    assert (out["orders"], out["played"], out["rejected"], out["rejected_rows"]) == (8, 8, 0, 5)
    assert (out["acts"]["return"], out["acts"]["come_back"], out["never_happened"]) == (6, 6, [])
    paid = paid_in_cents(RETURNED / "payments.csv", "order", "sum")
    _check_money(out, paid, "CNY")
    back = out["returns"]
    delivered = sum(int(row["pieces"]) for row in rows_of(RETURNED / "lines.csv") if row["order"] != "R-7")
    assert back["delivered"] == {"recorded": delivered, "books": delivered}
    assert back["back"] == {"recorded": 10, "books": 10} and back["kept"] == {"recorded": 16, "books": 16}
    assert out["pieces"]["back"] == 10
    # R-3's record is a cent short, R-4's seller gave back 50.00 of 80.00; what R-6 got back nobody wrote down
    assert [(one["order_no"], one["recorded"], one["refunded"]) for one in back["differs"]] == [
        ("R-3", 9165, 9166), ("R-4", 5000, 8000),
    ]  # fmt: skip
    recorded = 9990 + 10300 + 3055 + 6110 + 5000
    books = recorded + 1 + 3000
    assert back["money"] == [{"currency": "CNY", "recorded": recorded, "books": books, "unrecorded": 500}]
    assert (back["returns"], back["open"], back["refused"]) == ({"recorded": 6, "books": 6}, 1, 4)
    assert (out["money"][0]["refunded"], out["money"][0]["to_refund"]) == (books, 500)
    waited = [(act["act"], act["why"]) for one in out["disorder"] for act in one["waited"]]
    assert waited == [("return", "not_signed_yet")]  # R-3 was asked for while it was on its way
    assert "Returns that differ from the file" in said and "Traceback" not in said


def test_local_times_need_a_zone(folder: Path) -> None:
    out, said = replay(folder, *SAMPLE, code=2)
    assert out == {} and "orders.csv line 2, column placed" in said and "Traceback" not in said


def test_a_policy_with_a_mistake_is_refused_before_anything_starts(folder: Path) -> None:
    policy = folder / "mine.yaml"
    policy.write_text((SAMPLES / "strict.yaml").read_text().replace("yellow: 20h", "yellow: 90h"))
    out, said = replay(folder, *SAMPLE, "--zone", "UTC", "--compare", str(policy), code=2)
    assert out == {} and "mine.yaml" in said and "Traceback" not in said
    assert not (folder / "home").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((str(SAMPLES / "orders.csv"), "--map", "nowhere.yaml"), "nowhere.yaml"),
        (("nowhere.csv", "--map", str(SAMPLES / "mapping.yaml"), "--zone", "UTC"), "nowhere.csv"),
        ((*SAMPLE, "--zone", "Mars/Olympus"), "--zone: 'Mars/Olympus' is no IANA zone"),
        ((*SAMPLE, "--zone", "UTC", "--policy", "nowhere-policy.yaml"), "nowhere-policy.yaml"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(folder: Path, words: tuple[str, ...], said: str) -> None:
    out, told = replay(folder, *words, code=2)
    assert out == {} and said in told and "Traceback" not in told
    assert not (folder / "home").exists()


def test_a_place_where_the_figures_cannot_go_is_told_before_the_work(folder: Path) -> None:
    out, said = replay(folder, *SAMPLE, "--zone", "UTC", code=2, figures=folder / "no" / "out.json")
    assert out == {} and "cannot be written there" in said and "Traceback" not in said


here = pytest.mark.skipif(not REAL.is_dir(), reason=f"the shared real orders are not at {REAL}")


@here
def test_what_the_file_of_the_real_orders_says_by_itself() -> None:
    assert count(REAL / "orders.csv", THEIRS, "America/Sao_Paulo") == {
        "orders": 600, "delivered": 588, "in_transit_over_48h": 522, "in_transit_over_72h": 488, "out_of_order": 6,
        "handed_over_before_payment": 6,
    }  # fmt: skip


@pytest.mark.slow
@here
def test_six_hundred_real_orders_give_the_counts_of_their_file(folder: Path) -> None:
    words = (str(REAL / "orders.csv"), "--map", str(ROOT / "mappings" / "marketplace.yaml"))
    out, said = replay(folder, *words, code=0)
    counted = count(REAL / "orders.csv", THEIRS, "America/Sao_Paulo")
    assert {name: out[name] for name in counted} == counted
    assert out["rejected"] == 0 and out["never_happened"] == [] and out["still_held"] == 0
    assert out["states"] == {"CLOSED": 1, "IN_TRANSIT": 8, "SIGNED": 588, "STOCK_LOCKED": 3}
    assert out["breaches"]["in_transit"]["yellow"] == 522 + 8  # those that never arrived are late, too
    assert len([one for one in out["disorder"] if one["handed_over_before_payment"]]) == 6
    _check_money(out, paid_in_cents(REAL / "order_payments.csv", "order_id", "payment_value"), "BRL")
    several = Counter(row["order_id"] for row in rows_of(REAL / "order_payments.csv"))
    assert out["money"][0]["several_charges"] == sum(count > 1 for count in several.values()) > 0
    assert out["pieces"]["ordered"] == len(rows_of(REAL / "order_items.csv"))
    assert "Traceback" not in said


def cents(amount: str) -> int:
    return int(Decimal(amount) * 100)


def sent_back(folder: Path) -> tuple[Path, Path, int, int]:
    """The delivered real orders with several lines or payments, each with a return that nobody recorded: where several
    payments were, the whole order, else one piece of its first line. The file, its mapping, pieces, money in cents.
    """
    lines, payments = defaultdict[str, list[dict[str, str]]](list), Counter[str]()
    for row in rows_of(REAL / "order_items.csv"):
        lines[row["order_id"]].append(row)
    payments.update(row["order_id"] for row in rows_of(REAL / "order_payments.csv") if cents(row["payment_value"]))
    orders, returns, pieces, money = [], ["no,back,line,count,sum"], 0, 0
    for row in rows_of(REAL / "orders.csv"):
        number, arrived = row["order_id"], row["order_delivered_customer_date"]
        whole = payments[number] > 1
        if not arrived or not (whole or len(lines[number]) > 1):
            continue
        back = lines[number] if whole else lines[number][:1]
        amount = sum(cents(line["price"]) + (cents(line["freight_value"]) if whole else 0) for line in back)
        at = datetime.fromisoformat(arrived) + timedelta(days=5)
        returns.append(f"{number},{at},{'' if whole else 1},,{Decimal(amount) / 100}")
        orders.append(row)
        pieces, money = pieces + len(back), money + amount
    with (folder / "orders.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, orders[0].keys())
        writer.writeheader()
        writer.writerows(orders)
    kept = {row["order_id"] for row in orders} | {row["customer_id"] for row in orders}
    for name in ("order_items.csv", "order_payments.csv", "customers.csv"):
        first, *rest = (REAL / name).read_text(encoding="utf-8").splitlines()
        (folder / name).write_text("\n".join([first, *(row for row in rest if row.split(",")[0].strip('"') in kept)]))
    (folder / "returns.csv").write_text("\n".join(returns) + "\n")
    columns = "{returned_at: back, line: line, quantity: count, refunded: sum}"
    mapping = (ROOT / "mappings" / "marketplace.yaml").read_text(encoding="utf-8")
    (folder / "mapping.yaml").write_text(f"{mapping}\nreturns: {{file: returns.csv, key: no, columns: {columns}}}\n")
    return folder / "orders.csv", folder / "mapping.yaml", pieces, money


@pytest.mark.slow
@here
def test_real_orders_with_several_lines_and_payments_come_back_to_the_cent(folder: Path) -> None:
    file, mapping, pieces, money = sent_back(folder)
    out, said = replay(folder, str(file), "--map", str(mapping), code=0)
    assert out["acts"]["come_back"] == out["orders"] == len(rows_of(file)) > 80
    assert (out["never_happened"], out["returns"]["open"], out["returns"]["differs"]) == ([], 0, [])
    assert out["returns"]["back"] == {"recorded": pieces, "books": pieces}
    assert out["returns"]["money"] == [{"currency": "BRL", "recorded": money, "books": money, "unrecorded": 0}]
    assert out["money"][0]["several_lines"] > 60 and out["money"][0]["several_charges"] > 15
    _check_money(out, paid_in_cents(folder / "order_payments.csv", "order_id", "payment_value"), "BRL")
    assert "Traceback" not in said
