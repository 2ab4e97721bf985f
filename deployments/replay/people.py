"""What people did in a history and no system tells: they agreed to a return, they gave money back by hand."""

from ballast.db.engine import rows
from ballast.db.refund_requests import made_by_hand
from ballast.db.return_requests import answer
from ballast.domain.returns import ReturnReason
from ballast.wiring import House

PERSON = "replay"
"""Who acts where the record shows that a person did."""


async def agree(house: House, order_no: str, *, freight: bool) -> None:
    """Answer the returns of this order that a customer asked for, before a rule does: the record says how it ended."""
    async with house.transaction() as tx:
        found = await rows(
            tx,
            """
            select r.return_no from return_case r join sales_order o on o.id = r.order_id
            where o.order_no = :order_no and r.state = 'requested' and r.reason <> :outrun order by r.id""",
            order_no=order_no,
            outrun=ReturnReason.CANCELLED_LATE.value,
        )
    words = "the record says that it came back"
    for row in found:
        async with house.moving("answer") as tx:
            await answer(
                tx, row.return_no, approve=True, by=PERSON, words=words, now=house.clock.now(), waits=house.waits,
                freight=freight,
            )  # fmt: skip


async def give_back_by_hand(house: House, order_no: str) -> None:
    """Refunds of this order's returns that wait for a person, at providers that Ballast cannot ask, are made."""
    async with house.transaction() as tx:
        found = await rows(
            tx,
            """
            select f.refund_no from refund f join sales_order o on o.id = f.order_id
            where o.order_no = :order_no and f.state = 'by_hand'
              and exists (select from return_case r where r.order_id = o.id and f.refund_no = any(r.refund_nos))
            order by f.refund_no""",
            order_no=order_no,
        )
    for row in found:
        async with house.transaction() as tx:
            await made_by_hand(tx, row.refund_no, by=PERSON, now=house.clock.now(), waits=house.waits)
