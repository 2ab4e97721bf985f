"""Migrations reach exactly the tables of `ballast.db.tables`, from nothing, once or twice, by one or several."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from ballast.db.archive import Place, archive_chunk
from ballast.db.case_parts import Trouble
from ballast.db.engine import make_engine, rows
from ballast.db.status_map import added_codes, publish
from ballast.db.upgrade import NewerDatabase, alembic_config, create_database, revisions, upgrade
from ballast.domain.status_map import Entry
from ballast.domain.words import Event, HoldReason, State, System
from ballast.ports import Meaning
from ballast.settings import Settings
from ballast.wiring import House
from tests.db.stage import bring, column, fill_shelf, make_order, place, read_case, scanned, shipped, tell
from tests.times import NOON, SettableClock


async def fresh(server_url: str, name: str) -> str:
    await create_database(server_url, name, fresh=True)
    return server_url.replace("/postgres?", f"/{name}?")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    engine = make_engine(url, pool=1)
    async with engine.begin() as connection:
        yield connection
    await engine.dispose()


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, SQLModel.metadata))


async def test_migrated_is_what_the_tables_say(database_url: str) -> None:
    async with connected(database_url) as connection:
        assert await connection.run_sync(_differences) == []


async def test_rules_and_indexes_too(server_url: str, database_url: str) -> None:
    """Check constraints and the conditions of partial indexes, which the comparison above does not look at."""
    url = await fresh(server_url, "ballast_made")
    async with connected(url) as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
        made = await _rules(connection)
    async with connected(database_url) as connection:
        assert await _rules(connection) == made
    assert len(made) > 40


async def _rules(connection: AsyncConnection) -> list[str]:
    found = await rows(
        connection,
        """
        select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
          where connamespace = 'public'::regnamespace and contype <> 'n'  -- not null: the columns' comparison has it
            and conrelid::regclass::text <> 'alembic_version'
        union select indexdef from pg_indexes where schemaname = 'public' and tablename <> 'alembic_version'
        order by 1""",
    )
    return [row[0] for row in found]


async def test_upgrading_again_and_at_once_is_harmless(server_url: str) -> None:
    url = await fresh(server_url, "ballast_twice")
    assert (await revisions(url))[0] == ""
    reached = set(await asyncio.gather(*(upgrade(url) for _ in range(3))))
    reached.add(await upgrade(url))
    current, newest = await revisions(url)
    assert reached == {current} == {newest}


async def test_a_database_that_a_newer_version_had_is_left_as_it_is_and_told(server_url: str) -> None:
    url = await fresh(server_url, "ballast_newer")
    await upgrade(url)
    async with connected(url) as tx:
        await tx.execute(text("update alembic_version set version_num = '9001'"))
    with pytest.raises(NewerDatabase, match="revision 9001"):
        await upgrade(url)
    assert (await revisions(url))[0] == "9001"


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
async def test_a_filled_database_keeps_its_orders_and_they_go_on(server_url: str, revision: str) -> None:
    url = await fresh(server_url, f"ballast_filled_{revision}")
    await upgrade(url)
    house = House(Settings(_env_file=None), SettableClock(), make_engine(url))
    try:
        await fill_shelf(house, {"SKU-1": 100})
        states = (State.STOCK_LOCKED, State.SIGNED, State.CLOSED)
        for state in states:
            await bring(house, state, order=make_order(f"SO-{state}"))
        async with connected(url) as connection:
            await connection.run_sync(downgrade, revision)
        before = await _contents(house)
        assert (await revisions(url))[0] == revision
        await upgrade(url)
        after = await _contents(house)
        assert {name: after[name] for name in before} == before and sum(map(len, before.values())) > 20

        assert [(await read_case(house, f"SO-{state}")).standing.state for state in states] == list(states)
        assert await tell(house, shipped({"Y-2": {"SKU-1": 2}}, order_no="SO-STOCK_LOCKED")) == ["moved"]
        assert (await bring(house, State.SIGNED, order=make_order("SO-NEW"))).standing.state is State.SIGNED
    finally:
        await house.engine.dispose()


async def test_what_an_order_is_held_for_becomes_the_trouble_of_its_parcel(server_url: str) -> None:
    url = await fresh(server_url, "ballast_held")
    await upgrade(url)
    house = House(Settings(_env_file=None), SettableClock(), make_engine(url))
    try:
        await bring(house, State.IN_TRANSIT)
        await tell(house, scanned("Y-1", Event.HELD, "404", reason=HoldReason.COURIER_REFUSED, minutes=20))
        async with connected(url) as connection:
            await connection.run_sync(downgrade, "0007")
        await upgrade(url)
        assert (await read_case(house)).parcels["Y-1"].trouble == Trouble(HoldReason.COURIER_REFUSED, "kdniao 404 Y-1")
    finally:
        await house.engine.dispose()


async def test_returns_that_are_there_get_a_number_and_keep_their_answers(server_url: str) -> None:
    """What was answered was carried on by people: it is closed. What waits goes on waiting for a person."""
    url = await fresh(server_url, "ballast_returns")
    await upgrade(url)
    house = House(Settings(_env_file=None), SettableClock(), make_engine(url))
    try:
        await bring(house, State.SIGNED)
        async with connected(url) as connection:
            await connection.run_sync(downgrade, "0020")
            for state in ("accepted", "refused", "requested"):
                await connection.execute(
                    text(
                        "insert into return_case (order_id, why, asked_by, asked_at, state, answered_by, answered_at) "
                        "select id, 'w', 'li', now(), cast(:state as text), 'wang', "
                        "case when cast(:state as text) <> 'requested' then now() end "
                        "from sales_order"
                    ),
                    {"state": state},
                )
        await upgrade(url)
        found = await column(house, "select array[return_no, state, cast(counts as text)] from return_case order by id")
        assert found == [
            ["RT-SO-1-1", "closed", "true"], ["RT-SO-1-2", "closed", "false"], ["RT-SO-1-3", "requested", "true"],
        ]  # fmt: skip
        assert (await read_case(house)).known_returns[2].waits
        async with connected(url) as connection:
            await connection.run_sync(downgrade, "0020")
            assert [row.state for row in await rows(connection, "select state from return_case order by id")] == [
                "accepted", "refused", "requested",
            ]  # fmt: skip
    finally:
        await house.engine.dispose()


async def test_orders_that_are_there_get_their_origin(server_url: str) -> None:
    url = await fresh(server_url, "ballast_origins")
    await upgrade(url)
    house = House(Settings(_env_file=None), SettableClock(), make_engine(url))
    written = ["+86 139-1234-5678", "008613912345678", "86 12345", "+1 415 555 0100", "13912345678"]
    try:
        for number, mobile in enumerate(written):
            order = make_order(f"SO-{number}")
            await place(house, replace(order, receiver=replace(order.receiver, mobile=mobile)))
        kept = "select to_jsonb(g) from order_origin g order by order_id"
        before = await column(house, kept)
        async with connected(url) as connection:
            await connection.run_sync(downgrade, "0016")
        await upgrade(url)
        assert await column(house, kept) == before and len(before) == len(written)
    finally:
        await house.engine.dispose()


def downgrade(connection: Connection, revision: str) -> None:
    """What a database looked like when that was the newest."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


