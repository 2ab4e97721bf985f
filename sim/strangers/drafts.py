"""What a scene is made of: strangers, and drafts of their orders with the truth and all that will become of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from sim.clock import HOUR
from sim.people import Customer, draw_name
from sim.strangers.places import City, draw_city, draw_elsewhere, draw_home, draw_mobile

DAY = 24 * HOUR
SPAN = 42 * DAY
"""Six weeks: long enough for habits, and for parcels to come back."""

HOURS = (2, 1, 1, 1, 1, 1, 2, 4, 7, 10, 12, 11, 8, 8, 9, 9, 8, 7, 7, 9, 12, 13, 9, 5)
"""How busy each hour of a day is."""


class Kind(StrEnum):
    """The truth of an order."""

    HONEST = "honest"
    PICKUP = "pickup"  # dear goods to a pick-up point, where nobody can be found
    BOT = "bot"  # a program orders under many names from one address of the network
    SERIAL_RETURN = "serial_return"  # uses goods and sends them back, again and again
    FAR_FIRST = "far_first"  # a first order, very dear, with a phone from another province
    CARDS = "cards"  # tries one stolen card after the other


@dataclass(frozen=True, slots=True)
class Stranger:
    """One person. `ip`, `device`, `cards`: what they usually order with."""

    customer: Customer
    mobile: str
    city: City
    district: str
    address: str
    ip: str
    device: str
    cards: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An order before it has a number. Times are seconds since the stream began; `yuan` is roughly what it costs."""

    at: float
    who: Stranger
    yuan: float
    kind: Kind
    scene: str
    ip: str
    device: str
    card: str
    ships_at: float
    signed_at: float | None  # None: the parcel is refused at the door
    ends_at: float  # signed or refused
    returns_at: float | None = None
    rng: Random  # what is in the basket


@dataclass(frozen=True, slots=True)
class Town:
    """What strangers share: many mobile phones reach the shop through few addresses of the network."""

    gateways: tuple[str, ...]


Scene = Callable[[Random, Town], list[Draft]]


def draw_ip(rng: Random) -> str:
    first = rng.choice((36, 58, 101, 112, 113, 117, 120, 183, 221))
    return f"{first}.{rng.randint(1, 254)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"


def draw_token(rng: Random) -> str:
    return f"{rng.getrandbits(64):016x}"


def draw_stranger(
    rng: Random, *, city: City | None = None, address: str | None = None, far: float = 0.0, cards: int = 1
) -> Stranger:
    """`far`: how likely the number is one of another province; they moved, or give their own for a gift."""
    home = city or draw_city(rng)
    numbered = draw_elsewhere(rng, home) if rng.random() < far else home
    token = draw_token(rng)
    return Stranger(
        Customer(f"X{token[:12].upper()}", draw_name(rng), f"oStr{token}{rng.getrandbits(16):04x}"),
        draw_mobile(rng, numbered),
        home,
        rng.choice(home.districts),
        address or draw_home(rng),
        draw_ip(rng),
        f"d{draw_token(rng)}",
        tuple(f"c{draw_token(rng)}" for _ in range(cards)),
    )


def draw_moment(rng: Random, since: float = 0.0, until: float = SPAN) -> float:
    """A time of day at which people are awake, mostly."""
    day = rng.uniform(since, until) // DAY * DAY
    at = day + rng.choices(range(24), HOURS)[0] * HOUR + rng.uniform(0, HOUR)
    return at if since <= at <= until else rng.uniform(since, until)


def draw_yuan(rng: Random, median: float, spread: float, low: float = 4.0, high: float = 60_000.0) -> float:
    """Most are small, a few are not."""
    return min(max(median * rng.lognormvariate(0.0, spread), low), high)


def place(
    rng: Random,
    who: Stranger,
    at: float,
    yuan: float,
    *,
    kind: Kind = Kind.HONEST,
    scene: str,
    returns: float = 0.03,
    refuses: float = 0.004,
    hasty: bool = False,
) -> Draft:
    """An order and what becomes of it. `returns`, `refuses`: how likely. `hasty`: what comes back comes at once."""
    ships_at = at + rng.uniform(5, 30) * HOUR
    ends_at = ships_at + (rng.uniform(14, 26) if hasty else rng.uniform(18, 52)) * HOUR
    refused = rng.random() < refuses
    back = rng.random() < returns
    wait = rng.uniform(1, 14) * HOUR if hasty else rng.uniform(0.2, 6) * DAY
    return Draft(
        at=at,
        who=who,
        yuan=yuan,
        kind=kind,
        scene=scene,
        ip=who.ip,
        device=who.device,
        card=rng.choice(who.cards),
        ships_at=ships_at,
        signed_at=None if refused else ends_at,
        ends_at=ends_at,
        returns_at=ends_at + wait if back and not refused else None,
        rng=rng,
    )


def on_the_road(rng: Random, town: Town, draft: Draft, likely: float = 0.12) -> Draft:
    """Perhaps ordered on the way, through a mobile network."""
    return replace(draft, ip=rng.choice(town.gateways)) if rng.random() < likely else draft
