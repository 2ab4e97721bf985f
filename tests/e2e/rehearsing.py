"""`ballast demo` and `ballast chaos` as somebody starts them, in a folder of their own."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def rehearse(*words: str, timeout: float) -> tuple[dict[str, Any], str]:
    """The figures of a rehearsal that ended well, and what it said."""
    # not pytest's own folder: another pytest on this machine may close it to the database's user at any moment
    with tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        figures = folder / "figures.json"
        home = {"BALLAST_HOME": str(folder / "home"), "PREFECT_HOME": str(folder / "prefect")}
        done = subprocess.run(
            [sys.executable, "-m", "ballast.cli", *words, "--json", str(figures)],
            cwd=Path(__file__).parents[2],
            env={name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, said[-3000:]
        return dict(json.loads(figures.read_text())), said
