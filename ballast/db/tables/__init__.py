"""Every table. Partial indexes leave finished rows out."""

from ballast.db.tables import books, orders, traffic, upkeep

__all__ = ["books", "orders", "traffic", "upkeep"]
