"""The status map through its doors: previewed, published, read by what is running; the form and the commands."""

import asyncio
import csv
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from adapters.dictionary import known, own_entries
from adapters.files.status_map import read_map
from ballast.db import inbox
from ballast.db.status_map import current
from ballast.domain.status_check import Row
from ballast.domain.status_map import ROLE_OF, Entry, may_say, overlaid
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.ports import Meaning
from flows.publish_status_map import Meant, Speaker, publish_status_map
from flows.read_inbox import read_inbox
from tasks import inbox as reading
from tasks.status_map import Preview, in_force, preview, publish_map, publish_row, roll_back
from tests.flows.stage import Stage, artifact, run

OWN = own_entries()
UNKNOWN = Entry(System.KDNIAO, "StateEx", "998", Event.HELD, HoldReason.COURIER_DAMAGED, "外包装异常")


async def look(stage: Stage, *added: Entry) -> Preview:
    async with stage.house.transaction() as tx:
        return await preview(stage.house, tx, in_force(await current(tx)), overlaid(OWN, added))


async def parked(stage: Stage, *orders: str, code: str = "998") -> None:
    for order_no in orders:
        await stage.world.act(order_no, "scan", state_ex=code)
    await stage.read()
    assert (await stage.inbox())["parked"] >= len(orders)


# -- preview and publication ---------------------------------------------------------------------------------------


async def test_the_preview_says_what_publishing_then_does(stage: Stage) -> None:
    first, second = await stage.outbound(), await stage.outbound()
    await parked(stage, first, second)
    await parked(stage, second, code="997")  # stays unknown
    before = [dict(row._mapping) for row in await stage.rows("select * from sales_order order by id")]

    seen = await look(stage, UNKNOWN)

    assert (seen.parked, seen.readable, seen.waiting, seen.moved) == (3, 2, 0, 2)
    assert [(one.now, one.then, one.messages) for one in seen.orders] == [
        ("OUTBOUND", "ON_HOLD COURIER_DAMAGED", 1),
    ] * 2
    [(why, count)] = seen.still.items()
    assert "'997'" in why and count == 1
    after = [dict(row._mapping) for row in await stage.rows("select * from sales_order order by id")]
    assert (after, (await stage.inbox())["parked"]) == (before, 3), "nothing was written"

    done = await publish_map(stage.house, overlaid(OWN, [UNKNOWN]), base=0, note="damaged", by="li")
    assert done.replayed == 3
    assert (await run(read_inbox)).name == "read-inbox 2 applied, 1 parked"
    for one in seen.orders:
        row = await stage.order(one.order_no)
        assert f"{row.state} {row.hold_reason}" == one.then


async def test_a_preview_locks_no_order(stage: Stage) -> None:
    order_no = await stage.outbound()
    await parked(stage, order_no)
    async with stage.house.transaction() as tx:
        await inbox.take(tx, "news", 1)
        await tx.exec_driver_sql("select 1 from sales_order for update")
        async with asyncio.timeout(10):
            assert (await look(stage, UNKNOWN)).moved == 1


async def test_messages_of_one_order_are_played_in_their_order(stage: Stage) -> None:
    order_no = await stage.outbound()
    await parked(stage, order_no, code="998")
    await parked(stage, order_no, code="997")
    back = Entry(System.KDNIAO, "StateEx", "997", Event.SCANNED)
    problem = Entry(System.KDNIAO, "StateEx", "998", Event.HELD, HoldReason.COURIER_PROBLEM)
    seen = await look(stage, problem, back)
    assert [(one.then, one.messages) for one in seen.orders] == [("IN_TRANSIT", 2)]
    await publish_map(stage.house, overlaid(OWN, [problem, back]), base=0, note="", by="li")
    await stage.read()
    assert await stage.state(order_no) is State.IN_TRANSIT


async def test_orders_whose_last_word_means_something_else_are_counted(stage: Stage) -> None:
    order_no = await stage.outbound()
    await stage.world.act(order_no, "scan", state_ex="211")
    await stage.read()
    seen = await look(stage, Entry(System.KDNIAO, "StateEx", "211", Event.NOTED))
    assert (seen.last_words, seen.orders) == (1, [])


