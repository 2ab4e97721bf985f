"""Which channels a house has, in which order, and which settings of theirs are refused."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from rich.console import Console

from adapters.alerts.apprise.client import AppriseChannel
from adapters.alerts.dingtalk.client import Dingtalk
from adapters.alerts.feishu.client import Feishu
from adapters.alerts.wecom.client import Wecom
from adapters.errors import Refused
from ballast.cli.examining import _alerts, show
from ballast.clock import Clock
from ballast.db.engine import make_engine
from ballast.domain.words import System
from ballast.settings import (
    AppriseSettings,
    DingtalkSettings,
    FeishuSettings,
    Settings,
    SettingsError,
    WecomSettings,
    settings,
)
from ballast.wiring import House

SECRET = "hunter2-hunter2"
NOWHERE = "postgresql+asyncpg://postgres@/none?host=/nonexistent"
DINGTALK = DingtalkSettings(access_token=SecretStr(SECRET), secret=SecretStr(SECRET), per_minute=11)
WECOM = WecomSettings(key=SecretStr(SECRET), per_minute=12)
FEISHU = FeishuSettings(token=SecretStr(SECRET), secret=SecretStr(SECRET), per_minute=13)
APPRISE = AppriseSettings(
    urls={"sms": SecretStr(f"json://{SECRET}@127.0.0.1:9"), "email": SecretStr(f"mailto://u:{SECRET}@example.com")},
    per_minute=14,
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("BALLAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield
    settings.cache_clear()


def house(**parts: Any) -> House:
    return House(Settings(_env_file=None, **parts), Clock(), make_engine(NOWHERE))


async def test_every_configured_channel_by_name_the_first_one_first() -> None:
    here = house(apprise=APPRISE, feishu=FEISHU, wecom=WECOM, dingtalk=DINGTALK)
    channels = here.channels
    assert list(channels) == ["dingtalk", "wecom", "feishu", "sms", "email"]
    assert [type(one) for one in channels.values()] == [Dingtalk, Wecom, Feishu, AppriseChannel, AppriseChannel]
    assert [one.per_minute for one in channels.values()] == [11, 12, 13, 14, 14]
    assert [one.system for one in channels.values()][-2:] == [System.APPRISE] * 2
    assert here.channels["wecom"] is channels["wecom"], "one connection, and one pace, for the whole process"
    await here.close()


async def test_a_channel_may_be_called_as_a_role_is() -> None:
    named = AppriseSettings(urls={"erp": SecretStr("json://127.0.0.1:9")})
    here = house(apprise=named)
    assert list(here.channels) == ["erp"]
    with pytest.raises(SettingsError, match="KINGDEE"):
        _ = here.erp
    await here.close()


async def test_without_any_there_is_none() -> None:
    here = house()
    assert here.channels == {}
    await here.close()


async def test_channels_are_closed_with_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    async def close(channel: Wecom) -> None:
        closed.append(channel)

    monkeypatch.setattr(Wecom, "close", close)
    here = house(wecom=WECOM)
    channel = here.channels["wecom"]
    await here.close()
    assert closed == [channel]


def wrong(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    with pytest.raises(SettingsError) as error:
        settings()
    assert SECRET not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        (f"dingtalk://{SECRET}", "BALLAST_DINGTALK__"),
        (f"DingTalk://{SECRET}", "BALLAST_DINGTALK__"),
        (f"wecombot://{SECRET}", "BALLAST_WECOM__"),
        (f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={SECRET}", "BALLAST_WECOM__"),
        (f"feishu://{SECRET}", "BALLAST_FEISHU__"),
        (f"  lark://{SECRET}", "BALLAST_FEISHU__"),
        (f"https://open.larksuite.com/open-apis/bot/v2/hook/{SECRET}", "BALLAST_FEISHU__"),
        (f"jsons://u:p@open.feishu.cn:443/open-apis/bot/v2/hook/{SECRET}", "BALLAST_FEISHU__"),
        (f"jsons://oapi.dingtalk.com/robot/send?access_token={SECRET}", "BALLAST_DINGTALK__"),
    ],
)
def test_a_robot_is_no_channel_of_apprise(monkeypatch: pytest.MonkeyPatch, url: str, ours: str) -> None:
    """It looks at the HTTP status only, and theirs is 200 whatever they refuse: the alert would be lost."""
    text = wrong(monkeypatch, BALLAST_APPRISE__URLS__GROUP=url)
    assert "BALLAST_APPRISE__URLS" in text and "group:" in text and ours in text


@pytest.mark.parametrize("url", [SECRET, f"{SECRET}://", f"://{SECRET}", "", "mailto:" + SECRET])
def test_what_is_no_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert "email: not a URL such as mailto://" in wrong(monkeypatch, BALLAST_APPRISE__URLS__EMAIL=url)


@pytest.mark.parametrize("name", ["dingtalk", "wecom", "feishu", "E-Mail", "a b", "", "-x", "x" * 41])
def test_a_name_that_cannot_be_a_channel_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    text = wrong(monkeypatch, BALLAST_APPRISE__URLS=f'{{"{name}": "mailto://{SECRET}@example.com"}}')
    assert "BALLAST_APPRISE__URLS" in text and "a channel cannot be called" in text


@pytest.mark.parametrize("urls", ["{}", f'["{SECRET}"]', f'"{SECRET}"', f'{{"email": {{"{SECRET}": 1}}}}'])
def test_what_is_no_table_of_urls_is_refused(monkeypatch: pytest.MonkeyPatch, urls: str) -> None:
    assert "BALLAST_APPRISE__URLS" in wrong(monkeypatch, BALLAST_APPRISE__URLS=urls)


def test_what_is_not_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "BALLAST_APPRISE: a value is not JSON" in wrong(monkeypatch, BALLAST_APPRISE__URLS=f'{{"email": {SECRET}')


def test_urls_are_read_from_json_and_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALLAST_APPRISE__URLS", '{"email": "mailto://u:p@example.com"}')
    monkeypatch.setenv("BALLAST_APPRISE__URLS__SMS", "json://127.0.0.1")
    found = settings().apprise
    assert found is not None
    assert {name: url.get_secret_value() for name, url in found.urls.items()} == {
        "email": "mailto://u:p@example.com",
        "sms": "json://127.0.0.1",
    }
    assert "u:p" not in repr(settings())


@pytest.mark.parametrize("system", ["DINGTALK", "WECOM", "FEISHU", "APPRISE"])
def test_a_channel_that_takes_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    variable = f"BALLAST_{system}__PER_MINUTE"
    assert variable in wrong(monkeypatch, **{variable: "0"})


async def test_a_doctor_is_well_with_one_channel_and_asks_each() -> None:
    here = house(wecom=WECOM)
    [finding] = await _alerts(here)
    assert (finding.what, finding.ok) == ("alerts (wecom)", True)
    await here.close()


async def test_a_doctor_says_that_nobody_is_told_anything() -> None:
    here = house()
    [finding] = await _alerts(here)
    assert not finding.ok and "nobody is told" in finding.text
    for name in ("BALLAST_DINGTALK__", "BALLAST_WECOM__", "BALLAST_FEISHU__", "BALLAST_APPRISE__URLS"):
        assert name in finding.mend
    show([finding], Console(quiet=True))
    await here.close()


async def test_a_doctor_names_the_channel_that_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ping(_: AppriseChannel) -> str:
        raise Refused(System.APPRISE, "email: not understood")

    monkeypatch.setattr(AppriseChannel, "ping", ping)
    here = house(wecom=WECOM, apprise=APPRISE)
    findings = {finding.what: finding for finding in await _alerts(here)}
    assert findings["alerts (wecom)"].ok
    assert not findings["alerts (email)"].ok and "not understood" in findings["alerts (email)"].text
    assert "BALLAST_APPRISE__URLS" in findings["alerts (email)"].mend
    await here.close()


async def test_a_doctor_tells_an_empty_secret() -> None:
    here = house(dingtalk=DINGTALK.model_copy(update={"secret": SecretStr("")}))
    [finding] = await _alerts(here)
    assert not finding.ok and "BALLAST_DINGTALK__SECRET is empty" in finding.text
    await here.close()
