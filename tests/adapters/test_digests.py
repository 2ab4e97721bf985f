"""What every channel does with foreign words: cut by bytes, made harmless, whole items only."""

import asyncio
from datetime import timedelta

import pytest

from adapters.alerts.digests import cut, fit, marked, more, one_line, plain, ring, unmarked
from adapters.alerts.pace import Pace
from adapters.errors import Throttled
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.ports import Digest, Item, Person
from tests.adapters.wire import StoppedClock


@pytest.mark.parametrize("text", ["a" * 50, "中" * 50, "😀" * 50, "a中😀" * 20, "é" * 50, "\ud800" * 50])
@pytest.mark.parametrize("most", range(3, 24))
def test_a_cut_counts_bytes_and_breaks_no_character(text: str, most: int) -> None:
    short = cut(text, most)
    assert len(short.encode()) <= most
    assert short.endswith("…")
    assert "\ufffd" not in short


def test_what_fits_is_not_cut() -> None:
    assert cut("库存", 6) == "库存"
    assert cut("库存!", 6) == "库…"


def test_one_line_shows_only_what_can_be_seen() -> None:
    assert one_line(" a\r\n\tb\x00\x07c\u202ed\ud800e ", 100) == "a b c d e"


WORDS = ("<@all>", "<at id=all></at>", "[x](http://evil)", "![](http://evil)", "**", "***", "****")


@pytest.mark.parametrize("text", WORDS)
def test_markdown_of_others_is_only_read(text: str) -> None:
    assert not any(sign in plain(text, 200) for sign in ("<", "](", "*"))


def test_growing_while_it_is_made_harmless_it_still_fits() -> None:
    assert len(plain("<" * 100, 100).encode()) <= 100


def test_an_item_has_its_title_text_and_link() -> None:
    item = Item("a", "b", "https://x/y?k=(1) ]")
    assert marked(item, title=9, text=9, link=99) == "**a** b [处理 / Answer](https://x/y?k=%281%29%20%5D)"
    assert unmarked(item, title=9, text=9, link=99) == "a: b https://x/y?k=%281%29%20%5D"
    assert marked(Item("", "b"), title=9, text=9, link=99) == "b"


def test_half_a_link_leads_nowhere() -> None:
    item = Item("a", "b", "https://x/" + "y" * 90)
    assert marked(item, title=9, text=9, link=99) == "**a** b"
    assert unmarked(item, title=9, text=9, link=99) == "a: b"


@pytest.mark.parametrize(("size", "most", "shown"), [(1, 100, 9), (10, 35, 3), (10, 90, 9), (10, 5, 0)])
def test_as_many_items_as_fit(size: int, most: int, shown: int) -> None:
    fitted = fit(9, lambda count: b"x" * count * size, most)
    assert (len(fitted.body), fitted.shown) == (shown * size, shown)


def test_what_is_left_out_is_counted_in_both_languages() -> None:
    assert (more(0), more(7)) == ("", "… and 7 more / 另有 7 条")


def test_who_is_rung() -> None:
    def mobile(person: Person) -> str:
        return person.mobile

    wang, zhao = Person("王五", mobile="1"), Person("赵六 <x>")
    assert ring((wang, wang, zhao), mobile, ("9",), 50) == (["1"], "@赵六 ＜x>")
    assert ring((zhao,), mobile, ("9", "9"), 50) == (["9"], "@赵六 ＜x>")
    assert ring((), mobile, ("9",), 50) == (["9"], "")
    assert len(ring(tuple(Person("n", mobile=str(n)) for n in range(99)), mobile, (), 50)[0]) == 50


def test_how_to_reach_people_is_not_printed() -> None:
    person = Person("王五", mobile="13800000001", wecom="wangwu", feishu="ou_1", email="w@example.com")
    assert repr(Digest("t", (), (person,))) == "Digest(title='t', items=(), people=(Person(name='王五'),))"


async def test_what_was_not_sent_is_not_counted() -> None:
    clock = StoppedClock()
    pace = Pace(System.WECOM, clock, (2, 60.0))
    for _ in range(2):
        await pace.take_turn()
    for _ in range(5):
        with pytest.raises(Throttled) as minute:
            await pace.take_turn()
        assert minute.value.seconds == 60
    clock.pass_seconds(60)
    await pace.take_turn()


async def test_several_at_once_keep_to_a_second_together() -> None:
    clock = Clock()
    pace = Pace(System.FEISHU, clock, (2, 0.05))
    turns = sorted(await asyncio.gather(*(pace.take_turn() for _ in range(6))))
    assert all(later - first >= timedelta(seconds=0.049) for first, later in zip(turns, turns[2:], strict=False))
