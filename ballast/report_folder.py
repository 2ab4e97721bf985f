"""The folder of reports: files that are written whole, found by their names alone, and removed when they are old."""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final

KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".png": "image/png",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""What a report may be -> its content type."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}(\.html|\.png|\.xlsx)", re.ASCII)


class ReportNotWritten(Exception):
    """A report could not be put into its folder: look at BALLAST_REPORTS__FOLDER, and whether its disk has room."""


class ReportFolder:
    """Names are of small letters, digits, - and _, and one of `KINDS`: none leads out of the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, content: bytes) -> Path:
        """Write a file, or write it anew; nobody ever sees half of it. Raises `ReportNotWritten`."""
        path = self.path(name)
        if path is None:
            raise ReportNotWritten(f"{name!r} is no name of a report")
        draft = path.with_name(f".{name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(path)
        except OSError as wrong:
            draft.unlink(missing_ok=True)
            raise ReportNotWritten(f"{path}: the report cannot be written: {wrong.strerror}") from None
        return path

    def path(self, name: str) -> Path | None:
        """Where the file of this name would be; None for what is no name of a report."""
        return self.folder / name if _NAME.fullmatch(name) else None

    def find(self, name: str) -> Path | None:
        """A file that is there, and is one: no link to another place."""
        path = self.path(name)
        return path if path is not None and path.is_file() and not path.is_symlink() else None

    def thin(self, before: datetime) -> int:
        """Remove reports that were written before that time, and drafts that nobody ended; how many."""
        gone = 0
        for path in self.folder.glob("*") if self.folder.is_dir() else ():
            ours = _NAME.fullmatch(path.name.removeprefix(".").rpartition(".")[0]) if path.name[0] == "." else None
            if (ours or _NAME.fullmatch(path.name)) and path.is_file() and path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)
                gone += 1
        return gone
