"""Prefect tasks, one file per role. A task works on one chunk and makes one kind of outside effect."""
