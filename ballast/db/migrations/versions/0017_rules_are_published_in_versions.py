"""Prices, promotions, risk and the SLA policy are published in versions"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_version",
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("version", sa.BigInteger(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("sheets", JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("base", sa.Integer()),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True)),
        sa.Column("publication", sa.Integer()),
        sa.Column("published_by", sa.String()),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.Column("effective_at", sa.DateTime(timezone=True)),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("kind", "publication", name="one_publication_at_a_time"),
        sa.CheckConstraint("kind in ('price', 'promotion', 'risk', 'sla')", name="kind_of_rules"),
        sa.CheckConstraint(
            "version >= 1 and (base is null or base >= 0 and base < version)", name="rules_come_from_an_older_version"
        ),
        sa.CheckConstraint("made_by ~ '[^[:space:]]'", name="rules_have_an_author"),
        sa.CheckConstraint("jsonb_typeof(sheets) = 'object'", name="rules_are_sheets"),
        sa.CheckConstraint(STATE, name="rules_have_a_state"),
        sa.CheckConstraint(PUBLISHED, name="rules_are_published_by_somebody"),
    )
    op.create_index(
        "rules_in_force",
        "rule_version",
        ["kind", "effective_at", "publication", "version"],
        postgresql_where=sa.text("effective_at is not null"),
    )


def downgrade() -> None:
    op.drop_table("rule_version")


STATE = """case state
  when 'draft' then checked_at is null and publication is null and retired_at is null
  when 'checked' then checked_at is not null and publication is null and retired_at is null
  when 'published' then publication is not null and effective_at is not null and retired_at is null
  when 'retired' then retired_at is not null
  else false end"""
PUBLISHED = """case when publication is null
  then published_by is null and published_at is null and effective_at is null
  else publication >= 1 and checked_at is not null and published_at is not null
    and coalesce(published_by, '') ~ '[^[:space:]]' and coalesce(effective_at >= published_at, true)
  end"""
