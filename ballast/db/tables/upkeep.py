"""What the house keeps for itself: restores, and signs of life."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import identity, moment


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
