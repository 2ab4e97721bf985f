"""Publications of the status map: one at a time, each over what it was made from, and each can be put back."""

import asyncio

import pytest
from sqlalchemy import text

from adapters.dictionary import own_entries
from ballast.db import codes_heard
from ballast.db.status_map import AS_FOUND, PublicationRefused, Version, added_codes, added_in, current, versions
from ballast.domain.findings import Level
from ballast.domain.status_check import Row, Seen
from ballast.domain.status_map import Dictionary, Entry, Kind, overlaid
from ballast.domain.words import Event, HoldReason, State, System
from ballast.ports import Meaning
from ballast.wiring import House
from tasks.status_map import (
    Published,
    check_books,
    check_in_force,
    in_force,
    new_entry,
    publish_map,
    publish_row,
    roll_back,
    systems_of,
)
from tests.db.stage import bring, column, scanned, somebody_waits, statements, table, tell
from tests.times import NOON

OWN = own_entries()


def entry(code: str = "208", event: Event = Event.SCANNED, reason: HoldReason | None = None, note: str = "") -> Entry:
    return Entry(System.KDNIAO, "StateEx", code, event, reason, note)


def row(code: str = "208", event: str = "SCANNED", **parts: str) -> Row:
    return Row("this row", "kdniao", "StateEx", code, event, **parts)


async def put(house: House, *added: Entry, base: int | None = None, by: str = "li", note: str = "why") -> Published:
    return await publish_map(house, overlaid(OWN, added), base=base, note=note, by=by)


async def whole(house: House) -> Dictionary:
    async with house.transaction() as tx:
        return in_force(await current(tx))


async def codes(house: House) -> dict[tuple[str, str], Meaning]:
    async with house.transaction() as tx:
        return dict((await added_codes(tx)).get("kdniao", {}))


async def history(house: House) -> list[Version]:
    async with house.transaction() as tx:
        return await versions(tx)


async def test_a_publication_keeps_all_of_the_map_with_who_when_and_why(a_house: House) -> None:
    first = await put(a_house, entry("208"), entry("414", Event.NOTED), note="new hubs")
    second = await put(a_house, entry("208"), entry("209"), base=1, by="zhao")

    assert [(str(one.kind), one.entry.code) for one in first.changes] == [("added", "208"), ("changed", "414")]
    assert {(one.kind, one.entry.code) for one in second.changes} == {(Kind.ADDED, "209"), (Kind.CHANGED, "414")}
    assert [(v.version, v.by, v.at, v.note, v.rows) for v in await history(a_house)] == [
        (2, "zhao", NOON, "why", 2),
        (1, "li", NOON, "new hubs", 2),
    ]
    assert await codes(a_house) == {
        ("StateEx", "208"): Meaning(Event.SCANNED),
        ("StateEx", "209"): Meaning(Event.SCANNED),
    }
    assert await table(a_house, "select code, version, changed_by from status_map order by code") == [
        {"code": "208", "version": 1, "changed_by": "li"},
        {"code": "209", "version": 2, "changed_by": "zhao"},
    ], "a row that stays keeps the version that set it"


async def test_what_the_adapter_says_itself_is_not_kept_but_another_note_is(a_house: House) -> None:
    noted = entry("201", note="our own words")
    done = await put(a_house, *OWN.values(), noted)
    assert [one.kind for one in done.changes] == [Kind.NOTED]
    assert await column(a_house, "select code from status_map") == ["201"]
    assert systems_of(done.changes) == [], "nothing is read again for the sake of a note"


async def test_a_file_made_from_an_older_version_is_refused_with_who_and_when(a_house: House) -> None:
    await put(a_house, entry("208"), by="zhao", note="hubs")
    with pytest.raises(PublicationRefused) as refusal:
        await put(a_house, entry("209"), base=0)
    said = str(refusal.value)
    assert "made from version 0; in force by now is version 1" in said and "--over 1" in said
    assert "version 1, published by zhao at 2026-" in said and ": hubs" in said
    assert (len(await history(a_house)), list(await codes(a_house))) == (1, [("StateEx", "208")])

    await put(a_house, entry("209"), base=1)
    assert list(await codes(a_house)) == [("StateEx", "209")]
    with pytest.raises(PublicationRefused, match="version 9, which is not in these books"):
        await put(a_house, entry("209"), base=9)


async def test_of_two_at_once_one_wins_and_the_other_hears_of_it(a_house: House) -> None:
    async with a_house.transaction() as tx:
        await tx.execute(text("lock table status_map_version in share row exclusive mode"))
        racing = [asyncio.create_task(put(a_house, entry(code), base=0, by=f"by-{code}")) for code in ("208", "209")]
        await somebody_waits(tx)
    ended = await asyncio.gather(*racing, return_exceptions=True)
    [won] = [one for one in ended if isinstance(one, Published)]
    [lost] = [one for one in ended if isinstance(one, PublicationRefused)]
    assert f"version 1, published by {won.version.by}" in str(lost)
    assert len(await history(a_house)) == 1
    assert list(await codes(a_house)) == [("StateEx", won.version.by.removeprefix("by-"))]


async def test_single_rows_at_once_all_count(a_house: House) -> None:
    """Each is one more row over whatever is in force: nobody takes back what another one said."""
    await asyncio.gather(*(publish_row(a_house, row(str(code)), note="", by="li") for code in range(700, 706)))
    assert sorted(code for _, code in await codes(a_house)) == [str(code) for code in range(700, 706)]
    assert [v.version for v in await history(a_house)] == [6, 5, 4, 3, 2, 1]


