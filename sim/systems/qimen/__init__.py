"""QiMen: the warehouse's XML contract, both directions."""
