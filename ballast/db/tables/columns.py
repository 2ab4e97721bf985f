"""Columns that many tables have."""

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field


def identity() -> Any:
    return Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))


def moment(*, null: bool = False) -> Any:
    return Field(default=None, sa_type=DateTime(timezone=True), nullable=null)


def document(default: str = "{}") -> Any:
    return Field(default=None, sa_column=Column(JSONB, nullable=False, server_default=text(f"'{default}'::jsonb")))


def big(*, null: bool = False) -> Any:
    return Field(default=None, sa_type=BigInteger, nullable=null)


def key() -> Any:
    return Field(default=None, sa_type=BigInteger, primary_key=True)


def of_order(*, key: bool = False) -> Any:
    """A reference to the order: facts about money and goods never lose theirs."""
    return Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("sales_order.id"), primary_key=key, nullable=False)
    )
