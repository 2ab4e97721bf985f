"""Keeping the books small: old orders go into the archive, what belongs to none goes away, chunk by chunk."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ballast.db import archive, forgetting, leftovers
from ballast.domain.words import Label
from ballast.points import Point, reached
from ballast.wiring import House

LEAST: Final = timedelta(days=30)
"""Nothing younger is put away: a charge may still be disputed, a webhook repeated, a parcel come back."""

LABELS: Final = {
    "archived": Label("orders put into the archive", "归档订单"),
    "messages": Label("old messages of orders that are not in the books", "账内无对应订单的旧消息"),
    "alerts": Label("old alerts that are over", "已结束的旧告警"),
    "reconciliations": Label("old reconciliations", "旧对账记录"),
    "stock corrections": Label("old corrections of the stock ledger", "旧库存修正记录"),
    "tickets": Label("old tickets of customer service", "旧客服工单"),
    "health figures": Label("old scores of customers", "旧客户健康分"),
    "forgotten": Label("orders taken out of the archive for good", "从归档中永久删除的订单"),
    "customers": Label("customers without an order", "已无订单的客户"),
    "a step or a clock has to look at it": Label("stay: a step or a clock has to look at them", "保留: 尚有步骤或时限"),
    "an open return": Label("stay: an open return", "保留: 有未结退货"),
    "money that has to go back": Label("stay: money that has to go back", "保留: 有未退款项"),
    "an open hold": Label("stay: an open hold", "保留: 仍挂起"),
    "an alert that nobody answered": Label("stay: an alert that nobody answered", "保留: 有未响应告警"),
    "a message that was not sent": Label("stay: a message that was not sent", "保留: 有未发出的通知"),
    "a message that was not read": Label("stay: a message that was not read", "保留: 有未处理的消息"),
}
"""Each count of a `Pruned`, in words."""


class PruneRefused(ValueError):
    """Nothing was put away or taken away: say an age that is long enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How old an order has to be, since it closed: to be archived, and (None: never) to leave the archive for good."""

    archive: timedelta
    forget: timedelta | None = None

    def __post_init__(self) -> None:
        if self.archive < LEAST:
            raise PruneRefused(f"orders are put away {LEAST.days} days after they closed at the earliest")
        if self.forget is not None and self.forget < self.archive:
            raise PruneRefused(
                f"what is to be forgotten after {self.forget.days} days would never be archived: orders are put away "
                f"after {self.archive.days} days; say at least as many"
            )


@dataclass(slots=True, kw_only=True)
class Pruned:
    """What was done, or with `dry_run` would be. `left`: what else went; `kept`: why how many old orders stay."""

    dry_run: bool
    before: datetime
    forget_before: datetime | None
    archived: int = 0
    archive_bytes: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    whole: bool = True  # False: the process was asked to end; the next run goes on

    def counts(self) -> dict[str, int]:
        """By the words of `LABELS`; what is nothing is not there."""
        return {word: n for word, n in {"archived": self.archived, **self.left, **self.kept}.items() if n}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"kept": dict(self.kept), "left": dict(self.left)}

    def said(self, language: str) -> list[tuple[str, int]]:
        """What happened, in words."""
        return [(_say(LABELS[word], language), count) for word, count in self.counts().items()]


def _say(label: Label, language: str) -> str:
    return label.zh if language == "zh" else label.en


async def prune(
    house: House, ages: Ages, *, dry_run: bool = False, progress: Callable[[int, int], None] = lambda done, of: None
) -> Pruned:
    """Put away what is old enough. Safe while everything runs, in several processes, and to start again after a kill.

    `progress(orders looked at, orders in all)` is called after every chunk.
    """
    now = house.clock.now()
    done = Pruned(dry_run=dry_run, before=now - ages.archive, forget_before=now - ages.forget if ages.forget else None)
    await _archive(house, done, progress)
    if dry_run:
        if done.forget_before is not None:
            async with house.transaction() as tx:
                done.left["forgotten"] = await forgetting.count_forgettable(tx, before=done.forget_before)
        return done
    if not house.stopping:
        await _take_leftovers(house, done)
    if done.forget_before is not None and not house.stopping:
        await _forget(house, done, done.forget_before)
    done.whole = not house.stopping
    return done


async def _archive(house: House, done: Pruned, progress: Callable[[int, int], None]) -> None:
    async with house.transaction() as tx:
        due = await archive.count_due(tx, before=done.before)
    place: archive.Place | None = archive.Place()
    while place is not None and not house.stopping:
        reached("prune", Point.BEFORE)
        if done.dry_run:
            async with house.transaction() as tx:
                chunk = await archive.would_archive(tx, before=done.before, after=place)
        else:
            async with house.moving("prune") as tx:
                chunk = await archive.archive_chunk(tx, before=done.before, after=place, now=house.clock.now())
        done.archived += len(chunk.archived)
        done.archive_bytes += chunk.size
        done.kept.update(chunk.kept)
        place = chunk.end
        progress(done.archived + done.kept.total(), due)


async def _take_leftovers(house: House, done: Pruned) -> None:
    after: int | None = 0
    while after is not None and not house.stopping:
        async with house.transaction() as tx:
            page = await leftovers.take_letters(tx, before=done.before, after=after)
        done.left["messages"] += page.taken
        after = page.after
    while not house.stopping:
        async with house.transaction() as tx:
            taken = await leftovers.take_old(tx, before=done.before)
        if not taken:
            return
        done.left.update(taken)


async def _forget(house: House, done: Pruned, before: datetime) -> None:
    for word, forget in (("forgotten", forgetting.forget_orders), ("customers", forgetting.forget_customers)):
        while not house.stopping:
            async with house.transaction() as tx:
                gone = await forget(tx, before=before)
            if not gone:
                break
            done.left[word] += gone
