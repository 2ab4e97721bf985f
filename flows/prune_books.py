"""Put away orders that closed long ago, so that the tables at work stay small."""

from prefect import flow

from flows.runs import start
from tasks.chunks import Tally
from tasks.pruning import Ages, prune


@flow(name="prune-books", flow_run_name="prune-books")
async def prune_books(dry_run: bool = False) -> None:
    """Move orders that closed more than `BALLAST_RETENTION` ago into the archive, and clear away what belongs to none.

    Orders with anything open stay. After `BALLAST_FORGET_AFTER` they leave the archive for good.

    Args:
        dry_run: Only count. 只统计，不执行
    """
    run = await start("prune-books")
    here = run.house
    ages = Ages(archive=here.settings.retention, forget=here.settings.forget_after)
    done = await prune(here, ages, dry_run=dry_run, progress=run.progress.at)
    counts = done.counts()
    run.table = [{"what": what, "rows": str(count)} for what, count in done.said(here.settings.language)]
    run.tally.update(Tally({word: counts[word] for word in ("archived", "forgotten") if word in counts}))
    run.tally.update(Tally({"stay": done.kept.total(), "other old rows": _others(counts, done.kept)}))
    if dry_run:
        run.headline = f"would be {counts.get('archived', 0)} archived, {done.kept.total()} stay"
    await run.finish()


def _others(counts: dict[str, int], kept: dict[str, int]) -> int:
    return sum(count for word, count in counts.items() if word not in {"archived", "forgotten"} | kept.keys())
