"""What comes in files about customers: tickets of customer service, and whose account they are."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.rules_in_force import take_policy_in_force
from ballast.wiring import House


class NobodyKnows(ValueError):
    """An account's owner has to be among the SLA policy's people: add them there, or say one of those."""


async def known_people(here: House, tx: AsyncConnection, names: Iterable[str]) -> None:
    """Raises `NobodyKnows` for a name that alerts could not reach; an empty one is nobody."""
    await take_policy_in_force(tx, here.sla, here.clock.now(), at_once=True)
    people = here.sla.current().people
    if unknown := sorted({name for name in names if name and name not in people}):
        raise NobodyKnows(f"{', '.join(unknown)}: not among the people of the SLA policy, who are {', '.join(people)}")
