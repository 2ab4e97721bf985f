"""What is wrong with a written dictionary: rows that say nothing usable, contradict each other, or say too much."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from ballast.domain.findings import Finding, Level
from ballast.domain.status_map import (
    CLOSED,
    GIVES,
    MOST_CODE,
    MOST_NOTE,
    NEW_NAMES_NO_ORDER,
    ROLE_OF,
    Dictionary,
    Entry,
    Key,
    Origin,
    clean_note,
    leads_to_text,
    may_say,
    origin_of,
)
from ballast.domain.words import Event, HoldReason, System

W = TypeVar("W", System, Event, HoldReason)


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was written: texts, and where they stand. Only `code` keeps the blanks around it."""

    place: str
    system: str = ""
    field: str = ""
    code: str = ""
    event: str = ""
    reason: str = ""
    note: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the adapters know: their own rows, and the fields in which they look codes up.

    `before`: what is in force, where that is known. A row that is edited still has the state of its old event.
    """

    own: Dictionary
    fields: Mapping[System, frozenset[str]]
    before: Dictionary = field(default_factory=dict)


@dataclass(slots=True)
class Checked:
    """The usable rows, each key once, and what was found."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        return [one for one in self.findings if one.level is Level.ERROR]


def rows_of(entries: Iterable[Entry], place: str = "in force") -> list[Row]:
    """Entries as somebody would have written them."""
    return [
        Row(place, e.system.value, e.field, e.code, e.event.value, e.reason.value if e.reason else "", e.note)
        for e in entries
    ]


def check_rows(rows: Sequence[Row], known: Known, *, columns: Mapping[str, str] | None = None) -> Checked:
    """Check every row by itself, against the others and against the adapters' own tables.

    `columns`: what the file calls our columns, for the findings.
    """
    checked, places = Checked(), dict[Key, str]()
    for row in rows:
        reader = _Reader(row, known, columns or {})
        entry = reader.read()
        checked.findings += reader.found
        if entry is None:
            continue
        if entry.key in places:
            checked.findings.append(_twice(row, entry, checked.entries[entry.key], places[entry.key], columns or {}))
            continue
        checked.entries[entry.key], places[entry.key] = entry, row.place
        checked.findings += _overrides(row, entry, known)
    checked.findings += _alike(checked.entries, places)
    checked.findings += _missing(rows, checked.entries, known)
    return checked


