"""`GET /stock`: what can be promised, for shops that show it."""
