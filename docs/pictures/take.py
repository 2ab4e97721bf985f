"""Take the pictures of docs/control-room.md from a running demo, with headless Chromium.

    ballast demo --orders 400 --faults mild        # in one terminal; wait until it says that everything keeps running
    python docs/pictures/take.py [NAME ...]        # in another, in the same folder

Look at each picture before it is kept: a page that was not ready shows a spinner. A new picture is one line of `pages`.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from deployments.machine import read_running

HERE = Path(__file__).parent
CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-prefers-reduced-motion",
    "--run-all-compositor-stages-before-draw", "--virtual-time-budget=25000",
)  # fmt: skip


def _alert() -> str:
    """The page of an open alert, with its signature."""
    from ballast.cli.opening import with_house
    from ballast.db.answers import open_alerts
    from ballast.wiring import House

    async def look(here: House) -> str:
        async with here.transaction() as tx:
            return here.alert_link((await open_alerts(tx, most=1))[0].id)

    return with_house(look)


def pages(api: str, web: str) -> Mapping[str, tuple[Callable[[], str], int]]:
    """Picture -> the address of its page, looked up when it is taken, and the height in pixels."""
    ui = api.removesuffix("/api")

    def ask(path: str, **body: object) -> list[dict[str, object]]:
        found = httpx.post(f"{api}/{path}/filter", json=body, trust_env=False).raise_for_status().json()
        return list(found)

    def run(begins: str) -> str:
        body = {"flow_runs": {"name": {"like_": begins}}, "sort": "START_TIME_DESC", "limit": 1}
        return f"{ui}/runs/flow-run/{ask('flow_runs', **body)[0]['id']}"

    def artifact(key: str, says: str = "") -> str:
        found = ask("artifacts", artifacts={"key": {"any_": [key]}}, sort="CREATED_DESC", limit=100)
        return f"{ui}/artifacts/artifact/{next(one['id'] for one in found if says in str(one['description']))}"

    def breach() -> str:
        names = {"event": {"name": ["ballast.sla.red", "ballast.sla.yellow"]}}
        found = httpx.post(f"{api}/events/filter", json={"filter": names}, trust_env=False).raise_for_status().json()
        return f"{ui}/events?resource={found['events'][0]['resource']['prefect.resource.id']}"

    def form(name: str) -> str:
        return f"{ui}/deployments/deployment/{ask('deployments', deployments={'name': {'any_': [name]}})[0]['id']}/run"

    return {
        "runs": (lambda: f"{ui}/runs", 1300),
        "room": (lambda: artifact("control-room"), 985),
        "accuracy": (lambda: artifact("reconcile-accuracy"), 1100),
        "report": (lambda: artifact("report-numbers"), 620),
        "automations": (lambda: f"{ui}/automations", 1150),
        "events": (breach, 700),
        "sla": (lambda: artifact("watch-sla", "yellow"), 900),
        "bar": (lambda: artifact("lock-stock-progress"), 620),
        "artifacts": (lambda: f"{ui}/artifacts", 1300),
        "answer-form": (lambda: form("answer-alerts"), 1500),
        "answered": (lambda: artifact("answer-alerts"), 620),
        "alert": (_alert, 900),
        "alert-zh": (lambda: f"{_alert()}&lang=zh", 900),
        "deployments": (lambda: f"{ui}/deployments", 960),
        "rerun": (lambda: form("rerun-orders"), 1500),
    }


def take(name: str, url: str, height: int) -> None:
    """One picture, beside this file."""
    with tempfile.TemporaryDirectory() as profile:
        size = (f"--user-data-dir={profile}", f"--window-size=1400,{height}", f"--screenshot={HERE / name}.png")
        subprocess.run([*CHROMIUM, *size, url], check=True, capture_output=True, timeout=120)  # noqa: S603  # our own pages


def main(wanted: list[str]) -> None:
    """Take these pictures, or all of them."""
    running = read_running(Path(".ballast"))
    if not running:
        sys.exit("no demo runs in this folder: start `ballast demo` first")
    known = pages(running["PREFECT_API_URL"], running["BALLAST_WEB_URL"])
    for name in wanted or known:
        find, height = known[name]
        take(name, find(), height)
        sys.stdout.write(f"{name}.png {(HERE / f'{name}.png').stat().st_size // 1024} KB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
