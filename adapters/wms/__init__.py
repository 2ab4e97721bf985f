"""Warehouse systems: they pick, pack and ship."""
