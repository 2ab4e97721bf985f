"""Effects: written down before they are made; what is done stays done."""

import asyncio
from datetime import timedelta
from typing import Any

from ballast.db import effects
from ballast.db.backup import mark_restored
from ballast.db.effects import Begun, Result
from ballast.wiring import House
from tests.db.stage import make_order, place, table
from tests.times import NOON

KEY = "wms.create:SO-1"


async def begin(house: House, *keys: str) -> dict[str, Begun]:
    async with house.transaction() as tx:
        return await effects.begin(tx, "wms.create", [(key, 1, "digest") for key in keys or (KEY,)], NOON)


async def finish(house: House, state: str, key: str = KEY, **receipt: Any) -> None:
    async with house.transaction() as tx:
        await effects.finish(tx, [Result(key=key, state=state, receipt=receipt, error="" if receipt else "why")], NOON)


async def test_the_first_attempt_need_not_look_and_every_later_one_must(a_house: House) -> None:
    assert (await begin(a_house))[KEY] == Begun(KEY, done=False, look_first=False, receipt={})
    assert (await begin(a_house))[KEY].look_first  # the first never said how it ended: it may have crashed


async def test_a_repeat_finds_what_was_done(a_house: House) -> None:
    await begin(a_house)
    await finish(a_house, "done", reference="WH-1")
    assert (await begin(a_house))[KEY] == Begun(KEY, done=True, look_first=True, receipt={"reference": "WH-1"})


async def test_done_stays_done_whoever_comes_late(a_house: House) -> None:
    await begin(a_house)
    await finish(a_house, "done", reference="WH-1")
    for state in ("unknown", "refused", "pending", "done"):
        await finish(a_house, state)
    (row,) = await table(a_house, "select state, receipt, error, done_at from effect")
    assert dict(row) == {"state": "done", "receipt": {"reference": "WH-1"}, "error": "", "done_at": NOON}


async def test_what_is_unknown_can_still_turn_out_done(a_house: House) -> None:
    await begin(a_house)
    await finish(a_house, "unknown")
    assert not (await begin(a_house))[KEY].done
    await finish(a_house, "done", reference="WH-1")
    assert (await begin(a_house))[KEY].done


async def test_of_many_at_once_one_is_the_first(a_house: House) -> None:
    begun = await asyncio.gather(*(begin(a_house, "k:1", "k:2") for _ in range(20)))
    for key in ("k:1", "k:2"):
        assert [one[key].look_first for one in begun].count(False) == 1


async def test_effects_of_a_rolled_back_transaction_were_never_begun(a_house: House) -> None:
    async with a_house.engine.connect() as tx:
        await effects.begin(tx, "wms.create", [(KEY, 1, "digest")], NOON)
        await tx.rollback()
    assert not (await begin(a_house))[KEY].look_first


async def test_after_a_restore_the_first_attempt_looks_for_orders_of_before(a_house: House) -> None:
    old = (await place(a_house, make_order("SO-1")))["SO-1"]
    async with a_house.transaction() as tx:
        await mark_restored(tx, NOON)
    new = (await place(a_house, make_order("SO-2", placed_at=NOON + timedelta(seconds=1))))["SO-2"]
    async with a_house.transaction() as tx:
        marks = [("wms.create:SO-1", old, "digest"), ("wms.create:SO-2", new, "digest")]
        begun = await effects.begin(tx, "wms.create", marks, NOON)
    assert [begun[key].look_first for key, _, _ in marks] == [True, False]


def test_the_digest_tells_requests_apart_and_shows_nothing_of_them() -> None:
    one, other = make_order(), make_order(lines=(("SKU-1", 3),))
    assert effects.digest(one) == effects.digest(make_order())
    assert effects.digest(one) != effects.digest(other)
    assert len(effects.digest(one)) == 16


async def test_what_nobody_knows_of_is_made_again_and_looked_for_first(a_house: House) -> None:
    await begin(a_house, KEY, "wms.create:SO-2")
    await finish(a_house, "done", reference="WH-1")
    async with a_house.transaction() as tx:
        assert await effects.reopen(tx, [KEY, "wms.create:SO-2", "wms.create:SO-3"]) == {KEY}
    assert (await begin(a_house))[KEY].look_first and not (await begin(a_house))[KEY].done


async def test_what_a_file_calls_done_stays_done(a_house: House) -> None:
    await begin(a_house)
    await finish(a_house, "done", reference=effects.BEFORE_IMPORT)
    async with a_house.transaction() as tx:
        assert await effects.reopen(tx, [KEY]) == frozenset()
    assert (await begin(a_house))[KEY].done
