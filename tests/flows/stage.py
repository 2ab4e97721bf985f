"""What a flow test works with: the house, the world, runs that were looked up on the server, and short cuts.

Short cuts (`paid`, `locked`, ...) do the work of the tasks without Prefect: they bring an order to where a test begins.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State as RunState
from pydantic import SecretStr
from sqlalchemy import text

from ballast.clock import Clock
from ballast.db.claims import claim
from ballast.db.engine import make_engine, rows
from ballast.db.outbox import claim_messages
from ballast.db.stock import take_figures
from ballast.domain.words import State, Step
from ballast.ports import StockFigure
from ballast.settings import DoorSettings, Patience, Settings
from ballast.wiring import House
from flows.send_outbox import SENDERS
from tasks.chunks import Tally
from tasks.inbox import read_messages
from tasks.orders import take_in
from tasks.rerun import WORK
from tests.contracts.outside import ROOT, World, settings_for
from tests.web.stage import CONSOLE_KEY, HOOK_KEY

SHELF = ("SKU-001", "SKU-002", "SKU-003")
"""Articles of which the ledger has 1,000 pieces at the beginning of every test."""

LINES = ((SHELF[0], 2), (SHELF[1], 1))

PLAIN_POLICY = Path(__file__).parents[1] / "samples" / "sla" / "plain.yaml"
"""No clock runs, and every alert is told once."""

QUICK = Patience(back_off=timedelta(milliseconds=1), gather=timedelta(milliseconds=50), linger=timedelta(0))
"""The patience of a test: an order that failed is due again at once."""


def open_house(url: str, world: World) -> House:
    """Every system configured to reach the world."""
    outside = settings_for(world)
    values: dict[str, Any] = {name: getattr(outside, name) for name in outside.__slots__}
    config = Settings(
        **values,
        database_url=SecretStr(url),
        patience=QUICK,
        door=DoorSettings(
            intake="let_in"
        ),  # what is short shows when it is locked; tests/flows/test_door.py asks first
        console_key=SecretStr(CONSOLE_KEY),
        prefect_hook_key=SecretStr(HOOK_KEY),
        sla_policy=PLAIN_POLICY,
        _env_file=None,
    )
    return House(config, Clock(), make_engine(url))


async def empty_books(house: House) -> None:
    """Empty tables, and some pieces on the shelf."""
    async with house.transaction() as tx:
        found = await rows(tx, "select tablename from pg_tables where schemaname = 'public'")
        names = sorted({row.tablename for row in found} - {"alembic_version"})
        await tx.execute(text(f"truncate {', '.join(names)}"))
    await put_on_shelf(house, dict.fromkeys(SHELF, 1000))


async def put_on_shelf(house: House, pieces: Mapping[str, int]) -> None:
    """What the ERP's figures would say of these articles."""
    figures = [
        StockFigure(sku=sku, warehouse="CK001", on_hand=count, available=count, locked=0)
        for sku, count in pieces.items()
    ]
    async with house.transaction() as tx:
        await take_figures(tx, figures, asked_at=house.clock.now())


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished flow run, as the server shows it."""

    id: UUID
    name: str
    state: RunState[Any]

    @property
    def green(self) -> bool:
        return self.state.is_completed()


async def run(flow: Flow[..., Any], **parameters: Any) -> Ran:
    """Run a flow to its end, whatever the end is."""
    call: Any = flow  # its overloads know nothing of `return_state` when the parameters are not spelt out
    state: RunState[Any] = await call(**parameters, return_state=True)
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    async with get_client() as client:
        return Ran(run_id, (await client.read_flow_run(run_id)).name, state)


async def artifact(ran: Ran) -> list[dict[str, str]]:
    """The table that a run left; no rows when it left none."""
    async with get_client() as client:
        body = {"artifacts": {"flow_run_id": {"any_": [str(ran.id)]}}}
        found = (await client.request("POST", "/artifacts/filter", json=body)).json()
    return [row for one in found if one["type"] == "table" for row in json.loads(one["data"])]


async def task_runs(ran: Ran, *, at_least: int = 1) -> list[str]:
    """Names of a run's task runs, sorted. They reach the server by events, a moment later."""
    body = {"flow_runs": {"id": {"any_": [str(ran.id)]}}}
    names: list[str] = []
    async with get_client() as client:
        for _ in range(60):
            found = (await client.request("POST", "/task_runs/filter", json=body)).json()
            names = sorted(one["name"] for one in found)
            if len(names) >= at_least:
                break
            await asyncio.sleep(0.1)
    return names


