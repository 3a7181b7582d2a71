"""What a person types: one module a command, thin over the layers below.

Dagster is imported by a command only when it needs it.
"""
