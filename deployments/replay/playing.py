"""Playing a history: the recorded acts happen outside, our own flows answer, the clock goes from one to the next.

Acts come in slices. Whatever our side has to answer with its own clock (a payment, a cancellation) ends a slice and is
answered at that very moment. The rest of the work only passes on the times of documents: it is done once per window.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ballast.clock import SetClock
from ballast.db.claims import due_now
from ballast.db.engine import rows
from ballast.domain.words import HoldReason
from ballast.wiring import House
from deployments.replay.acts import COMING_BACK, LEAVING, RANK, Act, Agenda, Kind
from deployments.replay.people import PERSON, agree, give_back_by_hand
from deployments.replay.stage import SILENCE, Outside, ReplayFailed
from flows.ask_refunds import ask_refunds
from flows.call_off import call_off
from flows.confirm_payment import confirm_payment
from flows.handle_returns import handle_returns
from flows.lock_stock import lock_stock
from flows.read_inbox import read_inbox
from flows.send_outbox import send_outbox
from flows.ship_out import ship_out
from flows.sign_off import sign_off
from flows.take_orders import take_orders
from flows.track_transit import track_transit
from flows.watch_sla import watch_sla
from tasks.rerun import rerun_order

WINDOW: Final = timedelta(days=7)
"""How long of recorded time what can wait may wait: shorter windows tell the same and take longer."""

COMPANY: Final = timedelta(minutes=1)
"""Payments within it are answered together."""

MOST_ROUNDS: Final = 40
"""Rounds of work at one moment: more, and something goes in a circle."""

MOST_RELEASES: Final = 3
"""How often a person lets one order go on because its record does."""

Duty = Callable[[], Awaitable[object]]

DUTIES: Final[Mapping[str, Duty]] = {
    "orders": take_orders.fn,
    "inbox": read_inbox.fn,
    "confirm_payment": confirm_payment.fn,
    "lock_stock": lock_stock.fn,
    "ship_out": ship_out.fn,
    "call_off": call_off.fn,
    "track_transit": track_transit.fn,
    "sign_off": sign_off.fn,
    "refunds": ask_refunds.fn,
    "returns": handle_returns.fn,
    "outbox": send_outbox.fn,
}
"""What `due_now` finds, and whose work it is, in the order of an order's way."""

AT_ONCE: Final = ("orders", "inbox", "confirm_payment", "lock_stock", "ship_out")
CALLING_OFF: Final = ("inbox", "call_off")


class InACircle(ReplayFailed):
    """The same work was due again and again at one moment of the replay; the text names it."""


@dataclass(frozen=True, slots=True)
class Late:
    """An act that happened after its recorded time, because what it needs came later; or never."""

    order_no: str
    act: Kind
    recorded_at: datetime
    happened_at: datetime | None
    why: str


NOT_YET: Final = {
    Kind.PLACE: "placed_twice",
    Kind.CHARGE: "not_placed_yet",
    Kind.SHIP: "not_with_the_warehouse_yet",
    Kind.SCAN: "not_shipped_yet",
    Kind.SIGN: "not_shipped_yet",
    Kind.RETURN: "not_signed_yet",
    Kind.COME_BACK: "not_awaited",
    Kind.CANCEL: "not_placed_yet",
}
"""Why an act has to wait. A hold of ours is a reason of its own: `held: PAYMENT_MISMATCH`."""

HELD: Final = "held: "


@dataclass(frozen=True, slots=True)
class Waiting:
    """An act that could not happen at its time, and why."""

    act: Act
    why: str

    def late(self, happened_at: datetime | None) -> Late:
        return Late(self.act.order_no, self.act.kind, self.act.at, happened_at, self.why)


@dataclass(slots=True)
class Played:
    """What playing came to."""

    acts: Counter[Kind] = field(default_factory=Counter)
    late: list[Late] = field(default_factory=list)
    released: Counter[str] = field(default_factory=Counter)  # order number -> times
    slices: int = 0
    rounds: int = 0


