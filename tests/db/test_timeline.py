"""What the timeline holds, and what it must not."""

import json

from sqlalchemy import event as listeners

from ballast.db.engine import rows
from ballast.db.timeline import _SELECT, CONCEALED, Timeline, timeline
from ballast.domain.words import Event, State
from ballast.wiring import House
from tests.web.story import ADDRESS, MOBILE, NAME, OPENID, Story, at, order, tell_to_hold


async def look(a_house: House, order_no: str) -> Timeline:
    async with a_house.transaction() as tx:
        seen = await timeline(tx, order_no)
    assert seen is not None
    return seen


async def test_it_holds_the_whole_story(a_house: House) -> None:
    await tell_to_hold(a_house, "TL-HELD")
    seen = await look(a_house, "TL-HELD")
    head = seen.order
    assert (head.state, head.held_from, head.place) == (State.ON_HOLD, State.IN_TRANSIT, State.IN_TRANSIT)
    assert (head.total, head.placed_at, head.signed_at) == (35_780, at(0), None)
    assert [(line.sku, line.shipped) for line in seen.lines] == [("SKU-1042", 2), ("SKU-2210", 1)]
    assert [(p.waybill, p.said, p.signed_at) for p in seen.parcels] == [
        ("YT8877665544332", "301", at(23)), ("YT8877665544333", "414", None),
    ]  # fmt: skip
    assert seen.parcels[1].said_text == "【上海市】外包装破损, 内件待确认"
    assert seen.hold is not None and (seen.hold.reason, seen.hold.acknowledged_by) == ("COURIER_DAMAGED", "李敏")
    assert [(hold.reason, hold.released_by) for hold in seen.holds] == [
        ("COURIER_PROBLEM", "kdniao"), ("COURIER_DAMAGED", None),
    ]  # fmt: skip
    assert [payment.state for payment in seen.payments] == ["counted", "surplus"]
    assert {said.part for said in seen.said if said.system == "kdniao"} == {
        "StateEx YT8877665544332", "StateEx YT8877665544333",
    }  # fmt: skip
    assert ("wms.create", "done", "WMS1000427") in [(e.kind, e.state, e.reference) for e in seen.effects]
    assert [(m.kind, m.due_at, m.attempts) for m in seen.pending] == [("erp.outbound", None, 3)]
    assert [(letter.source, letter.state) for letter in seen.letters] == [("kdniao", "parked")]


async def test_events_stand_in_the_order_in_which_they_happened(a_house: House) -> None:
    story = Story(a_house, "TL-ORDER")
    await story.place()
    seen = await look(a_house, "TL-ORDER")
    assert [(one.event, one.text) for one in seen.events] == [("NOTED", "placed, 357.80 CNY")]
    await tell_to_hold(a_house, "TL-ORDER-2")
    events = (await look(a_house, "TL-ORDER-2")).events
    assert [one.happened_at for one in events] == sorted(one.happened_at for one in events)
    assert [one.to_state for one in events if one.moved] == [
        "STOCK_LOCKED", "OUTBOUND", "IN_TRANSIT", "ON_HOLD", "IN_TRANSIT", "ON_HOLD",
    ]  # fmt: skip


async def test_nothing_of_the_receiver_is_in_it_even_where_others_quote_him(a_house: House) -> None:
    await tell_to_hold(a_house, "TL-QUIET")
    seen = await look(a_house, "TL-QUIET")
    written = json.dumps(seen.as_dict(), ensure_ascii=False)
    for personal in (NAME, MOBILE, ADDRESS, OPENID, "receiver", "浦东新区"):
        assert personal not in written
    assert f"致电 {CONCEALED} 无人接听, 无法联系{CONCEALED}" in written


async def test_a_short_latin_name_is_a_word_and_not_a_part_of_one(a_house: House) -> None:
    who = {"name": "Li", "mobile": "+86 139-1234-5678", "address": "1 Rd"}
    receiver = type(order("x").receiver)(province="", city="", district="", **who)
    story = Story(a_house, "TL-LATIN")
    await story.place(receiver=receiver)
    said = "delivery to Li, 1 Rd, call 13912345678 or +86 139-1234-5678"
    await story.tell(at(1), lambda case: case.take(Event.NOTED, cause="said", actor="kdniao", text=said))
    (_, seen) = (await look(a_house, "TL-LATIN")).events
    assert "Li," not in seen.text and "1 Rd" not in seen.text and "1234" not in seen.text
    assert seen.text.startswith(f"delivery to {CONCEALED}, ")


async def test_it_is_one_statement(a_house: House) -> None:
    await tell_to_hold(a_house, "TL-ONE")
    statements: list[str] = []

    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    async with a_house.transaction() as tx:
        listeners.listen(a_house.engine.sync_engine, "before_cursor_execute", count)
        assert await timeline(tx, "TL-ONE") is not None
        listeners.remove(a_house.engine.sync_engine, "before_cursor_execute", count)
    assert len(statements) == 1


async def test_an_unknown_order_has_none(a_house: House) -> None:
    async with a_house.transaction() as tx:
        assert await timeline(tx, "TL-NOBODY") is None


async def test_waiting_and_parked_messages_are_found_without_reading_the_whole_inbox(a_house: House) -> None:
    """The plan must use the two partial indexes: the inbox has a row for every message there ever was."""
    async with a_house.transaction() as tx:
        await rows(tx, "select set_config('enable_seqscan', 'off', true)")
        plan = await rows(tx, f"explain {_SELECT}", order_no="TL-NOBODY")
    text = "\n".join(row[0] for row in plan)
    assert "inbox_waiting" in text and "inbox_parked" in text
    assert "Seq Scan on inbox" not in text and "Seq Scan on order_event" not in text
