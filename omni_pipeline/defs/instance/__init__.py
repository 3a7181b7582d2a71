"""Dagster's instance: its home, its storage over kept connections, its launcher and its sockets.

Nothing here knows what a run does.
"""
