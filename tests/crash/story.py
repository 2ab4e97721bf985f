"""What every case plays: three orders, one on its way, one paid twice, one cancelled. Everybody is silent once.

way    paid, handed over, shipped and scanned without a word to us, signed, two pieces sent back, the second one without
       a word to us, and paid back
twice  paid twice, given back once without a word to us, handed over, shipped in two parcels, signed
off    paid without a word to us, handed over, cancelled
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import Any

from ballast.db import inbox
from ballast.db.engine import ring, rows
from ballast.points import VARIABLE
from ballast.ports import Message
from tests.crash.picture import Before, take_picture
from tests.flows.stage import LINES, Stage, empty_books

PATIENCE = 90.0
LAST_BREATH = 10.0

BUSY = """
    select 'order ' || order_no || ' at ' || due_step as what from sales_order
      where lease_owner is not null or due_at <= now()
    union all select 'message ' || key from outbox where due_at is not null
    union all select 'alert ' || key from alert a where climbs_at is not null or exists (
      select from alert_notice n where n.alert_id = a.id and n.due_at is not null)
    union all select 'clock of ' || order_no from sales_order where sla_due_at <= now()
    union all select 'refund ' || refund_no from refund where due_at <= now()
    union all select 'return ' || return_no from return_case where due_at < now() + interval '2 minutes'
    union all select 'inbox ' || source || ' ' || event_id from inbox where state = 'new'"""

END_OF_LEASES = (
    "update sales_order set due_at = now() where lease_owner is not null returning 1",
    "update outbox set due_at = now() where lease_owner is not null returning 1",
    "update alert_notice set due_at = now() where due_at is not null returning 1",
    "update refund set due_at = now() where due_at is not null returning 1",
    "update return_case set due_at = now() where due_at < now() + interval '2 minutes' returning 1",
)
"""As if the time of a lease had passed."""


@dataclass(slots=True)
class Workers:
    """The process at work, and the one that stands ready to take over when it dies."""

    env: Mapping[str, str]
    home: Path
    crash_at: str = ""
    lease_ends: bool = False  # by itself
    deaths: list[int] = field(default_factory=list)
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self) -> None:
        """The one who will die, if this is a case, and behind it a healthy one."""
        self._add(self.crash_at)
        if self.crash_at:
            self._add("")
        self._begin()

    def _add(self, crash_at: str) -> None:
        env = dict(self.env) | ({VARIABLE: crash_at} if crash_at else {})
        with (self.home / f"worker-{len(self.running)}.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.crash.worker"]
            self.running.append(
                subprocess.Popen(command, cwd=self.home, env=env, stdin=subprocess.PIPE, stdout=log, stderr=log)
            )

    def _begin(self) -> None:
        pipe = self.running[0].stdin
        assert pipe is not None
        pipe.write(b"begin\n")
        pipe.close()

    async def succeed(self, stage: Stage) -> None:
        """If the process died as it should, the next one begins."""
        code = self.running[0].poll()
        if code is None:
            return
        self.deaths.append(code)
        assert code == -SIGKILL and len(self.deaths) == 1, f"ended with {code}, see {self.home}"
        self.running.pop(0)
        if not self.lease_ends:
            for sql in END_OF_LEASES:
                await stage.rows(sql)
        self._begin()

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait(10)
            if process.stdin is not None:
                process.stdin.close()


@contextmanager
def working(workers: Workers) -> Iterator[Workers]:
    workers.start()
    try:
        yield workers
    finally:
        workers.stop()


async def play(stage: Stage, workers: Workers) -> dict[str, Any]:
    """Play the story with these workers and take the picture of its end."""
    await empty_books(stage.house)
    before = await Before.look(stage)
    with working(workers):
        way, twice, off = [await place(stage) for _ in range(3)]
        await rest(stage, workers)

        await _silently(stage, "wechatpay", off, "pay")
        await rest(stage, workers)

        await stage.world.act(way, "pay")
        await stage.world.act(twice, "pay")
        await _cancel(stage, off)
        await rest(stage, workers)

        await stage.world.act(twice, "pay", twice=True)
        await stage.world.faults(system="wechatpay", webhook_lost=1.0)
        await rest(stage, workers)
        await stage.world.calm()
        await _ask_about_refunds(stage)
        await _silently(stage, "qimen", way, "ship", packages=[{"items": dict(LINES)}])
        await rest(stage, workers)

        await stage.world.act(twice, "ship", packages=[{"items": {sku: pieces}} for sku, pieces in LINES])
        await _silently(stage, "kdniao", way, "scan", state_ex="204")
        await rest(stage, workers)

        for order_no in (way, twice):
            await stage.world.act(order_no, "sign")
        await rest(stage, workers)
        await _send_back(stage, workers, way)
        await _death(stage, workers)
        await rest(stage, workers)
    return await take_picture(stage, {way: "way", twice: "twice", off: "off"}, before)


async def _send_back(stage: Stage, workers: Workers, order_no: str) -> None:
    """Two pieces come back, are good, and are paid back. The warehouse's last word is lost, and it is asked for."""
    asked = {"lines": [{"line_no": 1, "quantity": 2}], "reason": "no_reason"}
    await stage.world.post(f"orders/{order_no}/ask-return", asked)
    await rest(stage, workers)
    came = {"items": [{"sku": LINES[0][0], "good": 1}]}
    await stage.world.post(f"returns/RT-{order_no}-1/confirm", {**came, "final": False})
    await rest(stage, workers)
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.world.post(f"returns/RT-{order_no}-1/confirm", came)
    await stage.world.calm()
    async with stage.house.transaction() as tx:
        assert await rows(tx, "update return_case set due_at = now() where state = 'received' returning return_no")
        await ring(tx, "returns")
    await rest(stage, workers)


