"""Files of reports: each opens with its own key, none leads out of the folder, and a browser runs nothing of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from ballast.report_folder import KINDS, ReportFolder
from ballast.settings import ReportSettings
from ballast.wiring import report_key
from tests.web.stage import CONSOLE_KEY, Stage, make_house, open_stage

NAME = "channels-2026-01-01-2026-01-31.html"


@pytest.fixture
async def shelf(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Stage, Path]]:
    """A web process, and its folder of reports."""
    folder = tmp_path / "reports"
    house = make_house(database_url, reports=ReportSettings(folder=folder))
    async with open_stage(house) as stage:
        yield stage, folder
    await house.close()


async def get(stage: Stage, name: str, key: str | None = None) -> httpx.Response:
    shown = report_key(CONSOLE_KEY, name) if key is None else key
    return await stage.http.get(f"/reports/{name}", params={"key": shown})


async def test_a_file_opens_with_its_own_key_only(shelf: tuple[Stage, Path]) -> None:
    stage, folder = shelf
    ReportFolder(folder).put(NAME, b"<html></html>")
    link = stage.house.report_link(NAME).removeprefix(stage.house.settings.web_url)
    assert (await stage.http.get(link)).text == "<html></html>"
    other = report_key(CONSOLE_KEY, "charts-2026-01-01.html")
    answers = [await get(stage, NAME, key) for key in ("", other, CONSOLE_KEY)] + [await get(stage, "none.html")]
    assert {(each.status_code, each.text) for each in answers} == {(404, answers[-1].text)}


@pytest.mark.parametrize("suffix", KINDS)
async def test_it_is_what_its_name_says_and_may_do_nothing(shelf: tuple[Stage, Path], suffix: str) -> None:
    stage, folder = shelf
    ReportFolder(folder).put(f"a{suffix}", b"1")
    answer = await get(stage, f"a{suffix}")
    assert answer.headers["content-type"] == KINDS[suffix] and answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert answer.headers["content-disposition"].startswith("attachment" if suffix == ".xlsx" else "inline")


@pytest.mark.parametrize(
    "name", ["..%2Fsecret.png", "secret.txt", ".env", "%2e%2e%2fsecret.png", "link.png", "a%00.png"]
)
async def test_nothing_else_of_this_machine_is_handed_out(shelf: tuple[Stage, Path], name: str) -> None:
    stage, folder = shelf
    folder.mkdir()
    for path in (folder.parent / "secret.png", folder / "secret.txt", folder / ".env"):
        path.write_text("secret")
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    plain = str(httpx.URL(f"http://x/{name}").path).removeprefix("/")
    answer = await stage.http.get(f"/reports/{name}?key={report_key(CONSOLE_KEY, plain)}")
    assert answer.status_code == 404 and "secret" not in answer.text
