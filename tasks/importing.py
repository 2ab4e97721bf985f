"""`ballast import`: the orders of a file into the books, each whole or not at all, each once."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.files.building import OrderRejected
from adapters.files.mapping import FileMapping
from adapters.files.orders import OrderFile
from adapters.files.past import FileOrder
from adapters.files.rejects import RejectsFile
from adapters.files.rows import Problem
from adapters.storefronts.direct.orders import PlacedOrder, to_order
from ballast.db import cases, effects, moves
from ballast.db.case import Case
from ballast.db.intake import Inserted, insert_orders
from ballast.domain.money import Money
from ballast.domain.words import Event, State, System
from ballast.ports import Order
from ballast.wiring import House
from tasks import gates, promising
from tasks.recorded_past import play_back

MOST_FINDINGS = 1000
"""Findings and rejects that a report lists; its counts are complete, and so is the rejects file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was imported as it is and that a person may want to know of. kind: the name of its count."""

    kind: str
    order_no: str
    text: str


@dataclass(slots=True)
class ImportReport:
    """What an import did, or with `dry_run` would have done. Everything below `rejected` is of the new orders only."""

    file: str
    dry_run: bool
    rows: int = 0
    orders: int = 0
    imported: int = 0
    known: int = 0
    rejected: int = 0
    rejected_rows: int = 0
    payments: int = 0
    multi_payment_orders: int = 0
    found: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    rejects: Path | None = None
    reasons: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, Any]:
        """The figures, for people and for --json."""
        plain = ("rows", "orders", "imported", "known", "rejected", "rejected_rows", "payments", "multi_payment_orders")
        kinds = ("out_of_order", "payments_differ", "beyond_status", "without_waybill", "returns_left_out")
        return {name: getattr(self, name) for name in plain} | {kind: self.found[kind] for kind in kinds} | {
            "states": {state.value: self.states[state] for state in State if self.states[state]}}  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Everything, JSON-able."""
        return {
            "file": self.file, "dry_run": self.dry_run, **self.counts(),
            "findings": [{"kind": f.kind, "order_no": f.order_no, "text": f.text} for f in self.findings],
            "rejects": str(self.rejects) if self.rejects else None, "reasons": self.reasons,
        }  # fmt: skip

    def note(self, past: FileOrder, case: Case, *, charged: bool, stopped: bool) -> None:
        """Count one new order, and list what is odd about it. `charged`: the mapping says where payments stand.

        `stopped`: a gate put it on hold.
        """
        self.imported += 1
        self.states[State.ON_HOLD if stopped else case.standing.state] += 1
        self.payments += len(past.charges)
        self.multi_payment_orders += len(past.charges) > 1
        for kind, text in _oddities(past, case, charged=charged):
            self.found[kind] += 1
            if len(self.findings) < MOST_FINDINGS:
                self.findings.append(Finding(kind, case.order_no, text))


