"""Step 1: from a domain to its pages as fetched.

What the pages say is read in `text` and `catalogue`.
"""
