"""The money of archived orders: what a day's sums need of them, beside their documents."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, run

PAID_BY_FILE: Final = "import:PAYMENT_CONFIRMED"
"""The cause in an order's history when a file says that it was paid."""

Document = Mapping[str, Sequence[Mapping[str, Any]]]

ADD: Final = """
insert into archived_money (order_no, kind, channel, provider, transaction_id, refund_no, amount, currency, state, at,
  paid_at, goods_left)
select order_no, kind, channel, coalesce(provider, ''), coalesce(transaction_id, ''), coalesce(refund_no, ''), amount,
  currency, coalesce(state, ''), at, paid_at, coalesce(goods_left, false)
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_no text, kind text, channel text, provider text,
  transaction_id text, refund_no text, amount bigint, currency text, state text, at timestamptz, paid_at timestamptz,
  goods_left boolean)
"""


def entries_of(document: Document) -> Iterator[dict[str, Any]]:
    """What stays of an order's money when it is put away: what it was due, its charges, and refunds that are done."""
    [order] = document["sales_order"]
    head = {"order_no": order["order_no"], "channel": order["channel"]}
    shipped = any(line["shipped"] for line in document.get("order_line", ()))
    left = order["outbound_at"] is not None or bool(document.get("parcel")) or shipped
    recorded = any(event["cause"] == PAID_BY_FILE for event in document.get("order_event", ()))
    yield {
        **head, "kind": "due", "amount": order["total"] if left else 0, "currency": order["currency"],
        "at": order["placed_at"], "paid_at": order["paid_at"], "goods_left": left,
        "state": "recorded" if recorded else "",
    }  # fmt: skip
    for charge in document.get("payment", ()):
        yield {**head, "kind": "captured", "at": charge["paid_at"], **_money(charge)}
    for refund in document.get("refund", ()):
        if refund["state"] == "done":
            at = refund["done_at"] or refund["requested_at"]
            yield {**head, "kind": "refunded", "at": at, "refund_no": refund["refund_no"], **_money(refund)}


def _money(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("provider", "transaction_id", "amount", "currency", "state")}


async def keep_money(tx: AsyncConnection, documents: Iterable[Document]) -> None:
    """Write down the money of orders that are put away, in the same transaction."""
    entries = [entry for document in documents for entry in entries_of(document)]
    await run(tx, ADD, rows=dumps(entries))


async def drop_money(tx: AsyncConnection, order_no: str) -> None:
    """The order is back in the books, which have its money."""
    await run(tx, "delete from archived_money where order_no = :no", no=order_no)
