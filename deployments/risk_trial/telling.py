"""The labelled stream, pulled from the simulators over HTTP, page by page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from deployments.rehearsal.world import World

HONEST: Final = "honest"
FEWEST, MOST = 100, 50_000
"""How many orders the stream is told in."""


@dataclass(frozen=True, slots=True)
class Told:
    """One order of the stream. `pushed`: as the shop pushes it. `kind` and `scene` are the truth, for the verdict only.

    `returns_at`: when its goods start to come back, because the customer asks or the parcel is refused; None: never.
    """

    order_no: str
    pushed: Mapping[str, Any]
    placed_at: datetime
    ships_at: datetime
    returns_at: datetime | None
    kind: str
    scene: str

    @property
    def crooked(self) -> bool:
        return self.kind != HONEST


def pull_stream(outside: World, seed: int, orders: int) -> Iterator[list[Told]]:
    """All of it, a page at a time, in the order of its time."""
    after: int | None = 0
    while after is not None:
        page = outside.get("stream", seed=seed, orders=orders, after=after)
        yield [read_told(one) for one in page["orders"]]
        after = page["next"]


def read_told(one: Mapping[str, Any]) -> Told:
    """One entry of a page."""
    at = {act["do"]: _time(act["at"]) for act in one["acts"]}
    order = one["order"]
    return Told(
        order["order_no"],
        order,
        _time(order["placed_at"]),
        at["ship"],
        at.get("return") or at.get("refuse"),
        one["truth"]["kind"],
        one["truth"]["scene"],
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
