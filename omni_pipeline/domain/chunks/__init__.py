"""Cutting a page's Markdown into chunks that fit the embedding model.

Not the vectors: those are `embedding`.
"""
