"""What a replay does as a person: returns that customers asked for are agreed to, money goes back by hand."""

from ballast.db import return_requests, returning
from ballast.db.returning import Wanted
from ballast.domain.returns import ReturnReason
from ballast.domain.words import Event, State, System
from ballast.ports import GoodsBack, PiecesBack
from ballast.wiring import House
from deployments.replay.people import agree, give_back_by_hand
from tasks.returns import take_further
from tests.db.stage import bring, column, make_order, opened_one, said, table, tell


async def ask(house: House, *lines: tuple[int, int]) -> None:
    wanted = Wanted(lines=lines, reason=ReturnReason.NO_REASON, by="direct")
    async with house.transaction() as tx:
        await return_requests.request(tx, "SO-1", wanted, now=house.clock.now(), waits=house.waits)


async def test_a_person_agrees_to_what_customers_asked_for_and_to_nothing_else(a_house: House) -> None:
    await bring(a_house, State.SIGNED, order=make_order(lines=(("SKU-1", 2),)))
    await ask(a_house, (1, 1))
    async with opened_one(a_house) as case:
        returning.open_whole(case, why="cancelled too late", by="direct")
    await agree(a_house, "SO-1", freight=True)
    found = await table(a_house, "select state, answered_by, freight from return_case order by id")
    assert [(row["state"], row["answered_by"], row["freight"]) for row in found] == [
        ("approved", "replay", True), ("requested", None, False),
    ]  # fmt: skip
    assert "person:replay" in await column(a_house, "select actor from order_event where text like '%accepted%'")


async def test_only_the_refunds_of_returns_are_made_by_hand(a_house: House) -> None:
    await bring(a_house, State.SIGNED, order=make_order(lines=(("SKU-1", 3),)))
    await table(a_house, "update payment set provider = 'alipay' returning 1")
    await ask(a_house, (1, 1))
    await agree(a_house, "SO-1", freight=False)
    (order_id,) = await column(a_house, "select id from sales_order")
    await take_further(a_house, {"RT-SO-1-1": order_id})
    told = GoodsBack(return_no="RT-SO-1-1", pieces=(PiecesBack(sku="SKU-1", good=1, damaged=0),), final=True)
    await tell(a_house, said(System.QIMEN, Event.NOTED, "returnorder.confirm", minutes=30, goods_back=told))
    await take_further(a_house, {"RT-SO-1-1": order_id})
    await table(
        a_house,
        """
        insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, state, requested_at, why)
        select 'RF-other', order_id, provider, transaction_id, 500, currency, 'by_hand', requested_at, 'kindness'
        from refund returning 1""",
    )
    await give_back_by_hand(a_house, "SO-1")
    found = await table(a_house, "select refund_no, amount, state from refund order by refund_no")
    assert [(row["refund_no"], row["amount"], row["state"]) for row in found] == [
        ("RF-alipay-T-1.R1", 1000, "done"), ("RF-other", 500, "by_hand"),
    ]  # fmt: skip
