"""Chaos: a stormy world, processes killed at random, the database and Prefect stopped, and the world's own verdict."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ballast.db.engine import DATABASE_ERRORS, make_engine, rows
from ballast.domain.stock_check import Finding, Rule
from ballast.domain.words import State
from ballast.settings import Settings
from ballast.wiring import close_house, house
from deployments.rehearsal.disturbances import KILLED, What, plan
from deployments.rehearsal.hands import Hands
from deployments.rehearsal.killer import Killer
from deployments.rehearsal.stage import UNTOWARD, Stage, rehearsal
from deployments.rehearsal.verdict import Shown, Verdict, judge
from deployments.rehearsal.watching import (
    NOTHING,
    Seen,
    bars,
    look,
    return_figures,
    show_figures,
    state_figures,
    what_is_shown,
)

SPEED = 14_400.0
"""Business seconds per second: a day passes in six."""

PAID_TWICE = 0.02
"""So many customers pay a second time."""

PLACED_WITHIN = 0.75
"""Of the time of the disturbances: each of them meets orders of every state, and an outage somebody who calls."""

SIGNED_AT_LEAST = 0.95

SETTLED_WITHIN = 600.0
"""Seconds after the last disturbance; what is not at rest then is stuck."""

PATIENCE = {  # three days are 18 seconds: what is lost is asked about within the run
    "unpaid": "P3D",
    "warehouse_quiet": "P3D",
    "courier_quiet": "P3D",
    "early_news": "P3D",
}

RETURNS = 0.3
"""So many customers want to send something back: enough of them for everything that is said of returns to go wrong."""

OF_RETURNS = (
    ("qimen", "returnorder.create", {"timeout_after_effect": 0.3, "success_without_effect": 0.3}),
    ("qimen", "returnorder.confirm", {"webhook_lost": 0.3, "webhook_duplicate": 0.3}),
    ("kingdee", "SAL_RETURNSTOCK", {"timeout_after_effect": 0.3, "success_without_effect": 0.1}),
    ("wechatpay", "REFUND.SUCCESS", {"webhook_lost": 0.3, "webhook_duplicate": 0.3}),
)
"""Returns are few, so their storm is worse: (system, what it is about, how often what happens)."""

FAULTS = (
    "error_429",
    "error_503",
    "timeout_after_effect",
    "success_without_effect",
    "webhook_duplicate",
    "webhook_reorder",
    "webhook_lost",
    "outage",
)
"""What the storm has to have done, and the outage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPlan:
    """What to do. Disturbances go on for `minutes`, with at least `kills` processes killed."""

    orders: int = 1000
    seed: int = 1
    minutes: float = 5.0
    kills: int = 20
    file: Path | None = None

    @property
    def seconds(self) -> float:
        return self.minutes * 60


@dataclass(slots=True)
class Watch:
    """What is seen from outside while it happens."""

    seen: Seen = NOTHING
    work_done: int = 0  # grows with every message that was read or sent, and every event of an order
    claimed: set[tuple[int, str]] = field(default_factory=set)  # (order id, lease owner)

    async def look(self, engine: AsyncEngine) -> bool:
        """Whether the database answered; while it is away, what was seen last stands: that is part of the play."""
        try:
            async with engine.connect() as tx:
                self.seen = await look(tx)
                self.work_done, self.claimed = await _marks(tx)
        except DATABASE_ERRORS:
            return False
        return True


async def _marks(tx: AsyncConnection) -> tuple[int, set[tuple[int, str]]]:
    done = await rows(
        tx,
        """
        select (select coalesce(max(id), 0) from order_event) + (select count(*) from inbox where state = 'done')
          + (select count(*) from outbox where done_at is not null) as work""",
    )
    found = await rows(tx, "select id, lease_owner from sales_order where lease_owner is not null")
    return done[0].work, {(r.id, r.lease_owner) for r in found}


def run_chaos(chaos: ChaosPlan, settings: Settings, console: Console) -> int:
    """Disturb everything for a while, wait until all is at rest, judge. 0 when every count is 0 and every kind of
    disturbance happened."""
    home = settings.home / "chaos"
    with rehearsal(
        settings,
        console,
        home=home,
        orders=chaos.orders,
        seed=chaos.seed,
        speed=SPEED,
        patience=PATIENCE,
        serves=len(KILLED) - 1,
    ) as stage:
        stage.outside.post("faults", preset="storm")
        for system, about, rates in OF_RETURNS:
            stage.outside.post("faults", system=system, about=about, **rates)
        rate = chaos.orders / (chaos.seconds * PLACED_WITHIN)
        stage.outside.post(
            "start",
            orders=chaos.orders,
            per_second=rate,
            pay_twice=PAID_TWICE,
            **UNTOWARD | {"returns": RETURNS},
            keep_stock=True,
        )
        began = time.monotonic()
        killer, shown = asyncio.run(_go_through(chaos, stage))
        verdict = judge(shown, stage.outside.truth(), stage.outside.get("effects"))
        figures = _figures(chaos, stage, killer, shown, verdict)
        figures |= {"stock_differs": _stock_differs(stage), "seconds": round(time.monotonic() - began, 1)}
    show_figures({**figures, "faults": sum(figures["faults"].values())}, verdict, console)
    if chaos.file is not None:
        chaos.file.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    right = verdict.clean and not figures["stock_differs"] and figures["signed_share"] >= SIGNED_AT_LEAST
    return 0 if right and not figures["missing"] else 1


