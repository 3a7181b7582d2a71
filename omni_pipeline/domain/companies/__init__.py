"""Who runs a site: profile, numbers and addresses, read from its pages.

What a site sells is in `products`.
"""