class _Reader:
    """Reads one row; `found` is all that is wrong with it."""

    def __init__(self, row: Row, known: Known, columns: Mapping[str, str]) -> None:
        self.row, self.known, self.columns = row, known, columns
        self.found: list[Finding] = []

    def read(self) -> Entry | None:
        """None when the row cannot be used."""
        row, system = self.row, self._system()
        event, reason = self._word("event", row.event, Event), self._reason()
        self._texts()
        if event is not None:
            self._check_hold(event)
        if system is not None and row.field.strip() and self._knows_field(system) and event is not None:
            self._check_saying(system, event, reason)
        if self.failed or system is None or event is None:
            return None
        entry = Entry(system, row.field.strip(), row.code, event, reason, clean_note(row.note))
        self._check_state(entry)
        return entry

    def _check_state(self, entry: Entry) -> None:
        said = [entry, *(rows[entry.key] for rows in (self.known.own, self.known.before) if entry.key in rows)]
        if self.row.state and _states(self.row.state) not in [_states(leads_to_text(one.event)) for one in said]:
            leads, event = leads_to_text(entry.event) or "no other state", entry.event
            what = f"{_short(self.row.state)} is not read: {event} leads to {leads}; change the event instead"
            self._warn("state", "state", what)

    @property
    def failed(self) -> bool:
        return any(one.level is Level.ERROR for one in self.found)

    def _system(self) -> System | None:
        found = self._word("system", self.row.system, System, lower=True)
        if found is not None and found not in ROLE_OF:
            self._wrong(
                "unknown system", "system", f"{found} says nothing of orders; systems with codes: {_list(ROLE_OF)}"
            )
            return None
        return found

    def _reason(self) -> HoldReason | None:
        return self._word("reason", self.row.reason, HoldReason) if self.row.reason.strip() else None

    def _word(self, column: str, text: str, words: type[W], *, lower: bool = False) -> W | None:
        said = text.strip().replace("-", "_").replace(" ", "_")
        said = said.lower() if lower else said.upper()
        try:
            return words(said)
        except ValueError:
            pass
        if not said:
            self._wrong(f"unknown {column}", column, "is empty")
            return None
        among = list(ROLE_OF) if words is System else list(words)
        near = get_close_matches(said, [str(one) for one in among], 1)
        hint = f"; is {near[0]} meant?" if near else f"; there are {_list(among)}"
        self._wrong(f"unknown {column}", column, f"{_short(text)} is no {column}{hint}")
        return None

    def _knows_field(self, system: System) -> bool:
        fields, said = self.known.fields[system], self.row.field.strip()
        if said in fields:
            return True
        near = get_close_matches(said, fields, 1)
        hint = f"; is {near[0]} meant?" if near else f"; its fields are {_list(sorted(fields))}"
        self._wrong("unknown field", "field", f"{system} has no field {_short(said)} with codes{hint}")
        return False

    def _texts(self) -> None:
        if not self.row.field.strip():
            self._wrong("unknown field", "field", "is empty")
        if not self.row.code.strip():
            self._wrong("no code", "code", "is empty")
        for column, text, most in (("code", self.row.code, MOST_CODE), ("note", clean_note(self.row.note), MOST_NOTE)):
            if len(text) > most:
                self._wrong("too long", column, f"has {len(text)} characters, at most {most}")
            elif unprintable := next((letter for letter in text if not _may_stand(letter, column)), ""):
                self._wrong("unprintable", column, f"holds the control character {unprintable!r}")
        if self.row.code.strip() and self.row.code != self.row.code.strip():
            self._warn(
                "blanks", "code", f"{self.row.code!r} has blanks around it, and the adapter matches them exactly"
            )

    def _check_hold(self, event: Event) -> None:
        if event is Event.HELD and not self.row.reason.strip():
            self._wrong("held without reason", "reason", "is empty: HELD needs the reason of the hold")
        if event is not Event.HELD and self.row.reason.strip():
            self._wrong(
                "reason without held", "reason", f"{_short(self.row.reason)} belongs to HELD, the event is {event}"
            )

    def _check_saying(self, system: System, event: Event, reason: HoldReason | None) -> None:
        name, code = self.row.field.strip(), self.row.code
        role, allowed = ROLE_OF[system], may_say(system, name)
        if event not in allowed:
            what = f"a code of {system} {name} ({role}) can never mean {event}; it can mean {_list(sorted(allowed))}"
            self._wrong("never said", "event", what)
        if reason is not None and event is Event.HELD and reason not in GIVES[role]:
            what = f"{role} codes never hold an order for {reason}; they can for {_list(sorted(GIVES[role]))}"
            self._wrong("never said", "reason", what)
        if (system, name, code) in self.known.own:
            return
        if (system, name) in CLOSED:
            what = f"the adapter knows every code of {system} {name}: {_short(code)} would never be looked up"
            self._wrong("never heard", "code", what)
        if (system, name) in NEW_NAMES_NO_ORDER and event is not Event.NOTED:
            what = f"messages with {name} {_short(code)} name no order: it can mean NOTED, and no more"
            self._wrong("never said", "event", what)

    def _wrong(self, kind: str, column: str, text: str) -> None:
        self.found.append(Finding(Level.ERROR, kind, text, self.row.place, self.columns.get(column, column)))

    def _warn(self, kind: str, column: str, text: str) -> None:
        self.found.append(Finding(Level.WARNING, kind, text, self.row.place, self.columns.get(column, column)))


def _twice(row: Row, entry: Entry, first: Entry, place: str, columns: Mapping[str, str]) -> Finding:
    if entry.meaning == first.meaning:
        return Finding(
            Level.WARNING, "twice", f"{entry.name} stands in {place} already; this row is not read", row.place
        )
    what = f"{entry.name} is {entry.meant} here and {first.meant} in {place}"
    return Finding(Level.ERROR, "contradictory", what, row.place, columns.get("event", "event"))