async def _go_through(chaos: ChaosPlan, stage: Stage) -> tuple[Killer, dict[str, Shown]]:
    """Carry out the plan, and wait for the end."""
    engine = make_engine(stage.house.database_url, pool=2)
    killer, watch = Killer(stage, Hands(engine, stage.house.env, chaos.seed)), Watch()
    todo, began = list(plan(chaos.seed, seconds=chaos.seconds, kills=chaos.kills)), time.monotonic()
    give_up = began + chaos.seconds + SETTLED_WITHIN
    try:
        with bars(chaos.orders, stage.console) as show:
            while time.monotonic() < give_up:
                stage.outside.running.check()
                for what in stage.house.revive():
                    stage.console.print(what)
                while todo and todo[0].at <= time.monotonic() - began:
                    killer.disturb(todo.pop(0), watch.claimed)
                killer.go_on()
                if await watch.look(engine):
                    killer.note(watch.work_done, watch.claimed)
                show(watch.seen)
                if not todo and killer.done and _at_rest(chaos, stage, watch.seen):
                    break
                await asyncio.sleep(0.5)
        await killer.hands.finish()
        return killer, await what_is_shown(engine)
    finally:
        await engine.dispose()


def _at_rest(chaos: ChaosPlan, stage: Stage, seen: Seen) -> bool:
    if not seen.at_rest(chaos.orders):
        return False
    told = stage.outside.get("progress")
    return bool(told["at_rest"] >= chaos.orders and not told["webhooks_pending"])


def _stock_differs(stage: Stage) -> list[str]:
    """Where ledger, locks, orders and the ERP's figures do not say the same of a piece, in calm weather.

    A figure that came while a bill had no clear end yet may count its pieces twice: the ledger then has too few until
    the next one, as it comes every five minutes. Too many would be sold twice: that is no matter of time.
    """
    from flows.sync_inventory import sync_inventory  # Prefect reads PREFECT_API_URL when it is imported
    from tasks.stock import compare

    async def look() -> list[str]:
        try:
            here = await house()
            before = await compare(here)
            await sync_inventory()
            after = await compare(here)
        finally:
            await close_house()
        promised = [one for one in before.findings if one.rule is Rule.ON_HAND and one.found > one.expected]
        silent = {report.not_compared for report in (before, after) if report.not_compared}
        return [*map(_said_of, [*promised, *after.findings]), *silent]

    stage.outside.post("faults", preset="none")
    return asyncio.run(look())


def _said_of(one: Finding) -> str:
    about = f"{one.rule} {one.order_no}".rstrip()
    return f"{about}: {one.sku} in {one.warehouse} {one.found}, should be {one.expected}"


def _figures(
    chaos: ChaosPlan, stage: Stage, killer: Killer, shown: Mapping[str, Shown], verdict: Verdict
) -> dict[str, Any]:
    states = Counter(State(one.state) for one in shown.values())
    told = stage.outside.get("faults")
    faults, of_returns = (dict(sorted(told[name].items())) for name in ("done", "done_about"))
    progress = stage.outside.get("progress")
    return {
        "seed": chaos.seed,
        "minutes": chaos.minutes,
        **state_figures(chaos.orders, Seen({state: states[state] for state in State})),
        "signed_share": round(states[State.SIGNED] / chaos.orders, 4),
        **verdict.counts,
        **return_figures(shown, stage.outside),
        "holds": dict(Counter(one.reason for one in shown.values() if one.reason).most_common()),
        "kills": sum(killer.kills.values()),
        "killed": dict(killer.kills),
        "started_again": {one.name: one.starts - 1 for one in stage.house.children},
        "freed_after_kill_s": killer.freed_after_kill,
        "freed_after_kill_without_prefect_s": killer.freed_without_prefect,
        "database_restarts": killer.restarts,
        "prefect_stopped_s": round(killer.prefect_stopped, 1),
        "outage": killer.outage,
        "hands": dict(killer.hands.said),
        "faults": faults,
        "faults_of_returns": of_returns,
        "webhooks_given_up": progress["webhooks_failed"],
        "missing": _missing(chaos, killer, faults, of_returns),
    }


def _missing(chaos: ChaosPlan, killer: Killer, faults: Mapping[str, int], of_returns: Mapping[str, int]) -> list[str]:
    """Disturbances that were planned and did not happen: a calm run proves nothing."""
    happened = {name.split(".")[1] for name, times in faults.items() if times}
    missing = [f"no {name}" for name in FAULTS if name not in happened]
    wanted = [f"{about}.{fault}" for _, about, rates in OF_RETURNS for fault in rates]
    missing += [f"no {one}" for one in wanted if one not in of_returns]
    missing += [f"{name} was not killed" for name in KILLED if not killer.kills[name]]
    if (kills := sum(killer.kills.values())) < chaos.kills:
        missing.append(f"{kills} of {chaos.kills} kills")
    if len(killer.restarts) < 2:
        missing.append(f"{len(killer.restarts)} of 2 database restarts")
    if not killer.prefect_stopped:
        missing.append("Prefect was not stopped")
    missing += [f"no {what}" for what in (What.CANCEL, What.RERUN) if not killer.hands.said[what]]
    return missing
