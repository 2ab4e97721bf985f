"""The access token: kept until shortly before it ends, fetched by one caller at a time."""

import asyncio
from datetime import datetime, timedelta

import orjson

from adapters.errors import Unavailable
from adapters.http import VendorHttp
from adapters.json_text import reply_object
from adapters.replies import read_reply
from adapters.signing import reveal
from adapters.storefronts.wechat.replies import Answer, check
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.settings import WechatSettings

MARGIN = timedelta(minutes=5)
"""A token that ends while a call is under way is no use."""


class Grant(Answer):
    access_token: str
    expires_in: int


class AccessToken:
    """By `stable_token` without force: every worker is given the same token, and none spoils another's [M]."""

    def __init__(self, settings: WechatSettings, clock: Clock, http: VendorHttp) -> None:
        self._settings, self._clock, self._http = settings, clock, http
        self._secret = reveal(settings.app_secret, "BALLAST_WECHAT__APP_SECRET")
        self._lock = asyncio.Lock()
        self._value = ""
        self._ends_at: datetime | None = None

    async def get(self) -> str:
        """A token that is good for a while."""
        if not self._fresh():
            async with self._lock:
                if not self._fresh():
                    await self._fetch()
        return self._value

    async def renew(self, stale: str) -> str:
        """Another token than `stale`, which the shop refused; fetched once however many callers hold it."""
        async with self._lock:
            if self._value == stale:
                await self._fetch()
        return self._value

    def _fresh(self) -> bool:
        return self._ends_at is not None and self._clock.machine_now() < self._ends_at

    async def _fetch(self) -> None:
        body = {"grant_type": "client_credential", "appid": self._settings.app_id, "secret": self._secret}
        reply = await self._http.read(
            "POST",
            f"{self._settings.api_url}/cgi-bin/stable_token",
            content=orjson.dumps(body),
            headers={"Content-Type": "application/json"},
        )
        data = reply_object(reply, System.WECHAT, Unavailable)
        check(read_reply(Answer, data, System.WECHAT), otherwise=Unavailable)
        grant = read_reply(Grant, data, System.WECHAT)
        self._value = grant.access_token
        self._ends_at = self._clock.machine_now() + timedelta(seconds=grant.expires_in) - MARGIN
