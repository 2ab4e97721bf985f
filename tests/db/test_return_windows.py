"""Windows of categories in the books: what is refused when, whoever asks, and when an order closes."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ballast.db import news
from ballast.db.returning import ReturnRefused
from ballast.domain.returns import ReturnReason
from ballast.domain.words import Event, State, Step, System
from ballast.ports import ReturnAsked
from ballast.rules.windows_in_force import WindowsInForce
from ballast.wiring import House
from tasks.closing import decide
from tests.db.stage import column, opened_one, read_case, said
from tests.db.test_returns import DAY, ask, handle, refusal, signed, state
from tests.times import NOON, SettableClock

FILE = """
categories: {fresh: [SKU-F*], made_to_order: [CUSTOM-1], big: [SKU-B*]}
window: {fresh: 2, made_to_order: 0, big: 15}
rules:
- {name: no_fresh, when: '"fresh" in categories and reason == "no_reason"', then: reject}
"""
SIGNED = NOON + timedelta(minutes=20)


@pytest.fixture(autouse=True)
def rules(a_house: House, tmp_path: Path) -> Path:
    """The house reads this file."""
    file = tmp_path / "returns.yaml"
    file.write_text(FILE)
    a_house.settings = a_house.settings.model_copy(update={"return_rules": file})
    a_house.return_windows = WindowsInForce(file)
    return file


async def test_the_shortest_window_of_the_pieces_refuses_with_its_figures(a_house: House, clock: SettableClock) -> None:
    await signed(a_house, lines=(("SKU-F1", 2), ("SKU-2", 2)))
    clock.set(SIGNED + 2 * DAY + timedelta(minutes=1))
    words = await refusal(a_house)
    assert "its return window of 2 days for SKU-F1 (fresh) ended on 2026-" in words
    assert await ask(a_house, (2, 1)) == "RT-SO-1-1"
    clock.set(SIGNED + 7 * DAY + timedelta(minutes=1))
    assert "its return window of 7 days ended on" in await refusal(a_house, (2, 1))


async def test_what_cannot_come_back_comes_back_by_the_sellers_fault_only(a_house: House, clock: SettableClock) -> None:
    await signed(a_house, lines=(("CUSTOM-1", 1), ("SKU-2", 1)))
    words = await refusal(a_house, reason=ReturnReason.NO_REASON)
    assert "CUSTOM-1 (made_to_order) comes back only by the seller's fault (not_as_described, quality" in words
    assert await ask(a_house, (1, 1), reason=ReturnReason.QUALITY)
    clock.set(SIGNED + 8 * DAY)
    assert "window of 7 days" in await refusal(a_house, (2, 1), reason=ReturnReason.QUALITY)


async def test_a_shops_wish_is_refused_by_the_same_window(a_house: House, clock: SettableClock) -> None:
    await signed(a_house, lines=(("SKU-F1", 2),))
    clock.set(SIGNED + 3 * DAY)
    asked = ReturnAsked(lines=((1, 1),), reason=ReturnReason.QUALITY, customer_no="C-SO-1")
    wish = said(System.DIRECT, Event.NOTED, "order.return_requested", field="event", return_asked=asked)
    async with opened_one(a_house) as case:
        news.apply(case, wish)
        assert "2 days for SKU-F1 (fresh)" in case.puzzles[0]
    assert await column(a_house, "select count(*) from return_case") == [0]


async def test_an_order_closes_after_the_longest_window_of_its_lines(a_house: House, clock: SettableClock) -> None:
    await signed(a_house, lines=(("SKU-B1", 1), ("SKU-F1", 1)))
    case = await read_case(a_house)
    signed_at = case.milestones["signed_at"]
    assert signed_at is not None and case.due == (Step.SIGN_OFF, signed_at + 15 * DAY)
    clock.set(signed_at + 8 * DAY)
    async with opened_one(a_house) as case:
        assert decide(case) == "waiting for the return window"
    assert await ask(a_house, (1, 1)) == "RT-SO-1-1"
    clock.set(signed_at + 15 * DAY)
    async with opened_one(a_house) as case:
        assert decide(case) == "closed"
    assert (await read_case(a_house)).standing.state is State.CLOSED


async def test_a_closed_order_says_so_when_its_window_was_made_longer(a_house: House) -> None:
    await signed(a_house, lines=(("SKU-B1", 1),))
    async with opened_one(a_house) as case:
        case.take(Event.RETURN_WINDOW_ENDED, cause="closed:SO-1", actor="ballast")
    with pytest.raises(ReturnRefused, match="SO-1 is closed: a person may give money back by `ballast finance refund"):
        await ask(a_house, (1, 1))


async def test_a_rule_reads_the_categories_of_the_pieces(a_house: House) -> None:
    await signed(a_house, lines=(("SKU-F1", 1), ("SKU-2", 1)))
    await ask(a_house, (2, 1))
    await handle(a_house)
    assert await state(a_house) == "requested", "no rule answers it"
    await ask(a_house, (1, 1))
    await handle(a_house)
    assert await column(a_house, "select rule from return_case order by return_no") == ["", "no_fresh"]


async def test_the_command_line_is_refused_too_and_check_says_the_windows(
    a_house: House, database_url: str, rules: Path
) -> None:
    await signed(a_house, lines=(("CUSTOM-1", 1),))

    async def command(*words: str) -> tuple[int | None, str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BALLAST_")}
        env = {**clean, "BALLAST_DATABASE_URL": database_url, "BALLAST_RETURN_RULES": str(rules)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ballast.cli", "returns", *words, env=env,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    code, _, err = await command("request", "SO-1", "--reason", "no_reason")
    assert code == 2 and "CUSTOM-1 (made_to_order) comes back only by the seller's fault" in err
    code, out, _ = await command("check")
    assert (code, out.splitlines()[:4]) == (
        0,
        [
            "window: 7 days (BALLAST_PATIENCE__RETURN_WINDOW)",
            "category fresh: SKU-F*: 2 days",
            "category made_to_order: CUSTOM-1: only by the seller's fault",
            "category big: SKU-B*: 15 days",
        ],
    )
