"""Out by apprise: e-mail, and whatever else it speaks. One channel per URL of the settings."""

import asyncio
from collections.abc import Sequence
from typing import Any

from adapters.alerts.apprise import services
from adapters.alerts.apprise.documents import addresses, subject, text
from adapters.alerts.apprise.status import NOBODY, NOT_WHOLE
from adapters.errors import OutcomeUnknown, Refused, Unavailable
from adapters.signing import reveal
from ballast.domain.words import System
from ballast.ports import Digest, Receipt
from ballast.settings import AppriseSettings

LONGEST = 30.0
"""Seconds for one message, less than a lease: whoever claims it anew must not meet the first one at work."""

CONNECT = 10.0


class AppriseChannel:
    """Implements `ports.Alerts`. Its errors name the channel and never the URL."""

    system = System.APPRISE

    def __init__(self, name: str, settings: AppriseSettings) -> None:
        self._name, self.per_minute = name, settings.per_minute
        self._url = reveal(settings.urls[name], f"BALLAST_APPRISE__URLS, {name}")

    async def send(self, digest: Digest) -> Receipt:
        """To the receivers of the URL; an e-mail also to those people of the digest who have an address."""
        plugin = await self._load(addresses(digest))
        await self._reach(plugin)
        message = text(digest)
        try:
            async with asyncio.timeout(LONGEST):
                answer = await asyncio.to_thread(services.tell, plugin, subject(digest), message.body.decode())
        except TimeoutError:
            raise OutcomeUnknown(System.APPRISE, f"{self._name}: no end within {LONGEST:g} s") from None
        if answer is None:
            raise Refused(System.APPRISE, f"{self._name}: {NOBODY}")
        if not answer:
            raise OutcomeUnknown(System.APPRISE, f"{self._name}: {NOT_WHOLE}")
        return Receipt(reference=self._name, detail={"shown": message.shown})

    async def ping(self) -> str:
        """Reads the URL, and knocks at an e-mail server's door. Raises `Refused`, `Unavailable`."""
        plugin = await self._load([])
        knocked = await self._reach(plugin)
        return f"{plugin.service_name}: {'its server takes connections' if knocked else 'not asked'}"

    async def close(self) -> None:
        """Nothing stays open between two messages."""

    async def _load(self, addresses: Sequence[str]) -> Any:
        try:
            return await asyncio.to_thread(services.load, self._url, addresses)
        except services.NoSuchService as wrong:
            raise Refused(System.APPRISE, f"{self._name}: {wrong} (BALLAST_APPRISE__URLS)") from None

    async def _reach(self, plugin: Any) -> bool:
        """Whether there was a door to knock at. apprise says a plain no to everything; who cannot be reached at all
        heard nothing, and then the message may be sent again. Raises `Unavailable`."""
        server = services.mail_server(plugin)
        if server is None:
            return False
        try:
            async with asyncio.timeout(CONNECT):
                _, door = await asyncio.open_connection(*server)
        except (OSError, TimeoutError) as closed:
            what = f"{self._name}: no connection to the e-mail server ({type(closed).__name__})"
            raise Unavailable(System.APPRISE, what) from None
        door.close()
        return True
