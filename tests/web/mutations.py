"""Strategies that bend a vendor's sample: its structure first, then its bytes."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from adapters.xml import parse
from ballast.domain.words import System

Path = tuple[str | int, ...]

SQL = "'; drop table inbox; --"
TEXTS = (
    "", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "😀𠮷", "\u202e\u2028", "\r\nSet-Cookie: a=b", SQL,
    "x" * 5000, "长" * 70_000,
    "<script>", "{{7*7}}", "%s%n", "../../etc/passwd", "null", "NaN", "1e400", "-1", "0", "9" * 400,
    "٣", "²", "1_000", "true",
    "0001-01-01 00:00:00", "9999-12-31 23:59:59", "2026-02-30 00:00:00", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "2026-01-05T09:30:00", "-0001-01-01T00:00:00Z", "99999999999",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, -(10**400), 10**4299, 1e308, -0.0, 1.5,
    float("nan"), float("inf"), 1_767_600_000_000, 253_402_300_799, 10**11, -62_135_596_800,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [None], [[]], {"": ""}, [{}] * 200)

VALUES = st.sampled_from((*TEXTS, *NUMBERS, *OTHERS))


def json_of(tree: Any) -> bytes:
    """As a careless sender writes it: NaN, half surrogates and numbers of any length."""
    return json.dumps(tree).encode()


def xml_of(tree: Any) -> bytes:
    """Escaped where XML asks for it and otherwise as it is, with characters that XML does not have."""
    return "".join(_elements(tree)).encode("utf-8", "surrogatepass")


def _elements(tree: Any) -> Iterator[str]:
    for name, content in tree.items():
        for one in content if isinstance(content, list) else [content]:
            inner = "".join(_elements(one)) if isinstance(one, dict) else escape("" if one is None else str(one))
            yield f"<{name or 'a'}>{inner}</{name or 'a'}>"


def tree_of(sample: bytes) -> dict[str, Any]:
    """A sample as dicts and lists, whatever it is written in."""
    return parse(sample, System.QIMEN) if sample.lstrip().startswith(b"<") else dict(json.loads(sample))


def written(sample: bytes) -> Callable[[Any], bytes]:
    """How to write a tree in the form of this sample."""
    return xml_of if sample.lstrip().startswith(b"<") else json_of


def paths(tree: Any, at: Path = ()) -> Iterator[Path]:
    """Every place of a tree but its root."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in inner:
        yield (*at, name)
        yield from paths(value, (*at, name))


def _nested(value: Any, deep: int) -> Any:
    for _ in range(deep):
        value = {"a": value}
    return value


OPERATIONS = ("replace", "replace", "replace", "drop", "repeat", "nest", "rename", "move")


@st.composite
def bent_trees(draw: st.DrawFn, sample: bytes) -> bytes:
    """One to three places of the sample are something else; the rest is what the vendor sends."""
    whole = copy.deepcopy(tree_of(sample))
    for _ in range(draw(st.integers(1, 3))):
        places = list(paths(whole))
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        parent: Any = whole
        for step in way:
            parent = parent[step]
        _bend(draw, parent, last)
    return written(sample)(whole)


def _bend(draw: st.DrawFn, parent: Any, last: Any) -> None:
    match draw(st.sampled_from(OPERATIONS)):
        case "replace":
            parent[last] = copy.deepcopy(draw(VALUES))
        case "drop":
            del parent[last]
        case "repeat":
            parent[last] = [copy.deepcopy(parent[last]) for _ in range(draw(st.sampled_from((2, 50))))]
        case "nest":
            parent[last] = _nested(parent[last], draw(st.sampled_from((1, 30, 200))))
        case "rename" if isinstance(parent, dict):
            parent[f"{last}x"] = parent.pop(last)
        case _ if isinstance(parent, dict):
            parent[draw(st.sampled_from(("_topic", "id", "extra")))] = parent.pop(last)


EXTREMES = (
    "", "\x00", "\ud800", "😀" * 300, SQL, "0001-01-01 00:00:00", "9999-12-31 23:59:59", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "99999999999", 0, -1, 2**63, -(10**30), 1e308, float("nan"), None, [], {},
)  # fmt: skip
"""Those of all values that have hurt somebody."""


def spoilt(sample: bytes, values: tuple[Any, ...] = EXTREMES) -> Iterator[bytes]:
    """Every place of the sample with every value, one at a time."""
    for *way, last in paths(tree_of(sample)):
        for value in values:
            whole: Any = tree_of(sample)
            parent = whole
            for step in way:
                parent = parent[step]
            parent[last] = value
            yield written(sample)(whole)


@st.composite
def bent_bytes(draw: st.DrawFn, sample: bytes) -> bytes:
    """The sample with its bytes cut, overwritten, filled in, or written in another encoding."""
    start = draw(st.integers(0, len(sample)))
    end = draw(st.integers(start, min(len(sample), start + 40)))
    match draw(st.sampled_from(("cut", "fill", "overwrite", "encode", "mark"))):
        case "cut":
            return sample[:start]
        case "fill":
            return sample[:start] + draw(st.sampled_from(FILLERS)) + sample[start:]
        case "overwrite":
            return sample[:start] + draw(st.binary(max_size=40)) + sample[end:]
        case "encode":
            return sample.decode().encode(draw(st.sampled_from(("utf-16", "utf-32", "gb18030", "utf-8-sig", "utf-7"))))
        case _:
            return sample + draw(st.sampled_from(FILLERS))


FILLERS = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", "😀".encode(), b"&#0;", b"&#xD800;", b"&a;", b"]]>", b"<![CDATA[", b"<!--",
    b"<!DOCTYPE a []>", b"<?php ?>", b"\\u0000", b"\\ud800", b"/**/", b"NaN", b"[" * 3000, b"<a>" * 3000,
    b'{"a":' * 3000, SQL.encode(), b"\r\n\r\n", b" " * 5000, b"9" * 5000, b"%00", b"&DataSign=x",
)  # fmt: skip


def bent(sample: bytes) -> st.SearchStrategy[bytes]:
    """A body that a vendor never sends, near one that it does."""
    return st.one_of(bent_trees(sample), bent_trees(sample), bent_bytes(sample))
