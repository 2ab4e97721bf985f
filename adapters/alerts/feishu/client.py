"""Out to a Feishu (or Lark) custom bot: one message for people."""

from urllib.parse import quote

from adapters.alerts.feishu.documents import card_body
from adapters.alerts.feishu.status import ADVICE, MOST_PER_MINUTE, MOST_PER_SECOND, PAUSE_SECONDS, TOO_FAST
from adapters.alerts.pace import MINUTE, SECOND, Pace
from adapters.allowance import Allowance
from adapters.errors import OutcomeUnknown, Refused, Throttled
from adapters.http import VendorHttp
from adapters.json_text import reply_object
from adapters.replies import Reply, read_reply
from adapters.signing import reveal
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.ports import Digest, Receipt
from ballast.settings import FeishuSettings


class Answer(Reply):
    """HTTP is 200 even on failure: only `code` decides. `StatusCode`, which it may bring too, is the old word."""

    code: int
    msg: str = ""


class Feishu:
    """Implements `ports.Alerts`."""

    system = System.FEISHU

    def __init__(self, settings: FeishuSettings, clock: Clock, allowance: Allowance | None = None) -> None:
        self._settings, self.per_minute = settings, settings.per_minute
        self._token = reveal(settings.token, "BALLAST_FEISHU__TOKEN")
        self._secret = reveal(settings.secret, "BALLAST_FEISHU__SECRET")
        self._http = VendorHttp(System.FEISHU, max_calls=1, allowance=allowance)
        self._pace = Pace(System.FEISHU, clock, (MOST_PER_MINUTE, MINUTE), (MOST_PER_SECOND, SECOND))

    async def send(self, digest: Digest) -> Receipt:
        """Rings the digest's people by open_id or user_id; when it names nobody who has one, the standing ones."""
        seconds = str(int((await self._pace.take_turn()).timestamp()))
        message = card_body(digest, self._settings.mentions, timestamp=seconds, secret=self._secret)
        reply = await self._http.write(
            "POST",
            f"{self._settings.url.rstrip('/')}/{quote(self._token, safe='')}",
            content=message.body,
            headers={"Content-Type": "application/json; charset=utf-8"},
        )
        _check(read_reply(Answer, reply_object(reply, System.FEISHU, OutcomeUnknown), System.FEISHU), self._token)
        return Receipt(reference=seconds, detail={"shown": message.shown})

    async def ping(self) -> str:
        return "not asked: a robot cannot be read"

    async def close(self) -> None:
        await self._http.close()


def _check(answer: Answer, token: str) -> None:
    code, said = str(answer.code), answer.msg.replace(token, "(token)")
    if answer.code in TOO_FAST:
        raise Throttled(System.FEISHU, f"the bot is told too much ({said})", seconds=PAUSE_SECONDS, code=code)
    if answer.code:
        raise Refused(System.FEISHU, f"{ADVICE.get(answer.code, 'the bot refused the message')} ({said})", code=code)
