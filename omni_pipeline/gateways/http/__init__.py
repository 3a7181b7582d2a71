"""The HTTP client of the crawl, over h11 and h2: guarded, bounded, paced, one deadline a fetch.

Why it is not a library is a decision in the documentation.
"""
