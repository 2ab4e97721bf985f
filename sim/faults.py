"""Misbehaviour on command. Whether something goes wrong depends on (seed, system, operation, key, n-th time) only."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from aiohttp import web

from sim.chance import between, roll

SYSTEMS = ("kingdee", "qimen", "kdniao", "wechat", "wechatpay", "dingtalk", "wecom", "feishu", "direct")
REORDER_SECONDS = (0.5, 3.0)
LATE_SECONDS = (8.0, 20.0)
DUPLICATE_SECONDS = (0.05, 2.0)


class BadFault(ValueError):
    """The fault asked for does not exist; see sim/README.md for the names."""


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """Rates are parts of 1. Delays of webhooks are real seconds, as everything on the wire."""

    latency_ms: tuple[float, float] = (0.0, 0.0)
    error_rate: float = 0.0
    timeout_after_effect: float = 0.0
    success_without_effect: float = 0.0
    webhook_duplicate: float = 0.0
    webhook_reorder: float = 0.0
    webhook_late: float = 0.0
    webhook_lost: float = 0.0
    batch_refused: float = 0.0
    hang_seconds: float = 30.0
    about: str = ""  # only for calls and messages whose operation or key has this text


PRESETS = {
    "none": FaultSettings(),
    "mild": FaultSettings(latency_ms=(10, 100), error_rate=0.01, webhook_duplicate=0.05, webhook_reorder=0.05),
    "storm": FaultSettings(
        latency_ms=(20, 400),
        error_rate=0.05,
        timeout_after_effect=0.02,
        success_without_effect=0.02,
        webhook_duplicate=0.20,
        webhook_reorder=0.10,
        webhook_lost=0.03,
    ),
}
QUIET = PRESETS["none"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request as faults see it; `effect` tells whether success would change something."""

    system: str
    operation: str
    key: str
    effect: bool = False


@dataclass(frozen=True, slots=True)
class Fate:
    """Real seconds until each copy of a webhook is sent; no copies: it is lost."""

    copies: tuple[float, ...]