async def test_nothing_that_changes_nothing_is_published(a_house: House) -> None:
    with pytest.raises(PublicationRefused, match="nothing changes: in force is version 0"):
        await put(a_house)
    with pytest.raises(PublicationRefused, match="nothing changes"):
        await publish_row(a_house, row("201", note=OWN[entry("201").key].note), note="", by="li")
    with pytest.raises(PublicationRefused, match="not said who"):
        await put(a_house, entry("208"), by=" ")
    assert await history(a_house) == []


async def test_a_row_that_cannot_be_is_refused_with_every_reason(a_house: House) -> None:
    with pytest.raises(PublicationRefused) as refusal:
        await publish_row(a_house, row("", "PAYMENT_CONFIRMED", reason="BY_HAND"), note="", by="li")
    said = str(refusal.value)
    assert "code: is empty" in said and "reason: 'BY_HAND' belongs to HELD" in said and "can never mean" in said
    assert await history(a_house) == []


async def test_a_row_that_differs_from_another_in_case_only_is_refused(a_house: House) -> None:
    async with a_house.transaction() as tx:
        now = await current(tx)
    lower = Row("this row", "qimen", "status", "delivered", "NOTED")
    with pytest.raises(PublicationRefused, match="differ in blanks or case only"):
        new_entry(lower, now)
    same = Row("this row", "qimen", "status", "delivered", "SHIPPED")
    assert new_entry(same, now).code == "delivered"


# -- back ----------------------------------------------------------------------------------------------------------


async def test_an_earlier_version_is_put_back_as_a_new_one(a_house: House) -> None:
    await put(a_house, entry("208", note="a"), entry("414", Event.NOTED))
    first = await whole(a_house)
    await put(a_house, entry("209", Event.HELD, HoldReason.COURIER_PROBLEM))

    done = await roll_back(a_house, 1, note="too early", by="zhao")
    assert (done.version.version, done.version.note) == (3, "back to version 1. too early")
    assert await whole(a_house) == first
    await roll_back(a_house, 0, note="", by="zhao")
    assert (await whole(a_house), await codes(a_house)) == (OWN, {})
    await roll_back(a_house, 3, note="", by="zhao")
    assert await whole(a_house) == first
    with pytest.raises(PublicationRefused, match="there is no version 77"):
        await roll_back(a_house, 77, note="", by="zhao")


async def test_rows_from_before_there_were_versions_can_be_put_back(a_house: House) -> None:
    async with a_house.transaction() as tx:
        old = "values ('kdniao', 'StateEx', '998', 'SCANNED', 'old', 4, 'operator', now())"
        names = "system, field, code, event, note, version, changed_by, changed_at"
        await tx.execute(text(f"insert into status_map ({names}) {old}"))
        assert (await current(tx)).version == Version(0)
    await put(a_house, entry("208"), base=0)
    assert [(v.version, v.by, v.note, v.rows) for v in await history(a_house)] == [
        (2, "li", "why", 1),
        (1, "ballast", AS_FOUND, 1),
    ]
    await roll_back(a_house, 1, note="", by="li")
    assert list(await codes(a_house)) == [("StateEx", "998")]


async def test_a_version_with_words_of_another_ballast_is_refused(a_house: House) -> None:
    await put(a_house, entry("208"))
    async with a_house.transaction() as tx:
        await tx.execute(
            text("""update status_map_version set rows = '[{"system": "kdniao", "field": "StateEx",
            "code": "1", "event": "TELEPORTED", "reason": null, "note": ""}]'""")
        )
        with pytest.raises(PublicationRefused, match=r"does not know.*TELEPORTED"):
            await added_in(tx, 1)


async def test_publishing_takes_a_fixed_number_of_statements(a_house: House) -> None:
    with statements(a_house.engine) as few:
        await put(a_house, entry("0001"))
    with statements(a_house.engine) as many:
        await put(a_house, *(entry(f"9{number:03}") for number in range(200)))
    assert len(many) == len(few)


# -- against the books ---------------------------------------------------------------------------------------------


async def test_what_was_heard_is_counted_by_orders(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    await tell(a_house, scanned("Y-1", code="204", field="StateEx"))
    async with a_house.transaction() as tx:
        words = {one.key: one.orders for one in await codes_heard.last_words(tx)}
        assert words["kdniao", "StateEx", "204"] == 1, "by its field, whatever the waybill"
        found = await codes_heard.orders_that_said(tx, [entry("204"), entry("208")])
    assert found == {("kdniao", "StateEx", "204"): 1}


async def test_codes_that_people_were_told_of_are_heard_too(a_house: House) -> None:
    async with a_house.transaction() as tx:
        await tx.execute(
            text("""insert into alert (key, level, title, text, raised_at)
            values ('code:kdniao:StateEx:a:b', 'warning', '', '', now()), ('hold:1', 'warning', '', '', now())""")
        )
        assert await codes_heard.told_codes(tx) == [Seen("kdniao", "StateEx", "a:b", told=1)]
        found = await check_books(a_house, tx, OWN)
    assert [one.text for one in found if one.level is Level.WARNING] == [
        "heard and in no row: kdniao StateEx a:b: 1 alert(s)"
    ]


async def test_what_is_in_force_is_checked_like_a_file(a_house: House) -> None:
    async with a_house.transaction() as tx:
        names = "system, field, code, event, note, version, changed_by, changed_at"
        for code, event in (("998", "SHIPPED"), ("404", "NOTED")):
            values = f"values ('kdniao', 'StateEx', '{code}', '{event}', '', 1, 'operator', now())"
            await tx.execute(text(f"insert into status_map ({names}) {values}"))
        checked = check_in_force(await current(tx))
    assert [(one.level, one.kind) for one in checked.findings] == [
        (Level.WARNING, "override"),
        (Level.ERROR, "never said"),
    ]
