"""A misspelt variable is named, not passed over."""

import pytest

from ballast.settings import SettingsError, settings


@pytest.mark.parametrize(
    "name", ["BALLAST_KINGDE__APP_ID", "BALLAST_KINGDEE__APPID", "BALLAST_CHUNKS", "BALLAST_WEB__PORT"]
)
def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "secret-value")
    settings.cache_clear()
    with pytest.raises(SettingsError, match=name) as refused:
        settings()
    assert "secret-value" not in str(refused.value)
    settings.cache_clear()
