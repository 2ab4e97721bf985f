"""Out to a WeCom group robot: one message for people."""

from adapters.alerts.pace import MINUTE, Pace
from adapters.alerts.wecom.documents import write
from adapters.alerts.wecom.status import ADVICE, MOST_PER_MINUTE, PAUSE_SECONDS, TOO_FAST
from adapters.errors import OutcomeUnknown, Refused, Throttled
from adapters.http import VendorHttp
from adapters.json_text import reply_object
from adapters.replies import Reply, read_reply
from adapters.signing import reveal
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.ports import Digest, Receipt
from ballast.settings import WecomSettings


class Answer(Reply):
    """HTTP is 200 even on failure: only `errcode` decides."""

    errcode: int
    errmsg: str = ""


class Wecom:
    """Implements `ports.Alerts`."""

    system = System.WECOM

    def __init__(self, settings: WecomSettings, clock: Clock) -> None:
        self._settings, self.per_minute = settings, settings.per_minute
        self._key = reveal(settings.key, "BALLAST_WECOM__KEY")
        self._http = VendorHttp(System.WECOM, max_calls=1)
        self._pace = Pace(System.WECOM, clock, (MOST_PER_MINUTE, MINUTE))

    async def send(self, digest: Digest) -> Receipt:
        """Rings people by user id, else by mobile; when it names nobody who has one, the standing user ids."""
        message = write(digest, self._settings.mentions)
        sent_at = await self._pace.take_turn()
        reply = await self._http.write(
            "POST",
            self._settings.url,
            params={"key": self._key},
            content=message.body,
            headers={"Content-Type": "application/json; charset=utf-8"},
        )
        _check(read_reply(Answer, reply_object(reply, System.WECOM, OutcomeUnknown), System.WECOM), self._key)
        return Receipt(reference=str(int(sent_at.timestamp() * 1000)), detail={"shown": message.shown})

    async def ping(self) -> str:
        return "not asked: a robot cannot be read"

    async def close(self) -> None:
        await self._http.close()


def _check(answer: Answer, key: str) -> None:
    code, said = str(answer.errcode), answer.errmsg.replace(key, "(key)")
    if answer.errcode in TOO_FAST:
        raise Throttled(System.WECOM, f"the robot is told too much ({said})", seconds=PAUSE_SECONDS, code=code)
    if answer.errcode:
        raise Refused(
            System.WECOM, f"{ADVICE.get(answer.errcode, 'the robot refused the message')} ({said})", code=code
        )
