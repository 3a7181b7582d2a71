"""The proxy through which browsers reach the web: it dials the address that was judged.

No page is fetched by it for ourselves: that is `http`.
"""
