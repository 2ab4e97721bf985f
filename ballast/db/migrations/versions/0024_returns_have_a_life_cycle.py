"""Returns have a life cycle, lines, and a number"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

MOMENTS = (
    "approved_at",
    "awaited_at",
    "received_at",
    "inspected_at",
    "settled_at",
    "refunded_at",
    "exchanged_at",
    "rejected_at",
    "closed_at",
    "due_at",
)
WORDS = {"kind": "return", "reason": "other", "rule": ""}
YES_NO = {"whole": False, "counts": True, "wants_goods": True, "freight": False, "accepted": False}
INDEXES = ("one_return_of_parcel", "return_due", "return_open", "return_asked")

NUMBER = """
update return_case r set return_no = 'RT-' || o.order_no || '-' || n.place, whole = true,
  approved_at = case when r.state = 'accepted' then r.answered_at end,
  rejected_at = case when r.state = 'refused' then r.answered_at end,
  closed_at = case when r.state <> 'requested' then coalesce(r.answered_at, r.asked_at) end,
  counts = r.state <> 'refused',
  state = case when r.state = 'requested' then 'requested' else 'closed' end
from sales_order o, (select id, row_number() over (partition by order_id order by id) as place from return_case) n
where o.id = r.order_id and n.id = r.id
"""
"""What was answered before was carried on by people, in systems of their own: it is closed here.

What waits for an answer is answered as before, by a person: it is not due.
"""


def upgrade() -> None:
    op.add_column("return_case", sa.Column("return_no", sa.String()))
    for name in MOMENTS:
        op.add_column("return_case", sa.Column(name, sa.DateTime(timezone=True)))
    for name, default in WORDS.items():
        op.add_column("return_case", sa.Column(name, sa.String(), server_default=default, nullable=False))
    for name, yes in YES_NO.items():
        said = sa.text(str(yes).lower())
        op.add_column("return_case", sa.Column(name, sa.Boolean(), server_default=said, nullable=False))
    op.add_column("return_case", sa.Column("waybill", sa.String()))
    op.add_column("return_case", sa.Column("exchange_order_no", sa.String(), unique=True))
    for name, kind, empty in (
        ("exchange", postgresql.JSONB(), "'{}'::jsonb"),
        ("refund_nos", postgresql.ARRAY(sa.Text()), "'{}'"),
    ):
        op.add_column("return_case", sa.Column(name, kind, server_default=sa.text(empty), nullable=False))
    op.execute(NUMBER)
    op.alter_column("return_case", "return_no", nullable=False)
    op.create_unique_constraint("return_case_return_no_key", "return_case", ["return_no"])
    op.create_check_constraint("closed_at_when_closed", "return_case", "(state = 'closed') = (closed_at is not null)")
    _index_anew("state = 'requested' and whole")
    parcel = sa.text("waybill is not null")
    op.create_index(
        "one_return_of_parcel", "return_case", ["order_id", "waybill"], unique=True, postgresql_where=parcel
    )
    op.create_index("return_due", "return_case", ["due_at"], postgresql_where=sa.text("due_at is not null"))
    op.create_index("return_open", "return_case", ["asked_at"], postgresql_where=sa.text("state <> 'closed'"))
    op.create_index("return_asked", "return_case", ["asked_at"])
    _make_lines()


def _make_lines() -> None:
    op.create_table(
        "return_line",
        sa.Column("return_no", sa.String(), sa.ForeignKey("return_case.return_no"), primary_key=True),
        sa.Column("line_no", sa.Integer(), primary_key=True),
        sa.Column("order_id", sa.BigInteger(), sa.ForeignKey("sales_order.id"), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("good", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("damaged", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("amount", sa.BigInteger()),
        sa.Column("warehouse", sa.String(), server_default="", nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("quantity > 0", name="returned_positive"),
        sa.CheckConstraint("good >= 0 and damaged >= 0 and good + damaged <= quantity", name="no_more_than_asked"),
        sa.CheckConstraint("amount >= 0", name="refund_not_negative"),
    )
    op.create_index("return_line_of_order", "return_line", ["order_id"])
    untold = sa.text("good > 0 and told_at is null")
    op.create_index("return_untold", "return_line", ["sku", "warehouse"], postgresql_where=untold)


def _index_anew(which: str) -> None:
    op.drop_index("one_open_return", "return_case")
    op.create_index("one_open_return", "return_case", ["order_id"], unique=True, postgresql_where=sa.text(which))


def downgrade() -> None:
    op.drop_table("return_line")
    for index in INDEXES:
        op.drop_index(index, "return_case")
    op.drop_constraint("closed_at_when_closed", "return_case")
    op.execute(
        "update return_case set state = case when state in ('rejected', 'closed') and not counts then 'refused' "
        "when state = 'requested' then 'requested' else 'accepted' end"
    )
    op.execute(
        "delete from return_case r using return_case o "
        "where r.state = 'requested' and o.state = 'requested' and o.order_id = r.order_id and o.id < r.id"
    )
    _index_anew("state = 'requested'")
    for name in (*MOMENTS, *WORDS, *YES_NO, "return_no", "waybill", "exchange", "exchange_order_no", "refund_nos"):
        op.drop_column("return_case", name)
