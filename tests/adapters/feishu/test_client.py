"""The bot: the sheet's vector, the signature in the body, what fits into 20 KB, and what its refusals mean."""

import asyncio
from typing import Any
from urllib.parse import unquote

import httpx
import orjson
import pytest
from pydantic import SecretStr

from adapters.alerts.feishu.client import Feishu
from adapters.alerts.feishu.documents import MOST_BYTES, card_body, sign
from adapters.errors import NotUnderstood, OutcomeUnknown, Refused, Throttled, Unavailable
from ballast.ports import Digest, Item, Person
from ballast.settings import FeishuSettings, SettingsError
from tests.adapters.wire import StoppedClock, connect

SECRET = "demoFeishuSecret0001"
SIGN = "bzczK/6FtzxkOIPu8mNSiDEd1KmTV0XKHuFwV1G5rUQ="
SETTINGS = FeishuSettings(token=SecretStr("bot-token"), secret=SecretStr(SECRET), per_minute=7)
LINK = "https://b.example/a/1"
WANG = Person("王五", feishu="ou_wang")
DIGEST = Digest("订单异常挂起", (Item("SO20260102001", "超时未揽收", LINK),), (WANG, Person("赵六")))
OK = {"code": 0, "msg": "success", "data": {}, "StatusCode": 0}


def client(clock: StoppedClock | None = None, **changes: Any) -> Feishu:
    return Feishu(SETTINGS.model_copy(update=changes), clock or StoppedClock())


def test_the_signature_vector_of_the_sheet() -> None:
    assert sign("1767319200", SECRET) == SIGN


async def test_the_token_is_in_the_path_and_the_signature_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK)
    await client().send(DIGEST)
    assert str(wire.requests[0].url) == "https://open.feishu.cn/open-apis/bot/v2/hook/bot-token"
    line = f"**SO20260102001** 超时未揽收 [处理 / Answer]({LINK})"
    assert wire.json(0) == {
        "timestamp": "1767319200",
        "sign": SIGN,
        "msg_type": "interactive",
        "card": {
            "header": {"template": "red", "title": {"tag": "plain_text", "content": "订单异常挂起"}},
            "elements": [
                {"tag": "div", "text": {"tag": "lark_md", "content": line}},
                {"tag": "div", "text": {"tag": "lark_md", "content": "<at id=ou_wang></at> @赵六"}},
            ],
        },
    }


async def test_lark_is_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK)
    await client(url="https://open.larksuite.com/open-apis/bot/v2/hook/").send(DIGEST)
    assert str(wire.requests[0].url) == "https://open.larksuite.com/open-apis/bot/v2/hook/bot-token"


async def test_a_token_stays_one_part_of_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK)
    await client(token=SecretStr("../x?y")).send(DIGEST)
    assert wire.requests[0].url.raw_path == b"/open-apis/bot/v2/hook/..%2Fx%3Fy"


async def test_the_standing_people_are_rung_when_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK)
    await client(mentions=("ou_li",)).send(Digest("t", (Item("l"),)))
    assert "<at id=ou_li></at>" in str(wire.json(0)["card"]["elements"][-1])


@pytest.mark.parametrize("count", [1, 10, 300, 3000])
@pytest.mark.parametrize("line", ["SO1", "库存不足😀" * 20, "中" * 5000, '"\\' * 3000])
def test_a_long_list_is_cut_to_whole_items_and_counted(count: int, line: str) -> None:
    digest = Digest("标" * 900, (Item(line, line, LINK),) * count, (WANG,))
    message = card_body(digest, (), timestamp="1767319200", secret=SECRET)
    assert len(message.body) <= MOST_BYTES
    said = "\n".join(element["text"]["content"] for element in orjson.loads(message.body)["card"]["elements"])
    shown = said.count(LINK)
    assert message.shown == shown > 0 and "<at id=ou_wang></at>" in said
    assert (f"… and {count - shown} more / 另有 {count - shown} 条" in said) == (shown < count)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"code": 19021, "msg": "sign match fail"}, Refused),
        ({"code": 19022, "msg": "ip not allowed"}, Refused),
        ({"code": 19024, "msg": "key words not found"}, Refused),
        ({"code": 19001, "msg": "token invalid"}, Refused),
        ({"code": 9499, "msg": "Bad Request"}, Refused),
        ({"code": 11232, "msg": "frequency limited"}, Throttled),
        ({"StatusCode": 0, "StatusMessage": "success"}, NotUnderstood),
        (b"<html>", OutcomeUnknown),
        (httpx.ReadTimeout("slow"), OutcomeUnknown),
        (httpx.Response(502), OutcomeUnknown),
    ],
)
async def test_what_a_failure_means_and_that_it_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, reply: Any, kind: type[Exception]
) -> None:
    wire = connect(monkeypatch, reply)
    with pytest.raises(kind) as caught:
        await client().send(DIGEST)
    assert type(caught.value) is kind and len(wire.requests) == 1
    assert not isinstance(caught.value, Throttled) or caught.value.seconds == 60


async def test_what_was_not_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, httpx.ConnectError("refused"), OK)
    await client().send(DIGEST)
    assert len(wire.requests) == 2
    connect(monkeypatch, *[httpx.Response(503)] * 3)
    with pytest.raises(Unavailable):
        await client().send(DIGEST)


async def test_both_limits_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a second is waited for, the end of a minute is not."""
    wire = connect(monkeypatch, *[OK] * 100)
    clock = StoppedClock()
    monkeypatch.setattr("adapters.alerts.pace.asyncio.sleep", _sleeping(clock))
    bot = client(clock)
    for _ in range(100):
        await bot.send(DIGEST)
    assert clock.passed == [19.0]
    with pytest.raises(Throttled) as minute:
        await bot.send(DIGEST)
    assert (minute.value.seconds, len(wire.requests), bot.per_minute) == (41, 100, 7)


def _sleeping(clock: StoppedClock) -> Any:
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds > 0.5:  # not the wire's own
            clock.pass_seconds(seconds)
        await really(0)

    return sleep


async def test_secrets_are_in_no_text(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The token is in the path: an INFO line of the HTTP library would show it."""
    caplog.set_level("INFO")
    connect(monkeypatch, OK, httpx.ReadTimeout("slow"), {"code": 19001, "msg": "no such token: bot-token"})
    bot = client()
    await bot.send(DIGEST)
    texts = [repr(bot), repr(SETTINGS), unquote(caplog.text)]
    for kind in (OutcomeUnknown, Refused):
        with pytest.raises(kind) as caught:
            await bot.send(DIGEST)
        texts.append(str(caught.value))
    for text in texts:
        assert "bot-token" not in text and SECRET not in text


@pytest.mark.parametrize("name", ["token", "secret"])
def test_an_empty_secret_refuses_to_start(name: str) -> None:
    with pytest.raises(SettingsError, match=f"BALLAST_FEISHU__{name.upper()}"):
        client(**{name: SecretStr("")})
