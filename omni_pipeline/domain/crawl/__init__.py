"""Which URLs a crawl asks for and what a page says about them: robots.txt, sitemaps, scope, links.

URLs, hosts and outcomes of fetches are in `web`.
"""
