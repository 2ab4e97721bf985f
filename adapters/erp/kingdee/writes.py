"""Writes about single bills; those of the same moment travel as one call (BatchSave, `Numbers`). Sheet kingdee.md, 4.

Of a shared call only what its answer names counts as done. The rest is called alone, where a refusal speaks for
itself: a bill that was done without being named says so then (number taken, "已经审核"), and the bill decides.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from adapters.erp.kingdee import documents
from adapters.erp.kingdee.connection import Connection, Operation
from adapters.erp.kingdee.envelope import Entity
from adapters.errors import OutsideError
from adapters.together import Together


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """One bill's part of a call. `bill` is what the answer names it by; `model` is of a Save."""

    bill: tuple[Literal["Id", "Number"], str]
    order_no: str
    model: Mapping[str, Any] = field(default_factory=dict)


class Writes:
    """Save, Submit, Audit, and the way back, of one bill. At most `most` bills in a call; 1 shares nothing."""

    def __init__(self, connection: Connection, *, most: int) -> None:
        self._connection, self._most = connection, most
        self._shared: dict[tuple[Operation, str], Together[Write, None]] = {}

    async def close(self) -> None:
        await asyncio.gather(*(together.close() for together in self._shared.values()))

    async def save(self, form: str, model: Mapping[str, Any], order_no: str) -> None:
        """A new bill under its FBillNo, or a change to the bill with its FID. Raises what the refusal means."""
        fid = model["FID"]
        bill = Write(("Id", str(fid)) if fid else ("Number", model["FBillNo"]), order_no, model)
        await self._together("Save", form)(bill)

    async def take_over(self, form: str, model: Mapping[str, Any], order_no: str) -> None:
        """Save over somebody's draft: the lines that it had go. Never shared."""
        await self._connection.write("Save", documents.save(form, model, delete_entries=True), order_no=order_no)

    async def operate(self, operation: Operation, form: str, number: str, order_no: str) -> None:
        """Submit, Audit, UnAudit; or ExcuteOperation, by which a bill is voided (作废)."""
        await self._together(operation, form)(Write(("Number", number), order_no))

    def _together(self, operation: Operation, form: str) -> Together[Write, None]:
        key = (operation, form)
        if key not in self._shared:
            self._shared[key] = Together(partial(self._send, operation, form), most=self._most)
        return self._shared[key]

    async def _send(self, operation: Operation, form: str, writes: Sequence[Write]) -> list[OutsideError | None]:
        if len(writes) == 1:
            return [await self._alone(operation, form, writes[0])]
        try:
            named = _names(await self._connection.write_all(*_shared_call(operation, form, writes)))
        except OutsideError as error:
            return [error.about(write.order_no) for write in writes]
        left = [write for write in writes if write.bill not in named]
        ends = await asyncio.gather(*(self._alone(operation, form, write) for write in left))
        refused = dict(zip(left, ends, strict=True))
        return [refused.get(write) for write in writes]

    async def _alone(self, operation: Operation, form: str, write: Write) -> OutsideError | None:
        if write.model:
            body = documents.save(form, write.model)
        else:
            _, body = _shared_call(operation, form, [write])
        try:
            await self._connection.write(operation, body, order_no=write.order_no)
        except OutsideError as error:
            return error
        return None


def _shared_call(operation: Operation, form: str, writes: Sequence[Write]) -> tuple[Operation, dict[str, Any]]:
    if operation == "Save":
        return "BatchSave", documents.batch_save(form, [write.model for write in writes])
    numbers = [write.bill[1] for write in writes]
    if operation == "ExcuteOperation":
        return operation, documents.status_operation(form, "Cancel", numbers)
    return operation, documents.operation(form, numbers)


def _names(entities: Sequence[Entity]) -> set[tuple[str, str]]:
    """Ids and numbers apart: an order number may look like the id of another bill."""
    return {("Id", str(one.id)) for one in entities} | {("Number", one.number) for one in entities if one.number}
