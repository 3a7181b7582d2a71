"""Rules: pure functions and values; no clock, no network, no database.

Who asks the world is `gateways`, who remembers is `store`.
"""
