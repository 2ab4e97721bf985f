"""Reading a history: every order of a file before the first of them is played, what is wrong told row by row."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from adapters.files.errors import FileError
from adapters.files.mapping import FileMapping
from adapters.files.orders import OrderFile
from adapters.files.past import FileOrder
from adapters.files.rejects import RejectsFile
from deployments.replay.acts import given_up_untimed, untimed
from tasks.importing import MOST_FINDINGS, read_placed


@dataclass(frozen=True, slots=True)
class Disorder:
    """Recorded times of one order that run backward, as sentences. `where`: its place in the file."""

    order_no: str
    where: str
    times: tuple[str, ...]
    before_payment: bool  # handed over before it was paid


@dataclass(slots=True)
class History:
    """A file, read. `total` counts the orders that it names, `rejected` those of them that are left out."""

    file: str
    orders: list[FileOrder]
    total: int
    rejected: int = 0
    rejected_rows: int = 0
    rejects: Path | None = None
    reasons: list[str] = field(default_factory=list)

    def disorder(self) -> list[Disorder]:
        return [
            Disorder(past.order.order_no, past.where, tuple(said), _before_payment(past))
            for past in self.orders
            if (said := past.disorder())
        ]

    def notes(self) -> list[tuple[str, str, str]]:
        """(kind, order number, what) of what stands in the file and is not played, or is played without its time."""
        return [(kind, past.order.order_no, what) for past in self.orders for kind, what in _notes(past)]


def read_history(file: Path, mapping: FileMapping, rejects: Path) -> History:
    """Read the whole file. Raises `FileError`: also for a local time when nobody says of which zone."""
    source = OrderFile(file, mapping, read_placed)
    with RejectsFile(rejects) as left_out:
        reasons = [left_out.add(problem) for problem in source.survey()]
        orders, rejected = [], 0
        for one in source.orders():
            if isinstance(one, FileOrder):
                orders.append(one)
                reasons += [left_out.add(problem) for problem in one.refused]
                continue
            rejected += 1
            reasons += [left_out.add(problem, one.order_no) for problem in one.problems]
    if not orders:
        why = f"; first: {reasons[0]}" if reasons else ""
        raise FileError(f"{file.name}: no order of it can be played{why}")
    return History(
        file=file.name,
        orders=orders,
        total=source.total,
        rejected=rejected,
        rejected_rows=left_out.count,
        rejects=rejects if left_out.count else None,
        reasons=reasons[:MOST_FINDINGS],
    )


def _before_payment(past: FileOrder) -> bool:
    paid, left = past.milestones.get("paid_at"), past.milestones.get("outbound_at", past.milestones.get("picked_up_at"))
    return paid is not None and left is not None and left < paid


def _notes(past: FileOrder) -> Iterator[tuple[str, str]]:
    if beyond := past.beyond():
        yield "beyond_status", f"the status is {past.said}, but {', '.join(beyond)} is recorded: not played"
    if without := untimed(past):
        so = "played only where the way goes on"
        yield "without_time", f"the status is {past.said}, but the file has no {', '.join(without)}: {so}"
    if given_up_untimed(past):
        yield "without_time", f"the status is {past.said}, but the file does not say when: played at its last time"
