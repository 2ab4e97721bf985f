"""Held orders: listed with their reason, answered for once, named by a rerun form."""

from datetime import datetime, timedelta

import pytest

from ballast.db import holds
from ballast.domain.words import HoldReason, State
from ballast.wiring import House
from tests.db.stage import hold_by_hand, make_order, place, release
from tests.times import NOON, SettableClock

SHORT, COMPLAINT = HoldReason.STOCK_SHORT, HoldReason.COMPLAINT


@pytest.fixture(autouse=True)
async def _three_held(a_house: House, clock: SettableClock) -> None:
    """SO-1 short at noon, SO-2 complained an hour later, SO-3 let go."""
    await place(a_house, *(make_order(f"SO-{n}") for n in (1, 2, 3, 4)))
    await hold_by_hand(a_house, SHORT, "SO-1", "SKU-1 2 short")
    await hold_by_hand(a_house, SHORT, "SO-3")
    await release(a_house, "SO-3")
    clock.pass_by(hours=1)
    await hold_by_hand(a_house, COMPLAINT, "SO-2")


async def test_open_holds_newest_first(a_house: House) -> None:
    async with a_house.transaction() as tx:
        every = await holds.open_holds(tx)
        short = await holds.open_holds(tx, reason=SHORT)
        recent = await holds.recent_holds(tx, since=NOON + timedelta(minutes=30), most=10)
    assert [row.order_no for row in every] == ["SO-2", "SO-1"]
    assert [row.order_no for row in recent] == ["SO-2"]
    assert [(r.order_no, r.reason, r.evidence, r.held_from) for r in short] == [
        ("SO-1", SHORT, "SKU-1 2 short", State.PENDING_PAYMENT)
    ]


@pytest.mark.parametrize(
    ("numbers", "reason", "since", "until", "found"),
    [
        (["SO-4", " SO-4", "", "unknown"], None, None, None, ["SO-4", "unknown"]),
        (["SO-4\nSO-5,SO-6；SO-4"], None, None, None, ["SO-4", "SO-5", "SO-6"]),
        ([], SHORT, None, None, ["SO-1"]),
        ([], None, NOON, NOON + timedelta(hours=1), ["SO-1"]),
        ([], None, NOON, None, ["SO-1"]),  # SO-2 is a complaint: nobody judges by the hour
        ([], COMPLAINT, NOON, None, ["SO-2"]),
        (["SO-4"], COMPLAINT, None, None, ["SO-4", "SO-2"]),
        ([], None, None, None, []),
    ],
)
async def test_what_a_rerun_form_names(
    a_house: House,
    numbers: list[str],
    reason: HoldReason | None,
    since: datetime | None,
    until: datetime | None,
    found: list[str],
) -> None:
    async with a_house.transaction() as tx:
        named = await holds.which_to_rerun(tx, order_nos=numbers, reason=reason, since=since, until=until, most=10)
    assert named == found
