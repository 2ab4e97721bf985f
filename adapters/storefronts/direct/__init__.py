"""A shop's own backend, in Ballast's own order format."""
