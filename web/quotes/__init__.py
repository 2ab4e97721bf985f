"""`POST /quote`: what an order would cost, for shops that ask before they show a price."""
