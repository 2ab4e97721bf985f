"""The order page: who may see it, what stands on it, and what must not."""

import re
from functools import partial

import pytest
from pydantic import SecretStr

from ballast.db.archive import Place, archive_chunk
from ballast.db.case import Case
from ballast.db.engine import make_engine, run
from ballast.domain.words import HOLD_LABELS, Event, HoldReason, State
from ballast.settings import SettingsError
from ballast.wiring import page_key
from tests.web.stage import CONSOLE_KEY, NOWHERE, Stage, make_house, open_stage
from tests.web.story import ADDRESS, MOBILE, NAME, OPENID, Story, at, tell_to_hold
from web.app import make_app
from web.orders.view import money
from web.orders.words import EFFECT_LABELS, EVENT_LABELS, PAGE, STATUS_LABELS, STEP_LABELS, SYSTEM_LABELS

NO = "SO-PAGE"


async def test_it_opens_with_its_own_key_only(stage: Stage) -> None:
    await Story(stage.house, NO).place()
    assert (await stage.order_page(NO)).status_code == 200
    missing = await stage.order_page("SO-NOBODY")
    for query in ({}, {"key": ""}, {"key": page_key(CONSOLE_KEY, "SO-OTHER")}, {"key": "签"}, {"key": CONSOLE_KEY}):
        answer = await stage.http.get(f"/orders/{NO}", params=query)
        assert (answer.status_code, answer.text) == (404, missing.text)
    assert missing.status_code == 404 and NO not in missing.text


async def test_without_a_console_key_there_are_no_pages(database_url: str) -> None:
    house = make_house(database_url, console_key=None)
    async with open_stage(house) as stage:
        answer = await stage.order_page(NO)
        assert (answer.status_code, answer.text) == (404, "Not Found")
    await house.close()


async def test_an_empty_console_key_refuses_to_start(database_url: str) -> None:
    """Everybody could work out the keys of an empty secret."""
    house = make_house(database_url, console_key=SecretStr(" "))
    with pytest.raises(SettingsError, match="BALLAST_CONSOLE_KEY"):
        make_app(house)
    await house.close()


@pytest.mark.parametrize("order_no", [NO, "SO-NOBODY"])
async def test_nothing_is_kept_or_fetched_by_the_browser(stage: Stage, order_no: str) -> None:
    await Story(stage.house, NO).place()
    answer = await stage.order_page(order_no)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text and "http://" not in answer.text and "src=" not in answer.text


async def test_a_held_order_says_why_and_what_to_do_in_both_languages(stage: Stage) -> None:
    await tell_to_hold(stage.house, NO)
    label = HOLD_LABELS[HoldReason.COURIER_DAMAGED]
    english, chinese = (await stage.order_page(NO)).text, (await stage.order_page(NO, lang="zh")).text
    assert label.en in english and label.advice_en in english and 'lang="en"' in english
    assert label.zh in chinese and label.advice_zh in chinese and 'lang="zh-CN"' in chinese
    for page in (english, chinese):
        assert "异常挂起" in page and "on hold" in page
        assert "外包装破损" in page and "李敏" in page
        assert "2026-11-10 20:03:21" in page and "¥357.80" in page
        for word in ("YT8877665544333", "WMS1000427", "XSDD-20261110-0427", "SKU-2210", "单据日期所在期间已关账"):
            assert word in page


async def test_nothing_of_the_receiver_is_on_it(stage: Stage) -> None:
    await tell_to_hold(stage.house, NO)
    for language in ("en", "zh"):
        page = (await stage.order_page(NO, lang=language)).text
        for personal in (NAME, MOBILE, ADDRESS, OPENID, "浦东新区"):
            assert personal not in page


async def test_what_others_wrote_is_escaped(stage: Stage) -> None:
    story = Story(stage.house, NO)
    await story.place()
    words = "<script>alert(1)</script> & \"'"
    await story.tell(at(1), lambda case: case.take(Event.NOTED, cause="x", actor="kdniao", text=words))
    page = (await stage.order_page(NO)).text
    assert "<script" not in page and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; " in page
    assert "便携咖啡滤杯 &lt;家用&gt;" in page


