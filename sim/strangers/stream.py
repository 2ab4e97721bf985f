"""Every order as the shop pushes it, what will become of it, and the truth: a function of (seed, orders)."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any

from sim.catalogue import ARTICLES, Article
from sim.chance import seeded
from sim.clock import zoned_text
from sim.strangers import crooked, honest
from sim.strangers.drafts import Draft, Kind, Scene, Town, draw_ip

BEGINS = datetime(2026, 1, 4, 16, tzinfo=UTC).timestamp()
"""Midnight of a Monday in Shanghai."""
FEWEST, MOST = 100, 50_000
MOST_SEED = 2**53
FREE_FREIGHT_FROM, FREIGHT = 9_900, 800


@lru_cache(maxsize=3)
def make_stream(seed: int, orders: int) -> tuple[dict[str, Any], ...]:
    """All orders in the order of their time. Raises `ValueError` for figures out of bounds."""
    if not FEWEST <= orders <= MOST:
        raise ValueError(f"orders must be from {FEWEST} to {MOST}, not {orders}")
    if not 0 <= seed <= MOST_SEED:
        raise ValueError(f"seed must be from 0 to {MOST_SEED}, not {seed}")
    drafts = sorted(draw_drafts(seed, orders), key=lambda draft: draft.at)
    return tuple(tell(seed, k, draft) for k, draft in enumerate(drafts, 1))


def draw_drafts(seed: int, orders: int) -> list[Draft]:
    """Crooks first, then the honest; households make the number full."""
    rng = seeded(f"{seed}/strangers/{orders}")
    town = Town(tuple(draw_ip(rng) for _ in range(max(8, orders // 60))))
    share = orders * crooked.SHARE * rng.uniform(0.92, 1.08)
    drafts: list[Draft] = []
    for name, (part, scene) in crooked.SCENES.items():
        drafts += draw_scenes(f"{seed}/strangers/{name}", scene, town, round(share * part * rng.uniform(0.85, 1.15)))
    for name, (part, scene) in honest.SCENES.items():
        quota = round(orders * part * rng.uniform(0.7, 1.3))
        drafts += draw_scenes(f"{seed}/strangers/{name}", scene, town, quota)[: orders - len(drafts)]
    left = orders - len(drafts)
    return drafts + draw_scenes(f"{seed}/strangers/household", honest.household, town, left)[:left]


def draw_scenes(name: str, scene: Scene, town: Town, quota: int) -> list[Draft]:
    """Scenes until there are enough orders of what they are there for."""
    crooks = name.rpartition("/")[2] in crooked.SCENES
    drafts: list[Draft] = []
    counted = number = 0
    while counted < quota:
        number += 1
        drawn = scene(seeded(f"{name}/{number}"), town)
        counted += sum((draft.kind is not Kind.HONEST) == crooks for draft in drawn)
        drafts += drawn
    return drafts


def tell(seed: int, k: int, draft: Draft) -> dict[str, Any]:
    order_no = f"ST{seed}-{k:06d}"
    return {
        "k": k,
        "order": describe(order_no, draft),
        "acts": list(tell_acts(draft)),
        "truth": {"kind": draft.kind.value, "scene": draft.scene},
    }


def tell_acts(draft: Draft) -> Iterator[dict[str, Any]]:
    """What becomes of it when nobody stops it: it leaves, is signed for or refused, and is asked to be taken back."""
    yield {"do": "ship", "at": zoned_text(BEGINS + draft.ships_at)}
    yield {"do": "refuse" if draft.signed_at is None else "sign", "at": zoned_text(BEGINS + draft.ends_at)}
    if draft.returns_at is not None:
        yield {"do": "return", "at": zoned_text(BEGINS + draft.returns_at)}


def describe(order_no: str, draft: Draft) -> dict[str, Any]:
    """As the shop's backend pushes it. Money in 分."""
    who, lines = draft.who, fill_basket(draft.rng, draft.yuan)
    goods = sum(line["amount"] for line in lines)
    freight = 0 if goods >= FREE_FREIGHT_FROM else FREIGHT
    discount = goods // 20 if draft.rng.random() < 0.1 else 0
    return {
        "order_no": order_no,
        "channel": "wechat",
        "placed_at": zoned_text(BEGINS + draft.at),
        "currency": "CNY",
        "total": goods + freight - discount,
        "freight": freight,
        "discount": discount,
        "customer": asdict(who.customer),
        "receiver": {
            "name": who.customer.name,
            "mobile": who.mobile,
            "province": who.city.province,
            "city": who.city.city,
            "district": who.district,
            "address": who.address,
        },
        "lines": lines,
        "origin": {"ip": draft.ip, "device": draft.device, "card": draft.card},
    }


def fill_basket(rng: Random, yuan: float) -> list[dict[str, Any]]:
    """One to four articles that come to about so much."""
    chosen = rng.sample(ARTICLES, rng.choices((1, 2, 3, 4), (45, 30, 17, 8))[0])
    parts = [rng.uniform(0.4, 1.0) for _ in chosen]
    shares = [yuan * 100 * part / sum(parts) for part in parts]
    return [fill_line(no, article, part) for no, (article, part) in enumerate(zip(chosen, shares, strict=True), 1)]


def fill_line(line_no: int, article: Article, cents: float) -> dict[str, Any]:
    quantity = max(1, round(cents / article.price))
    return {
        "line_no": line_no,
        "sku": article.sku,
        "name": article.name,
        "quantity": quantity,
        "unit_price": article.price,
        "amount": quantity * article.price,
    }
