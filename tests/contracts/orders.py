"""Orders of the simulated world as Ballast's own value: what the adapters get."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ballast.domain.money import Money
from ballast.ports import Line, Order, Parcel, Receiver, ReturnedLine, ReturnOrder
from tests.contracts.outside import World


async def place_order(world: World, lines: Sequence[tuple[str, int]] = (("SKU-001", 2),), **spec: Any) -> Order:
    """Place and pay an order in the world, and read it as the shop's backend pushed it."""
    placed = await world.place(lines=[{"sku": sku, "quantity": pieces} for sku, pieces in lines], **spec)
    order = read_order(json.loads(placed["sent"][0]["body"])["order"])
    await world.act(order.order_no, "pay")
    return order


def read_order(pushed: Mapping[str, Any]) -> Order:
    """The simulator's order.placed body as an `Order`, paid, to be shipped from CK001."""
    placed_at = datetime.fromisoformat(pushed["placed_at"]).astimezone(UTC)
    return Order(
        order_no=pushed["order_no"],
        channel=pushed["channel"],
        placed_at=placed_at,
        paid_at=placed_at + timedelta(minutes=1),
        total=Money(pushed["total"], pushed["currency"]),
        freight=Money(pushed["freight"], pushed["currency"]),
        discount=Money(pushed["discount"], pushed["currency"]),
        customer_no=pushed["customer"]["no"],
        openid=pushed["customer"]["openid"],
        receiver=Receiver(**pushed["receiver"]),
        lines=tuple(Line(**line) for line in pushed["lines"]),
        warehouse="CK001",
    )


def sent_back(order: Order, good: int = 1, damaged: int = 0) -> ReturnOrder:
    """Pieces of the first line on their way back."""
    line = ReturnedLine(line=order.lines[0], quantity=good + damaged, good=good, damaged=damaged)
    number = f"RT-{order.order_no}-1"
    return ReturnOrder(return_no=number, order=order, lines=(line,), why="quality", at=datetime(2026, 1, 9, tzinfo=UTC))


def shipped(order: Order, *waybills: str) -> Order:
    """The same order after it left: everything in the first parcel, the others do not say what they hold."""
    items: dict[str, int] = {}
    for line in order.lines:
        items[line.sku] = items.get(line.sku, 0) + line.quantity
    inside = items if len(waybills) == 1 else {}
    return replace(order, parcels=tuple(Parcel(carrier="YTO", waybill=one, items=inside) for one in waybills))
