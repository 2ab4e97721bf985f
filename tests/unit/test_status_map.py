"""The dictionary: the adapters' own tables are sound and stand in a file; whatever is wrong with a row is found."""

from pathlib import Path
from typing import Any

import pytest

from adapters.dictionary import CODES, known, own_entries
from adapters.files.status_map import read_map
from adapters.files.status_map_out import Shown, write_map
from ballast.domain.findings import Finding, Level
from ballast.domain.life_cycle import MOVES
from ballast.domain.status_check import (
    Checked,
    Row,
    Seen,
    check_against_books,
    check_rows,
    merge_seen,
    rows_of,
)
from ballast.domain.status_map import (
    CLOSED,
    GIVES,
    MAY_SAY,
    ONLY,
    ROLE_OF,
    Entry,
    Kind,
    Origin,
    Role,
    beyond,
    changes,
    leads_to,
    leads_to_text,
    may_say,
    origin_of,
    overlaid,
)
from ballast.domain.words import Event, HoldReason, State, System

ROOT = Path(__file__).parents[2]
OWN = own_entries()
NEW = Row("new", "kdniao", "StateEx", "208", "SCANNED", note="到达自提点")


def row(**parts: str) -> Row:
    """A sound new row, with these parts instead."""
    texts = {name: getattr(NEW, name) for name in Row.__slots__} | parts
    return Row(**texts)


def check(*rows: Row, without: tuple[tuple[str, str], ...] = ()) -> Checked:
    """These rows together with all of the adapters' own but those (field, code)."""
    own = [entry for entry in OWN.values() if (entry.field, entry.code) not in without]
    return check_rows([*rows_of(own), *rows], known())


def about(checked: Checked, level: Level) -> list[tuple[str, str, str]]:
    return [(one.kind, one.place, one.column) for one in checked.findings if one.level is level]


# -- the adapters' own tables --------------------------------------------------------------------------------------


def test_the_adapters_own_tables_have_no_finding() -> None:
    checked = check()
    assert (checked.findings, checked.entries) == ([], OWN)


@pytest.mark.parametrize("entry", OWN.values(), ids=lambda entry: entry.name)
def test_every_own_code_has_a_note(entry: Entry) -> None:
    assert entry.note.strip() == entry.note != ""


def test_the_default_dictionary_is_what_the_adapters_have(tmp_path: Path) -> None:
    """After a change of an adapter's table: ballast status-map export rules/status_map.yaml --own --force"""
    made = tmp_path / "status_map.yaml"
    write_map(made, Shown([OWN[key] for key in sorted(OWN)], OWN, 0))
    there = ROOT / "rules" / "status_map.yaml"
    assert there.read_text(encoding="utf-8") == made.read_text(encoding="utf-8")
    assert check_rows(read_map(there).rows, known()).entries == OWN


def test_every_system_with_codes_has_a_role_and_every_role_its_words() -> None:
    assert set(ROLE_OF) == set(CODES)
    assert set(MAY_SAY) == set(GIVES) == set(Role) == set(ROLE_OF.values())
    for system, field in (*ONLY, *CLOSED):
        assert field in known().fields[system]


def test_what_our_own_steps_decide_is_in_nobodys_mouth() -> None:
    ours = {
        Event.PAYMENT_CONFIRMED, Event.STOCK_LOCKED, Event.RESTOCKED, Event.SIGNED, Event.RELEASED, Event.CANCELLED,
        Event.RETURNED, Event.RETURN_WINDOW_ENDED, Event.MERGED,
    }  # fmt: skip
    sayable = {
        event for system, fields in known().fields.items() for field in fields for event in may_say(system, field)
    }
    assert sayable == set(Event) - ours


# -- where it leads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event.SCANNED, "IN_TRANSIT"),
        (Event.PARCEL_SIGNED, "IN_TRANSIT / SIGNED"),
        (Event.HELD, "ON_HOLD"),
        (Event.NOTED, ""),
        (Event.REFUNDED, "CLOSED / ON_HOLD"),
        (Event.WAREHOUSE_PROGRESS, "STOCK_LOCKED"),
    ],
)
def test_an_event_leads_where_the_life_cycle_says(event: Event, text: str) -> None:
    assert leads_to_text(event) == text


def test_no_event_leads_where_no_move_goes() -> None:
    for event in Event:
        moves = {target for (_, by), target in MOVES.items() if by is event}
        assert set(leads_to(event)) - {State.SIGNED} <= moves


# -- one row -------------------------------------------------------------------------------------------------------


def test_a_sound_row_is_taken_as_it_was_meant() -> None:
    checked = check(row(system=" Kdniao ", event="scanned", note="  到达\t自提点\r\n二行 "))
    assert checked.findings == []
    assert list(checked.entries.values())[-1] == Entry(
        System.KDNIAO, "StateEx", "208", Event.SCANNED, None, "到达 自提点\n二行"
    )
    held = check(row(event="held", reason="courier-problem")).entries[System.KDNIAO, "StateEx", "208"]
    assert held.meaning == (Event.HELD, HoldReason.COURIER_PROBLEM)