def _overrides(row: Row, entry: Entry, known: Known) -> Iterator[Finding]:
    if origin_of(entry, known.own) is Origin.OVERRIDDEN:
        own = known.own[entry.key]
        said = f" ({own.note})" if own.note else ""
        what = (
            f"{entry.name}{said} is {own.meant} to the adapter, which took it from the vendor; here it is {entry.meant}"
        )
        yield Finding(Level.WARNING, "override", what, row.place)


def _alike(entries: Dictionary, places: Mapping[Key, str]) -> Iterator[Finding]:
    """Codes that a person would take for the same, and the adapter does not."""
    seen: dict[Key, Entry] = {}
    for key, entry in entries.items():
        alike = (entry.system, entry.field, _plain(entry.code))
        first = seen.setdefault(alike, entry)
        if first is entry:
            continue
        level = Level.WARNING if first.meaning == entry.meaning else Level.ERROR
        what = (
            f"{entry.code!r} is {entry.meant} and {first.code!r} in {places[first.key]} is {first.meant}: they differ "
            f"in blanks or case only, and the adapter of {entry.system} matches exactly"
        )
        yield Finding(level, "contradictory" if level is Level.ERROR else "alike", what, places[key])


def _missing(rows: Sequence[Row], entries: Dictionary, known: Known) -> Iterator[Finding]:
    """The adapters' own rows cannot be taken out, only given another meaning."""
    named = {(row.system.strip().lower(), row.field.strip(), row.code) for row in rows}
    written = {(system, name, _plain(code)): code for system, name, code in named}
    for key, own in known.own.items():
        if key in entries or (str(own.system), own.field, own.code) in named:
            continue  # there, or told of as unusable
        instead = written.get((str(own.system), own.field, _plain(own.code)))
        hint = f"; {instead!r} stands there instead, perhaps a spreadsheet changed it" if instead is not None else ""
        what = (
            f"{own.name} is missing: it is the adapter's own and cannot be removed (it is {own.meant} to the adapter; "
            f"give it another event if it means something else){hint}"
        )
        yield Finding(Level.ERROR, "adapter's own", what)


@dataclass(frozen=True, slots=True)
class Seen:
    """A code that was heard: as the last word of so many orders, in so many parked messages, in an alert."""

    system: str
    field: str
    code: str
    orders: int = 0
    parked: int = 0
    told: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        return self.system, self.field, self.code

    def __str__(self) -> str:
        heard = [
            f"{count} {word}"
            for count, word in ((self.orders, "order(s)"), (self.parked, "parked message(s)"), (self.told, "alert(s)"))
            if count
        ]
        return f"{self.system} {self.field} {self.code}: {', '.join(heard)}"


def merge_seen(seen: Iterable[Seen]) -> list[Seen]:
    """One for each code."""
    merged: dict[tuple[str, str, str], Seen] = {}
    for one in seen:
        had = merged.get(one.key, Seen(*one.key))
        counts = (had.orders + one.orders, had.parked + one.parked, had.told + one.told)
        merged[one.key] = Seen(*one.key, *counts)
    return [merged[key] for key in sorted(merged)]


def check_against_books(entries: Dictionary, seen: Sequence[Seen]) -> list[Finding]:
    """Codes that were heard and are in no row; rows of which no order's last word is."""
    mapped = {(str(system), name, code) for system, name, code in entries}
    heard = {one.key for one in seen}
    unmapped = [
        Finding(Level.WARNING, "unmapped", f"heard and in no row: {one}") for one in seen if one.key not in mapped
    ]
    unseen = [entry for key, entry in entries.items() if (str(key[0]), key[1], key[2]) not in heard]
    return unmapped + [Finding(Level.INFO, "unseen", f"never heard as a last word: {one.name}") for one in unseen]


def _plain(code: str) -> str:
    return code.strip().casefold()


def _states(text: str) -> set[str]:
    return {part.strip().upper() for part in text.replace(",", "/").split("/") if part.strip()}


def _may_stand(letter: str, column: str) -> bool:
    """No control characters, and nothing that is half a character. A note may have several lines."""
    if "\ud800" <= letter <= "\udfff" or letter in "\ufffe\uffff\u2028\u2029\x85":
        return False
    return (letter >= " " and not "\x7f" <= letter <= "\x9f") or (letter == "\n" and column == "note")


def _short(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _list(words: Iterable[str]) -> str:
    return ", ".join(str(word) for word in words)
