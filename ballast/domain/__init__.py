"""Pure rules: states, events, the life cycle, money, stock. Standard library only."""