async def test_the_other_language_is_one_click_away(stage: Stage) -> None:
    await Story(stage.house, NO).place()
    page = (await stage.order_page(NO)).text
    link = re.search(r'class="other" href="([^"]+)"', page)
    assert link is not None
    other = await stage.http.get(f"/orders/{NO}{link[1].replace('&amp;', '&')}")
    assert other.status_code == 200 and "商品明细" in other.text


async def test_the_language_of_the_settings_is_the_default(database_url: str, stage: Stage) -> None:
    await Story(stage.house, NO).place()
    house = make_house(database_url, language="zh")
    async with open_stage(house) as chinese:
        assert "商品明细" in (await chinese.order_page(NO)).text
        assert "商品明细" not in (await chinese.order_page(NO, lang="en")).text
        assert "商品明细" not in (await chinese.order_page(NO, lang="xx")).text
    await house.close()


async def test_while_the_database_is_down_it_says_so(stage: Stage) -> None:
    engine, stage.house.engine = stage.house.engine, make_engine(NOWHERE)
    answer = await stage.order_page(NO)
    stage.house.engine = engine
    assert answer.status_code == 503 and "数据库暂时没有响应" in answer.text and "does not answer" in answer.text


def take(event: Event, case: Case) -> None:
    case.take(event, cause=event, actor="person:li")


@pytest.mark.parametrize("state", list(State))
async def test_every_state_has_a_page(stage: Stage, state: State) -> None:
    story = Story(stage.house, NO)
    await story.place()
    reached: dict[State, list[Event]] = {
        State.PENDING_PAYMENT: [],
        State.STOCK_LOCKED: [Event.STOCK_LOCKED],
        State.OUTBOUND: [Event.STOCK_LOCKED, Event.SHIPPED],
        State.IN_TRANSIT: [Event.STOCK_LOCKED, Event.SHIPPED, Event.SCANNED],
        State.SIGNED: [Event.STOCK_LOCKED, Event.SHIPPED, Event.SIGNED],
        State.ON_HOLD: [Event.HELD],
        State.CLOSED: [Event.CANCELLED],
    }
    for event in reached[state]:
        await story.tell(at(1), partial(take, event))
    marks = {
        State.PENDING_PAYMENT: "here ahead ahead ahead ahead ahead",
        State.STOCK_LOCKED: "done done here ahead ahead ahead",
        State.OUTBOUND: "done done done here ahead ahead",
        State.IN_TRANSIT: "done done done done here ahead",
        State.SIGNED: "done done done done done done",
        State.ON_HOLD: "held ahead ahead ahead ahead ahead",
        State.CLOSED: "done skipped skipped skipped skipped skipped",
    }
    page = (await stage.order_page(NO)).text
    assert re.findall(r'<li class="(\w+)">', page) == marks[state].split()


def test_every_word_has_both_languages() -> None:
    tables = (EFFECT_LABELS, EVENT_LABELS, PAGE, STATUS_LABELS, STEP_LABELS, SYSTEM_LABELS)
    assert all(label.en and label.zh for table in tables for label in table.values())
    assert set(EVENT_LABELS) == set(Event)


def test_amounts() -> None:
    assert money(35_780, "CNY") == "¥357.80"
    assert money(500, "JPY") == "500 JPY"
    assert money(500, "XXX") == "500 (minor units) XXX"


async def test_an_order_in_the_archive_still_has_its_page(stage: Stage) -> None:
    await Story(stage.house, NO).place()
    before = (await stage.order_page(NO)).text
    now = stage.house.clock.now()
    async with stage.house.transaction() as tx:
        await run(
            tx,
            """update sales_order set state = 'CLOSED', closed_at = placed_at, due_step = null, due_at = null,
            sla_due_at = null where order_no = :no""",
            no=NO,
        )
    async with stage.house.transaction() as tx:
        assert (await archive_chunk(tx, before=now, after=Place(), now=now)).archived == (NO,)
    page = await stage.order_page(NO)
    assert page.status_code == 200 and "in the archive since" in page.text and "in the archive" not in before
    assert NAME not in page.text and MOBILE not in page.text
    assert "归档时间" in (await stage.order_page(NO, lang="zh")).text
