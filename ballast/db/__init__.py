"""The truth: PostgreSQL tables, and functions over them. Nothing here knows Prefect or the network outside."""
