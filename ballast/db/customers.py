"""What is known of a customer: for whoever asks what something would cost, and whose account it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """`tier`: the seller's own word; `owner`: a key of the SLA policy's people; empty: never said."""

    customer_no: str
    tier: str
    name: str = ""
    owner: str = ""


async def find_customer(tx: AsyncConnection, customer_no: str) -> KnownCustomer | None:
    """None: nobody has ordered under this number."""
    found = await rows(
        tx, "select customer_no, tier, name, owner from customer where customer_no = :no", no=customer_no
    )
    return KnownCustomer(**found[0]._mapping) if found else None


async def lost_owners(tx: AsyncConnection, people: Collection[str]) -> dict[str, int]:
    """Owners who are not among these people any more -> how many customers have them."""
    found = await rows(
        tx,
        """
        select owner, count(*) as customers from customer
        where owner <> '' and owner <> all(cast(:people as text[])) group by owner order by owner""",
        people=list(people),
    )
    return {row.owner: row.customers for row in found}


async def set_owners(tx: AsyncConnection, owners: Mapping[str, str]) -> set[str]:
    """Say whose accounts these customers are (customer number -> a key of the SLA policy's people, or empty); which of
    them are known. Rows are locked in the order of the numbers.
    """
    found = await rows(
        tx,
        """
        with named as (
          select c.customer_no, r.owner from customer c
          join jsonb_to_recordset(cast(:rows as jsonb)) as r(customer_no text, owner text) using (customer_no)
          order by c.customer_no for update of c)
        update customer c set owner = n.owner from named n where c.customer_no = n.customer_no
        returning c.customer_no""",
        rows=dumps([{"customer_no": customer_no, "owner": owner} for customer_no, owner in owners.items()]),
    )
    return {row.customer_no for row in found}
