"""The console as processes: `omni up`, what it starts, the warm process that forks runs.

What a person types is in `commands`; what Dagster loads is in `defs`.
"""
