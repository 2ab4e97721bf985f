"""What `ballast doctor` says of the SLA policy."""

from pathlib import Path

from ballast.cli.examining import _policy, examine
from tests.contracts.outside import wecom_for
from tests.flows.stage import PLAIN_POLICY, Stage


async def policy_row(stage: Stage) -> tuple[bool, str]:
    [found] = [one for one in await examine(stage.house) if one.what.startswith("SLA policy")]
    return found.ok, found.text


async def test_people_whom_no_channel_can_ring_are_named(stage: Stage, tmp_path: Path) -> None:
    assert await policy_row(stage) == (
        True,
        "0 clocks, 3 ladders; nobody is rung for somebody: without a handle at a channel they only read the group",
    )
    file = tmp_path / "sla.yaml"
    file.write_text(PLAIN_POLICY.read_text().replace("name: somebody", "name: somebody, wecom: li"))
    stage.house.sla.file, stage.house.sla._policy = file, None
    assert "nobody is rung" in (await policy_row(stage))[1], "WeCom is not set up"
    stage.configure(wecom=wecom_for(stage.world))
    assert await policy_row(stage) == (True, "0 clocks, 3 ladders")


async def test_a_mistake_in_the_file_is_shown_while_the_old_policy_is_in_force(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "sla.yaml"
    file.write_text(PLAIN_POLICY.read_text())
    stage.house.sla.file, stage.house.sla._policy = file, None
    assert (await policy_row(stage))[0]
    file.write_text("clocks: nonsense")
    stage.house.sla._looked_at = 0.0
    ok, text = await policy_row(stage)
    assert not ok and f"{file}:1: " in text


async def test_a_published_policy_is_the_one_that_is_looked_at(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "sla.yaml"
    file.write_text(PLAIN_POLICY.read_text().replace("name: somebody", "name: somebody, wecom: li"))
    stage.configure(wecom=wecom_for(stage.world))
    assert "nobody is rung" in (await policy_row(stage))[1]
    await stage.command("rules", "publish", "sla", str(file), "--over", "0", "--by", "li", "--note", "x")
    [found] = [one for one in await examine(stage.house) if one.what.startswith("SLA policy")]
    assert (found.what, found.text) == ("SLA policy, version 1", "0 clocks, 3 ladders")


async def test_a_published_policy_that_cannot_be_used_is_mended_by_publishing(stage: Stage) -> None:
    stage.house.sla.current()
    stage.house.sla.take(3, None, "SLA policy version 3 cannot be used: damaged")
    finding = _policy(stage.house)
    assert not finding.ok and "version 3" in finding.what and "ballast rules rollback sla" in finding.mend


async def test_return_rules_that_cannot_be_used_are_shown(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "returns.yaml"
    file.write_text("window: {default: soon}\nrules: []")
    stage.house.return_windows.file, stage.house.return_windows._stamp = file, None
    stage.house.return_windows._looked_at = float("-inf")
    [found] = [one for one in await examine(stage.house) if one.what.startswith("return rules")]
    assert not found.ok and "returns.yaml:1: 'soon' is no number of days" in found.text
    assert "ballast returns check" in found.mend
