"""What business people decide, version by version: prices, promotions, risk, the SLA policy, sourcing."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import document, key, moment


class RuleVersion(SQLModel, table=True):
    """One version of one kind of rules. 0 has no row: it is what the files under `rules/` say.

    draft: the check found errors. checked: it may be published. published: in force from `effective_at` on until a
    version with a later one, or a later `publication` of the same moment, takes its place. retired: one has.
    Which version is in force follows from `effective_at` and `publication` alone, `state` is what people read: clocks
    of two machines may differ. One that was discarded, or withdrawn before its moment came, is retired and has no
    `effective_at`: its number is not given again.
    """

    __tablename__ = "rule_version"
    __table_args__ = (
        UniqueConstraint("kind", "publication", name="one_publication_at_a_time"),
        CheckConstraint("kind in ('price', 'promotion', 'risk', 'sla', 'sourcing')", name="kind_of_rules"),
        CheckConstraint(
            "version >= 1 and (base is null or base >= 0 and base < version)", name="rules_come_from_an_older_version"
        ),
        CheckConstraint("made_by ~ '[^[:space:]]'", name="rules_have_an_author"),
        CheckConstraint("jsonb_typeof(sheets) = 'object'", name="rules_are_sheets"),
        CheckConstraint(
            """case state
              when 'draft' then checked_at is null and publication is null and retired_at is null
              when 'checked' then checked_at is not null and publication is null and retired_at is null
              when 'published' then publication is not null and effective_at is not null and retired_at is null
              when 'retired' then retired_at is not null
              else false end""",
            name="rules_have_a_state",
        ),
        CheckConstraint(
            """case when publication is null
              then published_by is null and published_at is null and effective_at is null
              else publication >= 1 and checked_at is not null and published_at is not null
                and coalesce(published_by, '') ~ '[^[:space:]]' and coalesce(effective_at >= published_at, true)
              end""",
            name="rules_are_published_by_somebody",
        ),
        Index(  # read before every chunk, and only this: which version is in force
            "rules_in_force",
            "kind",
            "effective_at",
            "publication",
            "version",
            postgresql_where=text("effective_at is not null"),
        ),
    )

    kind: str = Field(primary_key=True)  # price, promotion, risk, sla, sourcing
    version: int = key()  # 1.. of its kind
    state: str
    sheets: dict[str, Any] = document()  # sheet -> rows: column -> text
    digest: str  # of `sheets`: what was changed behind our back is not used
    base: int | None = None  # the version that it was made from, where it is known
    note: str = ""
    made_by: str
    made_at: datetime = moment()
    checked_at: datetime | None = moment(null=True)
    publication: int | None = None  # 1.. of its kind, in the order in which they were published
    published_by: str | None = None
    published_at: datetime | None = moment(null=True)
    effective_at: datetime | None = moment(null=True)
    retired_at: datetime | None = moment(null=True)
