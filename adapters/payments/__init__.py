"""Those who take and return money."""
