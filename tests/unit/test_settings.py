"""Settings: a wrong variable is named, its value never shown; nothing secret has a default or can be printed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from ballast.settings import (
    DingtalkSettings,
    DirectSettings,
    FeishuSettings,
    KdniaoSettings,
    KingdeeSettings,
    QimenSettings,
    Settings,
    SettingsError,
    WechatpaySettings,
    WechatSettings,
    WecomSettings,
    settings,
)

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    import os

    for name in [name for name in os.environ if name.startswith("BALLAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield
    settings.cache_clear()


def wrong(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        settings()
    assert SECRET not in str(error.value)
    assert SECRET not in repr(error.value.__cause__)
    return str(error.value)


def test_without_any_variable_everything_has_its_default() -> None:
    config = settings()
    assert (config.database_url, config.kingdee, config.chunk) == (None, None, 400)
    assert config is settings()


def test_what_a_system_still_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    text = wrong(monkeypatch, BALLAST_KINGDEE__APP_SECRET=SECRET, BALLAST_KINGDEE__SERVER_URL="http://erp")
    for name in ("ACCT_ID", "USER_NAME", "APP_ID"):
        assert f"BALLAST_KINGDEE__{name}" in text
    assert "BALLAST_KINGDEE__APP_SECRET" not in text


def test_a_variable_that_a_system_does_not_know_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    text = wrong(monkeypatch, BALLAST_DIRECT__SECRET=SECRET, BALLAST_DIRECT__SECRT=SECRET)
    assert "BALLAST_DIRECT__SECRT" in text


def test_a_mistyped_name_is_refused_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(f"BALLAST_DATABSE_URL={SECRET}\n")
    assert "DATABSE_URL" in wrong(monkeypatch)


def test_a_mistyped_name_is_refused_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would start the embedded server in silence instead of the company's own."""
    assert "BALLAST_DATABSE_URL" in wrong(monkeypatch, BALLAST_DATABSE_URL=SECRET)


def test_a_value_of_the_wrong_kind_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    text = wrong(monkeypatch, BALLAST_CHUNK=SECRET, BALLAST_PATIENCE__LEASE=SECRET, BALLAST_LANGUAGE=SECRET)
    for name in ("BALLAST_CHUNK", "BALLAST_PATIENCE__LEASE", "BALLAST_LANGUAGE"):
        assert name in text


def test_the_whole_tree_is_frozen() -> None:
    config = settings()
    with pytest.raises(ValidationError, match="frozen"):
        config.chunk = 5  # type: ignore[misc]  # that is the point
    with pytest.raises(ValidationError, match="frozen"):
        config.patience.attempts = 5  # type: ignore[misc]  # that is the point


def test_nothing_secret_is_ever_printed() -> None:
    config = Settings(
        _env_file=None,
        database_url=SecretStr(f"postgresql://ballast:{SECRET}@db/ballast"),
        console_key=SecretStr(SECRET),
        kingdee=KingdeeSettings(server_url="u", acct_id="a", user_name="n", app_id="i", app_secret=SecretStr(SECRET)),
        direct=DirectSettings(secret=SecretStr(SECRET)),
        dingtalk=DingtalkSettings(access_token=SecretStr(SECRET), secret=SecretStr(SECRET)),
    )
    for shown in (repr(config), str(config), str(config.model_dump()), config.model_dump_json()):
        assert SECRET not in shown


@pytest.mark.parametrize(
    ("part", "secrets"),
    [
        (KingdeeSettings, {"app_secret"}),
        (QimenSettings, {"secret"}),
        (KdniaoSettings, {"api_key"}),
        (WechatSettings, {"app_secret", "token", "encoding_aes_key"}),
        (WechatpaySettings, {"merchant_private_key", "apiv3_key"}),
        (DingtalkSettings, {"access_token", "secret"}),
        (WecomSettings, {"key"}),
        (FeishuSettings, {"token", "secret"}),
        (DirectSettings, {"secret"}),
    ],
)
def test_no_secret_has_a_default(part: type[KingdeeSettings], secrets: set[str]) -> None:
    for name in secrets:
        assert part.model_fields[name].is_required()
        assert part.model_fields[name].annotation is SecretStr


@pytest.mark.parametrize("name", ["MAX_CALLS", "CALLS_PER_SECOND"])
@pytest.mark.parametrize("value", ["-1", "1001000", "nan", "inf", "many", ""])
def test_a_limit_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    for key in ("EBUSINESS_ID", "API_KEY"):
        monkeypatch.setenv(f"BALLAST_KDNIAO__{key}", SECRET)
    assert f"BALLAST_KDNIAO__{name}" in wrong(monkeypatch, **{f"BALLAST_KDNIAO__{name}": value})


def test_no_calls_at_once_is_refused_and_no_limit_a_second_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("EBUSINESS_ID", "API_KEY"):
        monkeypatch.setenv(f"BALLAST_KDNIAO__{key}", SECRET)
    courier = settings().kdniao
    assert courier is not None and (courier.max_calls, courier.calls_per_second) == (16, 0)
    settings.cache_clear()
    assert "MAX_CALLS" in wrong(monkeypatch, BALLAST_KDNIAO__MAX_CALLS="0")
