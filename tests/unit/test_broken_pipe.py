"""`ballast ... | head`: who reads our output may have seen enough."""

import os
import subprocess
import sys

COMMAND = """
import sys
from ballast.cli import app, main
@app.command
def shout():
    {body}
sys.argv = ["ballast", "shout"]
main()
"""


def run(body: str, stdout: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND.format(body=body)],
        stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_an_output_that_nobody_reads_is_no_error() -> None:
    for length in (10, 1_000_000):  # less than is written at once, and more
        reads, writes = os.pipe()
        os.close(reads)
        done = run(f"print('x' * {length})", writes)
        os.close(writes)
        assert (done.returncode, done.stderr) == (141, "")


def test_another_pipe_that_broke_is_one() -> None:
    """A database may hang up, too: that is told, for somebody reads."""
    done = run("raise BrokenPipeError('the database')", subprocess.PIPE)
    assert done.returncode == 1 and "BrokenPipeError: the database" in done.stderr
