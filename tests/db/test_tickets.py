"""Tickets and owners out of files: each row taken or refused for a reason, each ticket once, as it was last told."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from adapters.files.errors import FileError
from adapters.files.mapping import MappingError
from adapters.files.tickets import TicketMapping, read_ticket_mapping
from ballast.db.health import look_at
from ballast.domain.health import Part
from ballast.wiring import House
from tasks.tickets import FileTaken, NobodyKnows, import_owners, import_tickets, known_people
from tests.db.health_stage import HALF, an_order, put
from tests.db.stage import column, table

HEAD = "ticket_no,customer_no,order_no,kind,severity,opened_at,closed_at,text"


def written(folder: Path, *lines: str, name: str = "tickets.csv") -> Path:
    file = folder / name
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


async def take(house: House, file: Path, mapping: TicketMapping | None = None) -> FileTaken:
    return await import_tickets(house, file, mapping or TicketMapping(), rejects=file.with_suffix(".rejects.csv"))


def figures(done: FileTaken) -> tuple[int, int, int, int]:
    return done.new, done.changed, done.known, done.refused


def rejects(done: FileTaken) -> Sequence[dict[str, str]]:
    assert done.rejects is not None
    with done.rejects.open(encoding="utf-8-sig") as handle:
        return list(csv.DictReader(handle))


async def test_each_ticket_once_as_it_was_last_told(a_house: House, tmp_path: Path) -> None:
    await put(a_house, {"C1": [an_order()]})
    lines = [HEAD, "T1,C1,,complaint,high,2026-03-03 10:00:00,,late again", "T2,,SO-1,question,,2026-03-03 11:00,,"]
    assert figures(await take(a_house, written(tmp_path, *lines))) == (2, 0, 0, 0)
    assert figures(await take(a_house, written(tmp_path, *lines))) == (0, 0, 2, 0)
    lines[1] = lines[1].replace(",late again", "2026-03-04 10:00:00,late again")
    assert figures(await take(a_house, written(tmp_path, *lines))) == (0, 1, 1, 0)
    first, second = await table(a_house, "select * from ticket order by ticket_no")
    assert first["closed_at"] == datetime(2026, 3, 4, 2, 0, tzinfo=UTC), "times without a zone are China's"
    assert (second["customer_no"], second["order_no"], second["severity"]) == ("C1", "SO-1", "normal")


async def test_what_cannot_be_used_is_refused_row_by_row(a_house: House, tmp_path: Path) -> None:
    await put(a_house, {"C1": [an_order()], "C2": []})
    file = written(
        tmp_path, HEAD,
        "T1,C1,,complaint,,2026-03-03,,fine",
        "T2,C1,,rant,,2026-03-03,,",
        "T3,C1,,complaint,awful,2026-03-03,,",
        "T4,C1,,complaint,,tomorrow,,",
        "T5,,,complaint,,2026-03-03,,",
        "T6,,SO-404,complaint,,2026-03-03,,",
        "T7,C2,SO-1,complaint,,2026-03-03,,",
        "T1,C1,,complaint,,2026-03-04,,",
        ",C1,,complaint,,2026-03-04,,",
        "T8,C1,,complaint,,2026-03-04,2026-03-03,",
        "T9,C1,,投诉,紧急,2026-03-04,,",
    )  # fmt: skip
    done = await take(a_house, file)
    assert figures(done) == (2, 0, 0, 9) and done.rows == 11
    assert sorted(await column(a_house, "select ticket_no from ticket")) == ["T1", "T9"]
    said = {row["line"]: f"{row['column']}: {row['reason']}" for row in rejects(done)}
    assert said["3"].startswith("kind: 'rant' is no word that we know: map it to one of complaint, question")
    assert said["4"].startswith("severity: 'awful'") and said["5"].startswith("opened_at: 'tomorrow' is not a time")
    assert said["6"] == "customer_no: names neither a customer nor an order: whose ticket is it?"
    assert said["7"] == ": nobody knows order SO-404, and no customer is named"
    assert said["8"] == ": order SO-1 is of customer C1, and the ticket names C2"
    assert said["9"] == ": ticket T1 stands in line 2, too: which one is right?"
    assert said["10"] == "ticket_no: is empty" and said["11"] == "closed_at: it was closed before it was opened"


async def test_a_ticket_of_a_stranger_is_kept_and_counts_when_he_orders(a_house: House, tmp_path: Path) -> None:
    done = await take(a_house, written(tmp_path, HEAD, "T1,C1,SO-1,complaint,high,2026-03-04 11:59:00,,"))
    assert (done.new, done.strangers, done.refused) == (1, 1, 0)
    await put(a_house, {"C1": [an_order(), an_order(), an_order()]})
    async with a_house.transaction() as tx:
        [found] = await look_at(tx, HALF)
    assert found.health.parts[Part.COMPLAINTS].orders == 1 and found.health.score == 55


async def test_a_workbook_in_the_words_of_a_help_desk(a_house: House, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["编号", "客户号", "分类", "提交时间", "备注"])
    sheet.append(["G-1", "C1", "差评", datetime(2026, 3, 3, 9, 30), "x" * 900])  # noqa: DTZ001  # cells have no zone
    book.save(tmp_path / "desk.xlsx")
    (tmp_path / "desk.yaml").write_text(
        "source: desk\ncolumns: {ticket_no: 编号, kind: 分类, text: 备注}\nkinds: {差评: complaint}\n"
        "defaults: {severity: low}\n",
        encoding="utf-8",
    )
    done = await take(a_house, tmp_path / "desk.xlsx", read_ticket_mapping(tmp_path / "desk.yaml"))
    assert figures(done) == (1, 0, 0, 0)
    [one] = await table(a_house, "select * from ticket")
    assert (one["source"], one["kind"], one["severity"], len(one["text"])) == ("desk", "complaint", "low", 500)
    assert one["opened_at"] == datetime(2026, 3, 3, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("colums: {}", "colums: Extra inputs"),
        ("columns: {number: x}", "number: no such field"),
        ("kinds: {x: rant}", "rant: no word of ours; kinds are complaint"),
        ("- [", "is not YAML"),
    ],
)
def test_a_wrong_mapping_names_its_key(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(MappingError, match=why):
        read_ticket_mapping(written(tmp_path, text, name="map.yaml"))


async def test_a_file_without_the_needed_columns_imports_nothing(a_house: House, tmp_path: Path) -> None:
    with pytest.raises(
        FileError, match=r"has no column kind \(类型\), opened_at \(创建时间\); its columns are ticket_no"
    ):
        await take(a_house, written(tmp_path, "ticket_no;customer_no", "T1;C1"))
    assert await column(a_house, "select count(*) from ticket") == [0]


async def test_owners_are_people_whom_alerts_reach(a_house: House, tmp_path: Path) -> None:
    await put(a_house, {"C1": [], "C2": []})
    file = written(tmp_path, "客户编号,负责人", "C1,manager", "C2,nobody", "C9,manager")
    done = await import_owners(a_house, file, rejects=tmp_path / "rejects.csv")
    assert (done.changed, done.refused) == (1, 2)
    assert await column(a_house, "select owner from customer order by customer_no") == ["manager", ""]
    assert [row["reason"].partition(":")[0] for row in rejects(done)] == ["nobody", "no such customer"]
    async with a_house.transaction() as tx:
        with pytest.raises(
            NobodyKnows, match="wang: not among the people of the SLA policy, who are manager, operations"
        ):
            await known_people(a_house, tx, ["wang", ""])
