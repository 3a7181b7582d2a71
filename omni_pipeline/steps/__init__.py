"""The story: what a refresh does, step by step, as plain functions that return frozen reports.

Dagster is not known here; SQL is in `store`.
"""
