"""Returns: answered by rule, announced to the warehouse, booked in the ERP, paid back or exchanged, closed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases as orders
from ballast.db import moves, return_requests, returns
from ballast.db.alerts import raise_alerts
from ballast.db.case import Case
from ballast.db.exchanging import place_exchange
from ballast.db.outbox import Outgoing
from ballast.db.return_facts import customers_of, facts_of
from ballast.db.return_steps import (
    announce,
    answer,
    awaited,
    finish,
    give_up,
    is_over,
    is_paid_back,
    note,
    reached_after_all,
    refund,
    resolve,
    waits_for_person,
)
from ballast.db.returning import ReturnRefused
from ballast.db.returns import Return
from ballast.domain.returns import BY_FACT, ReturnEvent, ReturnState
from ballast.points import Point, reached
from ballast.ports import Receipt, ReturnedLine, ReturnOrder
from ballast.rules.current import find_rules
from ballast.rules.entries import RulesError
from ballast.rules.returns import Answer, ReturnRules, read_return_rules
from ballast.wiring import House, house
from tasks.alarms import refund_alerts, return_alerts
from tasks.chunks import Tally
from tasks.deliveries import deliver
from tasks.listening import Answer as Heard
from tasks.policy import ALONE, CHUNK
from tasks.quiet_returns import LATER, ask_after_yes, go_on_waiting, hear_of_quiet


@task(name="handle returns", tags=["returns"], **CHUNK)
async def work_on_returns(batch: Mapping[str, int]) -> Tally:
    """Take each of these returns (number -> order id) as far as it goes, in one transaction."""
    return await take_further(await house(), batch)


async def take_further(here: House, batch: Mapping[str, int]) -> Tally:
    """The same in this house."""
    rules, wrong = await asyncio.to_thread(_rules, here)
    heard = await hear_of_quiet(here, batch)
    async with here.moving("returns") as tx:
        now = here.clock.now()
        found = await orders.load(tx, now=now, waits=here.waits, ids=set(batch.values()))
        cases = {case.id: case for case in found}
        rows = await returns.load(tx, order_ids=cases)
        due = [row for row in rows if row.return_no in batch]
        customers = await customers_of(tx, found, now)
        sent = await returns.unsent(tx, [row.return_no for row in due])
        work = Work(here, tx, rules, rows, sent, heard)
        tally = Tally()
        for row in due:
            case = cases[row.order_id]
            tally[await work.decide(case, row, customers.get(case.head["customer_no"], {}))] += 1
        await moves.write(tx, found)
        await returns.write(tx, due)
        await raise_alerts(tx, [*work.alerts, *return_alerts(found), *refund_alerts(found), *wrong], now)
    return tally


def _rules(here: House) -> tuple[ReturnRules | None, list[dict[str, Any]]]:
    """The rules of the file. With a mistake in it a person answers everything, and is told of the mistake."""
    try:
        return read_return_rules(find_rules(here.settings.return_rules)), []
    except RulesError as wrong:
        alert = {
            "key": f"return-rules:{crc32(str(wrong).encode())}",
            "level": "warning",
            "title": "the return rules cannot be used",
        }
        return None, [{**alert, "order_id": None, "text": f"{wrong}; until then a person answers every return"[:500]}]


class Work:
    """What one chunk of returns needs to be decided about, and what people have to hear of it."""

    def __init__(
        self,
        here: House,
        tx: AsyncConnection,
        rules: ReturnRules | None,
        rows: Sequence[Return],
        unsent: frozenset[str],
        heard: Mapping[str, Heard],
    ) -> None:
        self._here, self._tx, self._rules, self._rows, self._unsent = here, tx, rules, rows, unsent
        self._heard = heard
        self.alerts: list[dict[str, Any]] = []

    async def decide(self, case: Case, row: Return, customer: Mapping[str, Any]) -> str:
        """As far as it goes now; the word for where it is then."""
        for _ in ReturnState:
            word = await self._step(case, row, customer)
            if row.due_at is None or row.due_at > case.now:
                break
        return word

    async def _step(self, case: Case, row: Return, customer: Mapping[str, Any]) -> str:
        row.due_at = None
        match row.state:
            case ReturnState.REQUESTED:
                return self._answer(case, row, customer)
            case ReturnState.APPROVED if not row.wants_goods:
                return await self._settle(case, row)
            case ReturnState.APPROVED | ReturnState.WAITING_FOR_GOODS:
                return self._await(case, row)
            case ReturnState.RECEIVED:
                return go_on_waiting(self._here, case, row, self._heard.get(row.return_no))
            case ReturnState.INSPECTED:
                return await self._settle(case, row)
            case ReturnState.REFUNDED | ReturnState.EXCHANGED | ReturnState.REJECTED:
                return self._close(case, row)
            case _:
                return "nothing to do"

    def _answer(self, case: Case, row: Return, customer: Mapping[str, Any]) -> str:
        rules = self._rules
        rule = rules.answer(facts_of(case, row, customer, rules.windows.categories)) if rules else None
        if rule is None or rule.then is Answer.ASK:
            row.rule = rule.name if rule else ""
            self._ring(case, row, "waits for an answer", "`ballast returns answer`, or the form answer-returns")
            return "to be answered by a person"
        approve = rule.then is Answer.APPROVE
        words = f"by rule {rule.name}. {rule.note}".strip()
        answer(
            case,
            row,
            approve=approve,
            by="ballast",
            words=words,
            rule=rule.name,
            goods=rule.goods,
            freight=rule.freight,
        )
        return "approved" if approve else "rejected"

    def _await(self, case: Case, row: Return) -> str:
        if row.kind in BY_FACT and reached_after_all(case, row):
            give_up(case, row, "the customer got the parcel after all")
            return "given up"
        if not resolve(case, row):
            row.due_at = case.now + LATER  # nothing has left yet
            return "waiting for the goods to leave"
        announce(case, row)
        return go_on_waiting(self._here, case, row, self._heard.get(row.return_no))

    async def _settle(self, case: Case, row: Return) -> str:
        if why := waits_for_person(row):
            self._ring(case, row, "has to be looked at", f"{why}: `ballast returns settle {row.return_no}` pays or not")
            return "to be judged by a person"
        if row.settled_at is None and row.exchange:
            await place_exchange(self._tx, case, row, now=case.now, waits=self._here.waits)
            return "exchanged"
        if row.settled_at is None:
            refund(case, row, self._rows_of(case))
            return "refund asked for" if row.refund_nos else "nothing to refund"
        if is_paid_back(case, row) and row.take(ReturnEvent.REFUNDED, case.now):
            note(case, row, "refunded", "the money is with the customer")
            row.due_at = case.now
            return "refunded"
        return "waiting for the money"

    def _rows_of(self, case: Case) -> list[Return]:
        return [row for row in self._rows if row.order_id == case.id]

    def _close(self, case: Case, row: Return) -> str:
        if is_over(row) and row.return_no in self._unsent:
            row.due_at = case.now + LATER
            return "waiting for its messages"
        finish(case, row)
        return "closed"

    def _ring(self, case: Case, row: Return, what: str, advice: str) -> None:
        self.alerts.append(
            {
                "key": f"return:{row.return_no}:{row.state}",
                "level": "warning",
                "order_id": case.id,
                "title": f"{case.order_no}: return {row.return_no} {what}",
                "text": f"{row.reason} {row.why}: {advice}"[:500],
            }
        )


# -- messages ----------------------------------------------------------------------------------------------------


def _number(message: Outgoing) -> str:
    return message.key.rpartition(":")[2]


def document(case: Case, row: Return) -> ReturnOrder:
    """What warehouse and ERP are told of a return."""
    lines = {one.line.line_no: one.line for one in case.lines}
    parcel = case.parcels.get(row.waybill or "")
    return ReturnOrder(
        return_no=row.return_no,
        order=case.order(),
        lines=tuple(
            ReturnedLine(
                line=lines[no], quantity=line.quantity, good=line.good, damaged=line.damaged, amount=line.amount or 0
            )
            for no, line in row.lines.items()
        ),
        why=row.reason.value,
        at=case.now,
        carrier=parcel.carrier if parcel else "",
        waybill=parcel.waybill if parcel else "",
        exchange=bool(row.exchange),
    )


async def _rows_of(here: House, batch: Sequence[Outgoing]) -> dict[str, Return]:
    async with here.transaction() as tx:
        return {row.return_no: row for row in await returns.load(tx, numbers=[_number(m) for m in batch])}


@task(name="announce returns", tags=["wms"], **CHUNK)
async def announce_returns(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """Tell the warehouse what comes back: each return order once."""
    here = await house()
    rows = await _rows_of(here, batch)

    async def call(request: ReturnOrder, look_first: bool) -> Receipt:
        return await here.wms.take_back(request, look_first=look_first)

    async def told(tx: AsyncConnection, sent: list[Outgoing]) -> None:
        ids, numbers = {message.order_id for message in sent}, [_number(message) for message in sent]
        found = await orders.load(tx, now=here.clock.now(), waits=here.waits, ids=ids)
        cases, fresh = {case.id: case for case in found}, await returns.load(tx, numbers=numbers)
        for row in fresh:
            awaited(cases[row.order_id], row)
            ask_after_yes(here, cases[row.order_id], row)
            if is_over(row):
                row.due_at = here.clock.now()
        await moves.write(tx, found)
        await returns.write(tx, fresh)

    return await deliver(here, owner, batch, lambda case, m: document(case, rows[_number(m)]), call, after=told)


@task(name="book returns", tags=["erp"], **CHUNK)
async def book_returns(owner: str, batch: Sequence[Outgoing]) -> Tally:
    """Have the ERP audit the return bills of good pieces: its stock goes up as ours did."""
    here = await house()
    rows = await _rows_of(here, batch)

    async def call(request: ReturnOrder, look_first: bool) -> Receipt:
        return await here.erp.post_return(request, look_first=look_first)

    async def told(tx: AsyncConnection, sent: list[Outgoing]) -> None:
        await returns.booked(tx, [_number(message) for message in sent], here.clock.now())

    return await deliver(here, owner, batch, lambda case, m: document(case, rows[_number(m)]), call, after=told)


# -- what people say ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A person's answer. `goods` False: the customer keeps them; `freight`: what was paid for it goes back, too."""

    approve: bool
    words: str
    by: str
    freight: bool = False
    goods: bool = True


@task(name="answer return", task_run_name="answer {number}", tags=["returns"], **ALONE)
async def answer_return(number: str, wish: Wish) -> str:
    """Answer one return; a sentence that says what came of it."""
    here = await house()
    reached("answer", Point.BEFORE)
    try:
        async with here.moving("answer") as tx:
            done = await return_requests.answer(
                tx, number, approve=wish.approve, by=wish.by, words=wish.words, now=here.clock.now(), waits=here.waits,
                goods=wish.goods, freight=wish.freight,
            )  # fmt: skip
    except ReturnRefused as no:
        return f"not answered: {no}"
    return f"{'accepted' if wish.approve else 'refused'}; {done.return_no} of {done.order_no}"
