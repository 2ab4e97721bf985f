"""A provider's statement against our books: each line once, matched by number, open until our news of it is there."""

import hashlib
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.statement import read_statement, read_statement_mapping
from adapters.payments.wechatpay.bill import read_bill
from ballast.db.engine import rows
from ballast.db.statements import Item, items, match_all_open, one_statement
from ballast.domain.money import Money
from ballast.domain.statements import LineKind, Verdict
from ballast.domain.words import State
from ballast.ports.statements import StatementRefused
from ballast.wiring import House
from sim.systems.wechatpay.bill import HEAD, SUMS
from tasks.ledger import read_ledger
from tasks.statements import Imported, import_statement, read_bytes, read_file, write_rejects
from tests.db.stage import bring, captured, column, make_order, place, refunded, tell
from tests.db.test_refunds import ask, through

MAPPING = Path(__file__).resolve().parents[2] / "mappings" / "statement.yaml"
DAY = "2026-03-04"
GENERIC = """# exported 2026-03-05
交易号,业务类型,商户订单号,退款批次号,收入,服务费,完成时间,状态
A-1,交易,SO-1,,"1,000.00",,2026-03-04 12:00:00,成功
A-2,交易,SO-2,,20.00,0.1234,2026-03-04 12:01:00,成功
A-2,退款,SO-2,R-1,-5.00,,2026-03-04 12:02:00,成功
A-3,其他,SO-3,,1.00,,2026-03-04 12:02:00,成功
,服务费,,,-0.12,,2026-03-04 12:03:00,成功
# end
"""


def line(
    number: str, yuan: str, *, refund: str = "", order: str = "SO-1", at: str = "12:00:00", fee: str = "0.12000"
) -> str:
    """A line of the trade bill, as they write it."""
    kind, number_of_refund = ("REFUND", "5030") if refund else ("SUCCESS", "0")
    cells = [
        f"{DAY} {at}", "wx1", "1900000001", "0", "", number, order, "o1", "JSAPI", kind, "OTHERS", "CNY", "0.00",
        "0.00", number_of_refund, refund or "0", "0.00", "0.00", "", "SUCCESS" if refund else "", "壳,黑", "", fee,
        "0.60%", "0.00" if refund else yuan, yuan if refund else "0.00", "",
    ]  # fmt: skip
    return ",".join(f"`{cell}" for cell in cells)


def bill(*lines: str, paid: str, back: str = "0.00", count: int | None = None) -> bytes:
    said = len(lines) if count is None else count
    sums = f"`{said},`0.00,`0.00,`0.00,`0.00000,`{paid},`{back}"
    return "\r\n".join(["\ufeff" + HEAD, *lines, SUMS, sums, ""]).encode()


async def take(house: House, raw: bytes, name: str = "bill.csv") -> Imported:
    return await import_statement(house, read_bytes(name, raw, "wechatpay"), by="li")


def verdicts(found: Imported | list[Item]) -> list[tuple[str, Verdict, str]]:
    listed = found.items if isinstance(found, Imported) else found
    return [(item.transaction_id, item.verdict, item.our_order) for item in listed]


async def everything(house: House, found: Imported) -> list[Item]:
    async with house.transaction() as tx:
        await match_all_open(tx)
        return await items(tx, [await one_statement(tx, found.head.id)], only_open=False, most=1000)


def test_a_bill_is_read_to_the_cent_and_commas_in_a_name_are_no_columns() -> None:
    read = read_bill(
        bill(line("T-1", "20.00", fee="0.05940"), line("T-1", "3.01", refund="R-1"), paid="20.00", back="3.01")
    )
    assert (read.account, read.covers) == ("1900000001", {LineKind.CHARGE, LineKind.REFUND})
    [one, two] = read.lines
    assert (one.kind, one.amount, one.fee, one.order_no) == (LineKind.CHARGE, Money(2000), 5940, "SO-1")
    assert (two.kind, two.amount, two.refund_no, two.said) == (LineKind.REFUND, Money(301), "R-1", "SUCCESS")
    assert "o1" not in str(one.raw), "whose money it was is nobody's business here"
    assert read_bill(bill(line("T-1", "20.00"), paid="20.00").decode("utf-8-sig").encode("gb18030")).lines[
        0
    ].amount == Money(2000)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (bill(line("T-1", "20.00"), paid="20.00").rpartition("总交易单数".encode())[0], "is cut off after line 2"),
        (bill(line("T-1", "20.00"), paid="20.01"), "订单总金额 is 20.01 by the bill and 20.00 by its lines"),
        (bill(line("T-1", "20.00"), paid="20.00", count=2), "says 2 lines and has 1"),
        (bill(line("T-1", "20.0x"), paid="20.00"), "订单金额 '20.0x' is no amount"),
        (bill(line("T-1", "20.00").replace("SUCCESS", "ODD"), paid="20.00"), "交易状态 'ODD' is not known"),
        (b"order,amount\r\n1,2\r\n", "no trade bill of WeChat Pay"),
    ],
)
def test_a_bill_that_is_not_whole_is_refused_whole(raw: bytes, why: str) -> None:
    with pytest.raises(StatementRefused, match=why):
        read_bill(raw)


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: (HEAD + "\n" + text + "\n" + SUMS + "\n" + text).encode())
)
def test_whatever_is_sent_is_a_bill_or_refused(raw: bytes) -> None:
    with suppress(StatementRefused):
        read_bill(raw)


ROWS = st.lists(st.lists(st.text(max_size=12) | st.sampled_from(["交易", "20.00", "9" * 70, "2026-03-04", "\0"]),
                         min_size=8, max_size=8).map(",".join))  # fmt: skip


