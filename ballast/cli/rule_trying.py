"""`ballast rules try` and `ballast rules explain`: what rules would have done, and what they did."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ballast.cli.rules import number_of, rules, told

if TYPE_CHECKING:
    from ballast.rules.compiled import Compiled
    from ballast.rules.trial import Trial
    from ballast.wiring import House

Tried = Literal["price", "promotion", "risk"]


@rules.command(name="try")
def try_draft(
    kind: Tried,
    what: Annotated[str, Parameter(name="VERSION_OR_FILE", help="a stored version, or a file")],
    *,
    since: Annotated[datetime, Parameter(help="orders placed from then on; without zone: China Standard Time")],
    until: Annotated[datetime | None, Parameter(help="and before; left out: now")] = None,
    json: bool = False,
) -> int:
    """Run rules over past orders, without touching them: what they would have cost, and which would be held. 试算

    Compared with what is in force now: orders, revenue, discounts, holds, and the ten most affected orders explained.
    """
    from rich.console import Console
    from rich.progress import Progress

    from ballast.cli.opening import aware, print_json, with_house
    from tasks.rule_trial import try_rules

    begin = aware(since)
    assert begin is not None

    async def work(here: "House") -> "Trial":
        then = await _draft(here, kind, what)
        async with here.transaction() as tx:
            now = await here.rules.current(tx, here.clock.now())
        end = aware(until) or here.clock.now() + timedelta(seconds=1)
        with Progress(console=Console(stderr=True), transient=True) as bars:
            bar = bars.add_task("orders")
            return await try_rules(
                here, now, then, since=begin, until=end,
                progress=lambda done, total: bars.update(bar, completed=done, total=total),
            )  # fmt: skip

    def report() -> int:
        from ballast.cli.showing_trials import show_trial

        trial = with_house(work)
        if json:
            print_json(trial.as_dict())
        else:
            show_trial(trial)
        return 0

    return told(report, json=json)


async def _draft(here: "House", kind: Tried, what: str) -> "Compiled":
    """What is in force, with the draft in its place. Raises `RulesRefused` when it cannot be read."""
    from adapters.files.rule_books import read_rule_file
    from ballast.domain.findings import Level
    from ballast.rules.books import Kind, read_book
    from tasks.rule_trial import with_set, with_versions
    from tasks.rules import RulesRefused

    one, number = Kind(kind), number_of(what)
    async with here.transaction() as tx:
        now = here.clock.now()
        if number is not None:
            return await with_versions(here, tx, now, {one: number})
        wanted, findings = read_book(read_rule_file(Path(what), one))
        if any(one.level is Level.ERROR for one in findings):
            raise RulesRefused(findings)
        return with_set(await here.rules.current(tx, now), one, -1, wanted)


@rules.command
def explain(order_no: str, *, json: bool = False) -> int:
    """Why an order costs what it costs by the rules, with the versions that were used, and what the gates found. 解释

    Exit 1 when there is no such order in the books.
    """
    from ballast.cli.opening import print_json, with_house
    from ballast.cli.quoting import show_quote
    from ballast.cli.showing_trials import look_row, show_looks
    from ballast.rules.quotes import quote_of
    from tasks.rule_trial import explain_order

    found = with_house(lambda here: explain_order(here, order_no))
    if found is None:
        print(f"there is no order {order_no} in the books")
        return 1
    said = quote_of(found.rules, found.asked, found.appraisal, explain=True)
    if json:
        print_json(said | {"own_total": found.own_total, "gates": [look_row(look) for look in found.looks]})
        return 0
    show_quote(said, own_total=found.own_total)
    show_looks(found.looks)
    return 0