async def _contents(house: House) -> dict[str, list[str]]:
    """Table -> the keys of its rows."""
    names = await column(house, "select tablename from pg_tables where schemaname = 'public' order by 1")
    return {
        name: await column(house, f"select to_jsonb(t) ->> 'id' from {name} t order by 1")
        for name in names
        if name != "alembic_version"
    }


async def test_a_code_that_people_add_replaces_and_counts(a_house: House) -> None:
    async with a_house.transaction() as tx:
        for event, reason in ((Event.NOTED, None), (Event.HELD, HoldReason.COURIER_PROBLEM)):
            entry = Entry(System.KDNIAO, "State", "9", event, reason, "seen twice")
            await publish(tx, [entry], base=None, note="", by="li", now=NOON)
        assert await added_codes(tx) == {"kdniao": {("State", "9"): Meaning(event, reason)}}
    assert await column(a_house, "select version from status_map") == [2]


async def test_the_archive_of_an_older_version_gives_its_money_to_the_sums(server_url: str) -> None:
    url = await fresh(server_url, "ballast_old_archive")
    await upgrade(url)
    house = House(Settings(_env_file=None), SettableClock(), make_engine(url))
    money = "select order_no, kind, amount, currency, state, at from archived_money order by kind, order_no"
    try:
        await bring(house, State.CLOSED)
        async with house.transaction() as tx:
            await rows(tx, "update sales_order set sla_due_at = null returning id")
            await rows(tx, "update outbox set due_at = null, done_at = now() returning id")
            put = await archive_chunk(tx, before=NOON + timedelta(days=99), after=Place(), now=NOON)
            kept = [tuple(row) for row in await rows(tx, money)]
        assert put.archived == ("SO-1",) and [row[1:3] for row in kept] == [("captured", 2000), ("due", 2000)]
        async with connected(url) as connection:
            await connection.run_sync(downgrade, "0020")
        await upgrade(url)
        async with house.transaction() as tx:
            assert [tuple(row) for row in await rows(tx, money)] == kept
    finally:
        await house.engine.dispose()
