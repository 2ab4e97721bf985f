"""Was everybody told? What the books say of alerts beside what the robots of the world have shown, and how often."""

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.engine import rows
from deployments.rehearsal.world import World

ROBOTS: Final = ("dingtalk", "wecom", "feishu")
PATIENCE: Final = 60.0
"""Seconds that what is due to be told may take: a robot's minute."""

_NUMBER: Final = re.compile(r"(?<!\w)#(\d+) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """`lost`: alerts that nobody was shown. `twice`: tellings that a robot showed again after it had said yes."""

    alerts: int
    lost: tuple[int, ...]
    twice: tuple[int, ...]

    @property
    def counts(self) -> dict[str, int]:
        return {"alerts_lost": len(self.lost), "alerts_twice": len(self.twice)}


async def who_was_told(engine: AsyncEngine, outside: World) -> Told:
    """Waits until nothing is due to be told any more, then compares."""
    end = time.monotonic() + PATIENCE
    while True:
        if not await _due(engine) or time.monotonic() > end:
            break
        await asyncio.sleep(0.5)
    return await asyncio.to_thread(_compare, await _notices(engine), outside)


async def _due(engine: AsyncEngine) -> bool:
    async with engine.connect() as tx:
        sql = """
            select exists (select from alert where climbs_at is not null)
              or exists (select from alert_notice where due_at is not null)"""
        return bool((await rows(tx, sql))[0][0])


async def _notices(engine: AsyncEngine) -> dict[int, Counter[str]]:
    """Alert -> channel -> how often it was to be told there."""
    async with engine.connect() as tx:
        found = await rows(
            tx, "select a.id, n.channel from alert a left join alert_notice n on n.alert_id = a.id order by a.id"
        )
    notices: dict[int, Counter[str]] = {}
    for row in found:
        notices.setdefault(row.id, Counter()).update([row.channel] if row.channel else [])
    return notices


def _compare(notices: dict[int, Counter[str]], outside: World) -> Told:
    shown: Counter[int] = Counter()
    answered: dict[str, Counter[int]] = {}
    for robot in ROBOTS:
        for one in outside.get("messages", robot=robot)["messages"]:
            numbers = _numbers(one["message"])
            shown.update(numbers)
            if one["answered"]:  # after a time-out nobody knows whether it was heard: that may be told again
                answered.setdefault(robot, Counter()).update(numbers)
    twice = [
        number
        for robot, seen in answered.items()
        for number, times in seen.items()
        if times > notices.get(number, Counter())[robot]
    ]
    return Told(alerts=len(notices), lost=tuple(number for number in notices if not shown[number]), twice=tuple(twice))


def _numbers(message: Any) -> set[int]:
    return {int(number) for number in _NUMBER.findall(str(message))}
