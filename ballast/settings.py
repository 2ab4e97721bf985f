"""One frozen tree of settings, from the environment and `.env`. No secret has a default; unknown keys are refused.

Names: `BALLAST_DATABASE_URL`, `BALLAST_KINGDEE__APP_SECRET`, ... (two underscores go down one level).
"""

import os
import re
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as NotJson

from ballast.clock import Clock


class Part(BaseModel):
    """One branch of the tree."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LimitedPart(Part):
    """A system that allows so many calls, counted over all processes that share the database."""

    max_calls: int = Field(default=16, ge=1, le=1000)  # under way at once
    calls_per_second: float = Field(default=0, ge=0, le=10_000, allow_inf_nan=False)  # in any second; 0: no such limit


class KingdeeSettings(LimitedPart):
    """金蝶云星空: third-party app authorisation."""

    server_url: str  # ends in /k3cloud/
    acct_id: str
    user_name: str
    app_id: str
    app_secret: SecretStr
    org_num: str = "100"
    lcid: int = 2052
    bill_type: str = "XSDD01_SYS"
    return_bill_type: str = "XSTHD01_SYS"
    currency: str = "PRE001"
    unit: str = "Pcs"
    salesman: str = "XSY01"
    customer: str = ""  # one ERP customer for all retail orders; empty: the order's own customer number
    push_rule: str = "SaleOrder-OutStock"
    max_calls: int = Field(default=4, ge=1, le=1000)  # a licensed integration user has about this many sessions
    bills_per_call: int = Field(default=20, ge=1, le=100)  # how many bills share one call; 1: each its own
    stock_changed_field: str = Field(default="", pattern="^[A-Za-z0-9_.]*$")  # when a stock row changed; empty: none


class QimenSettings(LimitedPart):
    """奇门: gateway or a WMS that speaks it directly."""

    url: str
    app_key: str
    secret: SecretStr
    customer_id: str
    owner_code: str = "OWNER1"
    method_prefix: str = "taobao.qimen."
    shop_nick: str = "官方商城"
    default_carrier: str = "YTO"
    sender_name: str = "仓库"
    sender_mobile: SecretStr = SecretStr("13800000000")
    sender_province: str = "上海"
    sender_city: str = "上海市"
    sender_address: str = "青浦区"
    warehouses: dict[str, str] = Field(default_factory=lambda: {"CK001": "WH01", "CK002": "WH02"})  # ours -> theirs
    max_calls: int = Field(default=32, ge=1, le=1000)
    orders_per_call: int = Field(default=1, ge=1, le=100)  # delivery orders that share one call; 1: each its own
    items_per_call: int = Field(default=50, ge=1, le=500)  # goods that one stock query asks about


class KdniaoSettings(LimitedPart):
    """快递鸟."""

    query_url: str = "https://api.kdniao.com/Ebusiness/EbusinessOrderHandle.aspx"
    dist_url: str = "https://api.kdniao.com/api/dist"
    ebusiness_id: str
    api_key: SecretStr
    query_type: str = "8001"  # 1002 for the free edition (no StateEx)
    subscribe_type: str = "1008"  # 8008 for the value-added edition


class WechatSettings(LimitedPart):
    """微信小程序: shipping information and message push."""

    api_url: str = "https://api.weixin.qq.com"
    app_id: str
    app_secret: SecretStr
    token: SecretStr
    encoding_aes_key: SecretStr
    mchid: str
    plain_push: bool = False  # take messages that are not encrypted: their signature does not cover the body


class WechatpaySettings(LimitedPart):
    """微信支付 v3, public-key or platform-certificate mode."""

    api_url: str = "https://api.mch.weixin.qq.com"
    mchid: str
    app_id: str
    merchant_serial: str
    merchant_private_key: SecretStr  # PEM
    apiv3_key: SecretStr
    platform_keys: dict[str, str]  # serial (or PUB_KEY_ID_...) -> public key PEM
    notify_url: str = ""


class DingtalkSettings(Part):
    """钉钉 group robot with 加签."""

    url: str = "https://oapi.dingtalk.com/robot/send"
    access_token: SecretStr
    secret: SecretStr
    mentions: tuple[str, ...] = ()  # mobiles that are rung when a message names nobody
    per_minute: int = Field(default=18, ge=1)  # the robot's limit is 20; above it is mute for ten minutes


class WecomSettings(Part):
    """企业微信 group robot: its key is the only credential."""

    url: str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
    key: SecretStr
    mentions: tuple[str, ...] = ()  # user ids that are rung when a message names nobody
    per_minute: int = Field(default=18, ge=1)  # the robot's limit is 20


class FeishuSettings(Part):
    """飞书 or Lark custom bot with 签名校验."""

    url: str = "https://open.feishu.cn/open-apis/bot/v2/hook"  # Lark: https://open.larksuite.com/...
    token: SecretStr
    secret: SecretStr
    mentions: tuple[str, ...] = ()  # open_ids or user_ids that are rung when a message names nobody
    per_minute: int = Field(default=90, ge=1)  # the bot's limit is 100, and 5 a second


class AppriseSettings(Part):
    """E-mail, and whatever else the package `apprise` speaks: each name is a channel of its own."""

    urls: dict[str, SecretStr] = Field(min_length=1)  # channel name -> its apprise URL, which holds its password
    per_minute: int = Field(default=30, ge=1)  # of each of them

    @field_validator("urls")
    @classmethod
    def _ours_stay_ours(cls, urls: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, url in urls.items():
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name) or name in ROBOTS.values():
                raise ValueError(
                    f"a channel cannot be called {name!r}: take lower-case letters, digits, - and _, "
                    f"and none of {', '.join(dict.fromkeys(ROBOTS.values()))}"
                )
            if why := wrong_apprise_url(url.get_secret_value()):
                raise ValueError(f"{name}: {why}")
        return urls


ROBOTS = {
    "dingtalk": "dingtalk",
    "oapi.dingtalk.com": "dingtalk",
    "wecombot": "wecom",
    "qyapi.weixin.qq.com": "wecom",
    "feishu": "feishu",
    "open.feishu.cn": "feishu",
    "lark": "feishu",
    "open.larksuite.com": "feishu",
}
"""Schemes and hosts whose refusals apprise counts as sent, since it does not read the reply -> our own sender."""


def wrong_apprise_url(url: str) -> str:
    """Why this URL is no channel of apprise, without showing it; empty when it may be one."""
    scheme, found, rest = url.strip().partition("://")
    if not found or not rest or not scheme.isalnum():
        return "not a URL such as mailto://USER:PASSWORD@HOST"
    host = rest.partition("/")[0].partition("?")[0].rpartition("@")[2].partition(":")[0]
    if ours := ROBOTS.get(scheme.lower()) or ROBOTS.get(host.lower()):
        return (
            f"apprise counts what this robot refuses as sent, so an alert could get lost: "
            f"use Ballast's own sender, BALLAST_{ours.upper()}__..."
        )
    return ""


class DirectSettings(Part):
    """A shop's own backend that pushes orders in Ballast's format."""

    secret: SecretStr


class ClockSettings(Part):
    """Set by the demo; leave it alone in production."""

    start: datetime | None = None
    anchor: float = 0.0
    speed: float = Field(default=1.0, gt=0)


class Patience(Part):
    """How long Ballast waits. Machine time unless it says business time."""

    lease: timedelta = timedelta(seconds=45)  # a dead worker's orders move again after this
    attempts: int = Field(default=6, ge=1)  # of one order at one step, before it is held
    back_off: timedelta = timedelta(seconds=2)  # first pause; doubles up to back_off_most
    back_off_most: timedelta = timedelta(minutes=5)
    unpaid: timedelta = timedelta(minutes=30)  # business: then the provider is asked
    unpaid_close: timedelta = timedelta(hours=24)  # business: unpaid orders are closed, after asking
    warehouse_quiet: timedelta = timedelta(hours=12)  # business: then the WMS is asked
    courier_quiet: timedelta = timedelta(hours=24)  # business: then the courier is asked
    refund_quiet: timedelta = timedelta(hours=6)  # business: then the provider is asked about a refund
    return_window: timedelta = timedelta(days=7)  # business: signed orders close after it
    early_news: timedelta = timedelta(hours=24)  # business: a message that waits this long for its order is told
    gather: timedelta = timedelta(milliseconds=200)  # so long news waits for company: before a run, between two chunks
    linger: timedelta = timedelta(seconds=2)  # a run started by an event stays this long for more
    next_in_line: timedelta = timedelta(seconds=2)  # what is due this long the next serve process takes, too
    run_most: timedelta = timedelta(seconds=60)  # and ends after this, so that the UI has finished runs


class StockSettings(Part):
    """How the stock view is kept. Business time."""

    sweep_every: timedelta = Field(default=timedelta(hours=1), gt=timedelta(0))  # between them only what changed
    count_every: timedelta = Field(default=timedelta(minutes=10), gt=timedelta(0))  # how often a warehouse is asked
    counts_at_once: int = Field(default=1000, ge=1, le=20_000)  # places that one run asks warehouses about
    drift: int = Field(default=0, ge=0)  # pieces by which ERP and warehouse may differ unnoticed


class DoorSettings(Part):
    """What is promised to whoever orders, and what becomes of an order that cannot be promised."""

    intake: str = Field(default="refuse", pattern="^(refuse|hold|let_in)$")  # files and other channels: refuse holds
    reserves: timedelta = Field(
        default=timedelta(minutes=30), ge=timedelta(0)
    )  # business: unpaid orders' pieces; 0: no
    reserves_of: dict[str, timedelta] = Field(default_factory=dict)  # channel -> its own
    split: bool = False  # whether an order may be promised from several warehouses together
    unknown: bool = True  # whether a SKU of which no figure was ever told may be ordered

    def lasts(self, channel: str) -> timedelta:
        """How long the pieces of an unpaid order of this channel are kept; nothing: they are not."""
        return max(self.reserves_of.get(channel, self.reserves), timedelta(0))


class ReportSettings(Part):
    """Reports and charts as files, which artifacts link to and the web process hands out."""

    folder: Path = Path(".ballast/reports")  # of all processes: those that write them, and the web process
    keep: timedelta = Field(default=timedelta(days=400), ge=timedelta(days=1))  # then a file is removed


class LimitSettings(Part):
    """How much the web process takes from one sender: an IPv4 address or an IPv6 network (/64)."""

    hooks_per_second: int = Field(default=500, ge=1)  # webhooks of one system, in the long run
    hooks_burst: int = Field(default=5000, ge=1)  # and at once
    forgeries_per_minute: int = Field(default=120, ge=1)  # webhooks that are not signed as agreed
    pages_per_minute: int = Field(default=240, ge=1)  # order pages
    wrong_keys_per_minute: int = Field(default=10, ge=1)  # order pages asked for with a wrong key
    senders: int = Field(default=10_000, ge=1)  # remembered at once, so that memory has an end


class Settings(BaseSettings):
    """The whole tree. Missing systems are allowed here and refused by what needs them."""

    model_config = SettingsConfigDict(
        env_prefix="BALLAST_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="forbid",
        frozen=True,
    )

    database_url: SecretStr | None = None  # empty: the embedded PostgreSQL
    prefect_database_url: SecretStr | None = (
        None  # of the Prefect server that `ballast up` starts on your own PostgreSQL
    )
    home: Path = Path(".ballast")  # the embedded server's data, logs, rejects
    language: str = Field(default="en", pattern="^(en|zh)$")
    web_host: str = "127.0.0.1"
    web_port: int = 8100
    serve_port: int = 0  # where `deployments.serve` says whether it is well, and its figures; 0: nowhere
    web_url: str = "http://127.0.0.1:8100"  # how people reach the web process
    console_key: SecretStr | None = None  # opens the order pages that artifacts link to; empty: no pages
    prefect_hook_key: SecretStr | None = None  # what Prefect's automations show us; empty: nothing listens to them
    prefect_hook_url: str = ""  # how the Prefect server reaches the web process; empty: web_url and /hooks/prefect
    sla_policy: Path = Path("rules/sla.yaml")  # relative: to this folder, or to the one that Ballast came in
    return_rules: Path = Path("rules/returns.yaml")  # likewise
    returns_key: SecretStr | None = None  # a bearer token that opens /returns; empty: nobody may ask that way
    quote_key: SecretStr | None = None  # a bearer token that opens POST /quote; empty: nobody may ask
    stock_key: SecretStr | None = None  # a bearer token that opens GET /stock; empty: nobody may ask
    metrics_key: SecretStr | None = None  # a bearer token that opens /metrics; empty: only this machine may read it
    chunk: int = Field(default=400, ge=1, le=1000)
    chunks_at_once: int = Field(default=2, ge=1, le=32)
    retention: timedelta = Field(default=timedelta(days=400), ge=timedelta(days=30))  # then closed orders are archived
    forget_after: timedelta | None = Field(default=None, ge=timedelta(days=30))  # then they leave the archive for good

    kingdee: KingdeeSettings | None = None
    qimen: QimenSettings | None = None
    kdniao: KdniaoSettings | None = None
    wechat: WechatSettings | None = None
    wechatpay: WechatpaySettings | None = None
    dingtalk: DingtalkSettings | None = None
    wecom: WecomSettings | None = None
    feishu: FeishuSettings | None = None
    apprise: AppriseSettings | None = None
    direct: DirectSettings | None = None

    clock: ClockSettings = ClockSettings()
    patience: Patience = Patience()
    door: DoorSettings = DoorSettings()
    limits: LimitSettings = LimitSettings()
    stock: StockSettings = StockSettings()
    reports: ReportSettings = ReportSettings()

    def make_clock(self) -> Clock:
        """The clock that these settings ask for."""
        return Clock(start=self.clock.start, anchor=self.clock.anchor, speed=self.clock.speed)


class SettingsError(Exception):
    """A setting is missing or wrong: mend the named variable in `.env` or the environment, then start again."""


@cache
def settings() -> Settings:
    """Read once per process. Raises `SettingsError` that names every wrong variable and no value."""
    if unknown := sorted(name for name in os.environ if name.startswith("BALLAST_") and not _known(name)):
        raise SettingsError(f"there is no setting {', '.join(unknown)}: see .env.example for the names")
    try:
        return Settings()
    except NotJson as wrong:
        field = str(wrong).partition('"')[2].partition('"')[0]
        raise SettingsError(f"settings are not usable:\n  {_variable((field,))}: a value is not JSON") from None
    except ValidationError as wrong:
        lines = [f"  {_variable(error['loc'])}: {error['msg']}" for error in wrong.errors(include_input=False)]
        raise SettingsError("settings are not usable:\n" + "\n".join(lines)) from None


def _known(name: str) -> bool:
    """Whether an environment variable names a setting; pydantic-settings would pass over a misspelt one."""
    top, _, below = name.removeprefix("BALLAST_").lower().partition("__")
    found = Settings.model_fields.get(top)
    if found is None or not below:
        return found is not None
    parts = [part for part in (found.annotation, *get_args(found.annotation)) if isinstance(part, type)]
    return any(issubclass(part, Part) and below.split("__")[0] in part.model_fields for part in parts)


def _variable(path: tuple[int | str, ...]) -> str:
    return "BALLAST_" + "__".join(str(part).upper() for part in path)
