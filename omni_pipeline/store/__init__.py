"""Memory: one module and one SQL file a table, rows as frozen dataclasses.

Nothing here decides; it reads and writes.
"""
