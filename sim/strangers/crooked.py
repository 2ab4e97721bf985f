"""Five kinds of crooks. None of them knows what anybody looks for, and each kind has some that do it differently."""

from dataclasses import replace
from random import Random

from sim.clock import HOUR, MINUTE
from sim.people import Customer, draw_name
from sim.strangers.drafts import (
    DAY,
    SPAN,
    Draft,
    Kind,
    Scene,
    Stranger,
    Town,
    draw_ip,
    draw_moment,
    draw_stranger,
    draw_token,
    draw_yuan,
    on_the_road,
    place,
)
from sim.strangers.places import draw_home, draw_mobile, draw_point

SHARE = 0.08
"""Of all orders."""


def pickup(rng: Random, town: Town) -> list[Draft]:
    """Dear goods to a pick-up point, fetched with a code and never seen again; a few stay below what others notice."""
    who = draw_stranger(rng, address=draw_point(rng), far=0.5)
    at = draw_moment(rng, 0, SPAN - 3 * DAY)
    drafts = []
    for _ in range(rng.choices((1, 2, 3), (60, 28, 12))[0]):
        yuan = draw_yuan(rng, 9000, 0.38, low=4300, high=40_000)
        drafts.append(on_the_road(rng, town, place(rng, who, at, yuan, kind=Kind.PICKUP, scene="pickup"), 0.3))
        at += rng.uniform(0.3, 40) * HOUR
    return drafts


def bots(rng: Random, town: Town) -> list[Draft]:
    """Many names and numbers, one address of the network, few devices; some are done before others count to five."""
    ip, count = draw_ip(rng), 4 if rng.random() < 0.05 else rng.randint(5, 12)
    devices = [f"d{draw_token(rng)}" for _ in range(1 if rng.random() < 0.6 else rng.randint(2, count))]
    begins, lasts = draw_moment(rng, 0, SPAN - DAY), rng.uniform(6, 58) * MINUTE
    median = draw_yuan(rng, 140, 0.7)
    drafts = []
    for _ in range(count):
        who = draw_stranger(rng, far=0.3)
        at = begins + rng.uniform(0, lasts)
        draft = place(rng, who, at, draw_yuan(rng, median, 0.4), kind=Kind.BOT, scene="bot", returns=0.1, refuses=0.2)
        drafts.append(replace(draft, ip=ip, device=rng.choice(devices)))
    return drafts


def serial_returner(rng: Random, town: Town) -> list[Draft]:
    """Wears it and sends it back. The first few returns are anybody's right: a series begins after two, three or four.

    Every order after that is a crooked one, also what happens to be kept.
    """
    who = draw_stranger(rng, far=0.12)
    sends_back = rng.uniform(0.5, 0.6) if rng.random() < 0.12 else rng.uniform(0.65, 0.96)
    begins_with = rng.choices((2, 3, 4), (25, 55, 20))[0]
    at, gap = draw_moment(rng, 0, SPAN * 0.4), rng.uniform(1.0, 1.9) * DAY
    asked: list[float] = []
    drafts = []
    for _ in range(rng.randint(12, 24)):
        series = sum(one < at for one in asked) >= begins_with
        kind = Kind.SERIAL_RETURN if series else Kind.HONEST
        draft = place(
            rng,
            who,
            at,
            draw_yuan(rng, 260, 0.6, high=3500),
            kind=kind,
            scene="serial_return",
            returns=sends_back,
            hasty=True,
        )
        drafts.append(on_the_road(rng, town, draft))
        if draft.returns_at is not None:
            asked.append(draft.returns_at)
        at += gap * rng.uniform(0.5, 1.5)
    return drafts


def far_first(rng: Random, town: Town) -> list[Draft]:
    """Opens an account, orders as dear as it gets to an address that is let for a week. Some dare it twice."""
    who = draw_stranger(rng, far=1.0)
    at = draw_moment(rng, 0, SPAN - 3 * DAY)
    drafts = []
    for _ in range(2 if rng.random() < 0.05 else 1):
        yuan = draw_yuan(rng, 14_000, 0.4, low=5000)
        drafts.append(place(rng, who, at, yuan, kind=Kind.FAR_FIRST, scene="far_first", refuses=0.02))
        at += rng.uniform(0.5, 30) * HOUR
    return drafts


def card_tester(rng: Random, town: Town) -> list[Draft]:
    """Small orders with one card after the other until one works, then a dear one; a few give up after two cards."""
    who = draw_stranger(rng, far=0.3)
    count = 2 if rng.random() < 0.06 else rng.randint(4, 9)
    cards = [f"c{draw_token(rng)}" for _ in range(2 if count == 2 else rng.randint(3, count))]
    renames = rng.random() < 0.4
    at = draw_moment(rng, 0, SPAN - 5 * DAY)
    drafts = []
    for k in range(count):
        person = rename(rng, who) if renames and k else who
        last = k == count - 1
        yuan = draw_yuan(rng, 900, 0.6, high=4500) if last else draw_yuan(rng, 22, 0.6)
        draft = place(rng, person, at, yuan, kind=Kind.CARDS, scene="cards", refuses=0.1)
        card = cards[k] if k < len(cards) else rng.choice(cards)
        drafts.append(replace(draft, card=card, ip=draw_ip(rng) if rng.random() < 0.3 else draft.ip))
        at += draw_yuan(rng, 35, 1.1, low=2, high=2 * 24 * 60) * MINUTE
    return drafts


def rename(rng: Random, who: Stranger) -> Stranger:
    """Another account on the same device."""
    token = draw_token(rng)
    customer = Customer(f"X{token[:12].upper()}", draw_name(rng), f"oStr{token}{rng.getrandbits(16):04x}")
    return replace(who, customer=customer, mobile=draw_mobile(rng, who.city), address=draw_home(rng))


SCENES: dict[str, tuple[float, Scene]] = {
    "pickup": (0.24, pickup),
    "bot": (0.26, bots),
    "serial_return": (0.20, serial_returner),
    "far_first": (0.16, far_first),
    "cards": (0.14, card_tester),
}
"""Scene -> its share of all crooked orders."""
