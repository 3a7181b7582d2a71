"""Step 2: from fetched bodies to Markdown, without what a domain repeats.

The rules are in `domain.text`.
"""
