"""Orchestration: the only layer that knows Dagster.

Shells; what is done is in `steps`.
"""
