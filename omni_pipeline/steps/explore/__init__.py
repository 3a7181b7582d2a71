"""A look at a site or a page that keeps nothing.

The crawl that keeps pages is in `crawl`.
"""
