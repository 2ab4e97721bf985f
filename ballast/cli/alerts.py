"""Commands about alerts: what is open, who was told, and answering. They need no Prefect server."""

from cyclopts import App

from ballast.cli import app

alerts = App(name="alerts", help="What people should know, and who answered.")
app.command(alerts)


@alerts.default
def list_alerts(*, all: bool = False, json: bool = False) -> None:
    """Alerts that nobody has dealt with: since when, who was told through what, who took it on. --all: ended ones, too.

    The newest 500, the unanswered first.
    """
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_alerts import as_document, show_alerts
    from ballast.db.answers import AlertSeen, open_alerts
    from ballast.wiring import House

    async def look(here: House) -> tuple[list[AlertSeen], House]:
        async with here.transaction() as tx:
            return await open_alerts(tx, ended=all), here

    found, here = with_house(look)
    if json:
        print_json([as_document(one, here) for one in found])
    else:
        show_alerts(found, here.settings.language, Console())


@alerts.command
def ack(*numbers: str, order: tuple[str, ...] = (), by: str = "operator", note: str = "", json: bool = False) -> int:
    """Say that you look after these alerts: they climb no further. By number, or all open ones of an --order.

    Exit 1 when a number is unknown.
    """
    return _answer(numbers, order, by=by, note=note, resolve=False, json=json)


@alerts.command
def resolve(
    *numbers: str, order: tuple[str, ...] = (), by: str = "operator", note: str = "", json: bool = False
) -> int:
    """Say that these alerts are dealt with. By number, or all open ones of an --order.

    Exit 1 when a number is unknown.
    """
    return _answer(numbers, order, by=by, note=note, resolve=True, json=json)


def _answer(numbers: tuple[str, ...], order: tuple[str, ...], *, by: str, note: str, resolve: bool, json: bool) -> int:
    from ballast.cli.opening import show_said, with_house
    from ballast.db.answering import UNKNOWN, answer
    from ballast.wiring import House

    async def work(here: House) -> dict[str, str]:
        async with here.transaction() as tx:
            now = here.clock.now()
            answers = await answer(tx, numbers, order, by=by, note=note, resolve=resolve, now=now)
        return {one.named: one.said for one in answers}

    said = with_house(work)
    show_said(said, json=json)
    return 1 if UNKNOWN in said.values() else 0
