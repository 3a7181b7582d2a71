"""Keeps a pgvector search index, and a history of prices, in lock-step with web sites.

Knowledge flows one way: definitions and commands, defs, steps, store and gateways, domain.
"""
