"""The alert page: looking changes nothing, the form answers, and what people type stays text."""

import re
from typing import Any

import httpx
import pytest

from ballast.db.alerts import raise_alerts
from ballast.db.engine import make_engine, rows
from ballast.wiring import alert_key
from tests.web.stage import CONSOLE_KEY, NOWHERE, Stage, make_house, open_stage
from tests.web.story import NAME, tell_to_hold
from web.alerts.words import LEVELS, PAGE, STATES

NO = "SO-ALERT"


async def alert(stage: Stage, title: str = "SO-ALERT on hold", **more: Any) -> int:
    """The number of a new alert."""
    row = {"key": title, "level": "urgent", "title": title, "text": "the courier <refused>", "order_id": None, **more}
    async with stage.house.transaction() as tx:
        await raise_alerts(tx, [row], stage.house.clock.now())
        return int((await rows(tx, "select max(id) from alert"))[0][0])


async def stored(stage: Stage, number: int) -> Any:
    async with stage.house.transaction() as tx:
        return (await rows(tx, "select * from alert where id = :id", id=number))[0]


def path(number: int, **query: str) -> str:
    return str(httpx.URL(f"/alerts/{number}", params={"key": alert_key(CONSOLE_KEY, number), **query}))


async def test_it_shows_the_alert_in_both_languages(stage: Stage) -> None:
    number = await alert(stage)
    english = await stage.http.get(path(number))
    assert english.status_code == 200 and "SO-ALERT on hold" in english.text and "nobody yet" in english.text
    assert "the courier &lt;refused&gt;" in english.text and 'lang="en"' in english.text
    chinese = (await stage.http.get(path(number, lang="zh"))).text
    assert "尚无人处理" in chinese and "我来处理" in chinese and 'lang="zh-CN"' in chinese
    other = re.search(r'class="other" href="([^"]+)"', english.text)
    assert other is not None
    assert "我来处理" in (await stage.http.get(f"/alerts/{number}{other[1].replace('&amp;', '&')}")).text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_changes_nothing(stage: Stage, method: str) -> None:
    number = await alert(stage)
    before = await stored(stage, number)
    for _ in range(3):
        assert (await stage.http.request(method, path(number, answer="resolve", by="bot"))).status_code == 200
    assert await stored(stage, number) == before


async def test_the_form_acknowledges_then_resolves(stage: Stage) -> None:
    number = await alert(stage)
    answer = await stage.http.post(path(number), data={"by": "李敏", "note": "", "answer": "acknowledge"})
    assert answer.status_code == 303 and answer.headers["location"].startswith("?key=")
    now = await stored(stage, number)
    assert (now.acknowledged_by, now.ended_at) == ("李敏", None)
    page = (await stage.http.get(f"/alerts/{number}{answer.headers['location']}")).text
    assert "李敏" in page and 'value="acknowledge"' not in page and 'value="resolve"' in page
    done = await stage.http.post(path(number), data={"by": "wang", "note": "寄出新件 <1>", "answer": "resolve"})
    assert done.status_code == 303
    now = await stored(stage, number)
    assert (now.acknowledged_by, now.resolved_by, now.note) == ("李敏", "wang", "寄出新件 <1>")
    page = (await stage.http.get(path(number))).text
    assert "寄出新件 &lt;1&gt;" in page and "<form" not in page and "resolved" in page


async def test_the_first_who_takes_it_stays_and_a_repeat_is_harmless(stage: Stage) -> None:
    number = await alert(stage)
    for name in ("li", "wang", "li"):
        form = {"by": name, "note": "", "answer": "acknowledge"}
        assert (await stage.http.post(path(number), data=form)).status_code == 303
    assert (await stored(stage, number)).acknowledged_by == "li"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_it_opens_with_its_own_key_only(stage: Stage, method: str) -> None:
    number, another = await alert(stage), await alert(stage, "another")
    form = {"by": "li", "note": "", "answer": "resolve"} if method == "POST" else None
    missing = await stage.http.request(method, path(4711), data=form)
    keys = ("", alert_key(CONSOLE_KEY, another), CONSOLE_KEY, "签")
    for key in keys:
        answer = await stage.http.request(method, f"/alerts/{number}", params={"key": key}, data=form)
        assert answer.status_code == 404 and "There is no such alert" in answer.text
    assert missing.status_code in (303, 404) if method == "POST" else missing.status_code == 404
    assert (await stored(stage, number)).ended_at is None


@pytest.mark.parametrize("number", ["x", "-1", "0", "1.5", "99999999999999999999", "%00", "٣", "#1"])
async def test_what_is_no_number_is_not_there(stage: Stage, number: str) -> None:
    answer = await stage.http.get(f"/alerts/{number}", params={"key": ""})
    assert answer.status_code == 404
    answer = await stage.http.get(f"/alerts/{number}", params={"key": alert_key(CONSOLE_KEY, 0)})
    assert answer.status_code == 404


async def test_who_guesses_is_shut_out_of_all_pages(stage: Stage) -> None:
    number = await alert(stage)
    most = stage.house.settings.limits.wrong_keys_per_minute
    for _ in range(most):
        assert (await stage.http.get(f"/alerts/{number}", params={"key": "guess"})).status_code == 404
    shut = await stage.http.get(path(number))
    assert shut.status_code == 429 and int(shut.headers["retry-after"]) >= 1
    form = {"by": "li", "note": "", "answer": "resolve"}
    assert (await stage.http.post(path(number), data=form)).status_code == 429
    assert (await stage.order_page("SO1")).status_code == 429


