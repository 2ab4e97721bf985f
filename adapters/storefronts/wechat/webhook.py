"""In from WeChat: the message push of the mini-program. Source: the vendor sheet, §A4 and §B."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

from adapters.errors import BadSignature, NotUnderstood
from adapters.json_text import read_object
from adapters.meanings import meaning_of
from adapters.replies import Reply, read_reply
from adapters.signing import recent, reveal, same
from adapters.storefronts.wechat.envelope import decrypt, read_key, sign
from adapters.storefronts.wechat.status import CODES, CONFIRMED, REMIND_ACCESS, REMIND_SHIPPING, SETTLEMENT
from adapters.xml import parse
from ballast.domain.words import System
from ballast.ports import Codes, Delivery, HookAnswer, HookRequest, Message, News
from ballast.settings import WechatSettings

ABOUT_ORDERS: Final = frozenset({SETTLEMENT, REMIND_SHIPPING})
TEXT: Final = "text/plain; charset=utf-8"


def _from_unix(value: object) -> object:
    """XML has only text, JSON has numbers; 0 and empty mean: not yet."""
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value or 0


UnixTime = Annotated[int, BeforeValidator(_from_unix), AfterValidator(lambda value: max(value, 0))]


class Pushed(Reply):
    """What every message has."""

    MsgType: str
    CreateTime: UnixTime
    FromUserName: str = ""
    Event: str = ""
    MsgId: int | str = ""


class OrderEvent(Pushed):
    """Events about one order. Times are unix seconds, 0 when they have not come."""

    transaction_id: str
    merchant_id: str
    merchant_trade_no: str
    shipped_time: UnixTime = 0
    confirm_receive_time: UnixTime = 0
    settlement_time: UnixTime = 0
    msg: str = ""

    @property
    def said(self) -> str:
        return CONFIRMED if self.Event == SETTLEMENT and self.confirm_receive_time else self.Event

    @property
    def key(self) -> str:
        """Repeated messages are the same in these."""
        if self.Event == REMIND_SHIPPING:
            return f"{self.transaction_id}:remind_shipping:{self.CreateTime}"
        if self.settlement_time:
            return f"{self.transaction_id}:settled:{self.settlement_time}"
        if self.confirm_receive_time:
            return f"{self.transaction_id}:confirmed:{self.confirm_receive_time}"
        return f"{self.transaction_id}:shipped:{self.shipped_time}"

    @property
    def happened_at(self) -> datetime:
        seconds = self.confirm_receive_time or self.settlement_time or self.shipped_time
        return datetime.fromtimestamp((seconds if self.Event == SETTLEMENT else 0) or self.CreateTime, UTC)


class WechatHook:
    """Implements `ports.Hook`. Plain mode is signed too, but not over the body: a signature that leaked (a proxy's log)
    would sign anything for five minutes. So it is taken only where the settings ask for it."""

    source = System.WECHAT
    codes: Codes = CODES

    def __init__(self, settings: WechatSettings) -> None:
        self._mchid, self._app_id, self._plain = settings.mchid, settings.app_id, settings.plain_push
        self._token = reveal(settings.token, "BALLAST_WECHAT__TOKEN")
        self._key = read_key(reveal(settings.encoding_aes_key, "BALLAST_WECHAT__ENCODING_AES_KEY"))

    def receive(self, request: HookRequest, now: datetime) -> Delivery:
        query = request.query
        if not recent(query.get("timestamp", ""), now):
            raise _forged()
        if request.method == "GET":
            self._check(query, "signature")
            return Delivery(echo=HookAnswer(status=200, body=query.get("echostr", "").encode(), media_type=TEXT))
        return Delivery(messages=(self._message(self._open(query, request.body)),))

    def read(self, message: Message, codes: Codes) -> News | None:
        if message.topic == REMIND_ACCESS:
            return None
        if message.topic not in ABOUT_ORDERS:
            field = "Event" if message.payload.get("Event") else "MsgType"
            meaning_of(codes, System.WECHAT, field, message.topic)
            return None  # somebody mapped it, so it is known; but it names no order
        event = read_reply(OrderEvent, message.payload, System.WECHAT, order_no=message.order_no)
        meaning = meaning_of(codes, System.WECHAT, "Event", event.said, order_no=message.order_no)
        return News(
            system=System.WECHAT,
            order_no=message.order_no,
            happened_at=event.happened_at,
            field="Event",
            said=event.said,
            event=meaning.event,
            reason=meaning.reason,
            text=event.msg,
        )

    def accepted(self, now: datetime) -> HookAnswer:
        return HookAnswer(status=200, body=b"success", media_type=TEXT)

    def refused(self, status: int, why: str, now: datetime) -> HookAnswer:
        return HookAnswer(status=status, body=why.encode(), media_type=TEXT)

    def _open(self, query: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """The message itself. Raises `BadSignature` before anything but the envelope was looked at."""
        if self._plain and query.get("encrypt_type") != "aes":
            self._check(query, "signature")
            document = _read_document(body)
            if "Encrypt" not in document:
                return document
        encrypted = _read_envelope(body)
        self._check(query, "msg_signature", encrypted)
        try:
            plain = decrypt(encrypted, self._key, self._app_id)
        except ValueError:
            raise _forged() from None
        return _read_document(plain)

    def _check(self, query: Mapping[str, str], field: str, *more: str) -> None:
        ours = sign(self._token, query.get("timestamp", ""), query.get("nonce", ""), *more)
        if not same(ours, query.get(field, "")):
            raise _forged()

    def _message(self, document: dict[str, Any]) -> Message:
        pushed = read_reply(Pushed, document, System.WECHAT)
        if pushed.Event in ABOUT_ORDERS:
            event = read_reply(OrderEvent, document, System.WECHAT)
            if event.merchant_id != self._mchid:
                what = f"merchant_id {event.merchant_id!r} is not ours ({self._mchid})"
                raise NotUnderstood(System.WECHAT, what, order_no=event.merchant_trade_no)
            return Message(event_id=event.key, topic=event.Event, order_no=event.merchant_trade_no, payload=document)
        event_id = str(pushed.MsgId) or f"{pushed.FromUserName}:{pushed.CreateTime}:{pushed.Event}"
        return Message(event_id=event_id, topic=pushed.Event or pushed.MsgType, order_no="", payload=document)


def _read_document(body: bytes) -> dict[str, Any]:
    """JSON or XML, as the console is set."""
    if not body.lstrip().startswith(b"<"):
        return read_object(body, System.WECHAT)
    root = parse(body, System.WECHAT).get("xml")
    if not isinstance(root, dict):
        raise NotUnderstood(System.WECHAT, "XML, but not one <xml> element with fields")
    return root


def _read_envelope(body: bytes) -> str:
    """What is encrypted. Raises `BadSignature`: whatever else this is, its signature cannot be checked."""
    try:
        return str(_read_document(body)["Encrypt"])
    except (NotUnderstood, KeyError):
        raise _forged() from None


def _forged() -> BadSignature:
    what = "not encrypted and signed with our token (BALLAST_WECHAT__PLAIN_PUSH), or older than five minutes"
    return BadSignature(System.WECHAT, what)
