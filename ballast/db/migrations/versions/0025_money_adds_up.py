"""Money adds up: archived orders keep their part of a day's sums, providers' statements are matched line by line

The orders that are in the archive already are opened once, a thousand at a time: about a minute per 500,000 of them.
Two indexes are built over payments and refunds: upgrade in a quiet hour.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from ballast.db.archive import unpack
from ballast.db.archived_money import ADD, entries_of
from ballast.db.engine import dumps

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_PAGE = 1000


def upgrade() -> None:
    _archived_money()
    _statements()
    op.create_index("payment_paid", "payment", ["paid_at"])
    op.create_index("refund_done", "refund", ["done_at"], postgresql_where=sa.text("done_at is not null"))
    op.create_index(
        "refund_standing",
        "refund",
        ["order_id"],
        postgresql_where=sa.text("state in ('asked', 'requested', 'by_hand', 'failed')"),
    )
    _open_the_archive()


def _archived_money() -> None:
    op.create_table(
        "archived_money",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("order_no", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("transaction_id", sa.String(), nullable=False),
        sa.Column("refund_no", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True)),
        sa.Column("goods_left", sa.Boolean(), nullable=False),
        sa.CheckConstraint("amount >= 0", name="archived_not_negative"),
    )
    op.create_index("archived_money_order", "archived_money", ["order_no"])
    op.create_index("archived_money_at", "archived_money", ["at"])
    op.create_index(
        "archived_money_transaction",
        "archived_money",
        ["provider", sa.text("lower(transaction_id)")],
        postgresql_where=sa.text("kind <> 'due'"),
    )


def _statements() -> None:
    op.create_table(
        "statement",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("covers_charges", sa.Boolean(), nullable=False),
        sa.Column("covers_refunds", sa.Boolean(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("imported_by", sa.String(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("digest", name="one_statement_per_file"),
    )
    op.create_index("statement_first_day", "statement", ["first_day"])
    op.create_table(
        "statement_line",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("statement_id", sa.BigInteger(), sa.ForeignKey("statement.id"), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("transaction_id", sa.String(), nullable=False),
        sa.Column("refund_no", sa.String(), nullable=False),
        sa.Column("named_order", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("raw", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("our_order", sa.String(), nullable=False),
        sa.Column("our_amount", sa.BigInteger()),
        sa.CheckConstraint("amount >= 0", name="line_not_negative"),
        sa.UniqueConstraint("statement_id", "line_no", name="one_row_per_line"),
    )
    op.create_index("statement_line_of", "statement_line", ["provider", "kind", sa.text("lower(transaction_id)")])
    op.create_index(
        "statement_line_open",
        "statement_line",
        ["statement_id"],
        postgresql_where=sa.text("verdict in ('unknown', 'differs', 'not_done')"),
    )


def _open_the_archive() -> None:
    """What was put away before this version has its money in its document only."""
    tx, after = op.get_bind(), ""
    page = sa.text(
        "select order_no, document from archived_order where order_no > :after order by order_no limit :most"
    )
    while found := tx.execute(page, {"after": after, "most": _PAGE}).all():
        entries = [entry for row in found for entry in entries_of(unpack(row.document))]
        tx.execute(sa.text(ADD), {"rows": dumps(entries)})
        after = found[-1].order_no


def downgrade() -> None:
    for name, table in (("refund_standing", "refund"), ("refund_done", "refund"), ("payment_paid", "payment")):
        op.drop_index(name, table)
    for table in ("statement_line", "statement", "archived_money"):
        op.drop_table(table)