async def test_too_many_requests_are_429(database_url: str, stage: Stage) -> None:
    number = await alert(stage)
    limits = stage.house.settings.limits.model_copy(update={"pages_per_minute": 3})
    house = make_house(database_url, limits=limits)
    async with open_stage(house) as few:
        assert [(await few.http.get(path(number))).status_code for _ in range(4)] == [200, 200, 200, 429]
    await house.close()


@pytest.mark.parametrize(
    "form",
    [
        {"by": "", "answer": "resolve"},
        {"by": "   ", "answer": "resolve"},
        {"by": "\x00\u202e", "answer": "resolve"},
        {"by": "x" * 61, "answer": "resolve"},
        {"by": "li", "note": "x" * 501, "answer": "resolve"},
        {"by": "li", "answer": "delete"},
        {"by": "li"},
        {"answer": "resolve"},
    ],
)
async def test_a_form_that_is_not_filled_in_changes_nothing(stage: Stage, form: dict[str, str]) -> None:
    number = await alert(stage)
    before = await stored(stage, number)
    assert (await stage.http.post(path(number), data=form)).status_code == 400
    assert await stored(stage, number) == before


async def test_what_was_typed_is_not_lost_when_the_name_is_missing(stage: Stage) -> None:
    number = await alert(stage)
    answer = await stage.http.post(path(number, lang="zh"), data={"by": " ", "note": "<i>补发", "answer": "resolve"})
    assert answer.status_code == 400 and "请先填写姓名" in answer.text and "&lt;i&gt;补发" in answer.text


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", "李敏".encode(), b"&".join(b"a=%d" % n for n in range(9)), b"by=li&answer=%"]
)
async def test_what_is_no_form_is_400(stage: Stage, body: bytes) -> None:
    number = await alert(stage)
    assert (await stage.http.post(path(number), content=body)).status_code == 400
    assert (await stored(stage, number)).ended_at is None


async def test_names_that_are_not_utf8_stay_harmless(stage: Stage) -> None:
    number = await alert(stage)
    assert (await stage.http.post(path(number), content=b"by=%FF%FEli&answer=acknowledge")).status_code == 303
    assert "li" in (await stored(stage, number)).acknowledged_by


async def test_bodies_are_bounded(stage: Stage) -> None:
    number = await alert(stage)
    big = await stage.http.post(path(number), content=b"by=" + b"x" * 20_000)
    assert big.status_code == 413 and (await stored(stage, number)).acknowledged_by is None
    assert (await stage.http.request("GET", path(number), content=b"by=li&answer=resolve")).status_code == 413
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await stage.http.request(method, path(number))).status_code == 405


async def test_nothing_is_kept_or_fetched_by_the_browser(stage: Stage) -> None:
    for number in (await alert(stage), 4711):
        answer = await stage.http.get(path(number))
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'") and "form-action 'self'" in policy
        assert "frame-ancestors 'none'" in policy and answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "<script" not in answer.text and "http://" not in answer.text and "src=" not in answer.text


async def test_what_others_wrote_is_escaped(stage: Stage) -> None:
    number = await alert(stage, '<script>x</script>"', text="</textarea><img src=x>")
    await stage.http.post(path(number), data={"by": '"><script>', "note": "</textarea>", "answer": "acknowledge"})
    page = (await stage.http.get(path(number))).text
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page


async def test_the_run_that_failed_is_one_click_away_and_links_of_others_are_words(stage: Stage) -> None:
    text = "<b> http://prefect.example/runs/1"
    ours = await alert(stage, key="prefect:step-failed:x:1", text=text)
    theirs = await alert(stage, "theirs", text=text)
    link = '<a href="http://prefect.example/runs/1" rel="noopener noreferrer">'
    assert link in (await stage.http.get(path(ours))).text
    page = (await stage.http.get(path(theirs))).text
    assert link not in page and "&lt;b&gt; http://prefect.example/runs/1" in page


async def test_order_and_alert_lead_to_each_other(stage: Stage) -> None:
    await tell_to_hold(stage.house, NO)
    async with stage.house.transaction() as tx:
        order_id = (await rows(tx, "select id from sales_order"))[0].id
    number = await alert(stage, order_id=order_id)
    page = (await stage.order_page(NO)).text
    link = re.search(rf'href="\.\.(/alerts/{number}\?[^"]+)"', page)
    assert link is not None and "SO-ALERT on hold" in page
    seen = await stage.http.get(link[1].replace("&amp;", "&"))
    assert seen.status_code == 200 and NAME not in seen.text
    back = re.search(r'href="\.\.(/orders/[^"]+)"', seen.text)
    assert back is not None
    assert (await stage.http.get(back[1].replace("&amp;", "&"))).status_code == 200
    await stage.http.post(path(number), data={"by": "li", "answer": "resolve"})
    assert "SO-ALERT on hold" not in (await stage.order_page(NO)).text


async def test_while_the_database_is_down_it_says_so(stage: Stage) -> None:
    number = await alert(stage)
    engine, stage.house.engine = stage.house.engine, make_engine(NOWHERE)
    shown = await stage.http.get(path(number))
    sent = await stage.http.post(path(number), data={"by": "li", "answer": "resolve"})
    stage.house.engine = engine
    assert shown.status_code == sent.status_code == 503 and "does not answer" in shown.text


async def test_without_a_console_key_there_are_no_pages(database_url: str) -> None:
    house = make_house(database_url, console_key=None)
    async with open_stage(house) as stage:
        assert (await stage.http.get(path(1))).status_code == 404
    await house.close()


def test_every_word_has_both_languages() -> None:
    assert all(label.en and label.zh for table in (PAGE, LEVELS, STATES) for label in table.values())
