"""The returns of an order on its page: pieces, why, the answer, the money, the new order; in the archive, too."""

import io
import re

from rich.console import Console

from ballast.cli.showing import show_order
from ballast.db.archive import Place, archive_chunk
from ballast.db.engine import run
from ballast.db.timeline import CONCEALED, timeline
from ballast.domain.return_words import KIND_LABELS, REASON_LABELS, RETURN_LABELS
from ballast.domain.returns import ReturnKind, ReturnReason, ReturnState
from ballast.domain.words import State
from ballast.wiring import House
from tests.db.stage import bring, fill_shelf, make_order, tell
from tests.db.test_returns import LINES, ask, came, handle, send
from tests.web.stage import Stage


async def sent_back(house: House) -> None:
    """One return is paid back, another is exchanged, a third waits for an answer."""
    await fill_shelf(house, {"SKU-1": 10, "SKU-2": 10})
    await bring(house, State.SIGNED, order=make_order(lines=LINES, warehouse="CK001"))
    async with house.transaction() as tx:
        await tx.exec_driver_sql("update sales_order set signed_at = now()")
    wishes = (
        {"reason": ReturnReason.QUALITY, "why": "漏水, 张三 139 1234 5678", "by": "direct"},
        {"exchange": {"SKU-1": 1}},
        {"reason": ReturnReason.OTHER, "why": "<b>later</b>"},
    )
    for number, wish in enumerate(wishes, 1):
        await ask(house, (2, 1), **wish)
        await handle(house)
        if number < len(wishes):
            await send(house)
            await tell(house, came(f"RT-SO-1-{number}", SKU_2=(0, 1) if number == 1 else (1, 0), no=f"m{number}"))
            await handle(house)


async def test_the_page_shows_them_whole_and_conceals_the_customer(stage: Stage) -> None:
    await sent_back(stage.house)
    english, chinese = (await stage.order_page("SO-1")).text, (await stage.order_page("SO-1", lang="zh")).text
    for page in (english, chinese):
        for words in ("RT-SO-1-1", "RT-SO-1-2", "RT-SO-1-3", "RF-T-1-R1", "¥10.00", "by rule faulty", "漏水"):
            assert words in page
        assert "张三" not in page and "139 1234 5678" not in page and CONCEALED in page
        assert "<b>later" not in page and "&lt;b&gt;later" in page
    section = english.partition("<h2>Returns and exchanges</h2>")[2].partition("</section>")[0]
    for words in (
        "inspected",
        "broken or faulty",
        "(good 0, damaged 1)",
        "exchanged",
        "to be answered",
        "shop backend",
    ):
        assert words in section
    assert "已质检" in chinese and "质量问题" in chinese and "待审核" in chinese


async def test_the_exchange_is_one_click_away_and_so_is_the_way_back(stage: Stage) -> None:
    await sent_back(stage.house)
    page = (await stage.order_page("SO-1")).text
    for number in ("SO-1-HH2", "SO-1"):
        link = re.search(rf'href="({number}\?key=[^"]+)"', page)
        assert link is not None, number
        answer = await stage.http.get(f"/orders/{link[1].replace('&amp;', '&')}")
        assert answer.status_code == 200 and f"</small>{number}</h1>" in answer.text
        page = answer.text


async def test_the_terminal_lists_them_too(stage: Stage) -> None:
    await sent_back(stage.house)
    async with stage.house.transaction() as tx:
        seen = await timeline(tx, "SO-1")
    assert seen is not None
    console = Console(record=True, width=250, file=io.StringIO())
    show_order(seen, "zh", console)
    told = console.export_text()
    for words in ("换货, 已换货", "1 x SKU-2", "RF-T-1-R1", "SO-1-HH2", f"quality 漏水, {CONCEALED}"):
        assert words in told


async def test_in_the_archive_they_are_the_same(stage: Stage) -> None:
    await sent_back(stage.house)
    async with stage.house.transaction() as tx:
        before = await timeline(tx, "SO-1")
    now = stage.house.clock.now()
    async with stage.house.transaction() as tx:
        await run(tx, "update return_case set state = 'closed', due_at = null, closed_at = now()")
        await run(tx, "update outbox set done_at = now()")
        await run(tx, "update refund set state = 'done', done_at = now()")
        await run(tx, "update alert set ended_at = now(), climbs_at = null")
        await run(
            tx,
            """update sales_order set state = 'CLOSED', closed_at = placed_at, due_step = null, due_at = null,
            sla_due_at = null where order_no = 'SO-1'""",
        )
    async with stage.house.transaction() as tx:
        assert (await archive_chunk(tx, before=now, after=Place(), now=now)).archived == ("SO-1",)
    async with stage.house.transaction() as tx:
        after = await timeline(tx, "SO-1")
    assert before is not None and after is not None and after.archived_at is not None
    assert [one.lines for one in after.returns] == [one.lines for one in before.returns]
    assert [(one.return_no, one.why, one.state) for one in after.returns] == [
        (one.return_no, one.why, ReturnState.CLOSED) for one in before.returns
    ]
    assert (await stage.order_page("SO-1")).text.count("RT-SO-1-") >= 3


def test_every_word_of_a_return_has_both_languages() -> None:
    assert (set(RETURN_LABELS), set(KIND_LABELS), set(REASON_LABELS)) == (
        set(ReturnState), set(ReturnKind), set(ReturnReason),
    )  # fmt: skip
