"""XML in and out for QiMen: plain elements, no attributes; a document type is refused, so no entities either."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from xml.parsers import expat
from xml.sax.saxutils import escape

HEAD = '<?xml version="1.0" encoding="utf-8"?>'

Value: TypeAlias = "str | int | Mapping[str, Value] | Sequence[Mapping[str, Value]]"


class BadXml(ValueError):
    """The body is not the XML this interface speaks; the text says what is wrong."""


class Node(dict[str, "list[Node]"]):
    """Children by name, plus the text between them."""

    text = ""

    def one(self, *path: str) -> "Node":
        """The first child along the path, an empty node where there is none."""
        found = self
        for name in path:
            found = found[name][0] if found.get(name) else Node()
        return found

    def read(self, *path: str) -> str:
        return self.one(*path).text.strip()

    def every(self, name: str) -> "list[Node]":
        return list(self.get(name, []))


def parse_xml(body: bytes) -> Node:
    """The root element; its name is not kept."""
    root = Node()
    stack = [root]

    def open_element(name: str, _: Any) -> None:
        child = Node()
        stack[-1].setdefault(name, []).append(child)
        stack.append(child)

    def close_element(_: str) -> None:
        stack.pop()

    def add_text(text: str) -> None:
        stack[-1].text += text

    def refuse(*_: Any) -> None:
        raise BadXml("a document type is not accepted")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = open_element, close_element
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = add_text, refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise BadXml(f"not well-formed: {error}") from error
    return next(iter(root.values()))[0]


def write_xml(root: str, content: Mapping[str, Value]) -> bytes:
    return f"{HEAD}{write_element(root, content)}".encode()


def write_element(name: str, value: Value) -> str:
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(write_element(child, inner) for child, inner in value.items())}</{name}>"
    if isinstance(value, str | int):
        return f"<{name}>{escape(str(value))}</{name}>"
    return "".join(write_element(name, inner) for inner in value)
