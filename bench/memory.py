"""How much memory the long-lived processes need when the database holds very many orders.

    python -m bench.memory --orders 100000
    python -m bench.memory --orders 100000 --new 9000 --minutes 30       # is it flat under load?

An embedded PostgreSQL in a temporary folder is filled by set-based SQL with a past of half a year. Then the listener
(`python -m deployments.serve`), the web process and the Prefect server run as `ballast up` runs them. The simulated
world of the demo is their outside, and a business day passes in six seconds. The resident size of each process is
read from /proc once a second (Linux only); of PostgreSQL what its backends have for themselves, all of them together.
New orders are placed evenly all the time. Exit code 1 when the listener needed 600 MB or more, and, from ten minutes
on, when a process is not flat: when the median of the last tenth of the time is more than 1.10 times the median of an
early tenth, which begins after a fifth of the time, when everything was used once.

The past, of every hundred orders:

- 96 are finished, with lines, parcel, charge, locks, 8 events, 4 messages in, 5 out, 7 effects each. The newest of them
  are SIGNED, and are closed while we look, as their return window ends.
- 2 are ON_HOLD and wait for a person.
- 1 is unpaid for more than a day and due at `confirm-payment`. The simulated provider knows of no charge: it is closed.
- 1 is IN_TRANSIT and due at `track-transit`. The simulated courier has no scan of its parcel: it stays where it is and
  is asked about again.

Besides, new orders (`--new`) are placed in the simulated shop and go all the way.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from ballast.db.embedded import EmbeddedServer, embedded_server
from ballast.db.engine import make_engine, rows, run
from ballast.db.upgrade import create_database, upgrade
from ballast.settings import Settings, settings
from bench.command import run_as_command
from deployments.machine import Machine, machine
from deployments.processes import free_port
from deployments.rehearsal.world import START, Credentials, World, as_env, world

SPEED = 14_400.0
"""Business seconds per second: a day passes in six."""

PLENTY = 1_000_000
"""Pieces of every article in every warehouse: what is measured is not the lack of goods."""

TARGET_MB = 600
"""The listener should stay below."""

FLAT = 1.10
"""What a process may have grown between an early tenth of the time and the last."""
WARM = 0.2
"""The share of the time after which the early tenth begins: what grows before is what is needed."""
JUDGED_FROM = 10.0
"""Minutes. In less nothing has warmed up."""
POSTGRES = "postgres"

PAST = """
create temporary table past on commit drop as
select n as id, 'PAST' || lpad(cast(n as text), 8, '0') as order_no, kind, placed_at,
  'SKU-' || lpad(cast(n % 60 + 1 as text), 3, '0') as sku, n % 3 + 1 as quantity, 500 + n % 4000 as price,
  'P' || lpad(cast(n % 5000 as text), 6, '0') as customer_no, 'YT' || cast(7000000000000 + n as text) as waybill,
  kind in ('finished', 'damaged', 'moving') as shipped,
  case when kind = 'finished' then placed_at + interval '60 hours' end as signed_at
from (
  select n, (array['short', 'damaged', 'unpaid', 'moving'])[n % 100 - 95] as unfinished
  from generate_series(1, cast(:orders as int)) n) numbered,
  lateral (select coalesce(unfinished, 'finished') as kind) kinds,
  lateral (select cast(:start as timestamptz) - case when unfinished is null
    then interval '3 days' + interval '177 days' * (cast(:orders as int) - n) / cast(:orders as int)
    else interval '1 hour' * (n % 100 - 70) end as placed_at) times
