"""Foreign XML is read safely or not at all; ours survives any text that XML can carry."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import NotUnderstood, Refused
from adapters.xml import DEEPEST, NOT_XML, parse, rows, write
from ballast.domain.words import System

TEXT = st.text().filter(lambda text: not NOT_XML.search(text))


def test_leaves_branches_and_repeats() -> None:
    assert parse(b"<a x='1'><b> 1 </b><c/><d>2</d><d>3</d><d>4</d></a>", System.QIMEN) == {
        "a": {"b": "1", "c": "", "d": ["2", "3", "4"]}
    }
    assert parse(b"<a><![CDATA[<b>&]]></a>", System.QIMEN) == {"a": "<b>&"}


@given(TEXT)
def test_what_we_write_is_what_they_read(text: str) -> None:
    body = write({"a": {"b": text, "c": [{"d": "1"}, {"d": "2"}]}}, System.QIMEN)
    read = parse(body, System.QIMEN)["a"]
    expected = text.replace("\r\n", "\n").replace("\r", "\n").strip()  # XML's own line-end rule
    assert read == {"b": expected, "c": [{"d": "1"}, {"d": "2"}]}


@given(st.binary())
def test_any_bytes_are_read_or_not_understood(body: bytes) -> None:
    with suppress(NotUnderstood):
        parse(body, System.QIMEN)


HOSTILE = {
    "document type": b"<!DOCTYPE a><a/>",
    "entity": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "file": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>',
    "undeclared entity": b"<a>&b;</a>",
    "too deep": b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1),
    "very deep": b"<a>" * 300_000,
    "unknown encoding": b'<?xml version="1.0" encoding="klingon"?><a/>',
    "two roots": b"<a/><b/>",
    "not closed": b"<a><b></a>",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_documents_are_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        parse(body, System.QIMEN)


def test_the_deepest_document_is_still_read() -> None:
    assert parse(b"<a>" * DEEPEST + b"</a>" * DEEPEST, System.QIMEN)


@pytest.mark.parametrize("text", ["\x00", "a\x0bb", "\x1f", "\ufffe", "\ud800"])
def test_text_that_xml_cannot_carry_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(Refused, match="order SO1: b holds a character"):
        write({"a": {"b": text}}, System.QIMEN, order_no="SO1")


@pytest.mark.parametrize(
    ("document", "expected"),
    [({}, []), ({"a": ""}, []), ({"a": {"b": ""}}, []), ({"a": {"b": {"c": "1"}}}, [{"c": "1"}]),
     ({"a": {"b": [1, 2]}}, [1, 2]), ({"a": "text"}, []), ("text", []), (None, [])],
)  # fmt: skip
def test_repeated_elements_are_a_list_however_many(document: object, expected: list[object]) -> None:
    assert rows(document, "a", "b") == expected
