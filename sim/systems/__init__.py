"""One package or module per simulated system: what it answers (gate) and what it tells (news)."""