async def place(stage: Stage) -> str:
    lines = [{"sku": sku, "quantity": pieces} for sku, pieces in LINES]
    placed = await stage.world.place(lines=lines, script="normal")
    return str(placed["order"]["order_no"])


async def _silently(stage: Stage, system: str, order_no: str, what: str, **details: Any) -> None:
    """It happens, the message about it is lost, and after the usual quiet time we ask."""
    await stage.world.faults(system=system, webhook_lost=1.0)
    await stage.world.act(order_no, what, **details)
    await stage.world.calm()
    async with stage.house.transaction() as tx:
        sql = "update sales_order set due_at = now() where order_no = :no returning due_step"
        [due] = await rows(tx, sql, no=order_no)
        await ring(tx, due.due_step)


async def _ask_about_refunds(stage: Stage) -> None:
    """As if their quiet time had passed."""
    async with stage.house.transaction() as tx:
        assert await rows(tx, "update refund set due_at = now() where state = 'requested' returning refund_no")
        await ring(tx, "refunds")


async def _cancel(stage: Stage, order_no: str) -> None:
    now = stage.house.clock.now()
    payload = {"order_no": order_no, "received_at": int(now.timestamp()), "reason": "拍错了"}
    message = Message(event_id=f"C-{order_no}", topic="order.cancelled", order_no=order_no, payload=payload)
    async with stage.house.transaction() as tx:
        await inbox.store(tx, [("direct", message)], now)


async def rest(stage: Stage, workers: Workers) -> None:
    """Until nobody has anything to do any more: neither the books nor the world, whoever died meanwhile."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while loop.time() < end:
        await workers.succeed(stage)
        if not await _busy(stage) and await _world_rests(stage) and not await _busy(stage):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"still at work after {PATIENCE:g} s: {await _busy(stage)}, see {workers.home}")


async def _death(stage: Stage, workers: Workers) -> None:
    """The last commit is seen by us before the process that made it is dead: give it time for its last line."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LAST_BREATH
    while workers.crash_at and not workers.deaths and loop.time() < end:
        await workers.succeed(stage)
        await asyncio.sleep(0.05)


async def _busy(stage: Stage) -> list[str]:
    return [row.what for row in await stage.rows(BUSY)]


async def _world_rests(stage: Stage) -> bool:
    settled = await stage.world.post("settle", {"timeout": 1})
    progress = await stage.world.get("progress")
    placed: int = progress["placed"]
    return bool(settled["settled"]) and progress["at_rest"] == placed
