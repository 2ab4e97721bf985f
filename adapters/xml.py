"""XML to dicts and back. Foreign XML is hostile: no DTD, no entities, bounded depth; ours is escaped by a writer."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from adapters.errors import NotUnderstood, Refused
from ballast.domain.words import System

DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>'
DEEPEST = 32
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write, not even escaped."""


def parse(body: bytes, system: System) -> dict[str, Any]:
    """`<a><b>1</b><c/><d>2</d><d>3</d></a>` -> `{"a": {"b": "1", "c": "", "d": ["2", "3"]}}`.

    Leaves are stripped text, repeated elements become a list, attributes are dropped. Raises `NotUnderstood`.
    """
    builder = _DictBuilder()
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as wrong:
        raise NotUnderstood(system, f"not XML that can be read safely ({type(wrong).__name__})") from wrong
    return builder.document


def rows(parent: object, *path: str) -> list[Any]:
    """The repeated elements under `path`, whether there are none, one or many: `rows(order, "packages", "package")`."""
    for name in path:
        parent = parent.get(name, "") if isinstance(parent, Mapping) else ""
    if parent in ("", None):
        return []
    return parent if isinstance(parent, list) else [parent]


def write(tree: Mapping[str, Any], system: System, *, order_no: str = "") -> bytes:
    """The reverse of `parse`, with declaration, UTF-8. `tree` has one root. Raises `Refused` for unwritable text."""
    return DECLARATION + write_part(tree, system, order_no=order_no)


def write_part(tree: Mapping[str, Any], system: System, *, order_no: str = "") -> bytes:
    """The same without declaration: to stand inside another document."""
    ((name, content),) = tree.items()
    try:
        text = _element(name, content)
    except ValueError as wrong:
        raise Refused(system, f"{wrong}; mend the order's text, then rerun", order_no=order_no) from None
    return text.encode()


def _element(name: str, content: object) -> str:
    """Text directly: a tree of elements that is built first only to be written takes three times as long."""
    if isinstance(content, Mapping):
        inner = "".join(
            [
                _element(tag, one)
                for tag, many in content.items()
                for one in (many if isinstance(many, list | tuple) else (many,))
            ]
        )
    else:
        inner = "" if content is None else str(content)
        if NOT_XML.search(inner):
            raise ValueError(f"{name} holds a character that XML cannot carry")
        inner = inner.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<{name}>{inner}</{name}>" if inner else f"<{name} />"


class TooDeep(ValueError):
    """Nested deeper than any document of a vendor."""


class _DictBuilder:
    """Builds dicts while the parser runs, so that depth is bounded before anything deep exists."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}
        self._open: list[tuple[dict[str, Any], list[str]]] = [(self.document, [])]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) > DEEPEST:
            raise TooDeep
        self._open.append(({}, []))

    def data(self, text: str) -> None:
        self._open[-1][1].append(text)

    def end(self, tag: str) -> None:
        children, text = self._open.pop()
        parent = self._open[-1][0]
        _put(parent, tag, children or "".join(text).strip())


def _put(parent: dict[str, Any], tag: str, value: object) -> None:
    if tag not in parent:
        parent[tag] = value
    elif isinstance(parent[tag], list):
        parent[tag].append(value)
    else:
        parent[tag] = [parent[tag], value]
