"""Which adapter plays which role, by the settings. A house holds every connection of one process."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.alerts.apprise.client import AppriseChannel
from adapters.alerts.dingtalk.client import Dingtalk
from adapters.alerts.feishu.client import Feishu
from adapters.alerts.feishu.status import MOST_PER_SECOND
from adapters.alerts.wecom.client import Wecom
from adapters.couriers.kdniao.client import Kdniao
from adapters.couriers.kdniao.webhook import KdniaoHook
from adapters.erp.kingdee.client import Kingdee
from adapters.payments.wechatpay.client import Wechatpay
from adapters.payments.wechatpay.webhook import WechatpayHook
from adapters.storefronts.direct.webhook import DirectHook
from adapters.storefronts.wechat.client import Wechat
from adapters.storefronts.wechat.webhook import WechatHook
from adapters.wms.qimen.client import Qimen
from adapters.wms.qimen.webhook import QimenHook
from ballast.clock import Clock
from ballast.db.allowance import RobotAllowance, SharedAllowance
from ballast.db.engine import make_engine
from ballast.db.rules_in_force import RulesInForce
from ballast.domain.schedule import Waits
from ballast.domain.words import System
from ballast.points import Point, reached
from ballast.ports import Alerts, Asked, Codes, Courier, Erp, Hook, Payment, Storefront, Wms
from ballast.rules.current import PolicyInForce, find_rules
from ballast.rules.windows_in_force import WindowsInForce
from ballast.settings import LimitedPart, Settings, SettingsError, settings

T = TypeVar("T")
L = TypeVar("L", bound=LimitedPart)


@dataclass(frozen=True, slots=True)
class GivenCodes:
    """The codes that a client was given: its own, and over them what people added."""

    own: Codes
    added: Codes
    codes: Codes


@dataclass(slots=True)
class House:
    """Everything that steps need of the world outside: database, clock, and one client per configured role."""

    settings: Settings
    clock: Clock
    engine: AsyncEngine
    roles: dict[str, Any] = field(default_factory=dict)  # role name -> its client, each of its own protocol
    added_codes: Mapping[str, Codes] = field(default_factory=dict)
    given_codes: dict[str, "GivenCodes"] = field(default_factory=dict)
    stopping: bool = False  # this process ends: runs take nothing new and give back what they cannot finish
    closed: bool = False
    sla: PolicyInForce = field(init=False, repr=False)
    rules: RulesInForce = field(init=False, repr=False)
    return_windows: WindowsInForce = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.sla = PolicyInForce(find_rules(self.settings.sla_policy), lambda: self.clock.now())
        self.rules = RulesInForce(self.sla)
        self.return_windows = WindowsInForce(find_rules(self.settings.return_rules))

    @property
    def erp(self) -> Erp:
        return self._role("erp", lambda: Kingdee(*self._given(System.KINGDEE, self.settings.kingdee)))

    @property
    def wms(self) -> Wms:
        return self._role("wms", lambda: Qimen(*self._given(System.QIMEN, self.settings.qimen)))

    @property
    def courier(self) -> Courier:
        return self._role("courier", lambda: Kdniao(*self._given(System.KDNIAO, self.settings.kdniao)))

    @property
    def storefront(self) -> Storefront:
        return self._role("storefront", lambda: Wechat(*self._given(System.WECHAT, self.settings.wechat)))

    @property
    def payment(self) -> Payment:
        return self._role("payment", lambda: Wechatpay(*self._given(System.WECHATPAY, self.settings.wechatpay)))

    @property
    def channels(self) -> Mapping[str, Alerts]:
        """Every configured way to reach people by its name, the first one first. Empty when there is none."""
        found = _channels(self.settings, self.clock, self.engine)
        return {name: self._role(f"alerts.{name}", make) for name, make in found.items()}

    @property
    def waits(self) -> Waits:
        patience = self.settings.patience
        return_window, windows = self.return_windows.current()
        return Waits(
            unpaid=patience.unpaid,
            warehouse_quiet=patience.warehouse_quiet,
            courier_quiet=patience.courier_quiet,
            return_window=return_window or patience.return_window,
            sla=self.sla.current(),
            sourcing=self.rules.sourcing,
            windows=windows,
        )

    def lease(self) -> datetime:
        """When a claim made now ends by itself."""
        return self.clock.after(self.settings.patience.lease)

    def back_off(self, attempts: int) -> datetime:
        """When an order that failed `attempts` times is tried again: doubling pauses up to a limit."""
        patience = self.settings.patience
        pause = min(patience.back_off * 2 ** min(attempts, 20), patience.back_off_most)
        return self.clock.after(pause)

    def order_link(self, order_no: str) -> str:
        """A link to the order's timeline for the Prefect UI; the bare number when the page is switched off."""
        key = self.settings.console_key
        if key is None:
            return order_no
        return (
            f"[{order_no}]({self.settings.web_url}/orders/{order_no}?key={page_key(key.get_secret_value(), order_no)})"
        )

    def alert_link(self, alert_id: int) -> str:
        """The address at which an alert is answered; empty when pages are switched off."""
        key = self.settings.console_key
        if key is None:
            return ""
        return f"{self.settings.web_url}/alerts/{alert_id}?key={alert_key(key.get_secret_value(), alert_id)}"

    def report_link(self, name: str) -> str:
        """The address of a report's file; empty when pages are switched off."""
        key = self.settings.console_key
        if key is None:
            return ""
        return f"{self.settings.web_url}/reports/{name}?key={report_key(key.get_secret_value(), name)}"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction. No network call belongs inside.

        What a run that failed left behind, its sign of life or its bar, opens no connection that nobody would close.
        """
        if self.closed:
            raise ConnectionError("the connections of this process are closed")
        async with self.engine.begin() as tx:
            yield tx

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[AsyncConnection]:
        """Statements that change nothing, each for itself: beginning and committing would cost two journeys more."""
        if self.closed:
            raise ConnectionError("the connections of this process are closed")
        async with self.engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def moving(self, kind: str) -> AsyncIterator[AsyncConnection]:
        """The transaction in which `kind` stores results and moves orders: whole or not at all, wherever we die."""
        async with self.transaction() as tx:
            yield tx
            reached(kind, Point.STORED)
        reached(kind, Point.MOVED)

    async def close(self) -> None:
        self.closed = True
        for role in self.roles.values():
            await role.close()
        await self.engine.dispose()

    def _given(self, system: System, part: L | None) -> tuple[L, Clock, SharedAllowance]:
        """What a client is made of: its calls are counted together with those of all other processes."""
        config = _need(part, system.upper())
        limits = SharedAllowance(
            self.engine, str(system), max_calls=config.max_calls, per_second=config.calls_per_second
        )
        return config, self.clock, limits

    def _role(self, name: str, make: Callable[[], T]) -> T:
        if name not in self.roles:
            self.roles[name] = make()
        role: T = self.roles[name]
        if isinstance(role, Asked):
            self._extend(name, role)
        return role

    def _extend(self, name: str, role: Asked) -> None:
        """Give a client what people added to its own codes; what they took back it forgets."""
        given, added = self.given_codes.get(name), self.added_codes.get(role.system, {})
        if given is not None and given.codes is role.codes and given.added == added:
            return
        own = given.own if given is not None and given.codes is role.codes else role.codes
        role.codes = {**own, **_with_states(own, added)} if added else own
        self.given_codes[name] = GivenCodes(own, added, role.codes)


def _with_states(own: Codes, added: Codes) -> Codes:
    """A code that people gave another note or reason, and no other event, stands for the same state as before."""
    same = {key: own[key].state for key, meaning in added.items() if key in own and own[key].event is meaning.event}
    return {key: replace(meaning, state=same.get(key, meaning.state)) for key, meaning in added.items()}


def page_key(secret: str, order_no: str) -> str:
    """What opens the page of one order, and of no other."""
    return hmac.new(secret.encode(), order_no.encode(), hashlib.sha256).hexdigest()[:32]


def alert_key(secret: str, alert_id: int) -> str:
    """What opens the page of one alert, and of no other."""
    return page_key(secret, f"alert/{alert_id}")  # no order number has a slash


def report_key(secret: str, name: str) -> str:
    """What opens one file of a report, and no other."""
    return page_key(secret, f"report/{name}")


def _need(part: T | None, name: str) -> T:
    if part is None:
        raise SettingsError(
            f"BALLAST_{name}__... is not set: this system is needed here; see README.md, «Your own systems»"
        )
    return part


def _channels(config: Settings, clock: Clock, engine: AsyncEngine) -> Mapping[str, Callable[[], Alerts]]:
    """How each configured channel is made, in the order in which they are used."""
    found: dict[str, Callable[[], Alerts]] = {}
    if dingtalk := config.dingtalk:
        found["dingtalk"] = lambda: Dingtalk(dingtalk, clock)
    if wecom := config.wecom:
        found["wecom"] = lambda: Wecom(wecom, clock)
    if feishu := config.feishu:
        pace = partial(RobotAllowance, engine, str(System.FEISHU), per_second=MOST_PER_SECOND)
        found["feishu"] = lambda: Feishu(feishu, clock, pace())
    if apprise := config.apprise:
        found |= {name: partial(AppriseChannel, name, apprise) for name in apprise.urls}
    return found


def hooks(config: Settings) -> Mapping[str, Hook]:
    """The door of every configured system, by the last part of its URL."""
    doors: dict[str, Hook] = {}
    if config.qimen:
        doors["qimen"] = QimenHook(config.qimen)
    if config.kdniao:
        doors["kdniao"] = KdniaoHook(config.kdniao)
    if config.wechat:
        doors["wechat"] = WechatHook(config.wechat)
    if config.wechatpay:
        doors["wechatpay"] = WechatpayHook(config.wechatpay)
    if config.direct:
        doors["direct"] = DirectHook(config.direct)
    return doors


def database_url(config: Settings) -> str:
    """The configured database. Raises `SettingsError` when there is none: the embedded one is started by its owner."""
    if config.database_url is None:
        raise SettingsError("BALLAST_DATABASE_URL is not set; `ballast up` starts the embedded server and sets it")
    return config.database_url.get_secret_value()


_open: dict[asyncio.AbstractEventLoop, House] = {}


async def house() -> House:
    """The house of this process, opened at first use on this event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _open:
        config = settings()
        _open[loop] = House(config, config.make_clock(), make_engine(database_url(config)))
    return _open[loop]


async def close_house() -> None:
    """Close what `house` opened on this loop."""
    opened = _open.pop(asyncio.get_running_loop(), None)
    if opened is not None:
        await opened.close()


def use_house(opened: House) -> None:
    """From now on this is the house of this event loop: a replay has a clock and books of its own."""
    _open[asyncio.get_running_loop()] = opened
