"""Whether the tables have the shape that this program needs. Light: a web process does not load the migrations."""

from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows

NEWEST: Final = max(file.name[:4] for file in (Path(__file__).parent / "migrations/versions").glob("[0-9]*.py"))


async def is_behind(tx: AsyncConnection) -> bool:
    """Whether migrations are missing. To be ahead is well: each is safe while the previous version runs."""
    if not (await rows(tx, "select to_regclass('alembic_version') is not null"))[0][0]:
        return True
    reached = (await rows(tx, "select max(version_num) from alembic_version"))[0][0]
    return reached is None or reached < NEWEST
