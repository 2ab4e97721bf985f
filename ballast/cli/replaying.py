"""`ballast replay`."""
