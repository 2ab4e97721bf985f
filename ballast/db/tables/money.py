"""Money beyond the orders in the books: what the archive keeps of it, and what providers state."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, ForeignKey, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, document, identity, moment


class ArchivedMoney(SQLModel, table=True):
    """What an archived order was due, and each charge and refund of it: a day's sums are found without its document.

    Written when the order is put away, taken out when it is recalled, and kept when it is forgotten: no person's data
    is in it. kind: due (amount: what it was due, 0 for one that was called off), captured, refunded.
    """

    __tablename__ = "archived_money"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="archived_not_negative"),
        Index("archived_money_order", "order_no"),
        Index("archived_money_at", "at"),
        Index(
            "archived_money_transaction",
            "provider",
            text("lower(transaction_id)"),
            postgresql_where=text("kind <> 'due'"),
        ),
    )

    id: int = identity()
    order_no: str
    kind: str
    channel: str
    provider: str = ""
    transaction_id: str = ""
    refund_no: str = ""
    amount: int = big()
    currency: str
    state: str = ""  # of a charge: counted, surplus; with `due`: recorded, when a file said that it was paid
    at: datetime = moment()  # placed, paid, given back
    paid_at: datetime | None = moment(null=True)  # of the order, with `due`
    goods_left: bool = False  # with `due`


class StatementRow(SQLModel, table=True):
    """A provider's statement that was imported. The same file twice is one. `fee` in thousandths of a minor unit."""

    __tablename__ = "statement"
    __table_args__ = (
        UniqueConstraint("digest", name="one_statement_per_file"),
        Index("statement_first_day", "first_day"),
    )

    id: int = identity()
    provider: str
    account: str
    file: str
    digest: str  # SHA-256 of the file
    first_day: date = Field(sa_column=Column(Date, nullable=False))  # China Standard Time, both are in it
    last_day: date = Field(sa_column=Column(Date, nullable=False))
    covers_charges: bool
    covers_refunds: bool
    refused: int = 0  # rows that could not be read
    imported_by: str
    imported_at: datetime = moment()


class StatementLineRow(SQLModel, table=True):
    """One line of a statement, and our word on it (`Verdict`), which is found anew while it is an open item."""

    __tablename__ = "statement_line"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="line_not_negative"),
        UniqueConstraint("statement_id", "line_no", name="one_row_per_line"),
        Index("statement_line_of", "provider", "kind", text("lower(transaction_id)")),
        Index(
            "statement_line_open",
            "statement_id",
            postgresql_where=text("verdict in ('unknown', 'differs', 'not_done')"),
        ),
    )

    id: int = identity()
    statement_id: int = Field(sa_column=Column(BigInteger, ForeignKey("statement.id"), nullable=False))
    line_no: int
    kind: str
    provider: str
    transaction_id: str
    refund_no: str = ""
    named_order: str = ""  # as the provider says it
    amount: int = big()
    currency: str
    fee: int = big()
    at: datetime = moment()
    said: str = ""
    raw: dict[str, str] = document()
    verdict: str = "unknown"
    our_order: str = ""  # the order that has it
    our_amount: int | None = big(null=True)
