"""Where the customer orders and looks."""