@dataclass(slots=True)
class Player:
    """One replay under way."""

    house: House
    clock: SetClock
    outside: Outside
    agenda: Agenda
    progress: Callable[[int, datetime], None]
    played: Played = field(default_factory=Played)
    waiting: list[Waiting] = field(default_factory=list)
    done: int = 0
    arrived: set[str] = field(default_factory=set)  # signed for outside, and not yet looked at whether we hold them
    blocked: tuple[int, int] = (0, 0)  # messages that were due and not sent when the outbox was last emptied

    async def play(self) -> Played:
        """Everything, to the last recorded act. What waits then never happened."""
        while (next_at := self.agenda.next_at) is not None:
            await self._window(next_at + WINDOW)
            await self._own_times()
        await self._last_looks(self.clock.now() + 2 * SILENCE)
        self.played.late += [one.late(None) for one in self.waiting]
        return self.played

    async def _last_looks(self, until: datetime) -> None:
        """What waits at the end may wait for a look of our own: an order that costs nothing is paid at the first."""
        while self.waiting and (due := await self._next_due()) is not None and due <= until:
            self._go_to(due)
            await self._drain()
            await self._catch_up({one.act.order_no for one in self.waiting})

    async def _window(self, until: datetime) -> None:
        while (next_at := self.agenda.next_at) is not None and next_at <= until:
            if self.agenda.next_kind in COMING_BACK:
                await self._know_everything(next_at)
            acts = await self._happen(self._take(until))
            await self._answer(acts)
            await self._catch_up({act.order_no for act in acts})
            self.played.slices += 1
            self.progress(self.done, self.clock.now())
        await self._drain()
        if await self._catch_up({one.act.order_no for one in self.waiting}) or await self._let_arrive():
            await self._drain()

    async def _know_everything(self, at: datetime) -> None:
        """Our side has read and passed on all news until then: only what it knows to be delivered can come back."""
        self._go_to(at)
        await self._drain()
        if await self._let_arrive():
            await self._drain()

    def _take(self, until: datetime) -> list[Act]:
        """The next slice, without what has to wait behind an act of the same order that waits."""
        acts = self.agenda.take(until, COMPANY)
        self.done += len(acts)
        behind = {id(act): one.why for act in acts for one in self.waiting if _is_behind(act, one.act)}
        self.waiting += [Waiting(act, behind[id(act)]) for act in acts if id(act) in behind]
        return [act for act in acts if id(act) not in behind]

    def _go_to(self, at: datetime) -> None:
        if at > self.clock.now():
            self.clock.set(at)

    async def _happen(self, acts: list[Act]) -> list[Act]:
        """Outside, in the order of time, up to the first that has to wait; the rest comes back. What was tried."""
        if not acts:
            return []
        tried, refused = await self.outside.play([act.told() for act in acts], stop=True)
        self.agenda.put_back(acts[tried:])
        self.done -= len(acts) - tried
        acts = acts[:tried]
        self._go_to(acts[-1].due)
        self.waiting += [Waiting(acts[number], NOT_YET[acts[number].kind]) for number in sorted(refused)]
        happened = [act for number, act in enumerate(acts) if number not in refused]
        self._count(happened)
        self.played.late += [Waiting(act, NOT_YET[act.kind]).late(act.due) for act in happened if act.due > act.at]
        return acts

    def _count(self, happened: Sequence[Act]) -> None:
        self.played.acts.update(act.kind for act in happened)
        self.arrived |= {act.order_no for act in happened if act.kind is Kind.SIGN}

    async def _answer(self, acts: Sequence[Act]) -> None:
        """What our side does at once."""
        kinds = {act.kind for act in acts}
        if Kind.CHARGE in kinds:
            await self._do(AT_ONCE)
        if Kind.CANCEL in kinds:
            await self._do(CALLING_OFF)
        for act in acts:
            if act.kind in COMING_BACK:
                await self._answer_return(act)

    async def _answer_return(self, act: Act) -> None:
        """A return is agreed to before the warehouse has its goods; goods that came are paid back at once.

        By hand only where the record has an amount: else nobody says that the money went back.
        """
        if act.kind is Kind.RETURN:
            await self._do(("inbox",))
            await agree(self.house, act.order_no, freight=act.details["freight"])
        await self._drain()
        if act.kind is Kind.COME_BACK:
            if act.details["refunded"]:
                await give_back_by_hand(self.house, act.order_no)
            refund = {"do": "refund", "at": self.clock.now().isoformat(), "order_no": act.order_no}
            await self.outside.play([refund], stop=False)
            await self._drain()

    async def _do(self, duties: Sequence[str]) -> None:
        for duty in duties:
            await DUTIES[duty]()

    async def _catch_up(self, orders: set[str]) -> int:
        """Acts of these orders that waited: now, or after a person has let their orders go on, as the record did."""
        happened = 0
        while any(one.act.order_no in orders for one in self.waiting):
            now = await self._try_again(orders)
            happened += now
            if now:
                await self._do(AT_ONCE)
            elif not await self._release(orders):
                break
        return happened

    async def _try_again(self, orders: set[str]) -> int:
        """How many of those that waited could happen. Acts of returns once nothing else of their orders waits."""
        leaving = {one.act.order_no for one in self.waiting if one.act.kind in LEAVING}
        asked = [
            one
            for one in sorted(self.waiting, key=lambda one: RANK[one.act.kind])
            if one.act.order_no in orders and not (one.act.kind in COMING_BACK and one.act.order_no in leaving)
        ]
        if any(one.act.kind in COMING_BACK for one in asked):
            await self._know_everything(self.clock.now())
        _, refused = await self.outside.play([one.act.told() for one in asked], stop=False)
        happened = [one for number, one in enumerate(asked) if number not in refused]
        self.waiting = [one for one in self.waiting if one not in happened]
        self._count([one.act for one in happened])
        self.played.late += [one.late(self.clock.now()) for one in happened]
        for one in happened:
            if one.act.kind in COMING_BACK:
                await self._answer_return(one.act)
        return len(happened)

    async def _release(self, orders: set[str]) -> int:
        """The record goes on with an order that we hold: somebody let it pass. Not a cancellation: that is its end."""
        chosen = await self._let_go({one.act.order_no for one in self.waiting} & orders)
        self.waiting = [
            Waiting(one.act, f"{HELD}{chosen[one.act.order_no]}") if one.act.order_no in chosen else one
            for one in self.waiting
        ]
        if chosen:
            await self._do(AT_ONCE)
        return len(chosen)

    async def _let_arrive(self) -> int:
        """What was signed for outside is not kept on hold here: a notice was refused, and somebody saw to it."""
        arrived, self.arrived = self.arrived, set()
        return len(await self._let_go(arrived))

    async def _let_go(self, orders: set[str]) -> dict[str, str]:
        """Release those of these orders that are held, as a person does; order number -> what they were held for."""
        if not orders:
            return {}
        async with self.house.transaction() as tx:
            held = await rows(
                tx,
                """
                select o.order_no, h.reason from sales_order o
                join hold h on h.order_id = o.id and h.released_at is null
                where o.order_no = any(cast(:numbers as text[])) and h.reason <> :cancelled order by o.order_no""",
                numbers=sorted(orders),
                cancelled=HoldReason.CANCEL_ASKED.value,
            )
        chosen = {row.order_no: row.reason for row in held if self.played.released[row.order_no] < MOST_RELEASES}
        for order_no in chosen:
            self.played.released[order_no] += 1
            await rerun_order.fn(order_no, PERSON, "the record goes on with this order", False)
        return chosen

    async def _drain(self) -> None:
        """Everything that is due now, until nothing is."""
        found: list[str] = []
        for _ in range(MOST_ROUNDS):
            found, clocks = await self._due()
            if not found:
                await self.outside.settle()  # a subscription is answered with the scans so far
                found, clocks = await self._due()
            if not found:
                if clocks:
                    await watch_sla.fn()  # last: it judges by all that was read
                return
            self.played.rounds += 1
            await self._do(found)
            if "outbox" in found:
                self.blocked = await self._messages_due()
        raise InACircle(
            f"the same work is due again and again: {', '.join(found)} at {self.clock.now():%Y-%m-%d %H:%M} UTC"
        )

    async def _due(self) -> tuple[list[str], bool]:
        """Duties that have something to do, and whether clocks of the SLA policy have to be read."""
        async with self.house.transaction() as tx:
            found = await due_now(tx, self.clock.now())
        if "outbox" in found and self.blocked == await self._messages_due():
            del found["outbox"]  # they stand behind a message that rests, or that was refused for good
        return [duty for duty in DUTIES if duty in found], "sla" in found

    async def _messages_due(self) -> tuple[int, int]:
        """How many, and the newest of them."""
        async with self.house.transaction() as tx:
            found = await rows(
                tx,
                "select count(*), coalesce(max(id), 0) from outbox where due_at <= :now",
                now=self.clock.now(),
            )
        return int(found[0][0]), int(found[0][1])

    async def _own_times(self) -> None:
        """Looks of our own that are due before the next act: a silence that lasted."""
        next_act = self.agenda.next_at
        while next_act is not None and (due := await self._next_due()) is not None and due < next_act:
            self._go_to(due)
            await self._drain()

    async def _next_due(self) -> datetime | None:
        async with self.house.transaction() as tx:
            found: Any = await rows(
                tx,
                """
                select min(at) as at from (
                  (select min(due_at) as at from sales_order where due_at > :now)
                  union all select min(due_at) from outbox where due_at > :now
                  union all select min(due_at) from refund where due_at > :now) as times""",
                now=self.clock.now(),
            )
        return found[0].at if found else None


def _is_behind(act: Act, waiting: Act) -> bool:
    """Whether it is a later station of the same order, which has not left yet."""
    if act.order_no != waiting.order_no or waiting.kind not in LEAVING:
        return False
    return act.kind in (*LEAVING, *COMING_BACK) and RANK[act.kind] > RANK[waiting.kind]
