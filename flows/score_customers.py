"""Score how well every customer's orders were fulfilled, and tell the account's owner who falls below 60."""

from collections.abc import Sequence
from typing import Annotated

from prefect import flow
from pydantic import Field

from ballast.db.health import CustomerScore
from flows.runs import Run, start
from tasks.chunks import Tally
from tasks.health import Scoring, look, score
from tasks.health_words import HealthWords

Number = Annotated[str, Field(min_length=1, max_length=64)]


@flow(name="score-customers", flow_run_name="score-customers")
async def score_customers(
    customers: Annotated[list[Number], Field(max_length=1000)] = [],  # noqa: B006  # never changed
    days: Annotated[int, Field(ge=0, le=3650)] = 0,
) -> None:
    """Score customers from 0 to 100 by late, damaged, returned and held orders and complaints; docs/customers.md.

    The table has those below 60, who order for most first. A fall below 60 rings once, until it is 65 again.

    Args:
        customers: Their numbers; empty: all. 客户编号, 留空为全部
        days: Look over so many days instead: nothing is kept, nobody is told; 0: score. 仅查看的天数, 0 为正式评分
    """
    run = await start("score-customers")
    if days:
        found = await look(customers, days)
        run.table = _table(run, found)
        run.headline = f"{len(found)} looked at, {days} days"
    else:
        _tell(run, await score(customers))
    await run.finish()


def _tell(run: Run, done: Scoring) -> None:
    found = done.scored
    fell = {one.customer_no for one in found.crossed if one.low_since is not None}
    run.table = _table(run, done.worst, fell)
    counts = {
        "scored": found.scored,
        "below 60": found.low,
        "fell": len(fell),
        "well again": len(found.crossed) - len(fell),
        "no data": found.no_data,
        "orders in the archive not counted": done.archived,
    }
    run.tally.update(Tally(counts))
    run.headline = ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _table(
    run: Run, found: Sequence[CustomerScore], fell: frozenset[str] | set[str] = frozenset()
) -> list[dict[str, str]]:
    words = HealthWords(run.house.settings.language)
    return [
        {"customer": f"{one.customer_no} {one.name}", "health": words.score(one.health.score),
         "trend": words.trend(one.health), "what it lost": words.lost(one.health), "orders": str(one.health.orders),
         "value": words.value(one.health.value), "owner": one.owner or "-",
         "today": "fell below 60" if one.customer_no in fell else ""}
        for one in found
    ]  # fmt: skip
