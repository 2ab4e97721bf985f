"""How much of a workbook openpyxl has to hold at once: a megabyte of empty elements takes it a hundred."""

import zipfile
from pathlib import Path
from typing import Final
from xml.parsers import expat

from openpyxl.xml.constants import ARC_CONTENT_TYPES, ARC_STYLE, SHEET_MAIN_NS

from adapters.files.errors import FileError

MOST_ELEMENTS: Final = 100_000
"""In one row, or in a part beside its rows. A row of 16,384 cells has half as many."""
MOST_BYTES: Final = 16_000_000
"""Of the same, as XML."""
CHUNK: Final = 64 * 1024

PIECES: Final = {f"{SHEET_MAIN_NS} worksheet": f"{SHEET_MAIN_NS} row", f"{SHEET_MAIN_NS} sst": f"{SHEET_MAIN_NS} si"}
"""The root of a part that is read piece by piece, and its pieces. All other parts are held whole."""
WHOLE: Final = (ARC_CONTENT_TYPES, ARC_STYLE, ".rels")
"""Ends of the names of parts that are held whole whatever their root says."""


class _TooMuch(Exception):
    """More than anybody's orders need."""


class _Scales:
    """Weighs one part while it is parsed: what stands beside its pieces, and the piece that is open."""

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._piece = ""
        self._depth = self._open_at = 0
        self._elements = self._elements_beside = 0
        self._read = self._begun = self._bytes_beside = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
        self._parser.EntityDeclHandler = self._declare

    def feed(self, chunk: bytes) -> None:
        """Raises `_TooMuch`; `ExpatError` where openpyxl could not read on either."""
        self._parser.Parse(chunk)
        self._read += len(chunk)
        held = self._read - self._begun + (0 if self._open_at else self._bytes_beside)
        if held > MOST_BYTES:
            raise _TooMuch

    def _start(self, tag: str, _: object) -> None:
        self._depth += 1
        if self._depth == 1 and not self._whole:
            self._piece = PIECES.get(tag, "")
        if tag == self._piece and not self._open_at:
            at = self._parser.CurrentByteIndex
            self._bytes_beside += at - self._begun
            self._open_at, self._begun, self._elements = self._depth, at, 0
        if self._open_at:
            self._elements += 1
        else:
            self._elements_beside += 1
        if max(self._elements, self._elements_beside) > MOST_ELEMENTS:
            raise _TooMuch

    def _end(self, _: str) -> None:
        if self._depth == self._open_at:
            self._open_at, self._begun = 0, self._parser.CurrentByteIndex
        self._depth -= 1

    def _declare(self, *_: object) -> None:
        raise _TooMuch


def check_parts(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises `FileError` when a part would take more memory than the orders in it are worth."""
    for entry in archive.infolist():
        scales = _Scales(whole=entry.filename.endswith(WHOLE))
        try:
            with archive.open(entry) as part:
                while chunk := part.read(CHUNK):
                    scales.feed(chunk)
        except _TooMuch:
            what = f"{path.name}: {entry.filename} holds far more than orders need; save the sheet as CSV"
            raise FileError(what) from None
        except expat.ExpatError:
            continue  # a picture, or a part that nobody can read
