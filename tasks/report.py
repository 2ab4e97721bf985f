"""The figures of a window, in one transaction."""

from prefect import task

from ballast.db.report import make_report
from ballast.domain.report import Report, Window
from ballast.wiring import house
from tasks.policy import ALONE
from tasks.window import day_before, read_window


async def window_of(since: str, until: str) -> Window:
    """[since, until), or the day before in China when neither is said. Raises `NoWindow`."""
    now = (await house()).clock.now()
    return read_window(since, until, now) if since.strip() or until.strip() else day_before(now)


@task(name="collect report", tags=["report"], **ALONE)
async def collect_report(window: Window) -> Report:
    """Everything of a window as it is known now."""
    here = await house()
    async with here.transaction() as tx:
        return await make_report(tx, window, here.clock.now())
