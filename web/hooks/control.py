"""The door of Prefect's automations: what the server saw of runs and workers becomes an alert that people hear of.

The Prefect server calls it (`deployments/automations.py`), so it works while no listener and no worker is alive: the
alert is stored and told from this process.
"""

import hmac
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ballast.db.engine import DATABASE_ERRORS, ring
from ballast.db.machine_alerts import end_about, raise_once
from ballast.domain.words import Label
from ballast.wiring import House
from web.bounds import sender_of
from web.hooks.body import Body, BodyReader
from web.hooks.crowd import Crowd
from web.hooks.refusals import Refusal, RefusalLog

log = logging.getLogger(__name__)

KEY_HEADER: Final = "x-ballast-key"
NAME: Final = re.compile(r"[A-Za-z0-9][\w-]{0,79}", re.ASCII)
LONGEST: Final = 300
SAID_BY_PREFECT: Final = "Flow run encountered an exception: "

FAILED_TWICE: Final = Label("{flow} failed twice within ten minutes", "{flow} 十分钟内失败两次")
WHAT_FAILED: Final = Label(
    "last: {run} ({state}): {message}. The next run that works goes on; `ballast doctor` names a system that is down. "
    "{link}",
    "最近一次：{run}（{state}）：{message}。下一次成功的运行会继续处理；哪个系统不通，见 `ballast doctor`。{link}",
)
GONE: Final = Label("no worker of the pool {pool} is alive", "工作池 {pool} 没有存活的工作进程")
WHAT_IS_GONE: Final = Label(
    "scheduled duties and forms stand still: look at `deployments.serve` (systemctl status ballast-serve), start it "
    "again; this alert ends by itself when a worker is back",
    "定时任务与表单已停摆：请检查 `deployments.serve`（systemctl status ballast-serve）并重新启动；"
    "工作进程恢复后本告警自动结束",
)


@dataclass(frozen=True, slots=True)
class Told:
    """What an automation says: which one it is, and the JSON that its template made."""

    automation: str
    about: dict[str, Any]

    def name(self, field: str) -> str:
        """A name that becomes part of a key. Raises `Refusal`."""
        value = self.about.get(field)
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise Refusal(400, f"`about` has no usable `{field}`")
        return value

    def words(self, field: str) -> str:
        """Words for people, bounded, on one line."""
        value = str(self.about.get(field) or "")[:LONGEST]
        return "".join(c if c.isprintable() else " " for c in value)


class ControlDoor:
    """Answers `POST /hooks/prefect`. `send` tells people what is due; it is called after the answer, one at a time."""

    def __init__(self, house: House, key: str, send: Callable[[House], Awaitable[object]]) -> None:
        self._house, self._key, self._send = house, key.encode(), send
        self._crowd, self._bodies = Crowd(house.settings.limits), BodyReader()
        self._refusals = RefusalLog()
        self._sending = self._again = False

    async def answer(self, request: Request) -> Response:
        """204 once the alert is committed, or was known. The server tells the same again and again: it rings once."""
        now, body = self._house.clock.machine_now(), Body(request)
        try:
            self._admit(request, now)
            async with self._bodies.read(request, body) as raw:
                told = read(raw)
            await self._act(told, now)
        except Refusal as refusal:
            self._crowd.note_refusal(sender_of(request), refusal.status, now)
            self._refusals.note("prefect", refusal, now)
            await body.drain()
            headers = {} if body.whole else {"connection": "close"}
            if refusal.retry_after is not None:
                headers["retry-after"] = str(refusal.retry_after)
            return JSONResponse({"error": refusal.why}, refusal.status, headers)
        return Response(status_code=204, background=BackgroundTask(self._tell_people))

    def close(self) -> None:
        """Tell the refusals that are not yet told."""
        self._refusals.close()

    def _admit(self, request: Request, now: datetime) -> None:
        """The key is looked at before the body. Raises `Refusal`."""
        sender = sender_of(request)
        self._crowd.admit("prefect", sender, now)
        shown = request.headers.get(KEY_HEADER, "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(shown, self._key):
            raise Refusal(401, "no key, or a wrong one")
        self._crowd.note_proof(sender, now)

    async def _act(self, told: Told, machine_now: datetime) -> None:
        act = ACTS.get(told.automation)
        if act is None:
            raise Refusal(400, "no such automation")
        try:
            async with self._house.transaction() as tx:
                await act(tx, self._house, told, machine_now)
        except DATABASE_ERRORS as error:
            raise Refusal(503, f"the database does not take it now ({type(error).__name__})") from None

    async def _tell_people(self) -> None:
        """Whoever comes while a sending is under way has it done once more, for what was raised meanwhile."""
        self._again = True
        if self._sending:
            return
        self._sending = True
        try:
            while self._again:
                self._again = False
                await self._send(self._house)
        except Exception:  # of any kind: the alert is stored and stays due, and the answer is given already
            log.exception("alerts could not be sent from the web process: they stay due")
        finally:
            self._sending = False


def read(raw: bytes) -> Told:
    """The block's body: `{"automation": ..., "about": "JSON text"}`. Raises `Refusal`."""
    try:
        outer = orjson.loads(raw)
        about = outer["about"]
        inner = orjson.loads(about) if isinstance(about, str) else about
        automation = outer["automation"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Refusal(400, "not what the automation's block sends") from None
    if not isinstance(inner, dict) or not isinstance(automation, str):
        raise Refusal(400, "not what the automation's block sends")
    return Told(automation, inner)


Act = Callable[[AsyncConnection, House, Told, datetime], Awaitable[None]]


async def _ring(tx: AsyncConnection, house: House, told: Told, machine_now: datetime) -> None:
    """A breach's alert stands in the books already, written with the breach: what is due goes out now."""
    await ring(tx, "alerts")


async def _step_failed(tx: AsyncConnection, house: House, told: Told, machine_now: datetime) -> None:
    flow = told.name("flow")
    words = {name: told.words(name).removeprefix(SAID_BY_PREFECT) for name in ("run", "state", "message", "link")}
    alert = {
        "level": "warning",
        "title": _say(FAILED_TWICE, house).format(flow=flow),
        "text": _say(WHAT_FAILED, house).format(**words).strip(),
    }
    await raise_once(tx, f"step-failed:{flow}", alert, now=house.clock.now(), machine_now=machine_now)


async def _worker_gone(tx: AsyncConnection, house: House, told: Told, machine_now: datetime) -> None:
    pool = told.name("pool")
    alert = {"level": "urgent", "title": _say(GONE, house).format(pool=pool), "text": _say(WHAT_IS_GONE, house)}
    await raise_once(tx, f"worker-gone:{pool}", alert, now=house.clock.now(), machine_now=machine_now)


async def _worker_back(tx: AsyncConnection, house: House, told: Told, machine_now: datetime) -> None:
    await end_about(tx, f"worker-gone:{told.name('pool')}", house.clock.now())


async def _hello(tx: AsyncConnection, house: House, told: Told, machine_now: datetime) -> None:
    """`ballast doctor` knocks: door, key and database are well."""


ACTS: Final[dict[str, Act]] = {
    "sla-red": _ring,
    "sla-yellow": _ring,
    "step-failed": _step_failed,
    "worker-gone": _worker_gone,
    "worker-back": _worker_back,
    "hello": _hello,
}
"""What each automation of `deployments/automations.py` is answered with."""


def _say(label: Label, house: House) -> str:
    return label.zh if house.settings.language == "zh" else label.en
