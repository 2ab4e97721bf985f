"""A backup in the midst of work, and what happens after going back to it: nothing lost, nothing done twice."""

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

import ballast.wiring
from ballast.db import backup as copies
from ballast.db.backup import BackupFailed, backup, client_environment, restore
from ballast.db.embedded import TOOLS
from ballast.db.engine import rows, run
from ballast.db.upgrade import revisions, upgrade
from ballast.domain.words import State, Step
from tests.contracts.outside import ROOT
from tests.db.test_migrations import connected, downgrade, fresh
from tests.flows.stage import Stage, open_house
from tests.times import NOON

STEPS = (Step.CONFIRM_PAYMENT, Step.LOCK_STOCK, Step.SHIP_OUT, Step.TRACK_TRANSIT, Step.SIGN_OFF)


@pytest.fixture
async def empty(server_url: str) -> AsyncIterator[str]:
    """The URL of a database without tables."""
    yield await fresh(server_url, "ballast_restored")


async def on_disk(work: Any, *given: Any) -> Any:
    """In a thread, as the command line does it: without an event loop."""
    return await asyncio.to_thread(work, *given)


@asynccontextmanager
async def reopened(stage: Stage, url: str) -> AsyncIterator[Stage]:
    """The same seller with other books."""
    house, loop = open_house(url, stage.world), asyncio.get_running_loop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ballast.wiring._open, loop, house)
        yield Stage(house, stage.world)
    await house.close()


async def test_after_a_restore_all_goes_on_and_nothing_is_done_twice(
    stage: Stage, books_url: str, empty: str, tmp_path: Path
) -> None:
    numbers = [await bring() for bring in (stage.placed, stage.paid, stage.locked, stage.handed_over, stage.outbound)]
    async with stage.house.transaction():  # somebody works on it
        await on_disk(backup, books_url, tmp_path / "books")
    for number in numbers:  # all that comes now is lost with the restore, but not outside
        await _carry(stage, number)
    assert {await stage.state(number) for number in numbers} == {State.SIGNED}
    before = await stage.world.get("effects")

    now = stage.house.clock.now()
    await on_disk(restore, empty, tmp_path / "books", now)
    async with reopened(stage, empty) as again:
        assert await again.state(numbers[0]) is State.PENDING_PAYMENT
        for _ in range(4):  # every silence is asked about once more
            for step in STEPS:
                await again.work(step)
            await again.send()
            again.later(timedelta(hours=25))
        assert {number: await again.state(number) for number in numbers} == dict.fromkeys(numbers, State.SIGNED)
    after = await stage.world.get("effects")
    assert after["duplicates"] == before["duplicates"] and not any(after["duplicates"].values())
    earlier = before["repeated_requests"]  # this world is as old as the session
    repeated = {kind for kind, count in after["repeated_requests"].items() if count > earlier.get(kind, 0)}
    assert repeated <= {"subscription", "receipt_remind"}, "for these there is nothing to look for; the rest was found"
    told_again = {"subscription", "erp_trace"}  # both say the same once more, and change nothing
    assert {k: n for k, n in after["counts"].items() if k not in told_again} == {
        k: n for k, n in before["counts"].items() if k not in told_again
    }
    for number in numbers:
        truth = await stage.world.truth(number)
        assert truth["erp"]["sale_order"]["saves"] == 1 and truth["wms"]["creates"] == 1


async def _carry(stage: Stage, number: str) -> None:
    """Bring an order to its end from wherever it is, with what the world does of it."""
    truth = await stage.world.truth(number)
    if not truth["payments"]:
        await stage.world.act(number, "pay")
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    await stage.work_on_stock_and_warehouse()
    if not truth["parcels"]:
        await stage.ship(number)
    await stage.read()
    await stage.send()
    await stage.hear_the_shop()
    await stage.world.act(number, "sign")
    await stage.read()
    await stage.work(Step.SIGN_OFF)
    await stage.send()
    await stage.hear_the_shop()


