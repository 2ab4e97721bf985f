"""What customers send back: who asks, for what and why, and the goods that arrive; each a function of (seed, order).

A world tells of returns when `start` says how many of the customers ask; what a courier brings back comes in any world.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.chance import between, roll
from sim.clock import HOUR, zoned_text
from sim.life import Life
from sim.records import Order, ReturnedGoods
from sim.world import World

DAY = 24 * HOUR
PART = 0.5  # of several pieces only some
DAMAGED = 0.2
EXCHANGED = 0.2
REASONS = (("no_reason", 0.5), ("quality", 0.2), ("not_as_described", 0.15), ("wrong_goods", 0.1), ("other", 0.05))


@dataclass(frozen=True, slots=True)
class ReturnScript:
    """`pieces`: line number -> how many come back. `wait`: seconds of business time after the receipt."""

    pieces: Mapping[int, int]
    reason: str
    exchange: Mapping[str, int]
    wait: float


def write_return_script(seed: int, order: Order, share: float) -> ReturnScript | None:
    """None: this customer keeps everything, as most do."""
    asks, part, why, other, wait, _ = roll(seed, "return", order.no)
    if asks >= share:
        return None
    lines = order.lines[:1] if part < PART else order.lines
    pieces = {line.line_no: (line.quantity + 1) // 2 if part < PART else line.quantity for line in lines}
    wanted = {lines[0].sku: 1} if other < EXCHANGED else {}
    return ReturnScript(pieces, draw_reason(why), wanted, between(DAY / 2, 2 * DAY, wait))


def draw_reason(part: float) -> str:
    for reason, share in REASONS:
        if part < share:
            return reason
        part -= share
    return REASONS[-1][0]


class ComingBack:
    """`share`: of the customers who confirm their receipt, so many ask for a return; set when orders are placed."""

    def __init__(self, world: World, life: Life) -> None:
        self._world, self._life = world, life
        self.share = 0.0
        world.on_received.append(self._plan_wish)
        world.on_return_created.append(self._plan_arrival)

    def _plan_wish(self, order: Order, at: float) -> None:
        script = write_return_script(self._world.config.seed, order, self.share)
        if script is None or not order.automatic:
            return
        self._world.agenda.add(at + script.wait, order, lambda at: self._ask(order, script, at))

    def _ask(self, order: Order, script: ReturnScript, at: float) -> None:
        self._life.ask_return(
            order,
            {
                "order_no": order.no,
                "customer_no": order.customer.no,
                "lines": [{"line_no": no, "quantity": pieces} for no, pieces in script.pieces.items()],
                "reason": script.reason,
                "exchange": dict(script.exchange),
                "requested_at": zoned_text(at),
            },
        )

    def _plan_arrival(self, back: ReturnedGoods, at: float) -> None:
        if not back.order.automatic:
            return
        wait = between(DAY, 3 * DAY, roll(self._world.config.seed, "goods back", back.code)[0])
        self._world.agenda.add(at + wait, back.order, lambda at: self._arrive(back, at))

    def _arrive(self, back: ReturnedGoods, at: float) -> None:
        if not back.closed:
            self._life.take_back(back, self._unpack(back), at, final=True)

    def _unpack(self, back: ReturnedGoods) -> list[Mapping[str, Any]]:
        """In a few parcels one piece of every article is damaged."""
        damaged = int(roll(self._world.config.seed, "damaged", back.code)[0] < DAMAGED)
        return [{"sku": sku, "good": pieces - damaged, "damaged": damaged} for sku, pieces in back.missing.items()]
