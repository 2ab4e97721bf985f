"""What really is, over HTTP: the answer sheet of every test and of the benchmark."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from itertools import islice
from typing import Any

from sim.clock import utc_text
from sim.records import Delivery, Order, Parcel, Payment, Refund, ReturnedGoods, sum_units
from sim.systems.kingdee.bills import BackBill, Ledger, OutBill, SaleBill
from sim.world import World

EXCHANGE = "HHRK"


class Witness:
    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger

    def tell_orders(self, after: str, limit: int) -> dict[str, Any]:
        """`after` is the number or the k of the last order seen; `next` is null on the last page."""
        placed = self._world.placed
        start = self._position(after)
        page = list(islice(placed, start, start + limit))
        more = start + len(page) < len(placed)
        return {"orders": [self.tell_order(order) for order in page], "next": page[-1].no if page and more else None}

    def _position(self, after: str) -> int:
        if not after:
            return 0
        if after in self._world.orders:
            return self._world.placed.index(self._world.orders[after]) + 1
        return int(after)

    def tell_order(self, order: Order) -> dict[str, Any]:
        shop = order.shop
        return {
            "order_no": order.no,
            "k": order.k,
            "placed_at": utc_text(order.placed_at),
            "total": order.total,
            "lines": [{"line_no": line.line_no, "sku": line.sku, "quantity": line.quantity} for line in order.lines],
            "payments": [tell_payment(payment) for payment in order.payments],
            "shop_charges": [asdict(charge) for charge in order.shop_charges],
            "refunds": [tell_refund(refund) for refund in order.refunds],
            "freight": order.freight,
            "returns": [tell_return(back) for back in self._world.returns.values() if back.order is order],
            "wished": {"returns": len(order.wishes), "instead": sum_units(wished_instead(order))},
            "sent_instead": sum_units(self._sent_instead(order)),
            "erp": self._tell_erp(order),
            "wms": tell_wms(order),
            "parcels": [tell_parcel(parcel) for parcel in order.parcels],
            "shop": {
                "order_state": shop.order_state,
                "uploads": shop.uploads,
                "tracking": shop.tracking,
                "received_at": utc_text(shop.received_at),
            },
            "script": order.script.kind.value,
            "refused": order.refused,
            "at_rest": order.open == 0,
        }

    def _tell_erp(self, order: Order) -> dict[str, Any]:
        bills = self._ledger.of_order.get(order.no, [])
        pushed = [out for bill in bills for out in bill.outstock]
        return {
            "sale_order": tell_sale(bills) if bills else None,
            "outstock": [tell_outstock(out) for out in pushed],
            "receipt_told": any(out.receipt_told for out in pushed),
            "returns": [tell_outstock(back) for back in self._ledger.backs_of_order.get(order.no, [])],
        }

    def _sent_instead(self, order: Order) -> Iterator[tuple[str, int]]:
        """What left for it by orders that its goods were exchanged for."""
        for number in range(1, len(order.wishes) + 1):
            other = self._world.orders.get(f"{order.no}-HH{number}")
            for parcel in other.parcels if other else ():
                yield from parcel.items.items()

    def tell_effects(self) -> dict[str, Any]:
        tally = self._world.tally
        return {
            "duplicates": dict(tally.duplicates),
            "counts": dict(tally.counts),
            "oversold": self._world.stocks.oversold(),
            "repeated_requests": dict(tally.repeated),
        }

    def tell_progress(self, placing: bool) -> dict[str, Any]:
        world, counts = self._world, self._world.sender.counts
        names = ("placed", "paid", "reserved", "wms_created", "shipped", "in_transit", "signed")
        return {
            **{name: world.milestones[name] for name in names},
            "webhooks_sent": counts["sent"],
            "webhooks_pending": world.sender.pending,
            "webhooks_failed": counts["failed"],
            "webhook_tries": counts["tries"],
            "at_rest": sum(order.open == 0 for order in world.placed),
            "placing": placing,
            "first_payment_at_real": world.first_payment_at_real,
            "last_sign_at_real": world.last_sign_at_real,
            "business_now": utc_text(world.clock.now()),
            "requests": dict(world.tally.requests),
            "calls": dict(sorted(world.faults.calls.items())),
        }


def tell_payment(payment: Payment) -> dict[str, Any]:
    return {"transaction_id": payment.transaction_id, "amount": payment.amount, "paid_at": utc_text(payment.paid_at)}


def tell_refund(refund: Refund) -> dict[str, Any]:
    return {
        "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id,
        "amount": refund.amount,
        "status": refund.status,
        "done_at": utc_text(refund.done_at),
    }


def tell_return(back: ReturnedGoods) -> dict[str, Any]:
    """`worth`: the most that may go back for what came, 分, freight aside; an exchange is paid in goods."""
    came = back.good + back.damaged
    worth = 0 if back.order_type == EXCHANGE else math.ceil(sum(worth_of(back.order, sku) * came[sku] for sku in came))
    return {
        "return_no": back.code,
        "good": dict(back.good),
        "damaged": dict(back.damaged),
        "confirms": back.confirms,
        "worth": worth,
    }


def worth_of(order: Order, sku: str) -> Fraction:
    """What was paid for one piece: its price less its share of the order's discount."""
    lines, goods = [line for line in order.lines if line.sku == sku], sum(line.amount for line in order.lines)
    price = Fraction(sum(line.amount for line in lines), sum(line.quantity for line in lines) or 1)
    return price * Fraction(max(0, goods - order.discount), goods or 1)


def wished_instead(order: Order) -> Iterator[tuple[str, int]]:
    for wish in order.wishes:
        yield from (wish.get("exchange") or {}).items()


def tell_sale(bills: list[SaleBill]) -> dict[str, Any]:
    """The bill in force; `saves` counts every accepted one."""
    bill = next((bill for bill in bills if not bill.cancelled and not bill.closed), bills[-1])
    return {
        "number": bill.number,
        "status": bill.status,
        "saves": len(bills),
        "cancelled": bill.cancelled,
        "closed": bill.closed,
        "reserved": sum_units((sku, units) for held in bill.held.values() for sku, units in held.items()),
    }


def tell_outstock(out: OutBill | BackBill) -> dict[str, Any]:
    quantities = sum_units((entry.material, entry.quantity) for entry in out.entries)
    return {"number": out.number, "status": out.status, "quantities": quantities, "cancelled": out.cancelled}


def tell_wms(order: Order) -> dict[str, Any]:
    latest: Delivery | None = next((d for d in reversed(order.deliveries) if d.alive), None)
    if latest is None and order.deliveries:
        latest = order.deliveries[-1]
    shipped = sum_units((sku, units) for parcel in order.parcels for sku, units in parcel.items.items())
    return {
        "status": latest.status if latest else None,
        "creates": order.creates,
        "order_type": latest.order_type if latest else None,
        "shipped": shipped,
        "warehouses": [delivery.warehouse for delivery in order.deliveries if delivery.alive],
        "addresses": {delivery.code: delivery.address for delivery in order.deliveries if delivery.alive},
    }


def tell_parcel(parcel: Parcel) -> dict[str, Any]:
    return {
        "waybill": parcel.waybill,
        "carrier": parcel.carrier,
        "items": parcel.items,
        "subscribed": parcel.subscribed,
        "empty_yes": parcel.empty_yes,
        "states": [scan.state_ex for scan in parcel.scans],
        "picked_up_at": utc_text(parcel.picked_up_at),
        "signed_at": utc_text(parcel.signed_at),
        "outcome": parcel.outcome,
    }
