"""ERPs: they hold the books and the stock."""