@dataclass(frozen=True, slots=True)
class Stage:
    """One house in one world."""

    house: House
    world: World

    # -- looking

    async def rows(self, sql: str, **values: Any) -> Sequence[Any]:
        async with self.house.transaction() as tx:
            return await rows(tx, sql, **values)

    async def order(self, order_no: str) -> Any:
        """The order's row."""
        return (await self.rows("select * from sales_order where order_no = :no", no=order_no))[0]

    async def state(self, order_no: str) -> State:
        return State((await self.order(order_no)).state)

    async def history(self, order_no: str) -> list[str]:
        """The events that moved the order or were an ordinary stay of its way, oldest first."""
        found = await self.rows(
            "select e.event from order_event e join sales_order o on o.id = e.order_id where o.order_no = :no "
            "order by e.id",
            no=order_no,
        )
        return [row.event for row in found]

    async def alerts(self) -> list[Any]:
        return list(await self.rows("select * from alert order by id"))

    async def notices(self) -> list[Any]:
        """Every telling of an alert, with the alert's key and title."""
        found = await self.rows(
            "select n.*, a.key, a.title from alert_notice n join alert a on a.id = n.alert_id order by n.id"
        )
        return list(found)

    async def inbox(self) -> dict[str, int]:
        """State -> number of messages."""
        found = await self.rows("select state, count(*) from inbox group by state")
        return {row.state: row.count for row in found}

    # -- what people do

    async def command(self, *words: str, code: int = 0, notes: bool = False) -> str:
        """What `ballast WORDS` prints, as a process of its own with our books, and ends with `code`.

        Of a refusal, and with `notes`, what it writes beside its output (stderr).
        """
        url = self.house.settings.database_url
        assert url is not None
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BALLAST_")}
        env = {**clean, "PYTHONPATH": str(ROOT), "BALLAST_DATABASE_URL": url.get_secret_value()}
        with tempfile.TemporaryDirectory() as folder:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ballast.cli", *words, cwd=folder, env=env,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, err = await process.communicate()
        assert process.returncode == code, err.decode()
        return (err if code == 2 or notes else out).decode()

    # -- short cuts

    async def take_orders(self) -> None:
        await take_in.fn(500)

    async def read(self) -> Tally:
        """Let everything that came in act."""
        said = Tally()
        while tally := await read_messages.fn(500):
            said.update(tally)
        return said

    async def work(self, step: Step) -> Tally:
        """Do a step for everything that is due at it."""
        said, now = Tally(), self.house.clock.now()
        owner = f"test:{uuid4().hex}"
        async with self.house.transaction() as tx:
            chunk = await claim(tx, step, owner=owner, most=500, now=now, until=self.house.lease())
        if chunk.ids:
            said.update(await WORK[step](chunk))
        return said

    async def send(self) -> Tally:
        """Send every message that is due."""
        said = Tally()
        while True:
            owner = f"test:{uuid4().hex}"
            async with self.house.transaction() as tx:
                claimed = await claim_messages(
                    tx, owner=owner, most=500, now=self.house.clock.now(), until=self.house.lease()
                )
            if not claimed:
                return said
            for kind in sorted({message.kind for message in claimed}):
                batch = [message for message in claimed if message.kind == kind]
                said.update(await SENDERS[kind].fn(owner, batch))  # type: ignore[attr-defined]  # a Prefect task

    async def placed(self, lines: Sequence[tuple[str, int]] = LINES, **spec: Any) -> str:
        """A new order in our books; its number."""
        wanted = [{"sku": sku, "quantity": pieces} for sku, pieces in lines]
        placed = await self.world.place(lines=wanted, script="normal", **spec)
        await self.take_orders()
        return str(placed["order"]["order_no"])

    async def paid(self, lines: Sequence[tuple[str, int]] = LINES) -> str:
        """Placed, paid and confirmed."""
        order_no = await self.placed(lines)
        await self.world.act(order_no, "pay")
        await self.read()
        await self.work(Step.CONFIRM_PAYMENT)
        return order_no

    async def locked(self, lines: Sequence[tuple[str, int]] = LINES) -> str:
        order_no = await self.paid(lines)
        await self.work(Step.LOCK_STOCK)
        return order_no

    async def handed_over(self, lines: Sequence[tuple[str, int]] = LINES) -> str:
        order_no = await self.locked(lines)
        await self.work(Step.SHIP_OUT)
        return order_no

    async def ship(self, order_no: str) -> str:
        """The warehouse packs everything into one parcel; its waybill."""
        items: dict[str, int] = {}
        for line in (await self.world.truth(order_no))["lines"]:
            items[line["sku"]] = items.get(line["sku"], 0) + line["quantity"]
        await self.world.act(order_no, "ship", packages=[{"items": items}])
        [parcel] = (await self.world.truth(order_no))["parcels"]
        return str(parcel["waybill"])

    async def outbound(self, lines: Sequence[tuple[str, int]] = LINES) -> str:
        """Shipped in one parcel; shop, ERP and courier were told."""
        order_no = await self.handed_over(lines)
        await self.ship(order_no)
        await self.read()
        await self.send()
        await self.hear_the_shop()
        return order_no

    async def hear_the_shop(self) -> None:
        """It answers every notice with a message of its own."""
        await self.world.post("settle")
        await self.read()

    async def signed(self) -> str:
        """Arrived; shop and ERP were told."""
        order_no = await self.outbound()
        await self.world.act(order_no, "sign")
        await self.read()
        await self.work(Step.SIGN_OFF)
        await self.send()
        await self.hear_the_shop()
        return order_no

    async def check_payments(self) -> None:
        await self.work(Step.CONFIRM_PAYMENT)

    async def work_on_stock_and_warehouse(self) -> None:
        """Lock what is paid and hand it over."""
        await self.work(Step.LOCK_STOCK)
        await self.work(Step.SHIP_OUT)

    # -- changing the house

    async def put_on_shelf(self, pieces: Mapping[str, int]) -> None:
        await put_on_shelf(self.house, pieces)

    def patience(self, **changes: Any) -> None:
        """Wait differently from now on."""
        patience = self.house.settings.patience.model_copy(update=changes)
        self.house.settings = self.house.settings.model_copy(update={"patience": patience})

    def configure(self, **changes: Any) -> None:
        """Other settings from now on; clients that are open keep theirs."""
        self.house.settings = self.house.settings.model_copy(update=changes)

    def later(self, passed: timedelta) -> None:
        """Business time goes on by this much, for us."""
        now = self.house.clock.machine_now()
        self.house.clock = Clock(start=self.house.clock.now() + passed, anchor=now.timestamp())
