"""Wrong signatures are refused and leave nothing: every way in which one can be wrong, at every source."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from ballast.clock import to_local
from tests.contracts.outside import key_pair, secrets
from tests.web import senders
from tests.web.senders import ACCEPTED, REFUSED, SENDERS, Call
from tests.web.stage import Stage, make_house, open_stage

vendors = pytest.mark.parametrize("vendor", SENDERS)

SIGNED_BY = {
    "kdniao": "DataSign", "qimen": "sign", "wechat": "signature", "wechat_safe": "msg_signature",
    "wechatpay": "Wechatpay-Signature", "direct": "X-Ballast-Signature",
}  # fmt: skip
"""Where each carries its signature: a value of the form, of the query, or a header."""

WINDOW = {"qimen": 600, "wechat": 300, "wechat_safe": 300, "wechatpay": 300, "direct": 300}
"""Seconds. Kdniao signs no time: its repeats are known by their event id."""


def signature_of(vendor: str, call: Call) -> str:
    return values_of(vendor, call)[SIGNED_BY[vendor]]


def values_of(vendor: str, call: Call) -> Mapping[str, str]:
    """The form, the query or the headers: wherever the signature stands."""
    if vendor == "kdniao":
        return dict(parse_qsl(call.body.decode(), strict_parsing=True))
    return call.query if SIGNED_BY[vendor] in call.query else call.headers


def with_signature(vendor: str, call: Call, signature: str | None) -> Call:
    """Signed like this instead; None: not at all."""
    values = {name: value for name, value in values_of(vendor, call).items() if name != SIGNED_BY[vendor]}
    if signature is not None:
        values[SIGNED_BY[vendor]] = signature
    if vendor == "kdniao":
        return replace(call, body=urlencode(values).encode())
    return replace(call, query=values) if SIGNED_BY[vendor] in call.query else replace(call, headers=values)


async def assert_refused(stage: Stage, call: Call, answer: httpx.Response) -> None:
    assert answer.status_code == 401, answer.text
    assert REFUSED[call.source](answer) and not ACCEPTED[call.source](answer)
    assert await stage.inbox() == []


@vendors
async def test_signatures_that_are_not_the_one(stage: Stage, vendor: str) -> None:
    call = SENDERS[vendor](None)
    right = signature_of(vendor, call)
    wrong = [None, "", right[:-1], right[:8], right + "A", right + ", A", right + right, "0" * len(right)]
    wrong += ["签名", "é" * 32, "[]", "9" * 5000]
    wrong += [right.swapcase()] if vendor in ("kdniao", "wechatpay") else []
    for signature in wrong:
        bent = with_signature(vendor, call, signature)
        if signature is not None and any(bent.headers.get(name) == signature for name in bent.headers):
            bent = replace(bent, headers={name: in_bytes(value) for name, value in bent.headers.items()})
        await assert_refused(stage, bent, await bent.post(stage.http))
    assert ACCEPTED[call.source](await call.post(stage.http))


def in_bytes(header: str) -> Any:
    """httpx sends headers as ASCII unless they are bytes."""
    return header.encode()


@vendors
async def test_signed_with_another_key(stage: Stage, monkeypatch: pytest.MonkeyPatch, vendor: str) -> None:
    monkeypatch.setattr(senders, "secrets", other_secrets)
    monkeypatch.setattr(senders, "_platform_key", senders._platform_key.__wrapped__)
    call = SENDERS[vendor](None)
    await assert_refused(stage, call, await call.post(stage.http))


def other_secrets() -> dict[str, dict[str, str]]:
    """Ids are known to everybody; keys are not ours."""
    keys = {"api_key", "secret", "token", "encoding_aes_key", "apiv3_key"}
    bent = {
        system: {name: value[::-1] if name in keys else value for name, value in mine.items()}
        for system, mine in secrets().items()
    }
    bent["wechatpay"]["platform_private_key_pem"] = key_pair("a stranger").private
    return bent


OTHER_BODY: dict[str, Callable[[Call], Call]] = {
    "kdniao": lambda call: replace(call, body=call.body.replace(b"YT0000000000001", b"YT0000000000002")),
    "qimen": lambda call: replace(call, body=call.body.replace(b"SO20260102001", b"SO20260102002")),
    "wechat_safe": lambda call: replace(call, body=senders.wechat_safe(b'{"MsgType":"event"}').body),
    "wechatpay": lambda call: replace(call, body=call.body.replace(b"TRANSACTION.SUCCESS", b"TRANSACTION.FAILURE")),
    "direct": lambda call: replace(call, body=call.body.replace(b'"quantity"', b'"quantity" ')),
}


@pytest.mark.parametrize("vendor", OTHER_BODY)
async def test_a_signature_on_another_body(stage: Stage, vendor: str) -> None:
    call = SENDERS[vendor](None)
    other = OTHER_BODY[vendor](call)
    assert other.body != call.body
    await assert_refused(stage, other, await other.post(stage.http))


async def test_a_signature_of_wechat_that_leaked_signs_no_body_of_a_stranger(stage: Stage, database_url: str) -> None:
    """A query of safe mode holds the plain signature too. Whoever read it in a log writes a body of their own."""
    mine = stage.house.settings.wechat
    assert mine is not None
    house = make_house(database_url, wechat=mine.model_copy(update={"plain_push": False}))
    leaked = senders.wechat_safe()
    query = {name: leaked.query[name] for name in ("signature", "timestamp", "nonce")}
    async with open_stage(house) as strict:
        for bent in (query, {**query, "encrypt_type": "raw"}, dict(leaked.query)):
            stranger = replace(senders.wechat(), query=bent)
            await assert_refused(strict, stranger, await stranger.post(strict.http))
        assert ACCEPTED["wechat"](await leaked.post(strict.http))
    await house.close()


@pytest.mark.parametrize("vendor", WINDOW)
async def test_outside_of_the_window(stage: Stage, monkeypatch: pytest.MonkeyPatch, vendor: str) -> None:
    """Signed well, but too long ago: a replay. Or ahead of time: made to be replayed later."""
    for seconds in (WINDOW[vendor] + 30, -WINDOW[vendor] - 30):
        with monkeypatch.context() as then:
            at_that_time(then, seconds)
            call = SENDERS[vendor](None)
        await assert_refused(stage, call, await call.post(stage.http))
    with monkeypatch.context() as then:
        at_that_time(then, WINDOW[vendor] - 60)
        call = SENDERS[vendor](None)
    assert ACCEPTED[call.source](await call.post(stage.http))


def at_that_time(patch: pytest.MonkeyPatch, seconds_ago: int) -> None:
    """What is signed now carries the time of then."""
    patch.setattr(senders, "_now", lambda: int(time.time()) - seconds_ago)
    patch.setattr(senders, "to_local", lambda now: to_local(now - timedelta(seconds=seconds_ago)))


async def test_kdniao_signs_no_time_and_a_replay_meets_its_own_row(stage: Stage) -> None:
    call = senders.kdniao()
    for _ in range(3):
        assert ACCEPTED["kdniao"](await call.post(stage.http))
    assert len(await stage.inbox()) == 1


STAMPS = (
    "", " ", "0", "-1", "1e9", "99999999999", "9" * 40, "１７６７３１９２００", "now", "1767319200.0", "+1767319200",
    "\x7f", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "2026-02-30 00:00:00",
)  # fmt: skip


def goes_into_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


@pytest.mark.parametrize("vendor", ["wechat", "wechat_safe", "wechatpay", "direct", "qimen"])
async def test_times_that_are_none_are_refused_though_they_are_signed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    in_header = vendor in ("wechatpay", "direct")
    for stamp in (
        one for one in STAMPS if not in_header or (one.isascii() and one.isprintable() and one.strip() == one)
    ):
        with monkeypatch.context() as then:
            then.setattr(senders, "_now", lambda stamp=stamp: stamp)
            then.setattr(senders, "to_local", lambda _, stamp=stamp: stamp)
            call = SENDERS[vendor](None)
        await assert_refused(stage, call, await call.post(stage.http))


@pytest.mark.parametrize("vendor", ["wechatpay", "direct"])
@pytest.mark.parametrize("right_first", [True, False])
async def test_a_header_that_comes_twice(stage: Stage, vendor: str, right_first: bool) -> None:
    call = SENDERS[vendor](None)
    pairs = [(name, value) for name, value in call.headers.items() if name != SIGNED_BY[vendor]]
    both = [(SIGNED_BY[vendor], signature_of(vendor, call)), (SIGNED_BY[vendor], "AAAA")]
    pairs += both if right_first else both[::-1]
    answer = await stage.http.post(f"/hooks/{call.source}", content=call.body, headers=pairs)
    await assert_refused(stage, call, answer)


@pytest.mark.parametrize("vendor", ["qimen", "wechat", "wechat_safe"])
@pytest.mark.parametrize("right_first", [True, False])
async def test_a_query_value_that_comes_twice(stage: Stage, vendor: str, right_first: bool) -> None:
    call = SENDERS[vendor](None)
    for name, value in call.query.items():
        both = [(name, value), (name, "another")]
        others = [(other, kept) for other, kept in call.query.items() if other != name]
        query = httpx.QueryParams(others + (both if right_first else both[::-1]))
        headers = dict(call.headers)
        answer = await stage.http.post(f"/hooks/{call.source}?{query}", content=call.body, headers=headers)
        await assert_refused(stage, call, answer)


async def test_a_form_value_that_comes_twice(stage: Stage) -> None:
    call = senders.kdniao()
    for name, _ in parse_qsl(call.body.decode()):
        doubled = replace(call, body=call.body + f"&{name}=x".encode())
        await assert_refused(stage, doubled, await doubled.post(stage.http))


@pytest.mark.parametrize(
    "name", ["Wechatpay-Serial", "Wechatpay-Nonce", "Wechatpay-Signature-Type", "Wechatpay-Timestamp"]
)
async def test_the_other_headers_of_a_notice_count_too(stage: Stage, name: str) -> None:
    call = senders.wechatpay()
    for headers in (
        {other: value for other, value in call.headers.items() if other != name},
        {**call.headers, name: ""},
        {**call.headers, name: "é".encode()},
        {**call.headers, name: "WECHATPAY/SIGNTEST/1"},
    ):
        answer = await stage.http.post("/hooks/wechatpay", content=call.body, headers=headers)  # type: ignore[arg-type]
        await assert_refused(stage, call, answer)


def test_every_source_is_tried_here() -> None:
    assert set(SIGNED_BY) == set(SENDERS)
    assert set(SENDERS) - set(WINDOW) == {"kdniao"}
    assert set(SENDERS) - set(OTHER_BODY) == {"wechat"}  # the plain mode: nothing signs its body