async def test_a_map_published_while_messages_are_being_parked_leaves_none_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader took the old codes, the publication did not see what it parks, and it commits last."""
    order_no = await stage.outbound()
    await stage.world.act(order_no, "scan", state_ex="998")
    settle = inbox.settle

    async def settle_late(*values: Any) -> None:
        monkeypatch.setattr(inbox, "settle", settle)
        await publish_map(stage.house, overlaid(OWN, [UNKNOWN]), base=0, note="", by="li")
        await settle(*values)

    monkeypatch.setattr(reading.inbox, "settle", settle_late)
    assert await stage.read() == {"parked": 1, "applied": 1}
    assert await stage.state(order_no) is State.ON_HOLD


# -- what is running -----------------------------------------------------------------------------------------------


async def test_a_client_that_is_open_forgets_what_was_taken_back(stage: Stage) -> None:
    row = Row("here", "kdniao", "StateEx", "998", "SCANNED")
    order_no = await stage.outbound()
    await publish_row(stage.house, row, note="", by="li")
    await stage.work(Step.TRACK_TRANSIT)
    client: Any = stage.house.courier
    own = dict(type(client)(stage.house.settings.kdniao, stage.house.clock).codes)
    stage.house.added_codes = {"kdniao": {("StateEx", "998"): Meaning(Event.SCANNED)}}
    assert ("StateEx", "998") in stage.house.courier.codes  # type: ignore[attr-defined]  # a client that is asked
    given = client.codes
    assert stage.house.courier is client and client.codes is given, "made once for a map, not for every call"
    stage.house.added_codes = {}
    assert stage.house.courier.codes == own  # type: ignore[attr-defined]  # likewise
    assert await stage.state(order_no) is State.OUTBOUND


async def test_a_code_that_is_taken_back_is_parked_again_and_rings_again(stage: Stage) -> None:
    first, second = await stage.outbound(), await stage.outbound()
    await parked(stage, first)
    await publish_map(stage.house, overlaid(OWN, [UNKNOWN]), base=0, note="", by="li")
    await stage.read()
    [told, _] = await stage.alerts()
    assert told.key == "mapped:code:kdniao:StateEx:998:v1" and told.ended_at is not None

    await roll_back(stage.house, 0, note="", by="li")
    await stage.world.act(second, "scan", state_ex="998")
    assert await stage.read() == {"parked": 1}
    assert (await stage.state(first), await stage.state(second)) == (State.ON_HOLD, State.OUTBOUND)
    assert [one.key for one in await stage.alerts() if one.ended_at is None][-1] == "code:kdniao:StateEx:998"


async def test_the_erp_s_codes_can_mean_something_else_too(stage: Stage) -> None:
    order_no = await stage.locked()
    stage.house.added_codes = {
        "kingdee": {("SAL_SaleOrder.FCloseStatus", "A"): Meaning(Event.HELD, HoldReason.ERP_REFUSED)}
    }
    said = {(one.field, one.said): one.event for one in await stage.house.erp.ask(order_no)}
    assert said["SAL_SaleOrder.FCloseStatus", "A"] is Event.HELD


# -- the form ------------------------------------------------------------------------------------------------------


def test_the_form_offers_every_system_with_codes_and_everything_that_a_code_can_mean() -> None:
    assert set(get_args(Speaker)) == {str(system) for system in ROLE_OF}
    fields = known().fields
    sayable = {event for system in fields for field in fields[system] for event in may_say(system, field)}
    assert set(get_args(Meant)) == {str(event) for event in sayable}


async def test_the_form_shows_first_and_then_publishes(stage: Stage) -> None:
    order_no = await stage.outbound()
    await parked(stage, order_no)
    form = {
        "system": "kdniao",
        "field": "StateEx",
        "code": "998",
        "event": "HELD",
        "reason": HoldReason.COURIER_DAMAGED,
    }

    shown = await run(publish_status_map, **form, note="外包装异常", by="li", dry_run=True)
    assert shown.name == "publish-status-map 1 rows would change, 1 messages would be readable, 1 orders would move"
    assert (await stage.rows("select * from status_map"), (await stage.inbox())["parked"]) == ([], 1)
    table = await artifact(shown)
    assert table[0] | {"messages": ""} == {
        "what": "added", "which": "kdniao StateEx 998", "was": "", "becomes": "HELD COURIER_DAMAGED (ON_HOLD)",
        "messages": "",
    }  # fmt: skip
    assert (table[-1]["was"], table[-1]["becomes"]) == ("OUTBOUND", "ON_HOLD COURIER_DAMAGED")
    assert order_no in table[-1]["which"] and table[-1]["which"].startswith("["), "a link to its timeline"

    done = await run(publish_status_map, **form, note="外包装异常", by="li")
    assert done.name == "publish-status-map 1 rows published, 1 messages read again"
    [published] = await stage.rows("select published_by, note from status_map_version")
    assert tuple(published) == ("li", "kdniao StateEx 998 is HELD")
    assert (await run(read_inbox)).name == "read-inbox 1 applied"
    assert await stage.state(order_no) is State.ON_HOLD


async def test_the_form_refuses_what_cannot_be_and_says_why(stage: Stage) -> None:
    ran = await run(publish_status_map, system="kdniao", field="StateEx", code="998", event="REFUNDED", by="li")
    assert not ran.green
    assert "can never mean REFUNDED" in str(ran.state.message)
    assert await stage.rows("select * from status_map_version") == []


# -- the commands --------------------------------------------------------------------------------------------------


def edit(path: Path, change: Any) -> None:
    """What a person does in a spreadsheet: read all rows, change them, write them."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        head, *rows = list(csv.reader(handle))
    rows = change([dict(zip(head, row, strict=True)) for row in rows])
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, head)
        writer.writeheader()
        writer.writerows(rows)


