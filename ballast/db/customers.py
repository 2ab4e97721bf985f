"""What is known of a customer, for whoever asks what something would cost."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """`tier`: the seller's own word; empty: never said."""

    customer_no: str
    tier: str


async def find_customer(tx: AsyncConnection, customer_no: str) -> KnownCustomer | None:
    """None: nobody has ordered under this number."""
    found = await rows(tx, "select customer_no, tier from customer where customer_no = :no", no=customer_no)
    return KnownCustomer(found[0].customer_no, found[0].tier) if found else None
