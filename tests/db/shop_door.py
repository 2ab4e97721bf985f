"""The door of a shop's own backend: signed messages into a house's inbox, and what the inbox makes of them."""

from typing import Any

import orjson
import pytest
from pydantic import SecretStr

import tasks.inbox
from adapters.storefronts.direct.webhook import sign
from ballast.db import inbox
from ballast.ports import HookRequest
from ballast.settings import DirectSettings
from ballast.wiring import House, hooks
from tasks.inbox import read_messages


def open_door(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the shop's door, and what came in is read in it."""
    house.settings = house.settings.model_copy(update={"direct": DirectSettings(secret=SecretStr("s"))})

    async def this() -> House:
        return house

    monkeypatch.setattr(tasks.inbox, "house", this)


async def push(house: House, event: str, event_id: str, *, read: bool = True, **parts: Any) -> None:
    """The shop pushes this, signed; and it is read."""
    body = orjson.dumps({"event": event, "event_id": event_id, **parts})
    now = house.clock.now()
    at = str(int(now.timestamp()))
    headers = {"x-ballast-timestamp": at, "x-ballast-signature": sign(b"s", at, body)}
    request = HookRequest(method="POST", query={}, headers=headers, body=body)
    messages = hooks(house.settings)["direct"].receive(request, now).messages
    async with house.transaction() as tx:
        await inbox.store(tx, [("direct", message) for message in messages], now)
    if read:
        await read_messages.fn(100)
