"""One signed POST to 金蝶云星空, and the two ways to use it: a write with one outcome, a query with rows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import uuid4

import httpx
from pydantic import BaseModel

from adapters.allowance import Allowance
from adapters.erp.kingdee import documents
from adapters.erp.kingdee.envelope import Entity, ResponseStatus, read_entities, read_result, read_rows
from adapters.erp.kingdee.signing import sign_request, split_app_id
from adapters.errors import OutcomeUnknown
from adapters.http import VendorHttp
from adapters.signing import reveal
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.settings import KingdeeSettings

STUB: Final = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService"

TIMEOUT: Final = 20.0
"""Seconds: an audit of several bills reserves stock for each."""

Operation: TypeAlias = Literal[
    "Save", "BatchSave", "Submit", "Audit", "UnAudit", "CancelAssign", "Push", "ExcuteOperation"
]


class Connection:
    """Speaks the envelope; knows nothing of orders but their number, for error texts."""

    def __init__(self, settings: KingdeeSettings, clock: Clock, allowance: Allowance | None = None) -> None:
        split_app_id(settings.app_id)  # refuse a malformed id and an empty secret at start, not at the first order
        reveal(settings.app_secret, "BALLAST_KINGDEE__APP_SECRET")
        self._stub = f"{settings.server_url.rstrip('/')}/{STUB}"
        self._settings, self._clock = settings, clock
        self._http = VendorHttp(System.KINGDEE, max_calls=settings.max_calls, timeout=TIMEOUT, allowance=allowance)

    async def close(self) -> None:
        await self._http.close()

    async def write(self, operation: Operation, body: Mapping[str, Any], *, order_no: str) -> ResponseStatus:
        """A call that changes a bill. Raises what the refusal means, `OutcomeUnknown` when there is no answer."""
        reply = await self._http.write(
            "POST", self._url(operation), order_no=order_no, operation=operation, json=body, sign=self._sign
        )
        return read_result(reply, order_no=order_no, unclear=OutcomeUnknown)

    async def write_all(self, operation: Operation, body: Mapping[str, Any]) -> Sequence[Entity]:
        """A call that changes several bills: those that the answer names. Raises when the call was not taken at all."""
        reply = await self._http.write("POST", self._url(operation), operation=operation, json=body, sign=self._sign)
        return read_entities(reply, unclear=OutcomeUnknown)

    async def query(
        self,
        form: str,
        columns: Iterable[str],
        where: Mapping[str, Collection[str]],
        *,
        order_no: str = "",
        start: int = 0,
        limit: int = 0,
        since: Mapping[str, datetime] = documents.NOTHING,
    ) -> list[dict[str, Any]]:
        """ExecuteBillQuery as dicts by column."""
        url, names = self._url("ExecuteBillQuery"), tuple(columns)
        body = documents.query(form, names, where, start=start, limit=limit, since=since)
        reply = await self._http.read(
            "POST", url, order_no=order_no, operation="ExecuteBillQuery", json=body, sign=self._sign
        )
        return read_rows(reply, names, order_no=order_no)

    def _url(self, operation: str) -> str:
        return f"{self._stub}.{operation}.common.kdsvc"

    def _sign(self, request: httpx.Request) -> None:
        """Every attempt anew: a repeat after a blip must not reuse its nonce."""
        at = int(self._clock.machine_now().timestamp())
        request.headers.update(sign_request(self._settings, str(request.url), at=at, nonce=uuid4().hex))


def columns_of(model: type[BaseModel]) -> tuple[str, ...]:
    """FieldKeys are the aliases of the model that reads the row."""
    return tuple(field.alias for field in model.model_fields.values() if field.alias)
