"""From a warehouse's "shipped" to the shop's knowing the tracking number: how long, and how many at once."""
