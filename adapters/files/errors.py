"""What stops an import as a whole."""


class FileError(Exception):
    """A file cannot be used at all: mend what is named, then start again. Nothing of it was imported by this run."""