class FaultBoard:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.settings = dict.fromkeys(SYSTEMS, QUIET)
        self._special: dict[str, list[FaultSettings]] = {system: [] for system in SYSTEMS}
        self.done: Counter[str] = Counter()
        self.done_about: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()  # how often each operation was asked for, whatever came of it
        self._outage_until: dict[str, float] = {}
        self._times: Counter[tuple[str, str, str]] = Counter()

    def command(self, order: Mapping[str, Any]) -> None:
        """`{"preset": name}` or `{"system": name or "*", **settings}`; what is not named stays as it is.

        With `about` for some of a system's calls and messages only, until the next preset.
        """
        rest = dict(order)
        systems = choose_systems(rest.pop("system", "*"))
        preset, outage = rest.pop("preset", None), rest.pop("outage_seconds", None)
        about = str(rest.pop("about", ""))
        for system in systems:
            if about:
                self._special[system].append(replace(change(self.settings[system], rest), about=about))
                continue
            if preset:
                self._special[system].clear()
            start = read_preset(preset) if preset else self.settings[system]
            self.settings[system] = change(start, rest)
            if outage is not None or preset:
                self._outage_until[system] = time.time() + float(outage or 0)

    def outage_left(self, system: str) -> float:
        return max(0.0, self._outage_until.get(system, 0.0) - time.time())

    def _settings_of(self, system: str, what: str) -> FaultSettings:
        """What was said last of a thing counts."""
        special = (one for one in reversed(self._special[system]) if one.about in what)
        return next(special, self.settings[system])

    async def serve(
        self,
        request: web.Request,
        call: Call,
        act: Callable[[bool], web.Response],
        *,
        unanswered: Callable[[], None] = lambda: None,
    ) -> web.StreamResponse:
        """Run `act`, or not, and answer, or not. `act(False)` must answer success without doing anything.

        `unanswered` is told at once when what `act` did will not be answered.
        """
        self.calls[f"{call.system}.{call.operation}"] += 1
        settings = self._settings_of(call.system, f"{call.operation} {call.key}")
        if settings is QUIET and call.system not in self._outage_until:
            return act(True)
        dice = self._roll(call.system, call.operation, call.key)
        if self.outage_left(call.system):
            return self._refuse(request, call.system, dice[0])
        if settings.latency_ms[1]:
            await asyncio.sleep(between(*settings.latency_ms, dice[1]) / 1000)
        if dice[2] < settings.error_rate:
            return self._fail(call.system, throttled=dice[2] < settings.error_rate / 2)
        return await self._act(request, call, act, settings, dice, unanswered)

    async def _act(
        self,
        request: web.Request,
        call: Call,
        act: Callable[[bool], web.Response],
        settings: FaultSettings,
        dice: tuple[float, ...],
        unanswered: Callable[[], None],
    ) -> web.StreamResponse:
        if call.effect and dice[3] < settings.success_without_effect:
            self._note(call.system, "success_without_effect", settings)
            return act(False)
        response = act(True)
        if call.effect and dice[4] < settings.timeout_after_effect:
            self._note(call.system, "timeout_after_effect", settings)
            unanswered()
            await asyncio.sleep(settings.hang_seconds if dice[5] < 0.5 else 0)
            drop(request)
        return response

    def _refuse(self, request: web.Request, system: str, part: float) -> web.Response:
        self._note(system, "outage")
        if part < 0.5:
            drop(request)
        return web.Response(status=503, text="Service Unavailable")

    def _fail(self, system: str, *, throttled: bool) -> web.Response:
        self._note(system, "error_429" if throttled else "error_503")
        if throttled:
            return web.Response(status=429, text="Too Many Requests", headers={"Retry-After": "1"})
        return web.Response(status=503, text="Service Unavailable")

    def decide_fate(self, system: str, event: str, key: str, *, insistent: bool = False) -> Fate:
        settings = self._settings_of(system, f"{event} {key}")
        if settings is QUIET:
            return Fate((0.0,))
        dice = self._roll(system, f"hook:{event}", key)
        # The seller's own backend keeps an outbox: it repeats and delays like everybody, but loses nothing.
        if dice[0] < settings.webhook_lost and system != "direct" and not insistent:
            self._note(system, "webhook_lost", settings)
            return Fate(())
        first = self._delay(system, settings, dice)
        if dice[3] >= settings.webhook_duplicate:
            return Fate((first,))
        self._note(system, "webhook_duplicate", settings)
        # Half of the duplicates come at the same instant: the harder case for whoever receives them.
        later = 0.0 if dice[4] < 0.5 else between(*DUPLICATE_SECONDS, dice[5])
        return Fate((first, first + later))

    def refuses_of_batch(self, system: str, key: str) -> bool:
        """Whether one thing of a batch that was taken on is refused when it is made."""
        rate = self.settings[system].batch_refused
        if not rate or roll(self._seed, system, "batch refused", key)[0] >= rate:
            return False
        self._note(system, "batch_refused")
        return True

    def _delay(self, system: str, settings: FaultSettings, dice: tuple[float, ...]) -> float:
        if dice[1] < settings.webhook_late:
            self._note(system, "webhook_late")
            return between(*LATE_SECONDS, dice[2])
        if dice[1] < settings.webhook_late + settings.webhook_reorder:
            self._note(system, "webhook_reorder")
            return between(*REORDER_SECONDS, dice[2])
        return 0.0

    def _roll(self, system: str, operation: str, key: str) -> tuple[float, ...]:
        self._times[system, operation, key] += 1
        return roll(self._seed, system, operation, key, self._times[system, operation, key])

    def _note(self, system: str, fault: str, settings: FaultSettings = QUIET) -> None:
        self.done[f"{system}.{fault}"] += 1
        if settings.about:
            self.done_about[f"{settings.about}.{fault}"] += 1

    def describe(self) -> dict[str, Any]:
        outages = {system: left for system in SYSTEMS if (left := self.outage_left(system))}
        settings = {system: asdict(found) for system, found in self.settings.items()}
        return {
            "settings": settings,
            "outage_left": outages,
            "done": dict(self.done),
            "done_about": dict(self.done_about),
        }


def choose_systems(name: str) -> tuple[str, ...]:
    if name == "*":
        return SYSTEMS
    if name not in SYSTEMS:
        raise BadFault(f"no system {name!r}; there are {', '.join(SYSTEMS)} and *")
    return (name,)


def read_preset(name: str) -> FaultSettings:
    if name not in PRESETS:
        raise BadFault(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def change(settings: FaultSettings, fields: Mapping[str, Any]) -> FaultSettings:
    values: dict[str, Any] = {n: tuple(value) if n == "latency_ms" else float(value) for n, value in fields.items()}
    try:
        changed = replace(settings, **values)
    except TypeError as error:
        raise BadFault(f"no such fault setting: {error}") from error
    return QUIET if changed == QUIET else changed


def drop(request: web.Request) -> None:
    """Cut the connection; what the handler returns afterwards reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
