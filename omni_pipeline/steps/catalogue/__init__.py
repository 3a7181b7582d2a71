"""Products, prices and companies of a refresh, read from the pages that the crawl keeps.

The rules of reading are in `domain.products` and `domain.prices`.
"""
