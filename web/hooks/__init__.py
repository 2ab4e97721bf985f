"""Webhooks in: bounded, verified on raw bytes, stored, then acknowledged in the vendor's own words."""
