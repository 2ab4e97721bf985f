"""What the house keeps for itself: restores, signs of life, and how fast it may call others."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import document, identity, moment


class Restore(SQLModel, table=True):
    """The books were put back to an earlier state; what was done outside in between is not in `effect`."""

    __tablename__ = "restore"

    id: int = identity()
    restored_at: datetime = moment()  # business time: orders placed before it are looked for before anything is made


class RunBeat(SQLModel, table=True):
    """How often a long run has said that it is alive. One that does not go on saying so is dead."""

    __tablename__ = "run_beat"

    run_id: str = Field(primary_key=True)
    beats: int
    beat_at: datetime = moment()


class CallLimit(SQLModel, table=True):
    """What all processes together may ask of one system: the time line of its calls, and who holds which slots."""

    __tablename__ = "call_limit"

    system: str = Field(primary_key=True)
    next_at: datetime = moment()  # machine time up to which calls are reserved
    shares: dict[str, Any] = document()  # process -> slots, wanted, since, until (see domain/sharing.py)
