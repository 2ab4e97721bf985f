"""What `ballast doctor` looks at. Every finding that is not well says what to do about it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from adapters.errors import OutsideError
from ballast.db.customers import lost_owners
from ballast.db.engine import rows
from ballast.db.rules_in_force import take_policy_in_force
from ballast.db.upgrade import revisions
from ballast.domain.health import delivery_clocks
from ballast.domain.words import System
from ballast.ports import Alerts
from ballast.settings import SettingsError
from ballast.wiring import House, database_url
from tasks.health import window_days


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    text: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


ROLES: dict[str, tuple[str, str]] = {
    "erp": ("kingdee", "BALLAST_KINGDEE__... (server URL, app id, app secret)"),
    "wms": ("qimen", "BALLAST_QIMEN__... (url, app key, secret, customer id)"),
    "courier": ("kdniao", "BALLAST_KDNIAO__... (EBusinessID, api key)"),
    "storefront": ("wechat", "BALLAST_WECHAT__... (app id, app secret, token, aes key)"),
    "payment": ("wechatpay", "BALLAST_WECHATPAY__... (mchid, keys, serials)"),
}
CHANNELS = "BALLAST_DINGTALK__..., BALLAST_WECOM__..., BALLAST_FEISHU__... or BALLAST_APPRISE__URLS"


async def examine(here: House) -> list[Finding]:
    """Look at everything, side by side."""
    checks: list[Callable[[House], Awaitable[Finding]]] = [_database, _backlog, _prefect, _automations]
    found = list(await asyncio.gather(*(check(here) for check in checks)))
    if found[0].ok:
        async with here.transaction() as tx:
            await take_policy_in_force(tx, here.sla, here.clock.now(), at_once=True)
        found.append(await customer_health(here))
    found += await asyncio.gather(*(_system(here, role) for role in ROLES))
    return [_settings(here), _policy(here), _return_rules(here), *found, *await _alerts(here)]


def _settings(here: House) -> Finding:
    missing = [system for system, _ in ROLES.values() if getattr(here.settings, system) is None]
    if here.settings.direct is None:
        missing.append("direct")
    text = f"not configured: {', '.join(missing)}" if missing else "every system is configured"
    return Finding("settings", not missing, text, "add their settings to .env; names in README.md" if missing else "")


def _policy(here: House) -> Finding:
    """The SLA policy in force, and people who would be told of an alert and cannot be rung anywhere."""
    policy = here.sla.current()
    what = f"SLA policy, version {here.sla.wanted}" if here.sla.wanted else f"SLA policy {here.sla.file}"
    if here.sla.problem is not None:
        mend = "publish a mended one: `ballast rules publish sla FILE`, or go back: `ballast rules rollback sla N`"
        if not here.sla.wanted:
            mend = "mend it; `ballast sla check` names every mistake"
        return Finding(what, False, here.sla.problem.problems[0], mend)
    rings = {"dingtalk": "mobile", "wecom": "wecom", "feishu": "feishu"}
    handles = [rings.get(channel, "email") for channel in here.channels]
    silent = [key for key, person in policy.people.items() if not any(getattr(person, name) for name in handles)]
    text = "; ".join([f"{len(policy.clocks)} clocks, {len(policy.ladders)} ladders", *policy.warnings])
    if handles and silent:
        text += f"; nobody is rung for {', '.join(silent)}: without a handle at a channel they only read the group"
    return Finding(what, True, text)


def _return_rules(here: House) -> Finding:
    """Whether the file that answers returns can be used. Until it can, persons answer, and old windows count."""
    here.return_windows.current()
    what, wrong = f"return rules {here.return_windows.file}", here.return_windows.problem
    if wrong is not None:
        return Finding(what, False, wrong.problems[0], "mend it; `ballast returns check` names every mistake")
    return Finding(what, True, "can be used")


async def _database(here: House) -> Finding:
    try:
        current, newest = await revisions(database_url(here.settings))
        async with here.transaction() as tx:
            version = (await rows(tx, "show server_version"))[0][0]
    except (OSError, SQLAlchemyError) as error:
        return Finding("database", False, type(error).__name__, "check BALLAST_DATABASE_URL and that the server runs")
    mend = "" if current == newest else "run `ballast db upgrade`"
    return Finding("database", not mend, f"PostgreSQL {version}, revision {current} of {newest}", mend)


async def _backlog(here: House) -> Finding:
    async with here.transaction() as tx:
        found = await rows(
            tx,
            """select (select count(*) from inbox where state = 'parked'),
              (select count(*) from alert a where ended_at is null and not exists
                (select 1 from alert_notice n where n.alert_id = a.id and n.sent_at is not null)),
              (select count(*) from hold where released_at is null)""",
        )
    parked, unsent, held = found[0]
    text = f"{held} on hold, {parked} parked message(s), {unsent} alert(s) not delivered"
    return Finding("backlog", not parked, text, "see `ballast parked list`" if parked else "")


async def customer_health(here: House) -> Finding:
    """How far back a score looks, whether it can see late deliveries, and owners whom no alert reaches."""
    policy = here.sla.current()
    async with here.transaction() as tx:
        lost = await lost_owners(tx, policy.people)
    text = f"customer health looks {window_days(here)} days back"
    if not delivery_clocks(policy):
        text += "; no clock of the SLA policy watches a delivery: none is seen to be late"
    if not lost:
        return Finding("customers", True, text)
    text += f"; owners whom the SLA policy does not know: {', '.join(f'{who} ({n})' for who, n in lost.items())}"
    return Finding("customers", False, text, "add them to its `people`, or say another with `ballast customer owner`")


async def _prefect(here: House) -> Finding:
    url = os.environ.get("PREFECT_API_URL", "")
    if not url:
        return Finding("prefect", False, "PREFECT_API_URL is not set", "start `ballast up`, or point it at your server")
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            version = (await client.get(f"{url}/admin/version")).raise_for_status().json()
            count = (await client.post(f"{url}/deployments/count", json={})).raise_for_status().json()
            workers = (await client.post(f"{url}/work_pools/ballast/workers/filter", json={})).json()
    except httpx.HTTPError as error:
        return Finding("prefect", False, f"{url}: {type(error).__name__}", "start the server, or mend PREFECT_API_URL")
    online = sum(worker.get("status") == "ONLINE" for worker in workers) if isinstance(workers, list) else 0
    mend = "" if online else "start `ballast up` or a worker of the pool"
    if not count:
        mend = "run `python -m deployments.apply`"
    return Finding("prefect", not mend, f"{version}, {count} deployment(s), {online} worker(s) online", mend)


async def _automations(here: House) -> Finding:
    """What tells people of failed runs and dead workers."""
    from deployments.automations import TRIGGERS, what_is_missing

    url = os.environ.get("PREFECT_API_URL", "")
    if not url:
        return Finding("automations", False, "PREFECT_API_URL is not set", "as for prefect")
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            missing = await what_is_missing(client, url)
    except httpx.HTTPError as error:
        return Finding("automations", False, f"{url}: {type(error).__name__}", "as for prefect")
    if missing:
        mend = "run `python -m deployments.apply`, and switch on in the Prefect UI what is off"
        return Finding("automations", False, "; ".join(missing), mend)
    return await _knock(here, f"{len(TRIGGERS)} on the server, all of them on")


async def _knock(here: House, well: str) -> Finding:
    """Whether the web process lets in whoever shows the key of the settings."""
    config = here.settings
    if config.prefect_hook_key is None:
        mend = "set it to what it was when `python -m deployments.apply` ran, for the web process, too"
        return Finding("automations", False, "BALLAST_PREFECT_HOOK_KEY is not set: nobody lets them in", mend)
    url = config.prefect_hook_url or f"{config.web_url.rstrip('/')}/hooks/prefect"
    headers = {"x-ballast-key": config.prefect_hook_key.get_secret_value()}
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            answer = await client.post(url, json={"automation": "hello", "about": "{}"}, headers=headers)
    except httpx.HTTPError as error:
        return Finding("automations", False, f"{url}: {type(error).__name__}", "start the web process, or set its URL")
    if answer.status_code != httpx.codes.NO_CONTENT:
        mend = "start the web process again with the same BALLAST_PREFECT_HOOK_KEY"
        return Finding("automations", False, f"{url} answers {answer.status_code}", mend)
    return Finding("automations", True, well)


async def _system(here: House, role: str) -> Finding:
    system, names = ROLES[role]
    what = f"{role} ({system})"
    try:
        return Finding(what, True, await getattr(here, role).ping())
    except SettingsError:
        return Finding(what, False, "not configured", f"set {names}")
    except OutsideError as error:
        return Finding(what, False, str(error), f"check {names} and that the system is reachable from here")


async def _alerts(here: House) -> list[Finding]:
    """One channel is enough; each that is configured has to be well."""
    try:
        channels = here.channels
    except SettingsError as wrong:
        return [Finding("alerts", False, str(wrong), f"mend {CHANNELS}")]
    if not channels:
        return [Finding("alerts", False, "no channel is configured: nobody is told anything", f"set {CHANNELS}")]
    return list(await asyncio.gather(*(_channel(name, channel) for name, channel in channels.items())))


async def _channel(name: str, channel: Alerts) -> Finding:
    what = f"alerts ({name})"
    try:
        return Finding(what, True, await channel.ping())
    except OutsideError as error:
        names = "BALLAST_APPRISE__URLS" if channel.system is System.APPRISE else f"BALLAST_{name.upper()}__..."
        return Finding(what, False, str(error), f"check {names} and that the system is reachable from here")


def show(findings: list[Finding], console: Console) -> None:
    table = Table(title="ballast doctor", title_justify="left")
    for column in ("", "what", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for one in findings:
        mark = "[green]ok[/green]" if one.ok else "[red]!![/red]"
        table.add_row(mark, one.what, escape(one.text), escape(one.mend))
    console.print(table)