"""
"""One row per order of the past: what it is and when it was. Everything else is made of it."""

FILL = (
    """
    insert into customer (customer_no, name, openid, first_order_at)
    select customer_no, '王小明', 'o' || customer_no, min(placed_at) from past group by customer_no""",
    """
    insert into stock_level (sku, warehouse, on_hand, locked, short, figure_at)
    select sku, warehouse, :plenty, 0, 0, :start
    from (select distinct sku from past) skus, unnest(array['CK001', 'CK002']) warehouse""",
    """
    insert into sales_order (id, order_no, channel, state, version, due_step, due_at, attempts, held_from, hold_reason,
      progress, placed_at, paid_at, locked_at, outbound_at, picked_up_at, signed_at, closed_at, currency, total,
      freight, discount, customer_no, openid, receiver, warehouse, recorded_at)
    select id, order_no, 'wechat', state, 0, due_step,
      case when due_step = 'sign_off' then signed_at + interval '7 days' when due_step is not null then :start end,
      0, case kind when 'short' then 'PENDING_PAYMENT' when 'damaged' then 'IN_TRANSIT' end,
      case kind when 'short' then 'STOCK_SHORT' when 'damaged' then 'COURIER_DAMAGED' end,
      case when shipped then 'PACKAGE' else '' end, placed_at,
      case when kind <> 'unpaid' then placed_at + interval '10 minutes' end,
      case when shipped then placed_at + interval '15 minutes' end,
      case when shipped then placed_at + interval '6 hours' end,
      case when shipped then placed_at + interval '8 hours' end, signed_at,
      case when state = 'CLOSED' then signed_at + interval '7 days' end, 'CNY', price * quantity, 0, 0, customer_no,
      'o' || customer_no, jsonb_build_object('name', '王小明', 'mobile', '13912345678', 'province', '江苏省', 'city',
      '苏州市', 'district', '吴中区', 'address', '建设路' || id || '号'), case when shipped then 'CK001' else '' end,
      placed_at
    from past, lateral (select case
      when kind in ('short', 'damaged') then 'ON_HOLD' when kind = 'unpaid' then 'PENDING_PAYMENT'
      when kind = 'moving' then 'IN_TRANSIT' when signed_at + interval '7 days' < :start then 'CLOSED'
      else 'SIGNED' end as state) states,
      lateral (select case when kind = 'unpaid' then 'confirm_payment' when kind = 'moving' then 'track_transit'
      when state = 'SIGNED' then 'sign_off' end as due_step) steps""",
    "select setval(pg_get_serial_sequence('sales_order', 'id'), (select max(id) from past))",
    """
    insert into order_line (order_id, line_no, sku, name, quantity, unit_price, amount, shipped)
    select id, 1, sku, '自攻螺钉 3.5x25', quantity, price, price * quantity, case when shipped then quantity else 0 end
    from past""",
    """
    insert into payment (order_id, provider, transaction_id, amount, currency, merchant, state, method, paid_at,
      recorded_at)
    select id, 'wechatpay', cast(4200000000000000000000000000 + id as text), price * quantity, 'CNY', '1900000001',
      'counted', '', placed_at + interval '10 minutes', placed_at + interval '10 minutes' from past
    where kind <> 'unpaid'""",
    """
    insert into stock_lock (order_id, sku, warehouse, quantity, state, locked_at, ended_at, told_at)
    select id, sku, 'CK001', quantity, 'shipped', placed_at + interval '15 minutes', placed_at + interval '6 hours',
      placed_at + interval '7 hours' from past where shipped""",
    """
    insert into parcel (order_id, waybill, carrier, items, shipped_at, picked_up_at, signed_at, said, said_at,
      trouble_evidence)
    select id, waybill, 'YTO', jsonb_build_object(sku, quantity), placed_at + interval '6 hours',
      placed_at + interval '8 hours', signed_at, case when signed_at is null then '204' else '301' end,
      coalesce(signed_at, placed_at + interval '8 hours'), '' from past where shipped""",
    """
    insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at, text)
    select id, actor || ':' || event || ':' || number, event, from_state, to_state, from_state <> to_state, actor,
      placed_at + number * interval '7 hours', placed_at + number * interval '7 hours', words
    from past, (values
      (0, 'NOTED', 'PENDING_PAYMENT', 'PENDING_PAYMENT', 'direct', 'placed'),
      (1, 'PAYMENT_CAPTURED', 'PENDING_PAYMENT', 'PENDING_PAYMENT', 'wechatpay', 'captured'),
      (2, 'PAYMENT_CONFIRMED', 'PENDING_PAYMENT', 'PENDING_PAYMENT', 'ballast', '1 charge(s)'),
      (3, 'STOCK_LOCKED', 'PENDING_PAYMENT', 'STOCK_LOCKED', 'ballast', 'CK001, ERP sale order'),
      (4, 'WAREHOUSE_PROGRESS', 'STOCK_LOCKED', 'STOCK_LOCKED', 'qimen', 'PACKAGE'),
      (5, 'SHIPPED', 'STOCK_LOCKED', 'OUTBOUND', 'qimen', 'parcels YTO'),
      (6, 'SCANNED', 'OUTBOUND', 'IN_TRANSIT', 'kdniao', '快件已从【宁波市海曙区】发出'),
      (7, 'SIGNED', 'IN_TRANSIT', 'SIGNED', 'ballast', '1 parcel(s) signed for')
    ) history (number, event, from_state, to_state, actor, words)
    where number < case kind when 'unpaid' then 1 when 'short' then 3 when 'finished' then 8 else 7 end""",
    """
    insert into external_status (order_id, system, part, said, event, text, happened_at, recorded_at)
    select id, system, part, said, event, '', placed_at + interval '8 hours', placed_at + interval '8 hours'
    from past, (values ('wechatpay', 'trade_state', 'SUCCESS', 'PAYMENT_CAPTURED'),
      ('qimen', 'status', 'DELIVERED', 'SHIPPED'), ('kdniao', 'StateEx', '204', 'SCANNED')
    ) heard (system, part, said, event)
    where shipped or (kind = 'short' and system = 'wechatpay')""",
    """
    insert into inbox (source, event_id, topic, order_no, payload, state, received_at, done_at, note)
    select source, topic || ':' || order_no || ':' || number, topic, order_no, jsonb_build_object('order_no', order_no,
      'waybill', waybill, 'said', said, 'total', price * quantity, 'customer', customer_no, 'station',
      '快件已从【宁波市海曙区】发出', 'remark', repeat('x', 300)), 'done', placed_at, placed_at, ''
    from past, (values (1, 'direct', 'order', 'placed'), (2, 'wechatpay', 'news', 'SUCCESS'),
      (3, 'qimen', 'news', 'DELIVERED'), (4, 'kdniao', 'news', '204')
    ) messages (number, source, topic, said)
    where number <= case kind when 'unpaid' then 1 when 'short' then 2 else 4 end""",
    """
    insert into outbox (key, order_id, kind, payload, attempts, due_at, created_at, done_at, note)
    select kind_of || ':' || order_no, id, kind_of, '{}', 1, null, placed_at, placed_at + interval '1 hour', ''
    from past, unnest(array['courier.subscribe', 'shop.shipped', 'erp.outbound', 'shop.received',
      'erp.receipt']) kind_of
    where signed_at is not null or (shipped and kind_of not in ('shop.received', 'erp.receipt'))""",
    """
    insert into effect (key, order_id, kind, state, attempts, digest, receipt, error, begun_at, done_at)
    select kind_of || ':' || order_no, id, kind_of, 'done', 1, md5(order_no), jsonb_build_object('reference', order_no),
      '', placed_at, placed_at + interval '1 hour'
    from past, unnest(array['erp.reserve', 'wms.create', 'courier.subscribe', 'shop.shipped', 'erp.outbound',
      'shop.received', 'erp.receipt']) kind_of
    where signed_at is not null or (shipped and kind_of not in ('shop.received', 'erp.receipt'))""",
    """
    insert into hold (order_id, reason, evidence, held_from, held_at, note)
    select id, hold_reason, 'as the system said it', held_from, placed_at, ''
    from sales_order where state = 'ON_HOLD'""",
)


@dataclass(slots=True)
class Size:
    """What one process needed, in MB, once a second; and at its highest."""

    samples: list[float] = field(default_factory=list)
    peak: float = 0.0

    def tenth(self, begin: float) -> float:
        """The median of the tenth of the time that begins after this share of it."""
        first, count = int(len(self.samples) * begin), max(len(self.samples) // 10, 1)
        return round(median(self.samples[first : first + count]), 1)

    @property
    def early(self) -> float:
        return self.tenth(WARM)

    @property
    def late(self) -> float:
        return self.tenth(0.9)

    @property
    def growth(self) -> float:
        """1.0: as it was."""
        return round(self.late / self.early, 3)

    def as_dict(self) -> dict[str, float]:
        return {
            "start_mb": self.samples[0],
            "early_mb": self.early,
            "late_mb": self.late,
            "end_mb": self.samples[-1],
            "peak_mb": self.peak,
            "growth": self.growth,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What was done meanwhile: shows that the processes were at work."""

    new_orders_at_rest: int
    past_orders_moved: int
    past_orders_still_due: int
    messages_read: int


