"""The simulated outside world: six vendors' systems in one process. Imports nothing of ours."""
