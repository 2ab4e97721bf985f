"""Answering alerts: one transaction for all that a person named."""

from collections.abc import Sequence

from prefect import task

from ballast.db.answering import Answered, answer
from ballast.wiring import house
from tasks.policy import ALONE


@task(name="answer alerts", tags=["alerts"], **ALONE)
async def answer_alerts_of(
    numbers: Sequence[str], order_nos: Sequence[str], by: str, resolve: bool, note: str, dry_run: bool
) -> list[Answered]:
    """Acknowledge or resolve what was named; what came of each. Raises `Unanswerable` when nothing was named."""
    here = await house()
    async with here.transaction() as tx:
        now = here.clock.now()
        return await answer(tx, numbers, order_nos, by=by, resolve=resolve, now=now, note=note, dry_run=dry_run)
