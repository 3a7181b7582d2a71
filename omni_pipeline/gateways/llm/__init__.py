"""Asks a chat model for the product that a page shows.

What is asked and believed is in `domain.products`.
"""