def measure(
    *,
    orders: Annotated[int, Parameter(help="orders of the past")] = 100_000,
    new: Annotated[int, Parameter(help="orders placed meanwhile, evenly")] = 1500,
    minutes: Annotated[float, Parameter(help="how long to look")] = 5.0,
    file: Annotated[Path | None, Parameter(name="--json", help="write the figures to this file")] = None,
) -> int:
    """Measure the memory of a machine whose database holds a long past."""
    console, began = Console(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ballast-memory-") as folder:
        home = Path(folder)
        gigabytes = asyncio.run(_fill(home, orders))
        console.print(f"{orders} orders, {gigabytes:.2f} GB, filled after {time.monotonic() - began:.0f} s")
        with _whole_machine(home) as (house, outside):
            _place(outside, new, new / (minutes * 60))
            sizes = _watch(house, minutes, console)
            worked = asyncio.run(_what_was_done(house))
    figures: dict[str, Any] = {
        "orders": orders,
        "new_orders": new,
        "minutes": minutes,
        "database_gb": round(gigabytes, 2),
        **asdict(worked),
        **{f"{name}_{what}": value for name, size in sizes.items() for what, value in size.as_dict().items()},
        "flat": all(size.growth <= FLAT for size in sizes.values()),
    }
    _show(console, sizes, worked, judged=minutes >= JUDGED_FROM)
    if file is not None:
        file.write_text(json.dumps(figures, indent=2) + "\n")
    flat = figures["flat"] or minutes < JUDGED_FROM
    return 0 if flat and sizes["serve"].peak < TARGET_MB else 1


async def _fill(home: Path, orders: int) -> float:
    """Make the past; the size of the database in GB."""
    with embedded_server((home / "postgres").resolve()) as server:
        url = server.url("ballast")
        await create_database(url, "ballast")
        await upgrade(url)
        engine = make_engine(url, pool=1)
        try:
            async with engine.begin() as tx:
                for statement in (PAST, *FILL):
                    await run(tx, statement, orders=orders, start=START, plenty=PLENTY)
            async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                await connection.execute(text("vacuum analyze"))
                found = await rows(connection, "select pg_database_size('ballast') as bytes")
        finally:
            await engine.dispose()
    return float(found[0].bytes) / 1e9


@contextmanager
def _whole_machine(home: Path) -> Iterator[tuple[Machine, World]]:
    """Everything that `ballast up` starts, with the simulated world outside."""
    credentials, web_port = Credentials.make(), free_port()
    own: Settings = settings().model_copy(update={"home": home, "web_port": web_port, "database_url": None})
    hooks = f"http://127.0.0.1:{web_port}/hooks"
    with world(credentials, seed=1, speed=SPEED, hooks=hooks, home=home) as outside:
        env = as_env(credentials.ours(outside.url)) | {
            "BALLAST_HOME": str(home),
            "BALLAST_CLOCK__START": START.isoformat(),
            "BALLAST_CLOCK__ANCHOR": str(outside.anchor),
            "BALLAST_CLOCK__SPEED": str(outside.speed),
            "BALLAST_KINGDEE__MAX_CALLS": "64",  # the simulated ERP has no licence limit
            "BALLAST_PATIENCE__WAREHOUSE_QUIET": "P15D",  # a minute and a half
            "BALLAST_PATIENCE__COURIER_QUIET": "P15D",
        }
        with machine(own, env=env) as house:
            yield house, outside


def _place(outside: World, new: int, per_second: float) -> None:
    for article in outside.get("catalogue")["articles"]:
        outside.post("stock", sku=article["sku"], quantity=PLENTY)
    outside.post("start", orders=new, per_second=per_second, keep_stock=True)


def _watch(house: Machine, minutes: float, console: Console) -> dict[str, Size]:
    """Look once a second. The peak is the kernel's own: nothing between two looks is missed."""
    sizes: dict[str, Size] = {}
    end = time.monotonic() + minutes * 60
    with console.status("") as status:
        while (left := end - time.monotonic()) > 0:
            for name, (now, peak) in _look(house).items():
                size = sizes.setdefault(name, Size())
                size.samples.append(now)
                size.peak = max(size.peak, peak)
            seen = " · ".join(f"{name} {size.samples[-1]:.0f} MB" for name, size in sizes.items())
            status.update(f"{left:.0f} s left · {seen}")
            time.sleep(1)
    return sizes


def _look(house: Machine) -> dict[str, tuple[float, float]]:
    """Process -> (MB now, the highest so far)."""
    found = {}
    for one in house.children:
        one.check()
        now, peak = _read_memory(one.process.pid, "VmRSS", "VmHWM")
        found[one.name] = (now, peak)
    if house.postgres is not None:
        own = sum(_read_memory(pid, "RssAnon")[0] for pid in _backends(house.postgres))
        found[POSTGRES] = (round(own, 1), round(own, 1))
    return found


def _backends(server: EmbeddedServer) -> list[int]:
    """Every process of the server. Shared buffers are in all of them, so only what is their own is counted."""
    first = server.server.get_postmaster_info().pid
    return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text(encoding="utf-8").split())]


