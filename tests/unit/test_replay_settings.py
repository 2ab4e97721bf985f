"""A replay has its own systems: nobody's real robot, shop or database hears of it."""

from pathlib import Path

import pytest

from ballast.settings import Settings
from deployments.rehearsal.world import Credentials
from deployments.replay.stage import own_settings

REAL = {
    "BALLAST_DATABASE_URL": "postgresql://real",
    "BALLAST_DINGTALK__ACCESS_TOKEN": "real",
    "BALLAST_DINGTALK__SECRET": "real",
    "BALLAST_WECOM__KEY": "real",
    "BALLAST_FEISHU__TOKEN": "real",
    "BALLAST_FEISHU__SECRET": "real",
    "BALLAST_CONSOLE_KEY": "a real key of somebody",
    "BALLAST_LANGUAGE": "zh",
    "BALLAST_CHUNK": "7",
}


def test_what_is_configured_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in REAL.items():
        monkeypatch.setenv(name, value)
    real = Settings(_env_file=None)
    assert real.wecom is not None and real.dingtalk is not None
    systems = Credentials.make().ours("http://127.0.0.1:9")
    own = own_settings(real, systems, books="postgresql://ours", port=1, policy=tmp_path / "sla.yaml")
    shown = own.model_dump_json()
    assert "real" not in shown
    assert own.database_url is not None and own.database_url.get_secret_value() == "postgresql://ours"
    assert own.dingtalk is not None
    assert own.dingtalk.access_token.get_secret_value() == systems["dingtalk"]["access_token"]
    for system in ("dingtalk", "wecom", "feishu", "apprise"):
        part = getattr(own, system, None)
        assert part is None or system in systems
    assert own.return_rules == own.home / "returns.yaml", "no window of ours refuses what came back"
    assert own.console_key is None
    assert (own.language, own.chunk) == ("zh", 7)  # of the person who looks, and how much goes at once
