"""Every table. Partial indexes leave finished rows out."""

from ballast.db.tables import archive, books, orders, traffic, upkeep, watching

__all__ = ["archive", "books", "orders", "traffic", "upkeep", "watching"]
