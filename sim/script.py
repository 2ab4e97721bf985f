"""What order number k contains and what will happen to it: a function of (seed, k) and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from sim.catalogue import ARTICLES, SCARCE_LEVEL, Article, scarce_skus
from sim.chance import seeded
from sim.clock import HOUR, MINUTE
from sim.people import Customer, Receiver, draw_receiver, find_customer

CUSTOMERS = 400


class Kind(StrEnum):
    """What is scripted to go wrong with an order in the world itself (not by faults of the wire)."""

    NORMAL = "normal"  # ships and is signed
    SHORT = "short"  # asks for more of a scarce article than there ever was: the ERP cannot reserve it
    LACK = "lack"  # the warehouse finds the article missing or broken: itemlack.report, never ships
    EXCEPTION_RESOLVES = "exception_resolves"  # the courier reports a problem, later delivers
    EXCEPTION_FINAL = "exception_final"  # refused or damaged, never signed


SHARES = [(Kind.SHORT, 0.010), (Kind.LACK, 0.007), (Kind.EXCEPTION_RESOLVES, 0.012), (Kind.EXCEPTION_FINAL, 0.005)]
CARRIERS = ["YTO", "ZTO", "STO", "YUNDA", "SF", "EMS"]
CARRIER_WEIGHTS = [30, 25, 15, 15, 10, 5]
TWO_PACKAGES = 0.12
LOCKER = 0.08
DROPPED_SCANS = 0.06


@dataclass(frozen=True, slots=True)
class LineScript:
    article: Article
    quantity: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A scan: seconds after outbound and the courier's StateEx."""

    after: float
    state_ex: str


@dataclass(frozen=True, slots=True)
class OrderScript:
    """Durations are seconds of business time; `gap` is the wait before this order in units of the mean gap."""

    kind: Kind
    gap: float
    customer: Customer
    receiver: Receiver
    lines: tuple[LineScript, ...]
    discount_percent: int
    pay_after: float
    visible_after: float
    accept_after: float
    pick_after: float
    package_after: float
    deliver_after: float
    carrier: str
    two_packages: bool
    routes: tuple[tuple[Stop, ...], tuple[Stop, ...]]
    receive_after: float

    def hurried(self) -> "OrderScript":
        """The same order in a world where nobody lets anybody wait: all of its life passes within two seconds.

        The warehouse still reports, packs and ships one after the other, and the courier has scanned everything by
        the time that anybody can ask.
        """
        scans = [tuple(Stop(0.0, stop.state_ex) for stop in route) for route in self.routes]
        return replace(
            self,
            pay_after=1.2,  # the time of an order has whole seconds: up to one of them is over when it is placed
            visible_after=0.0,
            accept_after=0.2,
            pick_after=0.4,
            package_after=0.7,
            deliver_after=1.0,
            routes=(scans[0], scans[1]),
            receive_after=0.1,
        )


def write_script(seed: int, k: int | str, kind: Kind | None = None) -> OrderScript:
    """`kind` overrides the drawn one without disturbing anything else that is drawn."""
    rng = seeded(f"{seed}/{k}")
    gap = rng.expovariate(1.0)
    drawn = draw_kind(rng)
    kind = kind or drawn
    lines = draw_lines(rng, kind, seed)
    accept = rng.uniform(5, 30) * MINUTE
    pick = accept + rng.uniform(0.5, 2) * HOUR
    deliver = pick + rng.uniform(0.5, 2.5) * HOUR
    return OrderScript(
        kind=kind,
        gap=gap,
        customer=find_customer(seed, rng.randint(1, CUSTOMERS)),
        receiver=draw_receiver(rng),
        lines=lines,
        discount_percent=5 if rng.random() < 0.1 else 0,
        pay_after=rng.uniform(1, 20) * MINUTE,
        visible_after=rng.uniform(0, 3) * MINUTE,
        accept_after=accept,
        pick_after=pick,
        package_after=pick + (deliver - pick) * rng.uniform(0.2, 0.8),
        deliver_after=deliver,
        carrier=rng.choices(CARRIERS, CARRIER_WEIGHTS)[0],
        two_packages=rng.random() < TWO_PACKAGES and sum(line.quantity for line in lines) > 1,
        routes=(draw_route(rng, kind), draw_route(rng, Kind.NORMAL)),
        receive_after=rng.uniform(2, 30) * HOUR,
    )


def draw_kind(rng: Random) -> Kind:
    part = rng.random()
    for kind, share in SHARES:
        if part < share:
            return kind
        part -= share
    return Kind.NORMAL


def draw_lines(rng: Random, kind: Kind, seed: int) -> tuple[LineScript, ...]:
    scarce = scarce_skus(seed)
    plenty = [article for article in ARTICLES if article.sku not in scarce]
    chosen = rng.sample(plenty, rng.choices([1, 2, 3, 4], [55, 28, 12, 5])[0])
    lines = [LineScript(article, rng.choices([1, 2, 3, 5, 10], [50, 25, 12, 8, 5])[0]) for article in chosen]
    wanted, units = rng.choice(scarce), SCARCE_LEVEL + rng.randint(1, 7)
    if kind is Kind.SHORT:
        lines[0] = LineScript(next(article for article in ARTICLES if article.sku == wanted), units)
    return tuple(lines)


def draw_route(rng: Random, kind: Kind) -> tuple[Stop, ...]:
    first = rng.uniform(1, 4) * HOUR
    whole = rng.uniform(18, 52) * HOUR
    states = draw_states(rng, kind)
    parts = [0.0, *sorted(rng.uniform(0.05, 0.95) for _ in states[2:]), 1.0][-len(states) :]
    return tuple(Stop(first + whole * part, state) for part, state in zip(parts, states, strict=True))


def draw_states(rng: Random, kind: Kind) -> list[str]:
    """The scans in order. Couriers drop scans: a few parcels lose the later ones, or all but the signature."""
    states = ["1", *rng.choice([["204"], ["2", "204"], ["204", "204"], ["206", "204", "205"]]), "201", "202"]
    locker, dropped, troubled = rng.random() < LOCKER, rng.random() < DROPPED_SCANS, rng.random()
    keep = rng.randint(0, 3)
    if kind is Kind.NORMAL and dropped:
        states = states[:keep]
    return states + ENDINGS[kind](locker, troubled)


def end_normally(locker: bool, _: float) -> list[str]:
    return ["211", "311"] if locker else ["301"]


def end_after_trouble(_: bool, troubled: float) -> list[str]:
    return ["416", "419", "202", "301"] if troubled < 0.6 else ["405", "418", "202", "302"]


def end_for_good(_: bool, troubled: float) -> list[str]:
    return ["404"] if troubled < 0.6 else ["414"]


ENDINGS: dict[Kind, Callable[[bool, float], list[str]]] = {
    Kind.NORMAL: end_normally,
    Kind.SHORT: end_normally,
    Kind.LACK: end_normally,
    Kind.EXCEPTION_RESOLVES: end_after_trouble,
    Kind.EXCEPTION_FINAL: end_for_good,
}
