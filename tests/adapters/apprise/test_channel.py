"""E-mail and HTTP by apprise, against real servers on this machine."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
from pydantic import SecretStr

from adapters.alerts.apprise import services
from adapters.alerts.apprise.client import AppriseChannel
from adapters.alerts.apprise.documents import MOST_BYTES, text
from adapters.errors import OutcomeUnknown, OutsideError, Refused, Unavailable
from ballast.ports import Digest, Item, Person
from ballast.settings import AppriseSettings
from tests.adapters.apprise.receivers import Endpoint, Mailbox, http_server, mail_server

PASSWORD = "hunter2-hunter2"
LINK = "https://ballast.example/alerts/7?key=abc&x=1"
DIGEST = Digest("订单异常挂起", (Item("SO1 缺货", "等待补货 <b>", LINK), Item("SO2 拒收")))
WANG = Person("王五", email="wang@example.com")


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mail_server() as found:
        yield found


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with http_server() as found:
        yield found


def channel(url: str) -> AppriseChannel:
    return AppriseChannel("email", AppriseSettings(urls={"email": SecretStr(url)}))


def mail_to(box: Mailbox, *receivers: str) -> AppriseChannel:
    to = f"&to={','.join(receivers)}" if receivers else ""
    return channel(f"mailto://127.0.0.1:{box.port}?from=ballast@example.com&smtp=127.0.0.1{to}")


def words(letter: EmailMessage) -> str:
    part = letter.get_body(("plain", "html"))
    assert part is not None
    return str(part.get_content())


async def test_an_e_mail_arrives_with_every_item_and_its_link(box: Mailbox) -> None:
    receipt = await mail_to(box, "ops@example.com").send(DIGEST)
    [letter] = box.letters
    assert receipt.detail == {"shown": 2}
    assert box.receivers == [["ops@example.com"]]
    assert letter["subject"] == "订单异常挂起"
    said = words(letter)
    for line in ("SO1 缺货: 等待补货", LINK, "SO2 拒收"):
        assert line in said


async def test_people_of_the_digest_get_it_too(box: Mailbox) -> None:
    people = (WANG, Person("无邮箱"), Person("坏", email="no address\r\nBcc: x@evil.example"))
    await mail_to(box, "ops@example.com").send(Digest("t", (Item("l"),), people))
    assert box.receivers == [["ops@example.com"], ["wang@example.com"]]
    assert "@王五 @无邮箱 @坏" in words(box.letters[0])


async def test_an_address_without_receivers_is_for_the_people_of_the_digest_alone(box: Mailbox) -> None:
    await mail_to(box).send(Digest("t", (Item("l"),), (WANG,)))
    assert box.receivers == [["wang@example.com"]]


async def test_a_subject_cannot_begin_another_header(box: Mailbox) -> None:
    await mail_to(box, "ops@example.com").send(Digest("t\r\nBcc: x@evil.example\r\n\r\nhello", (Item("l"),)))
    assert box.receivers == [["ops@example.com"]]
    assert box.letters[0]["bcc"] is None
    assert box.letters[0]["subject"] == "t Bcc: x@evil.example hello"


async def test_words_of_others_are_no_html_in_an_e_mail(box: Mailbox) -> None:
    await mail_to(box, "ops@example.com").send(Digest("t", (Item("<img src=x>", "<a href='//evil'>y</a>"),)))
    for part in box.letters[0].walk():
        if part.get_content_type() == "text/html":
            assert "<img" not in part.get_content() and "href='//evil'" not in part.get_content()


async def test_who_cannot_be_reached_heard_nothing(box: Mailbox) -> None:
    async with mail_server() as gone:
        pass
    with pytest.raises(Unavailable, match="email: no connection"):
        await mail_to(gone, "ops@example.com").send(DIGEST)


async def test_a_receiver_refused_among_others_is_not_known_and_nothing_is_repeated(box: Mailbox) -> None:
    """apprise says one no for both: somebody has it, so it may not be sent for ever."""
    box.refused = frozenset({"gone@example.com"})
    with pytest.raises(OutcomeUnknown, match="some of its receivers may have it"):
        await mail_to(box, "ops@example.com", "gone@example.com").send(DIGEST)
    assert box.receivers == [["ops@example.com"]]


async def test_a_server_that_took_it_and_fell_silent_is_not_known(box: Mailbox) -> None:
    box.silent = True
    with pytest.raises(OutcomeUnknown):
        await mail_to(box, "ops@example.com").send(DIGEST)
    assert len(box.letters) == 1


async def test_http_arrives_as_title_and_message(endpoint: Endpoint) -> None:
    await channel(f"json://127.0.0.1:{endpoint.port}/alerts").send(DIGEST)
    [body] = endpoint.bodies
    assert body["title"] == "订单异常挂起"
    assert LINK in body["message"] and "SO1 缺货: 等待补货 <b>" in body["message"]


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_a_refusal_is_not_known_and_is_not_repeated(endpoint: Endpoint, status: int) -> None:
    endpoint.status = status
    with pytest.raises(OutcomeUnknown, match="email: it was not confirmed whole"):
        await channel(f"json://127.0.0.1:{endpoint.port}/").send(DIGEST)
    assert len(endpoint.bodies) == 1


def test_it_says_how_much_it_takes() -> None:
    """Whoever sends keeps to it, in the books."""
    settings = AppriseSettings(urls={"email": SecretStr("mailto://u:p@example.com")}, per_minute=7)
    assert AppriseChannel("email", settings).per_minute == 7


async def test_the_loop_is_not_held_up(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    threads: list[str] = []
    monkeypatch.setattr(services, "tell", lambda *_: threads.append(threading.current_thread().name) or True)
    await channel(f"json://127.0.0.1:{endpoint.port}/").send(DIGEST)
    assert threads != [threading.main_thread().name]


async def test_what_does_not_end_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    ended = threading.Event()
    monkeypatch.setattr(services, "tell", lambda *_: ended.wait(30))
    monkeypatch.setattr("adapters.alerts.apprise.client.LONGEST", 0.05)
    with pytest.raises(OutcomeUnknown, match="no end within"):
        await channel("json://127.0.0.1:9/").send(DIGEST)
    ended.set()


async def test_a_doctor_knocks_and_sends_nothing(box: Mailbox, endpoint: Endpoint) -> None:
    assert await mail_to(box, "ops@example.com").ping() == "E-Mail: its server takes connections"
    assert await channel(f"json://127.0.0.1:{endpoint.port}/").ping() == "JSON: not asked"
    async with mail_server() as gone:
        pass
    with pytest.raises(Unavailable):
        await mail_to(gone).ping()
    await asyncio.sleep(0)
    assert (box.letters, endpoint.bodies) == ([], [])


@pytest.mark.parametrize("url", [f"nosuchthing://{PASSWORD}@host", f"tgram://{PASSWORD}", f"mailto://{PASSWORD}"])
async def test_a_url_that_means_nothing_is_named_and_not_shown(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for act in (channel(url).ping(), channel(url).send(DIGEST)):
        with pytest.raises(Refused, match="BALLAST_APPRISE__URLS") as no:
            await act
        assert "email:" in str(no.value)
        assert PASSWORD not in str(no.value) + caplog.text


async def test_secrets_and_receivers_are_in_no_text(box: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    box.refused = frozenset({"gone@example.com"})
    url = f"mailto://user:{PASSWORD}@127.0.0.1:{box.port}?from=b@example.com&smtp=127.0.0.1&to=gone@example.com"
    post = channel(url)
    with pytest.raises(OutsideError) as no:
        await post.send(DIGEST)
    shown = " ".join((str(no.value), repr(post), repr(WANG), caplog.text))
    assert PASSWORD not in shown and "@example.com" not in shown
    assert PASSWORD not in repr(AppriseSettings(urls={"email": SecretStr(url)}))


@pytest.mark.parametrize("line", ["短", "库存不足😀" * 20, "中" * 5000])
def test_a_long_text_is_cut_to_whole_items(line: str) -> None:
    message = text(Digest("t", tuple(Item(f"SO{number}", line, LINK) for number in range(3000))))
    whole, shown = message.body.decode(), message.shown
    assert len(whole.encode()) <= MOST_BYTES
    assert whole.count(LINK) == whole.count("- SO") == shown > 0
    assert whole.endswith(f"… and {3000 - shown} more / 另有 {3000 - shown} 条")


def test_the_package_is_loaded_when_it_is_needed_and_not_before() -> None:
    """It knows a hundred services; every process of ours would wait for them."""
    code = "import sys, ballast.wiring; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
