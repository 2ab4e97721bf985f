"""Every table. Partial indexes leave finished rows out."""

from ballast.db.tables import (
    archive,
    books,
    channels,
    customers,
    deliveries,
    edits,
    gates,
    money,
    orders,
    returns,
    rules,
    stock,
    traffic,
    upkeep,
    watching,
)

__all__ = [
    "archive",
    "books",
    "channels",
    "customers",
    "deliveries",
    "edits",
    "gates",
    "money",
    "orders",
    "returns",
    "rules",
    "stock",
    "traffic",
    "upkeep",
    "watching",
]
