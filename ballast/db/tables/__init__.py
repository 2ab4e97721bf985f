"""Every table. Partial indexes leave finished rows out."""

from ballast.db.tables import books, orders, traffic

__all__ = ["books", "orders", "traffic"]
