"""Every table. Partial indexes leave finished rows out."""

from ballast.db.tables import books, orders, traffic, upkeep, watching

__all__ = ["books", "orders", "traffic", "upkeep", "watching"]
