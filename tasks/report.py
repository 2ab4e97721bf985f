"""The figures of a window, in one transaction."""

from prefect import task

from ballast.db.report import make_report
from ballast.domain.report import Report
from ballast.wiring import house
from tasks.policy import ALONE
from tasks.window import day_before, read_window


@task(name="collect report", tags=["report"], **ALONE)
async def collect_report(since: str, until: str) -> Report:
    """The report of [since, until), or of the day before in China when neither is said. Raises `NoWindow`."""
    here = await house()
    now = here.clock.now()
    window = read_window(since, until, now) if since.strip() or until.strip() else day_before(now)
    async with here.transaction() as tx:
        return await make_report(tx, window, now)
