"""Every table. Partial indexes leave finished rows out."""

from ballast.db.tables import archive, books, customers, gates, orders, rules, stock, traffic, upkeep, watching

__all__ = ["archive", "books", "customers", "gates", "orders", "rules", "stock", "traffic", "upkeep", "watching"]