@given(
    st.binary(max_size=200)
    | ROWS.map(lambda found: "\n".join([GENERIC.split("\n")[1], *found]).encode("gb18030", "replace"))
)
def test_a_row_of_whatever_costs_itself_only(raw: bytes) -> None:
    mapping = read_statement_mapping(MAPPING)
    with suppress(StatementRefused):
        read, problems = read_statement("x.csv", raw + GENERIC.split("\n")[3].encode("gb18030"), mapping)
        assert all(len(line.transaction_id) <= 64 and abs(line.fee) < 10**18 for line in read.lines)
        assert all(problem.reason for problem in problems)


async def test_lines_meet_our_books_and_open_ones_agree_by_themselves(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    await place(a_house, make_order("SO-2"))
    found = await take(
        a_house,
        bill(
            line("t-1", "20.00"), line("T-2", "20.00", order="SO-2"), line("T-1", "3.00", refund="RF-T-1-1"),
            paid="40.00", back="3.00",
        ),
    )  # fmt: skip
    assert verdicts(found) == [("T-2", Verdict.UNKNOWN, ""), ("T-1", Verdict.UNKNOWN, "")]
    await tell(a_house, captured(2000, "T-2", "SO-2"))
    await ask(a_house, "3.00")
    listed = await everything(a_house, found)
    assert verdicts(listed) == [
        ("t-1", Verdict.MATCHED, "SO-1"), ("T-2", Verdict.MATCHED, "SO-2"), ("T-1", Verdict.MATCHED, "SO-1"),
    ]  # fmt: skip


async def test_what_differs_and_what_the_statement_lacks(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    await tell(a_house, captured(2000, "T-2", minutes=1))
    await tell(a_house, through("alipay", 700, "A-1"))
    found = await take(a_house, bill(line("T-1", "19.99"), paid="19.99"))
    assert verdicts(found) == [("T-1", Verdict.DIFFERS, "SO-1"), ("T-2", Verdict.MISSING, "SO-1")]
    assert found.items[0].our_amount == 2000


async def test_the_same_file_and_the_same_line_count_once(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    raw = bill(line("T-1", "20.00"), line("T-1", "20.00"), paid="40.00")
    first, again = await take(a_house, raw), await take(a_house, raw, "renamed.csv")
    assert (first.known, again.known, again.head.id) == (False, True, first.head.id)
    assert [item.verdict for item in await everything(a_house, first)] == [Verdict.MATCHED, Verdict.REPEATED]
    other = await take(a_house, bill(line("T-1", "20.00", at="12:00:01"), paid="20.00"))
    assert [item.verdict for item in await everything(a_house, other)] == [Verdict.REPEATED]


async def test_only_looking_leaves_nothing(a_house: House) -> None:
    read = read_bytes("b.csv", bill(line("T-9", "1.00"), paid="1.00"), "wechatpay")
    found = await import_statement(a_house, read, by="li", dry_run=True)
    assert [item.verdict for item in found.items] == [Verdict.UNKNOWN]
    assert await column(a_house, "select count(*) from statement") == [0]


async def test_a_day_shows_its_statement(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    await take(a_house, bill(line("T-1", "20.00"), line("T-9", "5.00", order="X"), paid="25.00"))
    found = await read_ledger(a_house, a_house.clock.now().date())
    assert [head.matched for head in found.statements] == [1]
    assert [(item.transaction_id, item.amount) for item in found.open_items] == [("T-9", Money(500))]


async def test_any_other_csv_by_a_mapping(a_house: House, tmp_path: Path) -> None:
    file = tmp_path / "alipay.csv"
    file.write_bytes(GENERIC.encode("gb18030"))
    read = read_file(file, "", MAPPING)
    assert [(one.kind, one.amount, one.fee) for one in read.statement.lines] == [
        (LineKind.CHARGE, Money(2000), 12340), (LineKind.REFUND, Money(500), 0), (LineKind.FEE, Money(12), 0),
    ]  # fmt: skip
    assert [problem.row.line for problem in read.problems] == ["3", "6"]
    rejects = tmp_path / "r.csv"
    write_rejects(rejects, read.problems)
    assert "not in kinds of the mapping" in rejects.read_text("utf-8-sig")
    await place(a_house, make_order("SO-2"))
    await tell(a_house, through("alipay", 2000, "A-2", order_no="SO-2"))
    found = await import_statement(a_house, read, by="li")
    assert verdicts(found) == [("A-2", Verdict.UNKNOWN, "")], "the refund; the fee is no open item"


def test_the_digest_is_of_the_bytes() -> None:
    raw = bill(line("T-1", "20.00"), paid="20.00")
    assert read_bytes("x", raw, "wechatpay").digest == hashlib.sha256(raw).hexdigest()


async def test_an_archived_charge_agrees_too(a_house: House) -> None:
    async with a_house.transaction() as tx:
        await rows(
            tx,
            """insert into archived_money (order_no, kind, channel, provider, transaction_id, refund_no, amount,
            currency, state, at, goods_left)
            values ('OLD', 'captured', 'd', 'wechatpay', 'T-5', '', 500, 'CNY', 'counted', :at, true) returning id""",
            at=a_house.clock.now() - timedelta(days=500),
        )
    found = await take(a_house, bill(line("T-5", "5.00", order="OLD"), paid="5.00"))
    assert not found.open and found.head.matched == 1


async def test_a_refund_that_we_gave_up_and_they_made(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    await ask(a_house, "3.00")
    await tell(a_house, refunded(300, number="RF-T-1-1", code="ABNORMAL"))
    found = await take(
        a_house, bill(line("T-1", "20.00"), line("T-1", "3.00", refund="RF-T-1-1"), paid="20.00", back="3.00")
    )
    assert verdicts(found) == [("T-1", Verdict.NOT_DONE, "SO-1")]
