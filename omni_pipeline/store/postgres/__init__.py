"""Postgres itself: sessions, errors, commits asked for twice, migrations, queries by name.

No table of the pipeline is known here.
"""
