"""The Postgres that starts by itself: its data directory, its account, its users.

Sessions with any Postgres are in `postgres`.
"""