async def import_orders(
    house: House,
    file: Path,
    mapping: FileMapping,
    *,
    rejects: Path,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ImportReport:
    """Import `file`. `progress(orders done, orders in all)` is called after every chunk.

    Order numbers that are known already are left alone, so an import can be repeated, also after a crash. Raises
    `FileError` before anything is imported, when a file cannot be used at all.
    """
    source = OrderFile(file, mapping, read_placed)
    report = ImportReport(file=file.name, dry_run=dry_run)
    with RejectsFile(rejects) as left_out:
        for problem in source.survey():
            _reject(left_out, report, problem)
        report.rows, report.orders = source.row_count, source.total
        progress(0, source.total)
        every, done = source.orders(), 0
        while chunk := list(islice(every, house.settings.chunk)):
            report.rejected += _reject_orders(left_out, report, chunk)
            await _import_chunk(house, [one for one in chunk if isinstance(one, FileOrder)], mapping, report)
            done += len(chunk)
            progress(done, source.total)
    report.rejects = rejects if left_out.count else None
    report.rejected_rows = left_out.count
    return report


def read_placed(document: dict[str, Any]) -> Order:
    """The one intake format, the same as for orders that a shop pushes. Raises pydantic's `ValidationError`."""
    return to_order(PlacedOrder.model_validate(document))


def _reject_orders(left_out: RejectsFile, report: ImportReport, chunk: Sequence[FileOrder | OrderRejected]) -> int:
    refused = [one for one in chunk if isinstance(one, OrderRejected)]
    for one in refused:
        for problem in one.problems:
            _reject(left_out, report, problem, one.order_no)
    return len(refused)


def _reject(left_out: RejectsFile, report: ImportReport, problem: Problem, order_no: str = "") -> None:
    text = left_out.add(problem, order_no)
    if len(report.reasons) < MOST_FINDINGS:
        report.reasons.append(text)


async def _import_chunk(house: House, chunk: Sequence[FileOrder], mapping: FileMapping, report: ImportReport) -> None:
    """One transaction: the new orders of a chunk with their past. The report counts what was committed."""
    if not chunk:
        return
    async with _transaction(house, dry_run=report.dry_run) as tx:
        now, pasts = house.clock.now(), {past.order.order_no: past for past in chunk}
        ids = await insert_orders(tx, [past.order for past in chunk], source=System.IMPORT, now=now, waits=house.waits)
        fresh = await cases.load(tx, now=now, waits=house.waits, ids=ids.values()) if ids else []
        for case in fresh:
            play_back(case, pasts[case.order_no], carry_on=mapping.open_orders == "carry_on")
        await moves.write(tx, fresh)
        await _mark_handed_over(tx, [case for case in fresh if case.with_warehouse], house)
        held = await _look_at_open(house, tx, fresh, pasts)
    report.known += len(chunk) - len(fresh)
    for case in fresh:
        report.note(pasts[case.order_no], case, charged=mapping.payments is not None, stopped=case.id in held)


async def _look_at_open(
    house: House, tx: AsyncConnection, fresh: Sequence[Case], pasts: Mapping[str, FileOrder]
) -> frozenset[int]:
    """What is still to be paid or locked goes through gates and door like any other; what is further has its past."""
    ids = {case.order_no: case.id for case in fresh if case.standing.state is State.PENDING_PAYMENT and case.due}
    orders = [pasts[number].order for number in ids]
    stopped = await gates.at_intake(house, tx, orders, Inserted(ids))
    return stopped | await promising.at_intake(house, tx, orders, Inserted(ids))


@asynccontextmanager
async def _transaction(house: House, *, dry_run: bool) -> AsyncIterator[AsyncConnection]:
    """A dry run does all the work and then takes it back, so that it says what the real run would say."""
    if not dry_run:
        async with house.transaction() as tx:
            yield tx
        return
    async with house.engine.connect() as tx:
        yield tx
        await tx.rollback()


async def _mark_handed_over(tx: AsyncConnection, at_work: Sequence[Case], house: House) -> None:
    """The warehouse has these orders already: handing them over again would ship them twice."""
    if not at_work:
        return
    marks = [
        (f"wms.create:{case.order_no}", case.id, effects.digest("handed over before the import")) for case in at_work
    ]
    await effects.begin(tx, "wms.create", marks, house.clock.now())
    done = [effects.Result(key=key, state="done", receipt={"reference": effects.BEFORE_IMPORT}) for key, _, _ in marks]
    await effects.finish(tx, done, house.clock.now())


def _oddities(past: FileOrder, case: Case, *, charged: bool) -> Iterator[tuple[str, str]]:
    """(kind, text) of what does not fit together in the file. It is imported as it is."""
    if disorder := past.disorder():
        yield "out_of_order", "; ".join(disorder)
    if beyond := past.beyond():
        yield "beyond_status", f"the status is {past.said}, but {', '.join(beyond)} is recorded"
    total = past.order.total
    settled = any(passage.event is Event.PAYMENT_CONFIRMED for passage in past.passages())
    if charged and (settled or past.charges) and past.paid != total.amount:
        yield "payments_differ", f"due {total}, paid {Money(past.paid, total.currency)}"
    if case.due is not None and case.place in (State.OUTBOUND, State.IN_TRANSIT) and not case.parcels:
        yield "without_waybill", "on its way, but no courier can be asked: the file has no waybill"
    if past.returns or past.refused:
        count = len(past.returns) + len(past.refused)
        yield "returns_left_out", f"{count} recorded: an import leaves returns out, `ballast replay` plays them"