async def test_leases_of_the_backup_are_nobody_s(stage: Stage, books_url: str, empty: str, tmp_path: Path) -> None:
    number = await stage.paid()
    async with stage.house.transaction() as tx:
        await rows(tx, "update sales_order set lease_owner = 'x', due_at = due_at + interval '1 hour' returning 1")
    await on_disk(backup, books_url, tmp_path / "books")
    now = stage.house.clock.now()
    await on_disk(restore, empty, tmp_path / "books", now)
    async with reopened(stage, empty) as again:
        order = await again.order(number)
        assert order.lease_owner is None and order.due_at <= now
        assert [row.restored_at for row in await again.rows("select restored_at from restore")] == [now]


async def test_a_database_that_is_not_empty_is_refused(stage: Stage, books_url: str, tmp_path: Path) -> None:
    await stage.paid()
    code, said = await _command(books_url, "db", "backup", str(tmp_path / "books"))
    assert code == 0, said
    code, said = await _command(books_url, "db", "restore", str(tmp_path / "books"))
    assert code == 2 and "'ballast_flows'" in said and "is not empty" in said and "1 orders" in said, said
    assert "Traceback" not in said and await stage.rows("select 1 from restore") == []


async def _command(url: str | None, *words: str, home: str = "/tmp/nowhere") -> tuple[int, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BALLAST_")}
    books = {"BALLAST_DATABASE_URL": url} if url else {}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ballast.cli", *words, cwd="/tmp",
        env={**clean, **books, "PYTHONPATH": str(ROOT), "BALLAST_HOME": home},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_backup_is_whole_private_and_never_overwritten(stage: Stage, books_url: str, tmp_path: Path) -> None:
    file = tmp_path / "books"
    assert await on_disk(backup, books_url, file) == file.stat().st_size > 0
    assert file.stat().st_mode & 0o777 == 0o600
    first = file.read_bytes()
    with pytest.raises(BackupFailed, match="exists already"):
        await on_disk(backup, books_url, file)
    assert file.read_bytes() == first
    with pytest.raises(BackupFailed, match="pg_dump for database 'none'"):
        await on_disk(backup, books_url.replace("/ballast_flows?", "/none?"), tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["books"]


@pytest.mark.parametrize(
    "harm", ["cut short", "not a backup", "of another program", "a rule less", "of a newer version"]
)
async def test_a_bad_file_changes_nothing(
    stage: Stage, books_url: str, server_url: str, empty: str, tmp_path: Path, harm: str
) -> None:
    file = tmp_path / "books"
    await stage.paid()
    if harm == "of another program":
        other = await fresh(server_url, "ballast_other")
        async with connected(other) as connection:
            await run(connection, "create table notes (one int)")
        await on_disk(backup, other, file)
    elif harm == "of a newer version":
        newer = await fresh(server_url, "ballast_newer")
        await upgrade(newer)
        async with connected(newer) as connection:
            await run(connection, "update alembic_version set version_num = '9999'")
        await on_disk(backup, newer, file)
    else:
        await on_disk(backup, books_url, file)
        whole = file.read_bytes()
        harmed = {
            "cut short": whole[: len(whole) * 2 // 3],
            "not a backup": b"hello",
            "a rule less": whole.replace(b"CREATE UNIQUE INDEX", b"CREATE        INDEX"),  # pg_restore would not notice
        }
        assert harmed[harm] != whole
        file.write_bytes(harmed[harm])
    with pytest.raises(BackupFailed, match="Nothing was changed"):
        await on_disk(restore, empty, file, stage.house.clock.now())
    await on_disk(copies.asyncio.run, copies._refuse_unless_empty(empty))


@pytest.mark.parametrize("revision", ["0005", "0006"])
async def test_a_backup_of_an_earlier_version_is_brought_to_the_newest_shape(
    server_url: str, empty: str, tmp_path: Path, revision: str
) -> None:
    earlier = await fresh(server_url, "ballast_earlier")
    await upgrade(earlier)
    async with connected(earlier) as connection:
        await connection.run_sync(downgrade, revision)
    await on_disk(backup, earlier, tmp_path / "books")
    assert await on_disk(restore, empty, tmp_path / "books", NOON) == (await revisions(empty))[1]
    async with connected(empty) as connection:
        assert [row.restored_at for row in await rows(connection, "select restored_at from restore")] == [NOON]


async def test_what_pg_dump_wrote_by_itself_can_be_restored(
    stage: Stage, books_url: str, empty: str, tmp_path: Path
) -> None:
    await stage.paid()
    words = ("--format=custom", "--no-owner", "--no-privileges", f"--file={tmp_path / 'books'}")
    await on_disk(copies._run, books_url, "pg_dump", *words)
    await on_disk(restore, empty, tmp_path / "books", NOON)
    async with connected(empty) as connection:
        assert (await rows(connection, "select count(*) from sales_order"))[0][0] == 1


OF_ALL_SERVERS = {
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_encoding", "row_security",
    "standard_conforming_strings", "check_function_bodies", "xmloption", "client_min_messages", "default_tablespace",
    "default_table_access_method",
}  # fmt: skip
"""Settings that servers have known since PostgreSQL 12."""


async def test_a_server_older_than_the_tools_is_told_nothing_that_it_does_not_know(
    stage: Stage, books_url: str, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await on_disk(backup, books_url, tmp_path / "books")
    really, told = copies._run, list[str]()

    def listen(url: str, tool: str, *words: str) -> None:
        files = [Path(word.partition("=")[2]) for word in words if word.startswith("--file=")]
        told.extend(file.read_text() for file in files if tool == "psql")
        really(url, tool, *words)

    monkeypatch.setattr(copies, "_run", listen)
    await on_disk(restore, empty, tmp_path / "books", NOON)
    assert set(re.findall(r"(?m)^SET (\w+)", "".join(told))) <= OF_ALL_SERVERS and "pg_settings" in told[0]


async def test_who_asks_for_tls_brings_programs_that_speak_it(
    books_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the wheel do not; their server does not either, so the stand-in asks it without."""
    programs, asked = tmp_path / "bin", f"{books_url}&ssl=require"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(BackupFailed, match="install the client programs"):
        await on_disk(backup, asked, tmp_path / "books")
    assert not list(tmp_path.glob("books*"))
    program = programs / "pg_dump"
    program.write_text(f'#!/bin/sh\nPGSSLMODE=disable exec {TOOLS / "pg_dump"} "$@"\n')
    program.chmod(0o700)
    assert await on_disk(backup, asked, tmp_path / "books") > 0


async def test_the_embedded_server_can_be_filled_too(stage: Stage, books_url: str) -> None:
    await stage.paid()
    with tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "books"
        await on_disk(backup, books_url, file)
        code, said = await _command(None, "db", "restore", str(file), home=folder)
        assert code == 0 and "restored at revision" in said, said
        code, said = await _command(None, "db", "status", "--json", home=folder)
        assert code == 0 and json.loads(said)["orders"] == {"PENDING_PAYMENT": 1}, said


def test_the_password_goes_by_environment_and_never_by_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+asyncpg://li:s3cret@db.example.com:6432/books?ssl=require"
    assert client_environment(url) == {
        "PGDATABASE": "books", "PGHOST": "db.example.com", "PGPORT": "6432", "PGUSER": "li", "PGPASSWORD": "s3cret",
        "PGSSLMODE": "require",
    }  # fmt: skip
    ran: list[list[str]] = []

    def run(words: list[str], **_: Any) -> Any:
        ran.append(words)
        raise OSError("not really")

    monkeypatch.setattr(copies.subprocess, "run", run)
    with pytest.raises(OSError, match="not really"):
        copies._run(url, "pg_dump", "--format=custom")
    assert ran and "s3cret" not in str(ran) and str(make_url(url).password) == "s3cret"