def _read_memory(pid: int, *names: str) -> list[float]:
    """These fields of a process's status, in MB; 0 when it has just ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return [0.0] * len(names)
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return [round(int(fields[name].split()[0]) * 1024 / 1e6, 1) if name in fields else 0.0 for name in names]


async def _what_was_done(house: Machine) -> Worked:
    engine = make_engine(house.database_url, pool=1)
    try:
        async with engine.connect() as tx:
            found = await rows(
                tx,
                """
                select (select count(*) from sales_order where order_no not like 'PAST%'
                    and state in ('SIGNED', 'CLOSED', 'ON_HOLD')) as new_orders_at_rest,
                  (select count(*) from sales_order where order_no like 'PAST%' and version > 0) as past_orders_moved,
                  (select count(*) from sales_order where order_no like 'PAST%' and version = 0
                    and due_step in ('confirm_payment', 'track_transit')) as past_orders_still_due,
                  (select count(*) from inbox where state = 'done' and received_at > :start) as messages_read""",
                start=START,
            )
    finally:
        await engine.dispose()
    return Worked(**found[0]._mapping)


def _show(console: Console, sizes: dict[str, Size], worked: Worked, *, judged: bool) -> None:
    table = Table(title="Memory, MB")
    for column in ("process", "at the start", "early", "late", "growth", "peak"):
        table.add_column(column, justify="left" if column == "process" else "right")
    for name, size in sizes.items():
        over, grows = name == "serve" and size.peak >= TARGET_MB, judged and size.growth > FLAT
        growth, peak = f"{size.growth:.2f} x", f"{size.peak}"
        table.add_row(
            name, f"{size.samples[0]}", f"{size.early}", f"{size.late}",
            f"[red]{growth}[/red]" if grows else growth, f"[red]{peak}[/red]" if over else peak,
        )  # fmt: skip
    console.print(table)
    console.print(", ".join(f"{value} {name.replace('_', ' ')}" for name, value in asdict(worked).items()))


if __name__ == "__main__":
    run_as_command(measure)
