"""Returns of which the warehouse has gone quiet: it is asked, and what it says acts like its confirm."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from adapters.errors import NotUnderstood, OutsideError, Refused
from ballast.db import cases as orders
from ballast.db import returns
from ballast.db.case import Case
from ballast.db.return_steps import end_count, note
from ballast.db.returns import Return
from ballast.domain.returns import ReturnState
from ballast.points import Point, reached
from ballast.wiring import House
from tasks.listening import Answer, act, ask_all, knows_nothing, write_told

LATER: Final = timedelta(hours=6)
"""Business time until a return is looked at again that waits for something nobody rings for."""


async def hear_of_quiet(here: House, batch: Mapping[str, int]) -> dict[str, Answer]:
    """Ask about those of these returns (number -> order id) whose goods a warehouse has to tell of; number -> answer.

    Goods of which it tells are in the books afterwards, on the shelf, and their returns go on.
    """
    async with here.transaction() as tx:
        quiet = await returns.to_ask_about(tx, list(batch))
    answers = await ask_all({number: here.wms.ask_return(number) for number in sorted(quiet)})
    told = {number: answer for number, answer in answers.items() if answer and not isinstance(answer, OutsideError)}
    if not told:
        return answers
    reached("returns", Point.CALLED)
    async with here.moving("returns") as tx:
        now = here.clock.now()
        found = await orders.load(tx, now=now, waits=here.waits, ids={batch[number] for number in told})
        cases = {case.id: case for case in found}
        for number, answer in told.items():
            for one in answer:
                act(cases[batch[number]], one)
        await write_told(tx, found, [], now)
    return answers


def go_on_waiting(here: House, case: Case, row: Return, answer: Answer | None) -> str:
    """What came of asking about goods that are still to come; None: nobody was asked.

    A return order that the warehouse never heard of is announced once more. After its last confirm nothing more is
    waited for: it could have told of what was lost. Else it is asked again after as long as it has been waited for:
    ever more rarely. A person hears of it by the clock `goods_not_back`.
    """
    if row.end_told and not _is_passing(answer):
        end_count(case, row)
        return "counted"
    row.due_at = _ask_again_at(here, case, row, answer)
    if isinstance(answer, Refused | NotUnderstood):
        note(case, row, "asked", f"the warehouse does not say what came: {answer.what}"[:500])
    if answer is None or not knows_nothing(answer) or row.state is not ReturnState.WAITING_FOR_GOODS:
        return "waiting for goods"
    case.send_once_more("wms.return", row.return_no)  # a yes that was none: asked twice it says so
    note(case, row, "unknown", "the warehouse said yes and knows nothing of it: announced once more")
    return "announced once more"


def _is_passing(answer: Answer | None) -> bool:
    """No answer, and there may be one later."""
    return isinstance(answer, OutsideError) and not isinstance(answer, Refused | NotUnderstood)


def ask_after_yes(here: House, case: Case, row: Return) -> None:
    """The warehouse took the return order on, perhaps not for the first time: its yes may have been none."""
    if row.state is ReturnState.WAITING_FOR_GOODS:
        row.due_at = case.now + max(here.settings.patience.warehouse_quiet, _waited(case, row) / 2)


def _ask_again_at(here: House, case: Case, row: Return, answer: Answer | None) -> datetime:
    """A question that was not answered is asked again sooner."""
    waited, quiet = _waited(case, row), here.settings.patience.warehouse_quiet
    if isinstance(answer, OutsideError):
        return case.now + max(min(LATER, quiet), waited / 2)
    return case.now + max(quiet, waited)


def _waited(case: Case, row: Return) -> timedelta:
    """Since its newest step."""
    steps = (row.times[name] for name in ("approved_at", "awaited_at", "received_at"))
    return case.now - max(at for at in steps if at is not None)
