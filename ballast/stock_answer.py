"""What a shop hears about stock: each SKU by warehouse, by region and in all. The answer of `GET /stock`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from ballast.db.promises import Promise


def answer(promises: Iterable[Promise], now: datetime) -> list[dict[str, Any]]:
    """One object per SKU, JSON-able. Pieces are whole numbers; an age that nobody knows is null."""
    return [_sku(sku, list(some), now) for sku, some in groupby(promises, attrgetter("sku"))]


def _sku(sku: str, promises: Sequence[Promise], now: datetime) -> dict[str, Any]:
    regions: dict[str, list[Promise]] = {}
    for one in promises:
        regions.setdefault(one.region, []).append(one)
    return {
        "sku": sku,
        **_sum(promises, now),
        "regions": {region: _sum(some, now) for region, some in sorted(regions.items())},
        "warehouses": [_warehouse(one, now) for one in promises],
    }


def _sum(promises: Sequence[Promise], now: datetime) -> dict[str, Any]:
    """`free` leaves out what is not sold; the age is that of the oldest figure."""
    ages = [age(one, now) for one in promises]
    return {
        "on_hand": sum(one.on_hand for one in promises),
        "locked": sum(one.locked for one in promises),
        "reserved": sum(one.reserved for one in promises),
        "to_promise": sum(one.to_promise for one in promises),
        "free": sum(one.free for one in promises),
        "figure_age_s": None if None in ages else max(filter(None, ages), default=0),
        "stale": any(one.stale for one in promises),
        "below_line": any(one.below_line for one in promises),
    }


def _warehouse(one: Promise, now: datetime) -> Mapping[str, Any]:
    return {
        "warehouse": one.warehouse,
        "region": one.region,
        "on_hand": one.on_hand,
        "locked": one.locked,
        "reserved": one.reserved,
        "safety_line": one.safety_line,
        "safety_reserve": one.safety_reserve,
        "to_promise": one.to_promise,
        "free": one.free,
        "figure_age_s": age(one, now),
        "stale": one.stale,
        "sells": one.sells,
        "below_line": one.below_line,
    }


def age(one: Promise, now: datetime) -> int | None:
    """Whole seconds; None where no system ever said a figure."""
    if one.figure_at.timestamp() <= 0:
        return None
    return max(0, int((now - one.figure_at).total_seconds()))