def with_new(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [*rows, {"system": "kdniao", "field": "StateEx", "code": "998", "event": "scanned", "note": "到达自提点"}]


async def test_from_export_to_publication_and_back(stage: Stage, tmp_path: Path) -> None:
    order_no = await stage.outbound()
    await parked(stage, order_no)
    file = tmp_path / "map.csv"
    said = await stage.command("status-map", "export", str(file))
    assert said.startswith(f"{len(OWN)} rows of version 0")
    await stage.command("status-map", "export", str(file), code=2)
    edit(file, with_new)

    checked = await stage.command("status-map", "check", str(file))
    assert "0 error(s)" in checked
    seen = await stage.command("status-map", "diff", str(file))
    assert "added  kdniao StateEx 998: nothing -> SCANNED" in seen
    assert seen == await stage.command("status-map", "publish", str(file), "--by", "li", "--note", "x", "--dry-run")
    assert await stage.rows("select * from status_map_version") == []

    done = await stage.command("status-map", "publish", str(file), "--by", "li", "--note", "自提点")
    assert "published as version 1; 1 parked message(s) will be read again" in done
    assert (await run(read_inbox)).name == "read-inbox 1 applied"
    assert await stage.state(order_no) is State.IN_TRANSIT

    listed = await stage.command("status-map", "list", "--system", "kdniao")
    assert "kdniao StateEx 998: SCANNED -> IN_TRANSIT  到达自提点  [added]" in listed
    assert "自提点" in await stage.command("status-map", "versions")
    refused = await stage.command("status-map", "publish", str(file), "--by", "wu", "--note", "late", code=2)
    assert "made from version 0" in refused and "published by li" in refused
    await stage.command("status-map", "rollback", "0", "--by", "wu", "--dry-run")
    assert "removed  kdniao StateEx 998" in await stage.command("status-map", "rollback", "0", "--by", "wu")
    assert [row.version for row in await stage.rows("select version from status_map_version order by 1")] == [1, 2]


async def test_a_file_with_errors_is_not_published(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "map.csv"
    await stage.command("status-map", "export", str(file))
    edit(file, lambda rows: [row | {"event": "SIGNED"} if row["code"] == "301" else row for row in rows][1:])
    for words in (["check"], ["diff"], ["publish", "--by", "li", "--note", "x"]):
        said = await stage.command("status-map", words[0], str(file), *words[1:], code=1)
        assert "column event: a code of kdniao StateEx (courier) can never mean SIGNED" in said
        assert "cannot be removed" in said
        assert "map.csv, line " in said
    assert await stage.rows("select * from status_map_version") == []


@pytest.mark.parametrize("ending", ["yaml", "xlsx"])
async def test_every_format_goes_out_and_comes_in(stage: Stage, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"map.{ending}"
    await stage.command("status-map", "export", str(file))
    assert (await asyncio.to_thread(read_map, file)).version == 0
    seen = orjson.loads(await stage.command("status-map", "diff", str(file), "--json"))
    assert (seen["changes"], seen["findings"]) == ([], [])
    said = await stage.command("status-map", "publish", str(file), "--by", "li", "--note", "x", code=2)
    assert "nothing changes" in said


async def test_a_check_without_a_file_is_of_what_is_in_force(stage: Stage) -> None:
    order_no = await stage.outbound()
    await parked(stage, order_no)
    said = orjson.loads(await stage.command("status-map", "check", "--json"))
    unmapped = [one["text"] for one in said if one["kind"] == "unmapped"]
    assert unmapped == ["heard and in no row: kdniao StateEx 998: 1 alert(s)"], "this process has no settings of kdniao"
    assert [one for one in said if one["kind"] == "not read"]
    assert {one["level"] for one in said} == {"warning", "info"}


async def test_mapping_one_code_is_a_publication_too(stage: Stage) -> None:
    said = await stage.command("parked", "map", "kdniao", "StateEx", "998", "scanned", "--by", "li")
    assert said == "kdniao StateEx 998 is SCANNED: version 1; 0 parked message(s) will be read again\n"
    refused = await stage.command("parked", "map", "kdniao", "StateEx", "998", "payment-captured", code=2)
    assert "can never mean PAYMENT_CAPTURED" in refused
    assert len(await stage.rows("select * from status_map_version")) == 1
