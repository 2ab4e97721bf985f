"""Honest people, and what makes some of them look like crooks."""

from dataclasses import replace
from random import Random

from sim.clock import HOUR, MINUTE
from sim.strangers.drafts import (
    DAY,
    SPAN,
    Draft,
    Scene,
    Stranger,
    Town,
    draw_ip,
    draw_moment,
    draw_stranger,
    draw_yuan,
    on_the_road,
    place,
)
from sim.strangers.places import draw_city, draw_firm, draw_point, draw_school


def orders_of(
    rng: Random, town: Town, who: Stranger, count: int, median: float, scene: str, *, returns: float = 0.03
) -> list[Draft]:
    """Some orders of one person, whenever they need something."""
    first = rng.uniform(0, SPAN * 0.7)
    return [
        on_the_road(
            rng,
            town,
            place(
                rng, who, draw_moment(rng, first), draw_yuan(rng, median, 0.8, high=3500), scene=scene, returns=returns
            ),
        )
        for _ in range(count)
    ]


def household(rng: Random, town: Town) -> list[Draft]:
    """Every eighth has a number of another province: a gift with the giver's number, or they moved and kept it."""
    who = draw_stranger(rng, far=0.12)
    return orders_of(rng, town, who, rng.choices((1, 2, 3, 4, 6), (30, 28, 22, 13, 7))[0], 95, "household")


def student(rng: Random, town: Town) -> list[Draft]:
    """Small amounts to a pick-up point, often with the number from home."""
    who = draw_stranger(rng, address=draw_point(rng), far=0.35)
    return orders_of(rng, town, who, rng.choices((1, 2, 4, 6), (30, 35, 25, 10))[0], 55, "student", returns=0.06)


def pickup_family(rng: Random, town: Town) -> list[Draft]:
    """Nobody is at home during the day."""
    who = draw_stranger(rng, address=draw_point(rng), far=0.08)
    return orders_of(rng, town, who, rng.choices((1, 2, 3, 5), (30, 30, 25, 15))[0], 160, "pickup_family")


def dear_pickup(rng: Random, town: Town) -> list[Draft]:
    """A small builder who has dear goods sent to a pick-up point, mostly one whom the shop knows by then."""
    who = draw_stranger(rng, address=draw_point(rng), far=0.1)
    at = draw_moment(rng, 12 * DAY)
    known = [place(rng, who, at - rng.uniform(2, 11) * DAY, draw_yuan(rng, 400, 0.6, high=2500), scene="pickup_family")]
    dear = place(rng, who, at, draw_yuan(rng, 6500, 0.3, low=4000), scene="dear_pickup")
    return [*(known if rng.random() < 0.6 else []), on_the_road(rng, town, dear)]


def office(rng: Random, town: Town) -> list[Draft]:
    """Colleagues behind one address of the network; at lunch some of them order within the same hour."""
    return shared(rng, town, "office", draw_firm(rng), people=rng.randint(5, 14), far=0.08)


def dormitory(rng: Random, town: Town) -> list[Draft]:
    return shared(rng, town, "dormitory", draw_school(rng), people=rng.randint(6, 20), far=0.35)


def shared(rng: Random, town: Town, scene: str, address: str, *, people: int, far: float) -> list[Draft]:
    city, ip = draw_city(rng), draw_ip(rng)
    there = [replace(draw_stranger(rng, city=city, address=address, far=far), ip=ip) for _ in range(people)]
    drafts: list[Draft] = []
    for _ in range(rng.randint(3, 9)):
        begins = draw_moment(rng, 0, SPAN - DAY)
        company = rng.choices((1, 2, 3, 4, 5), (52, 28, 13, 6.6, 0.4))[0]
        for who in rng.sample(there, company):
            at = begins + rng.uniform(0, 55) * MINUTE
            drafts.append(place(rng, who, at, draw_yuan(rng, 80, 0.8, high=2500), scene=scene))
    return drafts


def one_of_three(rng: Random, town: Town) -> list[Draft]:
    """Orders to try, and sends back what does not fit: every third."""
    who = draw_stranger(rng, far=0.1)
    return orders_of(rng, town, who, rng.randint(3, 10), 130, "one_of_three", returns=rng.uniform(0.22, 0.36))


def firm(rng: Random, town: Town) -> list[Draft]:
    """Buys dear and often; nearly all begin with a small order, to see what the shop is like."""
    who = draw_stranger(rng, address=draw_firm(rng), far=0.05)
    first = rng.uniform(0, SPAN * 0.6)
    count = rng.randint(2, 8)
    times = sorted(draw_moment(rng, first) for _ in range(count))
    median = draw_yuan(rng, 2600, 0.6, low=800)
    begin = 1.0 if rng.random() < 0.08 else 0.12
    return [
        place(rng, who, at, draw_yuan(rng, median * (begin if k == 0 else 1.0), 0.6), scene="firm", returns=0.015)
        for k, at in enumerate(times)
    ]


def dear_first(rng: Random, town: Town) -> list[Draft]:
    """Furnishes a workshop: the first order is a dear one."""
    who = draw_stranger(rng)
    return [place(rng, who, draw_moment(rng), draw_yuan(rng, 8500, 0.4, low=3500), scene="dear_first")]


def dear_first_far(rng: Random, town: Town) -> list[Draft]:
    """The same, by somebody who moved here and kept the number: looks just like a crook."""
    who = draw_stranger(rng, far=1.0)
    return [place(rng, who, draw_moment(rng), draw_yuan(rng, 6500, 0.35, low=3000), scene="dear_first_far")]


def two_cards(rng: Random, town: Town) -> list[Draft]:
    """One for the house, one for the shop; a few have a third."""
    who = draw_stranger(rng, far=0.1, cards=3 if rng.random() < 0.02 else 2)
    return orders_of(rng, town, who, rng.randint(2, 6), 120, "two_cards")


def in_haste(rng: Random, town: Town) -> list[Draft]:
    """Forgot something, and orders again within minutes."""
    who = draw_stranger(rng, far=0.1)
    at = draw_moment(rng, 0, SPAN - HOUR)
    drafts = []
    for _ in range(rng.choices((2, 3, 4), (75, 22, 3))[0]):
        drafts.append(place(rng, who, at, draw_yuan(rng, 70, 0.8, high=2500), scene="in_haste"))
        at += rng.uniform(2, 14) * MINUTE
    return drafts


SCENES: dict[str, tuple[float, Scene]] = {
    "student": (0.09, student),
    "pickup_family": (0.08, pickup_family),
    "dear_pickup": (0.0014, dear_pickup),
    "office": (0.12, office),
    "dormitory": (0.06, dormitory),
    "one_of_three": (0.05, one_of_three),
    "firm": (0.07, firm),
    "dear_first": (0.006, dear_first),
    "dear_first_far": (0.0008, dear_first_far),
    "two_cards": (0.06, two_cards),
    "in_haste": (0.04, in_haste),
}
"""Scene -> its share of all orders. All others are households."""
