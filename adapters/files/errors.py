"""What stops the reading of a file as a whole."""

from pathlib import Path


class FileError(Exception):
    """A file cannot be used at all: mend what is named, then start again. Nothing of it was imported by this run."""


def check_size(path: Path, most: int, what: str) -> None:
    """Before anything of it is read: it is a file, and has at most so many bytes. Raises `FileError`."""
    try:
        size = path.stat().st_size
    except OSError as wrong:
        raise FileError(f"{path}: cannot be read: {wrong.strerror}") from None
    if not path.is_file():
        raise FileError(f"{path}: is no file")
    if size > most:
        raise FileError(f"{path.name}: {size / 2**20:.1f} MB, at most {most // 2**20}: is this {what}?")
