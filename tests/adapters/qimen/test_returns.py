"""What a warehouse says of goods that came back, from its own documents."""

import pytest

from adapters.errors import NotUnderstood
from adapters.wms.qimen.status import CODES
from ballast.ports import GoodsBack, News, PiecesBack
from tests.adapters.qimen.test_webhook import HOOK, NOW, request
from tests.adapters.wire import sample

CONFIRM = sample("qimen/return_confirm.xml")


def read(body: bytes = CONFIRM) -> News:
    [message] = HOOK.receive(request("returnorder.confirm", body), NOW).messages
    news = HOOK.read(message, CODES)
    assert news is not None
    return news


def test_good_and_damaged_pieces_of_one_line_are_told_apart() -> None:
    [message] = HOOK.receive(request("taobao.qimen.returnorder.confirm", CONFIRM), NOW).messages
    assert (message.event_id, message.order_no) == ("returnorder.confirm:RTN0000000001-1", "SO20260102001")
    piece = PiecesBack(sku="SKU-001", line_no=1, good=2, damaged=1)
    assert read().goods_back == GoodsBack(return_no="RT-SO20260102001-1", pieces=(piece,), final=True)
    assert read(CONFIRM.replace(b"<confirmType>0", b"<confirmType>1")).goods_back == GoodsBack(
        return_no="RT-SO20260102001-1", pieces=(piece,), final=False
    )


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (b">RT-SO20260102001-1<", b">THD20260109<", "nobody announced"),
        (b">CC<", b">DJ<", "inventoryType 'DJ' of SKU-001 is not known"),
        (b"<actualQty>2<", b"<actualQty>-2<", "actualQty"),
        (b"<orderConfirmTime>2026-01-09 10:00:00<", b"<orderConfirmTime><", "orderConfirmTime is empty"),
    ],
)
def test_what_is_not_understood_is_never_guessed(before: bytes, after: bytes, what: str) -> None:
    assert before in CONFIRM
    with pytest.raises(NotUnderstood, match=what):
        read(CONFIRM.replace(before, after))