@pytest.mark.parametrize(
    ("wrong", "kind", "column", "words"),
    [
        ({"system": "kdnaio"}, "unknown system", "system", "is kdniao meant?"),
        ({"system": ""}, "unknown system", "system", "is empty"),
        ({"system": "dingtalk"}, "unknown system", "system", "says nothing of orders"),
        ({"field": "StatEx"}, "unknown field", "field", "is StateEx meant?"),
        ({"field": "status"}, "unknown field", "field", "its fields are State, StateEx, Success"),
        ({"field": ""}, "unknown field", "field", "is empty"),
        ({"code": " "}, "no code", "code", "is empty"),
        ({"code": "2\x0008"}, "unprintable", "code", "control character"),
        ({"code": "2\n08"}, "unprintable", "code", "control character"),
        ({"code": "9" * 201}, "too long", "code", "at most 200"),
        ({"note": "x" * 1001}, "too long", "note", "at most 1000"),
        ({"note": "bell\x07"}, "unprintable", "note", "control character"),
        ({"event": "SCANED"}, "unknown event", "event", "is SCANNED meant?"),
        ({"event": ""}, "unknown event", "event", "is empty"),
        ({"event": "HELD"}, "held without reason", "reason", "HELD needs the reason"),
        ({"event": "HELD", "reason": "COURIER_LATE"}, "unknown reason", "reason", "is no reason"),
        ({"reason": "COURIER_PROBLEM"}, "reason without held", "reason", "belongs to HELD"),
        ({"event": "PAYMENT_CONFIRMED"}, "never said", "event", "can never mean PAYMENT_CONFIRMED"),
        ({"event": "SIGNED"}, "never said", "event", "courier"),
        ({"event": "HELD", "reason": "CANCEL_ASKED"}, "never said", "reason", "never hold an order for CANCEL_ASKED"),
        ({"system": "qimen", "field": "processStatus", "event": "SHIPPED"}, "never said", "event", "can never"),
        ({"system": "qimen", "field": "status", "event": "SCANNED"}, "never said", "event", "warehouse"),
        ({"system": "wechatpay", "field": "trade_state", "event": "REFUNDED"}, "never said", "event", "can never"),
        ({"system": "wechat", "field": "Event", "event": "REFUNDED"}, "never said", "event", "name no order"),
        ({"system": "wechat", "field": "MsgType", "event": "REFUNDED"}, "never said", "event", "can never"),
        ({"system": "direct", "field": "event", "event": "NOTED"}, "never heard", "code", "never be looked up"),
        (
            {"system": "kingdee", "field": "SAL_OUTSTOCK.FDocumentStatus", "event": "NOTED"},
            "never heard", "code", "the adapter knows every code",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_row_is_told_with_its_place(
    wrong: dict[str, str], kind: str, column: str, words: str
) -> None:
    checked = check(row(**wrong))
    [finding] = checked.errors
    assert (finding.kind, finding.place, finding.column) == (kind, "new", column)
    assert words in finding.text
    assert checked.entries == OWN, "and it is not taken"


def test_every_error_of_a_row_is_told_at_once() -> None:
    checked = check(row(system="nobody", event="nothing", code=""))
    assert [column for _, _, column in about(checked, Level.ERROR)] == ["system", "event", "code"]


def test_findings_name_the_columns_of_the_file() -> None:
    [finding] = [one for one in check_rows([row(event="x")], known(), columns={"event": "事件"}).errors if one.place]
    assert str(finding).startswith("error: new, column 事件: 'x' is no event")


def test_computed_columns_are_not_read_and_it_says_so() -> None:
    checked = check(row(state="SIGNED"))
    assert about(checked, Level.WARNING) == [("state", "new", "state")]
    assert checked.entries[System.KDNIAO, "StateEx", "208"].event is Event.SCANNED
    assert check(row(state="in_transit")).findings == []


def test_a_row_that_was_edited_may_still_have_the_state_of_its_old_event() -> None:
    edited = row(code="211", event="NOTED", state="IN_TRANSIT")
    assert about(check(edited, without=(("StateEx", "211"),)), Level.WARNING) == [("override", "new", "")]
    before = {entry("208").key: entry("208", Event.PARCEL_SIGNED)}
    again = check_rows([*rows_of(OWN.values()), row(state="IN_TRANSIT / SIGNED")], known(before))
    assert again.findings == []


def test_blanks_around_a_code_are_kept_and_told() -> None:
    checked = check(row(code="208 "))
    assert about(checked, Level.WARNING) == [("blanks", "new", "code")]
    assert (System.KDNIAO, "StateEx", "208 ") in checked.entries


# -- rows beside each other ----------------------------------------------------------------------------------------


def test_a_code_with_two_meanings_is_contradictory() -> None:
    checked = check(row(place="line 2"), row(place="line 3", event="PARCEL_SIGNED"))
    [finding] = checked.errors
    assert (finding.kind, finding.place) == ("contradictory", "line 3")
    assert finding.text == "kdniao StateEx 208 is PARCEL_SIGNED here and SCANNED in line 2"


def test_the_same_row_twice_is_a_warning() -> None:
    checked = check(row(place="line 2"), row(place="line 3"))
    assert (about(checked, Level.WARNING), checked.errors) == ([("twice", "line 3", "")], [])


@pytest.mark.parametrize(("event", "level"), [("WAREHOUSE_PROGRESS", Level.WARNING), ("NOTED", Level.ERROR)])
def test_codes_that_differ_in_case_or_blanks_only(event: str, level: Level) -> None:
    checked = check(row(system="qimen", field="status", code="accept", event=event))
    [finding] = [one for one in checked.findings if "accept" in one.text]
    assert finding.level is level
    assert "matches exactly" in finding.text and "'ACCEPT'" in finding.text


def test_the_adapters_own_row_cannot_be_removed() -> None:
    checked = check(without=(("StateEx", "414"),))
    [finding] = checked.errors
    assert finding.kind == "adapter's own"
    assert "kdniao StateEx 414 is missing: it is the adapter's own and cannot be removed" in finding.text


def test_a_code_that_a_spreadsheet_changed_is_recognised() -> None:
    """A spreadsheet program makes FALSE of false when it saves CSV."""
    checked = check(row(field="Success", code="FALSE", event="NOTED"), without=(("Success", "false"),))
    [missing] = [one for one in checked.errors if one.kind == "adapter's own"]
    assert "'FALSE' stands there instead, perhaps a spreadsheet changed it" in missing.text


def test_an_own_row_that_is_wrong_is_told_once() -> None:
    checked = check(row(code="414", event="nonsense"), without=(("StateEx", "414"),))
    assert [one.kind for one in checked.errors] == ["unknown event"]


def test_an_override_of_the_adapters_meaning_is_a_warning_with_both() -> None:
    checked = check(row(code="211", event="PARCEL_SIGNED"), without=(("StateEx", "211"),))
    [finding] = checked.findings
    assert (finding.level, finding.kind, finding.place) == (Level.WARNING, "override", "new")
    assert "(已放入快递柜或驿站: not in the customer's hands yet) is SCANNED to the adapter" in finding.text
    assert "here it is PARCEL_SIGNED" in finding.text


# -- against the books ---------------------------------------------------------------------------------------------


def test_codes_that_were_heard_and_are_in_no_row() -> None:
    seen = merge_seen([
        Seen("kdniao", "StateEx", "998", parked=2), Seen("kdniao", "StateEx", "998", orders=1, told=1),
        Seen("kdniao", "StateEx", "201", orders=7),
    ])  # fmt: skip
    found = check_against_books(OWN, seen)
    assert [str(one) for one in found if one.level is Level.WARNING] == [
        "warning: heard and in no row: kdniao StateEx 998: 1 order(s), 2 parked message(s), 1 alert(s)"
    ]
    unseen = [one for one in found if one.level is Level.INFO]
    assert len(unseen) == len(OWN) - 1
    assert all(isinstance(one, Finding) and "201" not in one.text.split() for one in unseen)


# -- dictionaries --------------------------------------------------------------------------------------------------


def entry(code: str, event: Event = Event.SCANNED, **parts: Any) -> Entry:
    return Entry(System.KDNIAO, "StateEx", code, event, **parts)


def test_what_people_said_stands_over_the_adapters_own() -> None:
    over = entry("211", Event.PARCEL_SIGNED)
    added = entry("208")
    whole = overlaid(OWN, [over, added])
    assert (whole[over.key], whole[added.key]) == (over, added)
    assert beyond(OWN, whole) == [over, added]
    assert beyond(OWN, OWN) == []
    assert [origin_of(one, OWN) for one in (over, added, OWN[System.KDNIAO, "StateEx", "201"])] == [
        Origin.OVERRIDDEN, Origin.ADDED, Origin.ADAPTER,
    ]  # fmt: skip


def test_changes_are_named_by_what_became_of_the_row() -> None:
    before = overlaid({}, [entry("1"), entry("2"), entry("3"), entry("4")])
    after = overlaid({}, [entry("1"), entry("2", Event.NOTED), entry("3", note="other"), entry("5")])
    found = changes(before, after)
    assert [(one.entry.code, one.kind) for one in found] == [
        ("2", Kind.CHANGED), ("3", Kind.NOTED), ("4", Kind.REMOVED), ("5", Kind.ADDED),
    ]  # fmt: skip
    assert str(found[0]) == "kdniao StateEx 2: SCANNED -> NOTED"
    assert str(found[2]) == "kdniao StateEx 4: SCANNED -> nothing: messages with it are parked"
