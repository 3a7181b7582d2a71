"""HTTP's nouns: URLs, hosts, addresses, media types, charsets, and the outcomes of a fetch.

What a crawl makes of them is in `crawl`.
"""
