"""Out to a DingTalk group robot: one message for people."""

from adapters.alerts.dingtalk.documents import markdown_body, sign
from adapters.alerts.dingtalk.status import ADVICE, MOST_PER_MINUTE, MUTE_SECONDS, TOO_FAST
from adapters.alerts.pace import MINUTE, Pace
from adapters.errors import OutcomeUnknown, Refused, Throttled
from adapters.http import VendorHttp
from adapters.json_text import reply_object
from adapters.replies import Reply, read_reply
from adapters.signing import reveal
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.ports import Digest, Receipt
from ballast.settings import DingtalkSettings


class Answer(Reply):
    """HTTP is 200 even on failure: only `errcode` decides."""

    errcode: int
    errmsg: str = ""


class Dingtalk:
    """Implements `ports.Alerts`."""

    system = System.DINGTALK

    def __init__(self, settings: DingtalkSettings, clock: Clock) -> None:
        self._settings, self.per_minute = settings, settings.per_minute
        self._token = reveal(settings.access_token, "BALLAST_DINGTALK__ACCESS_TOKEN")
        self._secret = reveal(settings.secret, "BALLAST_DINGTALK__SECRET")
        self._http = VendorHttp(System.DINGTALK, max_calls=1)
        self._pace = Pace(System.DINGTALK, clock, (MOST_PER_MINUTE, MINUTE))

    async def send(self, digest: Digest) -> Receipt:
        """Rings the digest's people by mobile; when it names nobody who has one, the standing ones of the settings."""
        message = markdown_body(digest, self._settings.mentions)
        milliseconds = str(int((await self._pace.take_turn()).timestamp() * 1000))
        reply = await self._http.write(
            "POST",
            self._settings.url,
            operation="send",
            params={
                "access_token": self._token,
                "timestamp": milliseconds,
                "sign": sign(milliseconds, self._secret),
            },
            content=message.body,
            headers={"Content-Type": "application/json; charset=utf-8"},
        )
        _check(read_reply(Answer, reply_object(reply, System.DINGTALK, OutcomeUnknown), System.DINGTALK))
        return Receipt(reference=milliseconds, detail={"shown": message.shown})

    async def ping(self) -> str:
        return "not asked: a robot cannot be read"

    async def close(self) -> None:
        await self._http.close()


def _check(answer: Answer) -> None:
    code = str(answer.errcode)
    if answer.errcode in TOO_FAST:
        raise Throttled(System.DINGTALK, f"the robot is mute ({answer.errmsg})", seconds=MUTE_SECONDS, code=code)
    if answer.errcode:
        advice = ADVICE.get(answer.errcode, "the robot refused the message")
        raise Refused(System.DINGTALK, f"{advice} ({answer.errmsg})", code=code)
