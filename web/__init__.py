"""The web process: webhooks in, health, and the page of one order. README.md beside this file."""
